"""Exports that are whole or not there: written aside, renamed when they have been proved."""

import contextlib
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from serzoo.errors import ExportError

_TRIES = 1000
_PREFIX, _SUFFIX = ".export-", ".partial"
_STALE_S = 3600  # no export is still at work after an hour without a new file


@contextlib.contextmanager
def aside(folder: Path) -> Iterator[Path]:
    """A hidden folder beside the place of the export, on the same disk: context manager.

    TensorFlow Serving looks only at folders whose name is a number. What a killed export left here long ago is removed.

    Args:
        folder: where the export shall stand; it is made if need be.

    Yields:
        An empty folder, which is removed at the end with whatever is still in it.

    Raises:
        ExportError: if nothing can be written there, or not all of it.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        _remove_stale(folder)
        place = Path(tempfile.mkdtemp(prefix=_PREFIX, suffix=_SUFFIX, dir=folder))
    except OSError as error:
        raise ExportError(
            f"An export needs a folder that can be written to. Received {folder}: {error.strerror}."
        ) from error
    try:
        yield place
    except OSError as error:
        raise ExportError(f"The export could not be written to {folder}: {error.strerror or error}.") from error
    finally:
        shutil.rmtree(place, ignore_errors=True)


def publish_version(place: Path, base: Path) -> Path:
    """Rename a finished folder to the next version of a model.

    Args:
        place: folder that :func:`aside` gave for ``base``, or one in it.
        base: what TensorFlow Serving calls the base path.

    Returns:
        ``base/VERSION``, one more than the highest number there; of several exports at once each gets its own.

    Example:
        >>> publish_version(place, Path("served/ser"))  # doctest: +SKIP
        PosixPath('served/ser/1')
    """
    place.chmod(0o755)  # mkdtemp's folders are for their owner alone, and the server is another user
    version = max(versions(base), default=0)
    for _ in range(_TRIES):
        version += 1
        try:
            # A folder is never renamed onto another that holds something: whoever comes second takes the next number.
            os.rename(place, base / str(version))
            return base / str(version)
        except OSError:
            if not (base / str(version)).exists():
                raise
    raise ExportError(f"{base} has no free version number after {version}.")


def versions(base: Path) -> list[int]:
    """Numbers of the versions below a base path, in ascending order; files with such names count, being in the way."""
    return sorted(int(path.name) for path in base.iterdir() if path.name.isascii() and path.name.isdigit())


def _remove_stale(folder: Path) -> None:
    # By age and not by process: another machine may be exporting to the same disk.
    for place in folder.glob(f"{_PREFIX}*{_SUFFIX}"):
        with contextlib.suppress(OSError):  # its export has just ended
            if time.time() - max(path.stat().st_mtime for path in (place, *place.rglob("*"))) > _STALE_S:
                shutil.rmtree(place, ignore_errors=True)
