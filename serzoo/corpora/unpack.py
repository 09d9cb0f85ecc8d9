"""Unpacking of archives that nobody vouches for."""

import contextlib
import shutil
import stat
import zipfile
import zlib
from pathlib import Path, PurePosixPath, PureWindowsPath

from serzoo.corpora.download import refuse_full_disk
from serzoo.errors import CorpusError

MAX_ENTRIES = 50_000
_BLOCK_BYTES = 1 << 20


def unpack(archive: Path, folder: Path, *, max_bytes: int) -> None:
    """Unpack a ZIP file into a new folder, or refuse it as a whole.

    Args:
        archive: the file.
        folder: folder to make.
        max_bytes: an archive that unpacks to more is refused, whatever it promises.

    Raises:
        CorpusError: if the file is no whole ZIP file, is encrypted, unpacks to too much, or has an entry that is a link
            or a device, or would stand outside the folder or in the place of another.
        OSError: if the disk is full or the folder read-only.

    Example:
        >>> unpack(Path("a.zip"), Path("a"), max_bytes=10**6)  # doctest: +SKIP
    """
    try:
        with zipfile.ZipFile(archive) as file:
            entries = file.infolist()
            _refuse_unsafe(archive, entries, max_bytes)
            refuse_full_disk(archive.parent, sum(entry.file_size for entry in entries))
            folder.mkdir(parents=True)
            room = max_bytes
            for entry in entries:
                room -= _unpack_one(file, entry, folder, room)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, FileExistsError, NotADirectoryError) as error:
        with contextlib.suppress(OSError):
            shutil.rmtree(folder)
        raise CorpusError(f"{archive.name} is no whole ZIP file: {error}.") from error


def _unpack_one(file: zipfile.ZipFile, entry: zipfile.ZipInfo, folder: Path, room: int) -> int:
    """Write one entry; returns its bytes, which its header may not have told."""
    path = folder / entry.filename
    if entry.is_dir():
        path.mkdir(parents=True, exist_ok=True)
        return 0
    path.parent.mkdir(parents=True, exist_ok=True)
    num_bytes = 0
    with file.open(entry) as packed, open(path, "xb") as whole:
        while block := packed.read(_BLOCK_BYTES):
            num_bytes += len(block)
            if num_bytes > room:
                raise zipfile.BadZipFile(f"{entry.filename} unpacks to more than was promised")
            whole.write(block)
    return num_bytes


def _refuse_unsafe(archive: Path, entries: list[zipfile.ZipInfo], max_bytes: int) -> None:
    promised = sum(entry.file_size for entry in entries)
    if len(entries) > MAX_ENTRIES or promised > max_bytes:
        raise CorpusError(
            f"{archive.name} must unpack to {MAX_ENTRIES} files and {max_bytes / 1e6:.1f} MB or less. "
            f"Received: {len(entries)} and {promised / 1e6:.1f} MB."
        )
    seen = set()
    for entry in entries:
        name, kind = entry.filename, stat.S_IFMT(entry.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise CorpusError(f"{archive.name} may hold files and folders alone. Received a link or device: {name!r}.")
        if entry.flag_bits & 1:
            raise CorpusError(f"{archive.name} is encrypted: {name!r}.")
        windows = PureWindowsPath(name)
        if windows.drive or windows.root or "\\" in name or ".." in PurePosixPath(name).parts or not name.strip("/."):
            raise CorpusError(f"{archive.name} may write into its own folder alone. Received the path: {name!r}.")
        if name.rstrip("/").lower() in seen:
            raise CorpusError(f"{archive.name} holds two files of the same name: {name!r}.")
        seen.add(name.rstrip("/").lower())
