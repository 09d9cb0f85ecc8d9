"""Corpora: a root folder in its official layout becomes a pandas table; named protocols make folds of it.

The table has one row for each utterance and the columns ``corpus``, ``file`` (posix path relative to the root),
``start`` and ``end`` (seconds; NaN: the whole file), ``emotion`` (canonical name), ``gender`` (``"female"``,
``"male"`` or NaN), ``speaker``, ``session`` and ``text``, followed by what the corpus alone has. Reading it looks at
file names, and at label files where a corpus has them, never at the sound.

Example:
    >>> from serzoo import corpora
    >>> table = corpora.read("ravdess", "RAVDESS")  # doctest: +SKIP
    >>> folds = corpora.protocol("ravdess8-5fold").folds(table)  # doctest: +SKIP
"""

import importlib
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING

from serzoo.corpora.check import Report, check
from serzoo.corpora.corpus import COLUMNS, EMOTIONS, CorpusInfo, Scan
from serzoo.corpora.folds import Fold, all_speakers
from serzoo.corpora.protocols import Protocol, protocol, protocol_names
from serzoo.errors import CorpusError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "EMOTIONS",
    "CorpusInfo",
    "Fold",
    "Protocol",
    "Report",
    "Scan",
    "all_speakers",
    "check",
    "info",
    "names",
    "protocol",
    "protocol_names",
    "read",
    "read_many",
    "scan",
]

# One line for each corpus: a module with INFO and scan(root).
_MODULES = {
    "emodb": "serzoo.corpora.emodb",
    "ravdess": "serzoo.corpora.ravdess",
}


def names() -> list[str]:
    """List the corpora that can be read.

    Example:
        >>> names()
        ['emodb', 'ravdess']
    """
    return sorted(_MODULES)


def info(name: str) -> CorpusInfo:
    """Return the official numbers, reference and licence of a corpus.

    Args:
        name: one of :func:`names`.

    Raises:
        UnknownNameError: if there is no such corpus.

    Example:
        >>> info("ravdess").num_files
        1440
    """
    return _module(name).INFO


def read(name: str, root: str | PathLike, *, partial: bool = False) -> "pd.DataFrame":
    """Read a corpus root to a table.

    Args:
        name: one of :func:`names`.
        root: folder in the official layout of the corpus.
        partial: whether to accept a copy whose numbers differ from the official ones.

    Returns:
        One row for each utterance, ordered by file, with the columns that the module describes.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty, another corpus or, without ``partial``, incomplete.

    Example:
        >>> read("emodb", "EmoDB").groupby("emotion").size()  # doctest: +SKIP
    """
    rows = scan(name, root).rows
    if not partial:
        _refuse_incomplete(info(name), root, rows)
    return _table(rows)


def read_many(roots: Mapping[str, str | PathLike], *, partial: bool = False) -> "pd.DataFrame":
    """Read several corpora to one table.

    Args:
        roots: corpus name to root folder.
        partial: as in :func:`read`.

    Returns:
        The tables below each other in the order of ``roots``, rows numbered from 0; NaN where a corpus lacks a
        column.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: as :func:`read`, or if ``roots`` is empty.

    Example:
        >>> read_many({"emodb": "EmoDB", "ravdess": "RAVDESS"})  # doctest: +SKIP
    """
    import pandas as pd

    if not roots:
        raise CorpusError("At least one corpus is needed, as {name: root}. Received: none.")
    tables = [read(name, root, partial=partial) for name, root in roots.items()]
    return pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]


def scan(name: str, root: str | PathLike) -> Scan:
    """List the utterances of a root, complete or not, and the files that were skipped, by reason.

    Args:
        name: one of :func:`names`.
        root: folder in the official layout of the corpus.

    Returns:
        At least one row, and the skipped files.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty or another corpus.

    Example:
        >>> {reason: len(files) for reason, files in scan("ravdess", "RAVDESS").skipped.items()}  # doctest: +SKIP
        {'song (vocal channel 02)': 1012}
    """
    module = _module(name)
    folder = Path(root)
    expected = f"Expected {module.INFO.layout}."
    if not folder.exists():
        raise CorpusError(f"There is no folder {str(root)!r} to read {name} from. {expected}")
    if not folder.is_dir():
        raise CorpusError(f"The root of {name} must be a folder. {expected} Received the file {str(root)!r}.")
    try:
        result = module.scan(folder)
        if not result.rows:
            found = "an empty folder" if not any(folder.iterdir()) else _guess(name, folder)
            raise CorpusError(f"The folder {str(root)!r} is not a root of {name}. {expected} Found {found}.")
    except OSError as error:
        raise CorpusError(f"The root {str(root)!r} of {name} cannot be read: {error}.") from error
    return result


def _module(name: str):
    if name not in _MODULES:
        raise unknown_name("corpus", name, _MODULES)
    return importlib.import_module(_MODULES[name])


def _table(rows: list[dict]) -> "pd.DataFrame":
    import pandas as pd

    extra = [column for column in dict.fromkeys(key for row in rows for key in row) if column not in COLUMNS]
    # Object columns keep one dtype for text over all pandas versions, also where a whole column is missing.
    table = pd.DataFrame(rows, columns=[*COLUMNS, *extra], dtype=object)
    return table.astype({"start": "float64", "end": "float64"})


def _refuse_incomplete(official: CorpusInfo, root: str | PathLike, rows: list[dict]) -> None:
    found = Counter(row["emotion"] for row in rows)
    wanted = dict(official.emotions)
    if official.emotions_stand_alone:
        wanted = {emotion: count for emotion, count in wanted.items() if found[emotion]}
    wrong = [f"{emotion} {found[emotion]} of {count}" for emotion, count in wanted.items() if found[emotion] != count]
    if not wrong:
        return
    missing = sorted(set(official.speakers) - {row["speaker"] for row in rows})
    without = f"; no file of speaker {', '.join(missing[:6])}" if missing else ""
    without += f" and {len(missing) - 6} more" if len(missing) > 6 else ""
    raise CorpusError(
        f"The folder {str(root)!r} is not a whole copy of {official.name}: expected {sum(wanted.values())} files, "
        f"found {len(rows)} ({', '.join(wrong)}{without}). See serzoo check {official.name}, or read what is there "
        "with partial=True."
    )


def _guess(name: str, folder: Path) -> str:
    """Describe a folder that is not a root of ``name``."""
    for other in names():
        num_rows = 0 if other == name else len(_module(other).scan(folder).rows)
        if num_rows:
            return f"what looks like {other} ({num_rows} of its files)"
    entries = sorted(entry for entry in folder.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.is_dir() and _module(name).scan(entry).rows:
            return f"the folder {entry.name!r} in it, which looks like a root of {name}"
    shown = ", ".join(entry.name for entry in entries[:3]) or "hidden files only"
    return f"{shown}, ..." if len(entries) > 3 else shown
