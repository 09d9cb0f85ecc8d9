"""Any corpus that comes as a table: CSV, Parquet, EmoBox JSONL, or an audformat database.

A root is a table file, or the folder of an audformat database (``db.yaml`` and its tables). Where the columns have
other names than serzoo's, ``columns`` tells them; where the labels have other names than serzoo's and the usual ones,
``emotions`` does. Several tables are told apart as ``"table:NAME"``, and their rows then carry that as corpus:

    read_many({"table:mine": "mine.csv", "table:theirs": "theirs.jsonl"})

Files are relative to the folder of the table, or to ``folder``. For JSONL, whose paths start at the folder of EmoBox,
the nearest folder above the table in which the first file exists is taken.
"""

import functools
import math
import os
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

from serzoo.corpora import table_files
from serzoo.corpora.corpus import COLUMNS, EMOTIONS, NO_SUCH_FILE, OWN_LICENCE, CorpusInfo, Scan
from serzoo.errors import CorpusError, join
from serzoo.scales import DIMENSIONS

ROOT_MAY_BE_FILE = True

# The usual names of the same things; case is ignored.
_ALIASES = {
    "anger": ("angry", "ang"),
    "boredom": ("bored", "bor"),
    "calm": ("relaxed",),
    "contempt": ("contemptuous", "con"),
    "disgust": ("disgusted", "dis"),
    "excitement": ("excited", "exc"),
    "fear": ("fearful", "fea", "afraid", "anxiety"),
    "frustration": ("frustrated", "fru"),
    "happiness": ("happy", "hap", "joy", "joyful"),
    "neutral": ("neu",),
    "other": ("oth",),
    "sadness": ("sad",),
    "surprise": ("surprised", "sur"),
}
_CANONICAL = {name: emotion for emotion in EMOTIONS for name in (emotion, *_ALIASES[emotion])}
_GENDERS = {"f": "female", "female": "female", "woman": "female", "m": "male", "male": "male", "man": "male"}
_NOBODY = ("-", "?", "n/a", "na", "nan", "none", "null", "unknown")  # one name for people who may be several
_NO_GENDER = ("-", "?", "diverse", "n/a", "na", "nan", "nb", "non-binary", "none", "o", "other", "u", "unknown", "x")

INFO = CorpusInfo(
    name="table",
    title="a table of your own: CSV, Parquet, EmoBox JSONL or an audformat database",
    reference="none",
    url="",
    licence=OWN_LICENCE,
    layout="a .csv, .tsv, .parquet or .jsonl file with the columns file and emotion, or a folder with db.yaml",
    emotions={},
    speakers={},
    notes=("no official numbers: nothing is compared",),
)


