"""Noise corpora: a root folder in its official layout becomes a table of recordings.

The table has one row for each recording and the columns ``corpus``, ``file`` (posix path relative to the root),
``start`` and ``end`` (seconds; NaN: the whole file), ``noise`` (its class), ``fold`` (official number), ``split``
(``"train"``, ``"validation"`` or ``"test"``), ``source`` (the recording that it was cut from: what has the same source
belongs on one side of a split) and ``licence``, followed by what the corpus alone has. What a corpus does not tell is
missing. Reading it looks at names and lists, not at the sound: :func:`noise_waveform` does, and
:func:`serzoo.corpora.babble` makes a noise out of speech.

Copies need not be complete: half of ESC-10 is a noise corpus as well.

Example:
    >>> from serzoo import corpora
    >>> table = corpora.read_noise("esc10", "ESC-10")  # doctest: +SKIP
    >>> table[table["split"] == "train"]["noise"].unique()  # doctest: +SKIP
"""

import importlib
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from serzoo.corpora.corpus import Scan
from serzoo.corpora.noise.babble import babble
from serzoo.corpora.noise.waveform import noise_waveform
from serzoo.corpora.roots import scan_root
from serzoo.errors import CorpusError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["NOISE_COLUMNS", "babble", "noise_layout", "noise_names", "noise_waveform", "read_noise", "scan_noise"]

NOISE_COLUMNS = ("corpus", "file", "start", "end", "noise", "fold", "split", "source", "licence")
# One line for each corpus: a module with LAYOUT and scan(root).
_MODULES = {
    "demand": "serzoo.corpora.noise.demand",
    "esc10": "serzoo.corpora.noise.esc10",
    "esc50": "serzoo.corpora.noise.esc50",
    "folder": "serzoo.corpora.noise.folder",
    "musan": "serzoo.corpora.noise.musan",
}


def noise_names() -> list[str]:
    """List the noise corpora that can be read.

    Example:
        >>> noise_names()
        ['demand', 'esc10', 'esc50', 'folder', 'musan']
    """
    return sorted(_MODULES)


def noise_layout(name: str) -> str:
    """Tell the files that a root of a noise corpus holds, in a few words.

    Example:
        >>> noise_layout("demand")
        'files such as DKITCHEN/ch01.wav'
    """
    return _module(name).LAYOUT


def read_noise(name: str, root: str | PathLike) -> "pd.DataFrame":
    """Read the root of a noise corpus to a table.

    Args:
        name: one of :func:`noise_names`, or ``"folder:NAME"`` to tell several folders of one's own apart.
        root: folder in the official layout of the corpus, complete or not.

    Returns:
        One row for each recording, ordered by file, with the columns that the module describes.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty or another corpus, or its list of clips is damaged.

    Example:
        >>> read_noise("folder:office", "recordings").groupby("noise").size()  # doctest: +SKIP
    """
    import pandas as pd

    rows = scan_noise(name, root).rows
    extra = [column for column in dict.fromkeys(key for row in rows for key in row) if column not in NOISE_COLUMNS]
    table = pd.DataFrame(rows, columns=[*NOISE_COLUMNS, *extra], dtype=object)
    return table.astype({"start": "float64", "end": "float64", "fold": "float64"})


def scan_noise(name: str, root: str | PathLike) -> Scan:
    """List the recordings of a root, and the files that were skipped, by reason.

    Args:
        name: as of :func:`read_noise`.
        root: as of :func:`read_noise`.

    Returns:
        At least one row, and the skipped files.

    Raises:
        UnknownNameError: as :func:`read_noise`.
        CorpusError: as :func:`read_noise`.

    Example:
        >>> scan_noise("demand", "DEMAND").skipped  # doctest: +SKIP
        {'another microphone of the same recording': [...]}
    """
    module = _module(name)
    rows, skipped = scan_root(name, root, module.LAYOUT, module.scan, lambda path: _guess(module, path))
    return Scan([{"corpus": name} | row for row in rows], skipped)


def _module(name: str):
    kind, colon, own = name.partition(":")
    if kind not in _MODULES or (colon and (kind != "folder" or not own)):
        raise unknown_name("noise corpus", name, [*_MODULES, "folder:NAME"])
    return importlib.import_module(_MODULES[kind])


def _guess(module, path: Path) -> str:
    """Describe a folder that is no root for ``module``."""
    # "folder" takes every folder with a sound in it, so it comes last.
    for other in sorted(_MODULES, key=lambda name: name == "folder"):
        try:
            count = len(_module(other).scan(path).rows) if _module(other) is not module else 0
        except CorpusError:
            continue
        if count:
            return f"what looks like {other!r} ({count} of its files)"
    return "no sound files"
