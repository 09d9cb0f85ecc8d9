"""The files that a table may come as, read to a list of rows: CSV, Parquet, JSONL, audformat."""

import csv
import io
import json
from pathlib import Path
from typing import Any

from serzoo.errors import CorpusError

SUFFIXES = (".csv", ".tsv", ".parquet", ".jsonl")
_DELIMITERS = (",", ";", "\t")


def read(
    root: Path, *, table: str | None = None, encoding: str | None = None, delimiter: str | None = None
) -> list[dict[str, Any]]:
    """Read a table file, or the table of an audformat database that holds the emotions.

    Args:
        root: existing file or folder.
        table: name of the table in an audformat database.
        encoding: of a text file, UTF-8 by default.
        delimiter: of a CSV file; by default the one of comma, semicolon and tab that the header has most of.

    Returns:
        One mapping of column to value for each row; values of CSV files are text, missing ones are ``None``.

    Raises:
        CorpusError: if it is none of these, or has another encoding or form.

    Example:
        >>> read(Path("mine.csv"))  # doctest: +SKIP
        [{'file': 'a.wav', 'emotion': 'anger'}]
    """
    if root.is_dir():
        return _read_audformat(root, table)
    suffix = root.suffix.lower()
    if suffix == ".parquet":
        rows = _read_parquet(root)
    elif suffix == ".jsonl":
        rows = _read_jsonl(root, _decode(root, encoding))
    elif suffix in (".csv", ".tsv"):
        rows = _read_csv(root, _decode(root, encoding), delimiter)
    else:
        raise CorpusError(
            f"A table must be one of {', '.join(SUFFIXES)} or a folder with db.yaml. Received: {root.name!r}."
        )
    if not rows:
        raise CorpusError(f"The table {root.name!r} has no rows.")
    return rows


def _decode(path: Path, encoding: str | None) -> str:
    data = path.read_bytes()
    marked = "utf-16" if data.startswith((b"\xff\xfe", b"\xfe\xff")) else "utf-8-sig"
    try:
        return data.decode(encoding or marked)
    except (UnicodeDecodeError, LookupError) as error:
        raise CorpusError(
            f"The table {path.name!r} is not {encoding or 'UTF-8'}: {error}. "
            "Save it as UTF-8, or name its encoding and write what is read: serzoo.corpora.read(..., "
            "encoding='cp1252').to_csv('mine.csv')."
        ) from error


def _read_csv(path: Path, text: str, delimiter: str | None) -> list[dict[str, Any]]:
    header = text.partition("\n")[0]
    delimiter = delimiter or ("\t" if path.suffix.lower() == ".tsv" else max(_DELIMITERS, key=header.count))
    try:
        lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True))
    except (csv.Error, TypeError) as error:
        raise CorpusError(f"The table {path.name!r} is no CSV with the delimiter {delimiter!r}: {error}.") from error
    names = [name.strip() for name in lines[0]] if lines else []
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise CorpusError(f"The table {path.name!r} has columns of the same name: {', '.join(map(repr, twice))}.")
    rows = []
    for number, fields in enumerate(lines[1:], start=1):
        if not fields:
            continue
        if len(fields) != len(names):
            raise CorpusError(f"Row {number} of {path.name!r} must have {len(names)} fields. Received: {len(fields)}.")
        rows.append({name: field or None for name, field in zip(names, fields, strict=True)})
    return rows


def _read_jsonl(path: Path, text: str) -> list[dict[str, Any]]:
    rows = []
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
        except ValueError as error:
            raise CorpusError(f"Line {number} of {path.name!r} is no JSON: {error}.") from error
        if not isinstance(row, dict):
            raise CorpusError(f"Line {number} of {path.name!r} must be a JSON object. Received: {line.strip()[:40]}.")
        rows.append(row)
    return rows


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    import pandas as pd

    try:
        frame = pd.read_parquet(path)
    except ImportError as error:
        raise CorpusError(f"Reading {path.name!r} needs pyarrow: pip install pyarrow.") from error
    except Exception as error:  # pyarrow's own classes, which cannot be named without it
        raise CorpusError(f"The table {path.name!r} is no Parquet file: {error}.") from error
    if any(frame.index.names):
        frame = frame.reset_index()  # the files of audformat's tables are their index
    frame = frame.astype(object)
    return frame.where(frame.notna(), None).to_dict("records")


def _read_audformat(root: Path, name: str | None) -> list[dict[str, Any]]:
    """Read the table with the emotions, and from other tables and from schemes who speaks."""
    import yaml

    if not (root / "db.yaml").is_file():
        raise CorpusError(
            f"The folder {str(root)!r} holds no db.yaml: it is no audformat database. Name the table file."
        )
    try:
        header = yaml.safe_load((root / "db.yaml").read_text(encoding="utf-8"))
        tables = {key: list(value.get("columns") or {}) for key, value in (header.get("tables") or {}).items()}
        schemes = header.get("schemes") or {}
        speakers = (schemes.get("speaker") or {}).get("labels")
    except (yaml.YAMLError, UnicodeDecodeError, AttributeError) as error:
        raise CorpusError(f"The header {str(root / 'db.yaml')!r} is no audformat: {error}.") from error
    with_emotion = [key for key, columns in tables.items() if "emotion" in columns]
    name = name or next(iter(with_emotion), None)
    if name not in tables:
        raise CorpusError(
            f"The database {str(root)!r} needs a table with a column emotion, or serzoo.corpora.read(..., table=NAME), "
            f"one of: {', '.join(tables) or 'none'}. Received: {name}."
        )
    rows = _read_part(root, name)
    others = [key for key, columns in tables.items() if key != name and {"speaker", "gender"} & set(columns)]
    about = {
        row["file"]: row for key in others for row in _read_part(root, key) if row.get("file") and not row.get("end")
    }
    if isinstance(speakers, str) and speakers in (header.get("misc_tables") or {}):  # a table of speakers
        speakers = {row["speaker"]: row for row in _read_part(root, speakers) if row.get("speaker")}
    # Names of speakers may be numbers in YAML and Parquet; in CSV they are text.
    speakers = {str(key): value for key, value in speakers.items()} if isinstance(speakers, dict) else {}
    for row in rows:
        for column in ("speaker", "gender"):
            value = about.get(row.get("file"), {}).get(column)
            if row.get(column) is None and value is not None:
                row[column] = value
        person = speakers.get(str(row.get("speaker")))
        if isinstance(person, dict) and row.get("gender") is None:
            row["gender"] = person.get("gender") or person.get("sex")
    if not rows:
        raise CorpusError(f"The table {name!r} of {str(root)!r} has no rows.")
    return rows


def _read_part(root: Path, name: str) -> list[dict[str, Any]]:
    csv_path, parquet_path = root / f"db.{name}.csv", root / f"db.{name}.parquet"
    if csv_path.is_file():
        return _read_csv(csv_path, _decode(csv_path, None), ",")
    if parquet_path.is_file():
        return _read_parquet(parquet_path)
    # Pickle files, which audformat may write too, run whatever code they hold.
    raise CorpusError(f"The table {name!r} must be stored as {csv_path.name} or {parquet_path.name} in {str(root)!r}.")