def scan(
    root: Path,
    columns: Mapping[str, str] | None = None,
    emotions: Mapping[str, str | None] | None = None,
    folder: str | PathLike | None = None,
    table: str | None = None,
    encoding: str | None = None,
    delimiter: str | None = None,
) -> Scan:
    """Read a table.

    Args:
        root: existing table file, or folder of an audformat database.
        columns: serzoo's name to the table's name, for columns that are called differently, such as
            ``{"emotion": "label"}``; the case makes no difference. Columns that it does not name are kept under their
            own names.
        emotions: label to canonical emotion, or to ``None`` for labels that are none, such as ``{"xxx": None}``.
        folder: what the files are relative to.
        table: name of the table in an audformat database; by default the first one with an emotion.
        encoding: of a CSV or JSONL file, UTF-8 by default.
        delimiter: of a CSV file; by default the one of comma, semicolon and tab that the header has.

    Returns:
        The rows in the order of the table, and the skipped files: those that are not there. ``arousal``, ``valence``
        and ``dominance`` are numbers where they can be read as such.

    Raises:
        CorpusError: if the file has another encoding or form, lacks a column, has a label that is not known, times
            that are none, or the same file and start twice.

    Example:
        >>> scan(Path("mine.csv"), columns={"emotion": "label"}).rows[0]["emotion"]  # doctest: +SKIP
        'anger'
    """
    where = repr(root.name)
    lines = table_files.read(root, table=table, encoding=encoding, delimiter=delimiter)
    names = _names(where, list(dict.fromkeys(key for line in lines for key in line)), columns or {}, root)
    base = _folder_of(root, folder, [line.get(names["file"]) for line in lines[:1]])
    known = _CANONICAL | {str(label).strip().lower(): emotion for label, emotion in (emotions or {}).items()}
    wrong = sorted({str(emotion) for emotion in (emotions or {}).values() if emotion not in (None, *EMOTIONS)})
    if wrong:
        raise CorpusError(f"emotions must lead to {', '.join(EMOTIONS)} or None. Received: {', '.join(wrong)}.")
    rows, missing, seen = [], [], set()
    unknown = {"emotions": set(), "genders": set()}
    is_there = functools.cache(lambda file: (base / file).is_file())  # many rows may be parts of one file
    for number, line in enumerate(lines, start=1):
        row = _row(where, number, line, names, known, unknown)
        row["file"] = _relative(base, row["file"])
        key = (row["file"], row.get("start"))
        if key in seen:
            raise CorpusError(f"Every file and start may stand once in {where}. Row {number} repeats {row['file']}.")
        seen.add(key)
        if is_there(row["file"]):
            rows.append(row)
        else:
            missing.append(row["file"])
    if unknown["emotions"]:
        raise CorpusError(
            f"Unknown emotions in {where}: {join(sorted(unknown['emotions']))}. Known: {', '.join(EMOTIONS)} and their "
            "usual forms. Rename the others, or read the table and write what is read: "
            "serzoo.corpora.read(..., emotions={label: emotion or None}).to_csv('mine.csv')."
        )
    if unknown["genders"]:
        raise CorpusError(
            f"Unknown genders in {where}: {join(sorted(unknown['genders']))}. Known: {', '.join(_GENDERS)}; who is "
            "neither, or is not known, has an empty field, or other or unknown."
        )
    if missing and not rows:
        raise CorpusError(
            f"None of the {len(missing)} files of {where} is there, the first {missing[0]} in {str(base)!r}. "
            "Write them relative to it, or read the table with serzoo.corpora.read(..., folder=...)."
        )
    return Scan(rows, {NO_SUCH_FILE: missing} if missing else {})


def folder(root: Path, folder: str | PathLike | None = None, **options: Any) -> Path:
    """Return what the ``file`` column is relative to; arguments as of :func:`scan`."""
    if folder is not None or root.suffix.lower() != ".jsonl":  # only the paths of EmoBox need a look into the table
        return _folder_of(root, folder, [])
    lines = table_files.read(root, **{k: v for k, v in options.items() if k in ("table", "encoding", "delimiter")})
    name = (options.get("columns") or {}).get("file") or _default("file", lines[0] if lines else {}, root)
    return _folder_of(root, folder, [line.get(name) for line in lines[:1]])


def _names(where: str, found: list[str], columns: Mapping[str, str], root: Path) -> dict[str, str]:
    """Return serzoo's name to the table's name for every column that is there."""
    lacking = [f"{theirs} (for {ours})" for ours, theirs in columns.items() if theirs not in found]
    own = [name for name in (*COLUMNS, *DIMENSIONS) if name != "corpus" and name not in columns]
    names = {ours: _default(ours, found, root) for ours in own}
    names = {ours: theirs for ours, theirs in names.items() if theirs in found} | dict(columns)
    lacking += [ours for ours in ("file", "emotion") if ours not in names]
    if lacking:
        raise CorpusError(
            f"The table {where} lacks the columns {', '.join(lacking)}. Received: {', '.join(found) or 'none'}. "
            "Rename them, or read the table with serzoo.corpora.read(..., columns={'emotion': 'their name', ...})."
        )
    used = set(names.values())
    return names | {name: name for name in found if name not in used and name not in names and name != "corpus"}


