"""The table of predictions behind every figure, and the file that keeps it.

One row is one answer: ``corpus, file, start, end, speaker, gender, seed, fold, truth``, optionally ``condition``
("clean", "esc10 0 dB") and ``note`` (what a reader of any figure must know), then one column ``p_CLASS`` per class,
and for each continuous head, such as arousal, ``truth_HEAD`` (empty where it is not known) and ``value_HEAD``.
``start`` and ``end`` are seconds, empty for a whole file. Probabilities have four decimals in memory as in the file: a
figure computed before writing and one computed from the file are the same figure.
"""

import csv
import gzip
import io
import os
import zlib
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from serzoo.errors import CorpusError, MissingFileError
from serzoo.files import replace_file

DECIMALS = 4
REQUIRED = ("corpus", "file", "start", "end", "speaker", "gender", "seed", "fold", "truth")
OPTIONAL = ("condition", "note")
PREFIX = "p_"
TRUTH, VALUE = "truth_", "value_"
# Half-precision networks sum to 1 within 1e-3 or so; each class adds half a unit of the fourth decimal.
_SUM_TOLERANCE = 2e-3


def from_table(
    table: pd.DataFrame,
    probabilities: np.ndarray,
    classes: list[str],
    *,
    seed: int = 0,
    fold: int | str | None = None,
    condition: str | None = None,
    note: str | None = None,
    values: Mapping[str, np.ndarray] | None = None,
) -> pd.DataFrame:
    """Join a corpus table and what a model says of its rows.

    Args:
        table: corpus rows with ``corpus, file, start, end, emotion, gender, speaker``.
        probabilities: one row for each row of the table, shape ``(rows, classes)``.
        classes: the class of each column of ``probabilities``.
        seed: seed of the training run.
        fold: fold that the rows were tested in; None where there are no folds.
        condition: what was done to the sound, such as ``"clean"``.
        note: what must stand beside every figure from these rows.
        values: answers of each continuous head, ``(rows,)``; its true values are the column of its name.

    Returns:
        Predictions, checked as :func:`validate` does.

    Raises:
        CorpusError: if shapes or values do not fit.

    Example:
        >>> rows = {"corpus": ["toy"], "file": ["a.wav"], "start": [np.nan], "end": [np.nan]}
        >>> table = pd.DataFrame({**rows, "emotion": ["anger"], "gender": ["female"], "speaker": ["01"]})
        >>> predictions = from_table(table, [[0.75, 0.25]], ["anger", "sadness"], fold=3)
        >>> predictions[["file", "fold", "truth", "p_anger"]].values.tolist()
        [['a.wav', 3, 'anger', 0.75]]
    """
    probabilities = np.asarray(probabilities, dtype=np.float64)
    if probabilities.shape != (len(table), len(classes)):
        wanted = (len(table), len(classes))
        raise CorpusError(f"probabilities must have the shape {wanted}. Received: {probabilities.shape}.")
    missing = [name for name in ("corpus", "file", "emotion", "speaker") if name not in table]
    if missing:
        raise CorpusError(f"the corpus table lacks the columns {', '.join(missing)}. Received: {', '.join(table)}.")
    columns = {name: table[name].to_numpy() for name in ("corpus", "file")}
    columns |= {name: table[name].to_numpy() if name in table else np.nan for name in ("start", "end")}
    columns["speaker"] = table["speaker"].to_numpy()
    columns["gender"] = table["gender"].to_numpy() if "gender" in table else None
    columns |= {"seed": seed, "fold": fold, "truth": table["emotion"].to_numpy()}
    columns |= {name: value for name, value in (("condition", condition), ("note", note)) if value is not None}
    columns |= {PREFIX + label: probabilities[:, i] for i, label in enumerate(classes)}
    for name, answers in (values or {}).items():
        columns |= {TRUTH + name: table[name].to_numpy() if name in table else np.nan, VALUE + name: answers}
    return validate(pd.DataFrame(columns, index=range(len(table))))


def classes(predictions: pd.DataFrame) -> list[str]:
    """Name the classes of a table of predictions, in the order of its columns.

    Args:
        predictions: the table.

    Returns:
        Class names.

    Example:
        >>> classes(pd.DataFrame(columns=["truth", "p_anger", "p_sadness"]))
        ['anger', 'sadness']
    """
    return [name.removeprefix(PREFIX) for name in predictions.columns if str(name).startswith(PREFIX)]


def continuous_heads(predictions: pd.DataFrame) -> list[str]:
    """Name the continuous heads of a table of predictions.

    Args:
        predictions: the table.

    Returns:
        Names.

    Example:
        >>> continuous_heads(pd.DataFrame(columns=["p_anger", "truth_arousal", "value_arousal"]))
        ['arousal']
    """
    return [name.removeprefix(VALUE) for name in predictions.columns if str(name).startswith(VALUE)]


