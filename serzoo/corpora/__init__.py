"""Corpora: a root folder in its official layout becomes a pandas table; named protocols make folds of it.

The table has one row for each utterance and the columns ``corpus``, ``file`` (posix path relative to the root),
``start`` and ``end`` (seconds; NaN: the whole file), ``emotion`` (canonical name; NaN: the annotators disagree),
``gender`` (``"female"``, ``"male"`` or NaN), ``speaker``, ``session`` and ``text``, followed by what the corpus alone
has. Reading it looks at file names, and at label files where a corpus has them, not at the sound (``emodb_first2s``
does, to find where its padding starts).

A corpus that is not here is read as ``"table"``, from a CSV, Parquet or JSONL file or an audformat database; several of
them are told apart as ``"table:NAME"``.

Example:
    >>> from serzoo import corpora
    >>> table = corpora.read("ravdess", "RAVDESS")  # doctest: +SKIP
    >>> folds = corpora.protocol("ravdess8-5fold").folds(table)  # doctest: +SKIP
"""

import importlib
import inspect
from collections import Counter
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

from serzoo.corpora.check import Report, check
from serzoo.corpora.corpus import COLUMNS, EMOTIONS, CorpusInfo, Scan
from serzoo.corpora.cross import PATTERN as CROSS_PATTERN
from serzoo.corpora.cross import cross
from serzoo.corpora.fetch import fetch
from serzoo.corpora.folds import Fold, all_speakers
from serzoo.corpora.named_protocols import protocol, protocol_names
from serzoo.corpora.noise import (
    NOISE_COLUMNS,
    babble,
    noise_layout,
    noise_names,
    noise_waveform,
    read_noise,
    scan_noise,
)
from serzoo.corpora.own import PATTERN as OWN_PATTERN
from serzoo.corpora.protocols import Protocol
from serzoo.corpora.video import with_sound
from serzoo.errors import CorpusError, unknown_name

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "COLUMNS",
    "CROSS_PATTERN",
    "OWN_PATTERN",
    "EMOTIONS",
    "NOISE_COLUMNS",
    "CorpusInfo",
    "Fold",
    "Protocol",
    "Report",
    "Scan",
    "all_speakers",
    "babble",
    "check",
    "fetch",
    "cross",
    "folder",
    "folders",
    "info",
    "names",
    "noise_layout",
    "noise_names",
    "noise_waveform",
    "protocol",
    "protocol_names",
    "read",
    "read_many",
    "read_noise",
    "scan",
    "scan_noise",
]

# One line for each corpus: a module with INFO and scan(root).
_MODULES = {
    "afew": "serzoo.corpora.afew",
    "avec": "serzoo.corpora.avec",
    "crema_d": "serzoo.corpora.crema_d",
    "emodb": "serzoo.corpora.emodb",
    "emodb_first2s": "serzoo.corpora.emodb_first2s",
    "emovo": "serzoo.corpora.emovo",
    "esd": "serzoo.corpora.esd",
    "iemocap": "serzoo.corpora.iemocap",
    "meld": "serzoo.corpora.meld",
    "msp_improv": "serzoo.corpora.msp_improv",
    "ravdess": "serzoo.corpora.ravdess",
    "savee": "serzoo.corpora.savee",
    "table": "serzoo.corpora.table",
    "tess": "serzoo.corpora.tess",
    "urdu": "serzoo.corpora.urdu",
}
# A folder never "looks like" these: one has no layout, the other has that of emodb.
_WITHOUT_A_LOOK = {"table", "emodb_first2s"}


