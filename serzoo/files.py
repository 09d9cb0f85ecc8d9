"""Files that are whole or not there, and those below a folder."""

import contextlib
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from serzoo.errors import CorpusError, RunError

CARD = "card.json"  # of one trained fold of a run: written last, so that it marks the fold as done
RECORD = "run.json"  # of a run: what is run, on what, with what
RECORDINGS = "recordings.csv.gz"  # of a run: what it trained on, validated on and tested, by its samples


def below(
    folder: str | os.PathLike, suffixes: Iterable[str], *, max_depth: float = math.inf, strict: bool = True
) -> list[str]:
    """List the files below a folder, hidden ones left out.

    Links are followed. A folder is listed once, however many links lead to it, and by a path without one if it has one.

    Args:
        folder: an existing folder.
        suffixes: file name endings to keep, lower case, with the dot; case is ignored.
        max_depth: number of folder levels below ``folder`` to enter.
        strict: whether a folder that cannot be listed is an error; else it is left out.

    Returns:
        Posix paths relative to ``folder``, sorted.

    Raises:
        OSError: if a folder cannot be listed, and ``strict``.

    Example:
        >>> below("tests/data/emodb", [".wav"])[:1]
        ['wav/03a01Wa.wav']
    """
    suffixes = tuple(suffixes)
    found, seen = [], set()
    pending = [("", 0)]
    while pending:
        prefix, depth = pending.pop()
        path = os.path.join(folder, prefix)
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        try:
            with os.scandir(path) as listed:
                entries = sorted(listed, key=lambda entry: entry.name)
        except OSError:
            if strict:
                raise
            continue
        for entry in entries:
            if entry.name.startswith("."):
                continue
            is_link = entry.is_symlink()
            if os.path.isdir(entry.path) if is_link else entry.is_dir():
                if depth < max_depth:
                    # the last is taken first, and links when nothing else is left
                    pending.insert(0 if is_link else len(pending), (f"{prefix}{entry.name}/", depth + 1))
            elif entry.name.lower().endswith(suffixes):
                found.append(prefix + entry.name)
    return sorted(found)


def check_names(folder: str | os.PathLike, names: Iterable[str]) -> None:
    """Check that file names can be written down: on Linux they may be any bytes.

    Args:
        folder: that the files lie in, for the message.
        names: paths relative to it.

    Raises:
        CorpusError: if one is not valid UTF-8.
    """
    for name in names:
        try:
            name.encode()
        except UnicodeEncodeError as error:
            path = os.path.join(folder, name)
            raise CorpusError(f"The name of a recording must be valid UTF-8. Received: {path!r}.") from error


def replace_file(path: str | os.PathLike, data: bytes) -> None:
    """Write a file aside and rename it, so that no reader ever sees half of it.

    Args:
        path: the file to write or replace; its folder is made if need be.
        data: what it shall hold.

    Raises:
        OSError: if the disk is full or the folder read-only; an older file of that name is then left as it was.

    Example:
        >>> import tempfile
        >>> folder = tempfile.mkdtemp()
        >>> replace_file(folder + "/a.txt", b"whole")
        >>> os.listdir(folder)
        ['a.txt']
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with open(aside, "wb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        os.replace(aside, path)
    except BaseException:
        with contextlib.suppress(OSError):
            aside.unlink()
        raise


def writable(folder: Path, what: str) -> Path:
    """Make a folder and try it before hours of work, not after.

    Args:
        folder: to write to.
        what: is to be written there, such as ``"report"``, for the message.

    Returns:
        The folder.

    Raises:
        RunError: if it cannot be written to.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.partial"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise RunError(f"The {what} needs a folder to write to. Received {folder}: {error.strerror}.") from error
    return folder


def to_json(value: Any) -> bytes:
    r"""Write a report as JSON that any parser takes: a NaN becomes ``null``.

    Args:
        value: nested dicts, lists, strings and numbers.

    Returns:
        Indented UTF-8 text with a final newline.

    Example:
        >>> to_json({"ci_low": float("nan")})
        b'{\n  "ci_low": null\n}\n'
    """
    return (json.dumps(json_ready(value), indent=2, ensure_ascii=False, allow_nan=False) + "\n").encode()


def json_ready(value: Any) -> Any:
    """Copy nested dicts and lists with what JSON has: text keys, and ``None`` in the place of NaN and infinity.

    Example:
        >>> json_ready({1: (0.5, float("nan"))})
        {'1': [0.5, None]}
    """
    if isinstance(value, dict):
        return {str(key): json_ready(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [json_ready(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value