def validate(predictions: pd.DataFrame, source: str = "predictions") -> pd.DataFrame:
    """Check a table of predictions and bring it into canonical types, column order and precision.

    Args:
        predictions: the table; the columns may stand in any order.
        source: what to call the table in errors, such as its path.

    Returns:
        A new table with a fresh index; probabilities rounded to four decimals.

    Raises:
        CorpusError: if columns are missing or unknown, the table is empty, a probability is missing, outside [0, 1] or
            does not sum to 1 over the classes, a file, speaker or seed is missing, or a row comes twice.

    Example:
        >>> validate(pd.DataFrame(columns=[*REQUIRED, "p_anger", "p_sadness"]))
        Traceback (most recent call last):
        serzoo.errors.CorpusError: predictions: a table of predictions needs at least one row. Received: none.
    """
    labels = classes(predictions)
    _check_columns(predictions, labels, source)
    if predictions.empty:
        raise CorpusError(f"{source}: a table of predictions needs at least one row. Received: none.")
    order = [*REQUIRED, *(name for name in OPTIONAL if name in predictions), *(PREFIX + label for label in labels)]
    order += [prefix + name for name in continuous_heads(predictions) for prefix in (TRUTH, VALUE)]
    table = predictions[order].reset_index(drop=True).copy()
    for name in ("start", "end"):
        table[name] = _numbers(table[name], f"{source}: {name}", "seconds or empty").round(6)
    for name in ("corpus", "file", "speaker", "gender", "truth", *(name for name in OPTIONAL if name in table)):
        table[name] = _text(table[name])
    for name in ("corpus", "file", "speaker"):
        _refuse(table, table[name].isna(), f"{source}: {name} must not be empty", name)
    seed = _numbers(table["seed"], f"{source}: seed", "an integer")
    _refuse(table, seed.isna() | (seed % 1 != 0), f"{source}: seed must be an integer", "seed")
    table["seed"] = seed.astype(np.int64)
    table["fold"] = _folds(table["fold"])
    _check_probabilities(table, labels, source)
    for name in continuous_heads(table):
        for column, allowed in ((TRUTH + name, "a number or empty"), (VALUE + name, "a number")):
            table[column] = _numbers(table[column], f"{source}: {column}", allowed).round(DECIMALS) + 0.0
        _refuse(table, table[VALUE + name].isna(), f"{source}: {VALUE}{name} must not be empty", "file")
    keys = key_columns(table, "seed")
    _refuse(table, table.duplicated(keys), f"{source}: each ({', '.join(keys)}) may come once", "file")
    return table


def key_columns(predictions: pd.DataFrame, *more: str) -> list[str]:
    """Name the columns that tell one judged utterance from another.

    Args:
        predictions: the table.
        *more: further columns, such as ``"seed"``.

    Returns:
        Column names.

    Example:
        >>> key_columns(pd.DataFrame(columns=REQUIRED), "seed")
        ['corpus', 'file', 'start', 'seed']
    """
    return ["corpus", "file", "start", *(["condition"] if "condition" in predictions else []), *more]


def to_csv(predictions: pd.DataFrame, source: str = "predictions") -> bytes:
    """Render predictions as CSV; the same table always gives the same bytes.

    Args:
        predictions: the table.
        source: what to call the table in errors.

    Returns:
        UTF-8 text.

    Raises:
        CorpusError: if the table is not valid.

    Example:
        >>> to_csv(predictions)[:12]  # doctest: +SKIP
        b'corpus,file,'
    """
    table = validate(predictions, source=source)
    for label in classes(table):
        table[PREFIX + label] = table[PREFIX + label].map(f"{{:.{DECIMALS}f}}".format)
    return table.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).encode()


def write(path: str | os.PathLike, predictions: pd.DataFrame) -> None:
    """Write predictions as CSV.

    Args:
        path: ends with ``.csv`` or ``.csv.gz``; it is replaced as a whole or not at all.
        predictions: the table.

    Raises:
        CorpusError: if the table is not valid or the path ends otherwise.
        OSError: if the disk is full or the folder read-only.

    Example:
        >>> write("predictions.csv", predictions)  # doctest: +SKIP
    """
    path = _checked_suffix(Path(path))
    data = to_csv(predictions, source=str(path))
    # No time stamp and no name inside: a figure that did not change leaves the committed file as it was.
    replace_file(path, gzip.compress(data, compresslevel=9, mtime=0) if path.suffix == ".gz" else data)


def read(path: str | os.PathLike) -> pd.DataFrame:
    """Read and check predictions.

    Args:
        path: a ``.csv`` or ``.csv.gz`` file, or the folder of a run or report that holds ``predictions.csv``.

    Returns:
        The table; ``speaker`` is text ("01" stays "01"), ``fold`` integers where all folds are, else text.

    Raises:
        MissingFileError: if there is no such file.
        CorpusError: if it is not a table of predictions.

    Example:
        >>> predictions = read("runs/a")  # doctest: +SKIP
    """
    path = _located(Path(path))
    try:
        data = path.read_bytes()
        text = (gzip.decompress(data) if path.suffix == ".gz" else data).decode("utf-8-sig")
        # Only an empty field is missing: a speaker may be called NA.
        table = pd.read_csv(io.StringIO(text), dtype=_dtypes(text), keep_default_na=False, na_values=[""])
    except UnicodeDecodeError as error:
        raise CorpusError(f"{path}: a table of predictions must be UTF-8 text. Received: {error.reason}.") from error
    except (gzip.BadGzipFile, EOFError, zlib.error) as error:
        raise CorpusError(f"{path} is cut or is no gzip file: {error}.") from error
    except (ValueError, pd.errors.EmptyDataError) as error:
        reason = str(error).strip().splitlines()[0].rstrip(".")
        raise CorpusError(f"{path} must be a CSV file with a header line. Received: {reason}.") from error
    return validate(table, source=str(path))


