"""Files that are whole or not there."""

import contextlib
import json
import math
import os
from pathlib import Path
from typing import Any

from serzoo.errors import RunError

CARD = "card.json"  # of one trained fold of a run: written last, so that it marks the fold as done
RECORDINGS = "recordings.csv.gz"  # of a run: what it trained on, validated on and tested, by its samples


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
