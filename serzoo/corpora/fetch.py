"""Downloads of the corpora that their publishers offer openly: fetched, checked, unpacked, renamed.

What is here was looked up, not tried: EmoDB's address stands in the header of audEERING's packaging of it (its
publisher names no checksum), that of RAVDESS and its MD5 on its Zenodo record 1188976, that of ESC-50 in the README of
its repository (an archive that GitHub makes anew, so that no checksum can be published).
"""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from os import PathLike
from pathlib import Path

from serzoo.corpora.download import download, plain_disk_errors
from serzoo.corpora.forms import FORM_OF
from serzoo.corpora.noise import scan_noise
from serzoo.corpora.readers import info, names
from serzoo.corpora.reading import read
from serzoo.corpora.unpack import unpack
from serzoo.errors import CorpusError, unknown_name


@dataclass(frozen=True)
class Source:
    """Where the official archive of a corpus is.

    Args:
        url: address of a ZIP file.
        inner: the folder in the archive that is the root of the corpus; empty for the archive itself.
        md5: checksum that the publisher names; None where there is none.
        max_bytes: an archive that is larger is refused.
        max_unpacked_bytes: so is one that unpacks to more.
    """

    url: str
    inner: str = ""
    md5: str | None = None
    max_bytes: int = 1_000_000_000
    max_unpacked_bytes: int = 2_000_000_000


SOURCES = {
    "emodb": Source("http://emodb.bilderbar.info/download/download.zip"),
    "esc50": Source("https://github.com/karolpiczak/ESC-50/archive/master.zip", inner="ESC-50-master"),
    "ravdess": Source(
        "https://zenodo.org/records/1188976/files/Audio_Speech_Actors_01-24.zip", md5="bc696df654c87fed845eb13823edef8a"
    ),
}


def fetch(name: str, root: str | PathLike, *, progress: Callable[[int, int | None], None] | None = None) -> Path:
    """Download a corpus from its publisher and unpack it.

    The archive and what is unpacked stand in a hidden folder beside ``root`` until all of it is there and can be read;
    then that folder becomes the root. A download that was cut off goes on where it stopped when it is called again.

    Args:
        name: ``"emodb"``, ``"esc50"`` (which holds ESC-10) or ``"ravdess"`` (its speech).
        root: folder to make; it may exist if it is empty.
        progress: called with the bytes that are there and those of the archive, or None where that is not told.

    Returns:
        The root, for :func:`serzoo.corpora.read` or :func:`serzoo.corpora.read_noise`.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if it has no open download, the root holds something, or the download fails, has another checksum,
            is too large or not safe to unpack, or is not the corpus.
        OSError: if the disk is full or the folder read-only.

    Example:
        >>> fetch("ravdess", "data/RAVDESS")  # doctest: +SKIP
        PosixPath('data/RAVDESS')
    """
    if name in FORM_OF:
        raise CorpusError(f"{name} has no publisher: it is another form of {FORM_OF[name]}, as some pass it on.")
    if name not in SOURCES and name in names() and info(name).url:
        raise CorpusError(
            f"{name} has no open download; its publisher gives it out: {info(name).url}. "
            f"Open are: {', '.join(SOURCES)}."
        )
    if name not in SOURCES:
        raise unknown_name("corpus with an open download", name, SOURCES)
    source, root = SOURCES[name], Path(root)
    if root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise CorpusError(f"{name} is fetched into a new or empty folder. Received: {str(root)!r}, which holds files.")
    aside = root.absolute().with_name(f".{root.absolute().name}.fetch")
    archive, unpacked = aside / "archive.zip", aside / "unpacked"
    with plain_disk_errors(root):
        aside.mkdir(parents=True, exist_ok=True)
        if not archive.is_file():
            download(source.url, archive, max_bytes=source.max_bytes, progress=progress)
        shutil.rmtree(unpacked, ignore_errors=True)
        try:
            _refuse_other_checksum(source, archive)
            unpack(archive, unpacked, max_bytes=source.max_unpacked_bytes)
            _refuse_other_corpus(name, unpacked / source.inner)
        except CorpusError:
            shutil.rmtree(aside)  # going on with it would end here again
            raise
        if root.exists():
            root.rmdir()
        (unpacked / source.inner).rename(root)
        shutil.rmtree(aside)
    return root


def _refuse_other_checksum(source: Source, archive: Path) -> None:
    if source.md5 is None:
        return
    digest = hashlib.md5(usedforsecurity=False)  # the one that the publisher names
    with open(archive, "rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != source.md5:
        raise CorpusError(
            f"The download of {source.url} was deleted, as its MD5 is not the one that its publisher names, "
            f"{source.md5}. Received: {digest.hexdigest()}."
        )


def _refuse_other_corpus(name: str, folder: Path) -> None:
    try:
        if name in names():
            read(name, folder)
        else:
            scan_noise(name, folder)
    except CorpusError as error:
        raise CorpusError(f"The archive of {name} is not what it should be. {error}") from error