def _located(path: Path) -> Path:
    if path.is_dir():
        for name in ("predictions.csv", "predictions.csv.gz"):
            if (path / name).is_file():
                return path / name
        raise MissingFileError(f"{path} holds no predictions.csv; is the run finished?")
    if not path.is_file():
        raise MissingFileError(f"There is no file or folder {path}.")
    return _checked_suffix(path)


def _checked_suffix(path: Path) -> Path:
    if not path.name.endswith((".csv", ".csv.gz")):
        raise CorpusError(f"Predictions are kept in .csv or .csv.gz files. Received: {path}.")
    return path


def _dtypes(text: str) -> dict[str, type]:
    header = next(csv.reader([text.partition("\n")[0]]), [])
    texts = ("corpus", "file", "speaker", "gender", "fold", "truth", *OPTIONAL)
    return {name: str for name in header if name in texts}


def _check_columns(predictions: pd.DataFrame, labels: list[str], source: str) -> None:
    missing = [name for name in REQUIRED if name not in predictions]
    if missing:
        came = ", ".join(map(str, predictions.columns)) or "none"
        raise CorpusError(f"{source} lacks the columns {', '.join(missing)}. Received: {came}.")
    heads = continuous_heads(predictions)
    if lacking := [TRUTH + name for name in heads if TRUTH + name not in predictions]:
        raise CorpusError(f"{source} lacks the columns {', '.join(lacking)}. Received: {VALUE}... alone.")
    known = {*REQUIRED, *OPTIONAL, *(PREFIX + label for label in labels)}
    known |= {prefix + name for name in heads for prefix in (TRUTH, VALUE)}
    unknown = [str(name) for name in predictions.columns if name not in known]
    if unknown:
        allowed = ", ".join([*REQUIRED, *OPTIONAL, "p_CLASS", "truth_HEAD and value_HEAD"])
        raise CorpusError(f"{source} has unknown columns {', '.join(unknown)}. Allowed: {allowed}.")
    if not predictions.columns.is_unique:
        raise CorpusError(f"{source} has the same column twice. Received: {', '.join(predictions.columns)}.")
    if len(labels) < 2 or "" in labels:
        raise CorpusError(f"{source} needs a column p_CLASS for each of two or more classes. Received: {labels}.")


def _check_probabilities(table: pd.DataFrame, labels: list[str], source: str) -> None:
    names = [PREFIX + label for label in labels]
    for name in names:
        table[name] = _numbers(table[name], f"{source}: {name}", "a number from 0 to 1").round(DECIMALS) + 0.0
    values = table[names].to_numpy()
    _refuse(table, np.isnan(values).any(axis=1), f"{source}: a probability is missing or NaN", "file")
    outside = ((values < 0) | (values > 1)).any(axis=1)
    _refuse(table, outside, f"{source}: probabilities must lie between 0 and 1", "file")
    off = np.abs(values.sum(axis=1) - 1) > _SUM_TOLERANCE + 0.5 * 10**-DECIMALS * len(labels)
    _refuse(table, off, f"{source}: the probabilities of a row must sum to 1", "file")


def _refuse(table: pd.DataFrame, bad: np.ndarray | pd.Series, rule: str, show: str) -> None:
    rows = np.flatnonzero(np.asarray(bad))
    if len(rows):
        first = int(rows[0])
        named = f"row {first + 1} ({show} {table[show].iloc[first]!r})"
        raise CorpusError(f"{rule}. Received: {len(rows)} such row{'s' * (len(rows) > 1)}, the first is {named}.")


def _numbers(column: pd.Series, what: str, allowed: str) -> pd.Series:
    try:
        return pd.to_numeric(column).astype(np.float64)
    except (ValueError, TypeError) as error:
        raise CorpusError(f"{what} must be {allowed}. Received: {error}.") from error


def _text(column: pd.Series) -> pd.Series:
    """Plain strings and NaN, on every version of pandas."""
    values = [
        np.nan if missing else str(value) for value, missing in zip(column.to_numpy(object), column.isna(), strict=True)
    ]
    return pd.Series(values, index=column.index, dtype=object)


def _folds(column: pd.Series) -> pd.Series:
    numbers = pd.to_numeric(column, errors="coerce")
    if (numbers.isna() == column.isna()).all() and (numbers.dropna() % 1 == 0).all():
        return numbers.astype("Int64")
    return _text(column)