def _default(ours: str, found: Any, root: Path) -> str:
    emobox = {"file": "wav", "emotion": "emo", "start": "start_time", "end": "end_time", "speaker": "spk"}
    if ours in found:
        return ours
    if len(same := [name for name in found if str(name).strip().lower() == ours]) == 1:
        return same[0]
    return emobox.get(ours, ours) if root.suffix.lower() == ".jsonl" else ours


def _row(
    where: str,
    number: int,
    line: Mapping[str, Any],
    names: Mapping[str, str],
    known: Mapping[str, str | None],
    unknown: Mapping[str, set],
) -> dict[str, Any]:
    row: dict[str, Any] = {"corpus": INFO.name}
    for ours, theirs in names.items():
        value = line.get(theirs)
        if value is None or _is_nan(value) or (isinstance(value, str) and not value.strip()):
            continue
        if ours in ("start", "end"):
            row[ours] = _seconds(where, number, theirs, value)
        elif ours == "emotion":
            label = str(value).strip()
            if label.lower() not in known:
                unknown["emotions"].add(label)
            elif known[label.lower()]:
                row[ours] = known[label.lower()]
        elif ours == "gender":
            label = str(value).strip().lower()
            if label in _GENDERS:
                row[ours] = _GENDERS[label]
            elif label not in _NO_GENDER:
                unknown["genders"].add(str(value).strip())
        elif ours in DIMENSIONS:
            row[ours] = _number(value)
        elif ours == "speaker" and str(value).strip().lower() in _NOBODY:
            continue
        else:
            row[ours] = str(value).strip() if ours in COLUMNS else value
    row = {key: value for key, value in row.items() if not _is_nan(value)}
    if "file" not in row:
        raise CorpusError(f"Row {number} of {where} names no file.")
    if row.get("end", float("inf")) <= row.get("start", 0.0):
        raise CorpusError(
            f"Row {number} of {where} must end after it starts. "
            f"Received: start {row.get('start', 0.0)}, end {row['end']}."
        )
    return row


def _is_nan(value: Any) -> bool:
    return isinstance(value, float) and math.isnan(value)  # a Parquet table may hold arrays, too


def _number(value: Any) -> Any:
    try:
        return float(value)
    except (TypeError, ValueError):  # a column of their own that has this name, as long as no model learns it
        return value


def _seconds(where: str, number: int, name: str, value: Any) -> float:
    """Read a time: seconds, or as audformat writes it, such as ``0 days 00:00:01.500000``."""
    import pandas as pd

    if str(value).strip().lower() in ("na", "nan", "nat"):
        return float("nan")
    try:
        try:
            seconds = float(value)
        except (TypeError, ValueError):
            if "," in str(value):  # which pandas would leave out, and take what is left for nanoseconds
                raise ValueError("a comma") from None
            seconds = pd.Timedelta(value).total_seconds()
    except ValueError as error:
        raise CorpusError(
            f"{name} of row {number} of {where} must be seconds, with a decimal point. Received: {value!r}."
        ) from error
    if not 0 <= seconds < float("inf"):
        raise CorpusError(f"{name} of row {number} of {where} must be 0 s or more. Received: {value!r}.")
    return seconds


def _folder_of(root: Path, folder: str | PathLike | None, first: list[Any]) -> Path:
    if folder is not None:
        if not Path(folder).is_dir():
            raise CorpusError(f"folder must be one that exists. Received: {str(folder)!r}.")
        return Path(folder)
    own = root if root.is_dir() else root.parent
    if root.suffix.lower() == ".jsonl" and first and isinstance(first[0], str):
        for above in (own, *own.absolute().parents):
            if (above / first[0]).is_file():
                return above
    return own


def _relative(base: Path, file: str) -> str:
    path = Path(file)
    if path.is_absolute():
        for resolve in (os.path.abspath, os.path.realpath):  # as both are written, then without links
            whole = Path(resolve(path.parent), path.name)
            if whole.is_relative_to(resolve(base)):
                return whole.relative_to(resolve(base)).as_posix()
    return path.as_posix()
