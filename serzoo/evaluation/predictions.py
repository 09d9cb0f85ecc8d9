"""The table of predictions behind every figure, and the file that keeps it.

One row is one answer: ``corpus, file, start, end, speaker, gender, seed, fold, truth``, of which a file from elsewhere
may lack ``start``, ``end``, ``gender``, ``seed`` and ``fold``; optionally ``condition`` ("clean", "esc10 0 dB") and
``note`` (what a reader of any figure must know), then one column ``p_CLASS`` per class, and for each continuous head,
such as arousal, ``truth_HEAD`` (empty where it is not known) and ``value_HEAD``. ``start`` and ``end`` are seconds,
empty for a whole file. Probabilities have four decimals in memory as in the file: a figure computed before writing and
one computed from the file are the same figure.
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

from serzoo.errors import CorpusError, MissingFileError, first_line
from serzoo.evaluation.prediction_table import (
    COLUMNS,
    DECIMALS,
    OPTIONAL,
    PREFIX,
    TIME_DECIMALS,
    TRUTH,
    VALUE,
    arrays,
    classes,
    continuous_heads,
    key_columns,
    validate,
)
from serzoo.evaluation.published import published_predictions
from serzoo.files import replace_file

__all__ = [
    "COLUMNS",
    "DECIMALS",
    "OPTIONAL",
    "PREFIX",
    "TIME_DECIMALS",
    "TRUTH",
    "VALUE",
    "arrays",
    "classes",
    "continuous_heads",
    "from_table",
    "key_columns",
    "read",
    "to_csv",
    "validate",
    "write",
]


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
    given = [name for name in ("corpus", "file", "start", "end", "speaker", "gender") if name in table]
    columns = {name: table[name].to_numpy() for name in given}
    columns |= {"seed": seed, "fold": fold, "truth": table["emotion"].to_numpy()}
    columns |= {name: value for name, value in (("condition", condition), ("note", note)) if value is not None}
    columns |= {PREFIX + label: probabilities[:, i] for i, label in enumerate(classes)}
    for name, answers in (values or {}).items():
        columns |= {TRUTH + name: table[name].to_numpy() if name in table else np.nan, VALUE + name: answers}
    return validate(pd.DataFrame(columns, index=range(len(table))))


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
        path: a ``.csv`` or ``.csv.gz`` file, or the folder of a run or report that holds ``predictions.csv``; or
            ``"NAME.TAG"``, for the published predictions of shipped weights.

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
        raise CorpusError(f"{path} must be a CSV file with a header line. Received: {first_line(error)}.") from error
    return validate(table, source=str(path))


def _located(path: Path) -> Path:
    if path.is_dir():
        for name in ("predictions.csv", "predictions.csv.gz"):
            if (path / name).is_file():
                return path / name
        raise MissingFileError(f"{path} holds no predictions.csv; is the run finished?")
    if not path.is_file():
        if shipped := published_predictions(str(path)):
            return shipped
        raise MissingFileError(f"There is no file, folder or published figure {path}.")
    return _checked_suffix(path)


def _checked_suffix(path: Path) -> Path:
    if not path.name.endswith((".csv", ".csv.gz")):
        raise CorpusError(f"Predictions are kept in .csv or .csv.gz files. Received: {path}.")
    return path


def _dtypes(text: str) -> dict[str, type]:
    header = next(csv.reader([text.partition("\n")[0]]), [])
    texts = ("corpus", "file", "speaker", "gender", "fold", "truth", *OPTIONAL)
    return {name: str for name in header if name in texts}