def names() -> list[str]:
    """List the corpora that can be read.

    Example:
        >>> names()[:3]
        ['afew', 'avec', 'crema_d']
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


def read(name: str, root: str | PathLike, *, partial: bool = False, **options: Any) -> "pd.DataFrame":
    """Read a corpus root to a table.

    Args:
        name: one of :func:`names`, or ``"table:NAME"``.
        root: folder in the official layout of the corpus; for a table its file.
        partial: whether to accept a copy whose numbers differ from the official ones.
        **options: what the ``scan`` of a corpus takes beside the root, such as ``columns`` of ``table`` or
            ``stretch_s`` of ``avec``.

    Returns:
        One row for each utterance, ordered by file, with the columns that the module describes. Its
        ``attrs["skipped"]`` counts by reason the files that are not in it.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty, another corpus or, without ``partial``, incomplete; if an
            option is not known; if the files are videos without their sound and ffmpeg is not there.

    Example:
        >>> read("emodb", "EmoDB").groupby("emotion").size()  # doctest: +SKIP
        >>> read("table", "mine.csv", columns={"emotion": "label"})  # doctest: +SKIP
    """
    rows, skipped = scan(name, root, **options)
    official = info(name)
    if not partial:
        _refuse_incomplete(official, root, rows)
    if official.videos:
        rows = with_sound(folder(name, root, **options), rows)
    table = _table(rows)
    table.attrs["skipped"] = {f"{name}: {reason}": len(files) for reason, files in skipped.items()}
    return table


def read_many(
    roots: Mapping[str, str | PathLike],
    *,
    partial: bool = False,
    options: Mapping[str, Mapping[str, Any]] | None = None,
) -> "pd.DataFrame":
    """Read several corpora to one table.

    Args:
        roots: corpus name to root folder.
        partial: as in :func:`read`.
        options: corpus name to the options of :func:`read`, where it has any.

    Returns:
        The tables below each other in the order of ``roots``, rows numbered from 0; NaN where a corpus lacks a
        column. ``attrs["skipped"]`` is that of all of them.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: as :func:`read`, or if ``roots`` is empty.

    Example:
        >>> read_many({"emodb": "EmoDB", "ravdess": "RAVDESS"})  # doctest: +SKIP
    """
    import pandas as pd

    if not roots:
        raise CorpusError("At least one corpus is needed, as {name: root}. Received: none.")
    for name in options or {}:
        if name not in roots:
            raise unknown_name("corpus in options", name, roots)
    tables = [read(name, root, partial=partial, **(options or {}).get(name, {})) for name, root in roots.items()]
    joined = pd.concat(tables, ignore_index=True) if len(tables) > 1 else tables[0]
    joined.attrs["skipped"] = {reason: count for table in tables for reason, count in table.attrs["skipped"].items()}
    return joined


def scan(name: str, root: str | PathLike, **options: Any) -> Scan:
    """List the utterances of a root, complete or not, and the files that were skipped, by reason.

    Args:
        name: one of :func:`names`, or ``"table:NAME"``.
        root: folder in the official layout of the corpus; for a table its file.
        **options: as of :func:`read`.

    Returns:
        At least one row, and the skipped files. Videos stand for their sound.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty or another corpus, or an option is not known.

    Example:
        >>> {reason: len(files) for reason, files in scan("ravdess", "RAVDESS").skipped.items()}  # doctest: +SKIP
        {'song (vocal channel 02)': 1012}
    """
    module = _module(name)
    path = Path(root)
    _refuse_options(name, module, options)
    expected = f"Expected {module.INFO.layout}."
    if not path.exists():
        raise CorpusError(f"There is no folder {str(root)!r} to read {name} from. {expected}")
    if not path.is_dir() and not _may_be_file(module):
        raise CorpusError(f"The root of {name} must be a folder. {expected} Received the file {str(root)!r}.")
    try:
        result = module.scan(path, **options)
        if not result.rows:
            found = "an empty folder" if not any(path.iterdir()) else _guess(name, path)
            raise CorpusError(f"The folder {str(root)!r} is not a root of {name}. {expected} Found {found}.")
    except OSError as error:
        raise CorpusError(f"The root {str(root)!r} of {name} cannot be read: {error}.") from error
    if ":" in name:
        result = Scan([row | {"corpus": name} for row in result.rows], result.skipped)
    return result


def folder(name: str, root: str | PathLike, **options: Any) -> Path:
    """Return the folder that the ``file`` column is relative to: the root, but for a table's file.

    Args:
        name: as of :func:`read`.
        root: as of :func:`read`.
        **options: as of :func:`read`.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if an option is not known, or a table cannot be read.

    Example:
        >>> folder("ravdess", "RAVDESS").name
        'RAVDESS'
    """
    module = _module(name)
    _refuse_options(name, module, options)
    return module.folder(Path(root), **options) if _may_be_file(module) else Path(root)


def folders(roots: Mapping[str, str | PathLike]) -> dict[str, Path]:
    """Return the folder of each corpus, as :func:`folder` does.

    Args:
        roots: corpus name to root, as of :func:`read_many`.

    Example:
        >>> folders({"ravdess": "RAVDESS"})["ravdess"].name
        'RAVDESS'
    """
    return {name: folder(name, root) for name, root in roots.items()}


def _module(name: str):
    kind, colon, own = name.partition(":")
    if kind not in _MODULES or (colon and (kind != "table" or not own)):
        raise unknown_name("corpus", name, [*_MODULES, "table:NAME"])
    return importlib.import_module(_MODULES[kind])


def _may_be_file(module) -> bool:
    return getattr(module, "ROOT_MAY_BE_FILE", False)


def _refuse_options(name: str, module, options: Mapping[str, Any]) -> None:
    allowed = list(inspect.signature(module.scan).parameters)[1:]
    unknown = [option for option in options if option not in allowed]
    if unknown:
        raise CorpusError(
            f"The corpus {name} takes {', '.join(allowed) or 'no options'}. Received: {', '.join(unknown)}."
        )


def _table(rows: list[dict]) -> "pd.DataFrame":
    import pandas as pd

    extra = [column for column in dict.fromkeys(key for row in rows for key in row) if column not in COLUMNS]
    # Object columns keep one dtype for text over all pandas versions, also where a whole column is missing.
    table = pd.DataFrame(rows, columns=[*COLUMNS, *extra], dtype=object)
    return table.astype({"start": "float64", "end": "float64"})


def _refuse_incomplete(official: CorpusInfo, root: str | PathLike, rows: list[dict]) -> None:
    found = Counter(row.get("emotion", "no emotion") for row in rows)
    wanted = dict(official.emotions) | ({"no emotion": official.unlabelled} if official.unlabelled else {})
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


def _guess(name: str, path: Path) -> str:
    """Describe a folder that is not a root of ``name``."""
    others = {other: _count(other, path) for other in names() if other != name and other not in _WITHOUT_A_LOOK}
    likely = max(others, key=others.get)
    if others[likely]:
        return f"what looks like {likely} ({others[likely]} of its files)"
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.is_dir() and _count(name, entry):
            return f"the folder {entry.name!r} in it, which looks like a root of {name}"
    shown = ", ".join(entry.name for entry in entries[:3]) or "hidden files only"
    return f"{shown}, ..." if len(entries) > 3 else shown


def _count(name: str, path: Path) -> int:
    try:
        return len(_module(name).scan(path).rows)
    except CorpusError:
        return 0
