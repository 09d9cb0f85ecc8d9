"""A download that goes on where it was cut off."""

import contextlib
import errno
import http.client
import json
import os
import shutil
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

from serzoo.errors import CorpusError
from serzoo.files import replace_file

_TRIES = 5
_TIMEOUT_S = 30
_PAUSE_S = 1.0
_BLOCK_BYTES = 1 << 18


def download(
    url: str, path: Path, *, max_bytes: int, progress: Callable[[int, int | None], None] | None = None
) -> None:
    """Download a file; what is there of it stands in ``path`` with ``.partial`` at its end until it is whole.

    Args:
        url: an http or https address.
        path: the file to make.
        max_bytes: a file that is larger is refused.
        progress: called with the bytes that are there and those of the whole, or None where the server does not tell.

    Raises:
        CorpusError: if the server cannot be reached, refuses, sends more, or was cut off five times in a row without
            sending anything; the next call then goes on.
        OSError: if the disk is full or the folder read-only.

    Example:
        >>> download("https://example.org/a.zip", Path("a.zip"), max_bytes=10**6)  # doctest: +SKIP
    """
    partial = path.with_name(f"{path.name}.partial")
    failures, reason = 0, ""
    while failures < _TRIES:
        time.sleep(failures * _PAUSE_S)
        before = _size(partial)
        try:
            _go_on(url, partial, max_bytes, progress or (lambda done, total: None))
            _version_of(partial).unlink(missing_ok=True)
            partial.replace(path)
            return
        except CorpusError:
            partial.unlink(missing_ok=True)
            raise
        except urllib.error.HTTPError as error:
            raise CorpusError(f"The download of {url} was refused: {error.code} {error.reason}.") from error
        except urllib.error.URLError as error:
            raise CorpusError(f"The server of {url} cannot be reached: {error.reason}.") from error
        except (_CutOffError, http.client.HTTPException, ConnectionError, TimeoutError) as error:
            failures = 0 if _size(partial) > before else failures + 1
            reason = str(error) or type(error).__name__
    raise CorpusError(
        f"The download of {url} was cut off after {_size(partial) / 1e6:.1f} MB ({reason}). The same command goes on."
    )


@contextlib.contextmanager
def plain_disk_errors(root: Path) -> Iterator[None]:
    """Say which disk is full."""
    try:
        yield
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        raise OSError(
            errno.ENOSPC, f"The disk of {str(root)!r} is full; make room, and the same command goes on"
        ) from error


class _CutOffError(Exception):
    """The connection ended before the file did."""


def _go_on(url: str, partial: Path, max_bytes: int, progress: Callable[[int, int | None], None]) -> None:
    """Ask for what is missing and append it; start anew where the server has another file by now."""
    there, version = _size(partial), _version(partial)
    request = urllib.request.Request(url, headers={"User-Agent": "serzoo", "Accept-Encoding": "identity"})
    if there:
        request.add_header("Range", f"bytes={there}-")
        if version:
            request.add_header("If-Range", version)
    try:
        response = urllib.request.urlopen(request, timeout=_TIMEOUT_S)
    except urllib.error.HTTPError as error:
        if error.code != 416 or not there:
            raise
        if error.headers.get("Content-Range") == f"bytes */{there}":
            return  # it was whole already
        partial.unlink()
        raise _CutOffError("the server has another file by now") from error
    with response:
        goes_on = response.status == 206 and response.headers.get("Content-Range", "").startswith(f"bytes {there}-")
        if not goes_on:
            there = 0
        total = _total(response, there)
        if total is not None:
            _refuse_too_large(url, total, max_bytes)
            refuse_full_disk(partial.parent, total - there)
        # An ETag that starts with W/ does not promise the same bytes.
        etag = response.headers.get("ETag", "")
        version = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified", "")
        replace_file(_version_of(partial), json.dumps(version).encode())
        with open(partial, "ab" if goes_on else "wb") as file:
            while block := response.read1(_BLOCK_BYTES):
                file.write(block)
                there += len(block)
                _refuse_too_large(url, there, max_bytes)
                progress(there, total)
    if total is not None and there < total:
        raise _CutOffError(f"{there} of {total} bytes came")


def _total(response: http.client.HTTPResponse, there: int) -> int | None:
    length = response.headers.get("Content-Length", "")
    return there + int(length) if length.isdecimal() else None


def _refuse_too_large(url: str, num_bytes: int, max_bytes: int) -> None:
    if num_bytes > max_bytes:
        raise CorpusError(
            f"The download of {url} must have {max_bytes / 1e6:.1f} MB or less. Received: {num_bytes / 1e6:.1f} MB."
        )


def refuse_full_disk(folder: Path, num_bytes: int) -> None:
    """Raise :class:`OSError` where a folder has no room for so many bytes."""
    if shutil.disk_usage(folder).free < num_bytes:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _size(path: Path) -> int:
    return path.stat().st_size if path.is_file() else 0


def _version_of(partial: Path) -> Path:
    return partial.with_name(f"{partial.name}.version")


def _version(partial: Path) -> str:
    """Tell which version of the file a part is of, in the words of the server; empty where it did not say."""
    try:
        return str(json.loads(_version_of(partial).read_bytes()))
    except (OSError, ValueError):
        return ""
