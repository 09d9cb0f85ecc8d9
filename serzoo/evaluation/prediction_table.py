"""What a table of predictions holds: its columns, and the rules that every row keeps."""

import numpy as np
import pandas as pd

from serzoo.errors import CorpusError

DECIMALS = 4
TIME_DECIMALS = 6  # of start and end, in seconds
COLUMNS = ("corpus", "file", "start", "end", "speaker", "gender", "seed", "fold", "truth")
# what a row without the column is taken to say
DEFAULTS = {"start": np.nan, "end": np.nan, "gender": np.nan, "seed": 0, "fold": np.nan}
OPTIONAL = ("condition", "note")
PREFIX = "p_"
TRUTH, VALUE = "truth_", "value_"
# Half-precision networks sum to 1 within 1e-3 or so; each class adds half a unit of the fourth decimal.
_SUM_TOLERANCE = 2e-3


def validate(predictions: pd.DataFrame, source: str = "predictions") -> pd.DataFrame:
    """Check a table of predictions and bring it into canonical types, column order and precision.

    Args:
        predictions: the table; the columns may stand in any order. Without ``start`` and ``end`` a row is a whole file,
            without ``gender`` it is unknown; without ``seed`` there was one, without ``fold`` none.
        source: what to call the table in errors, such as its path.

    Returns:
        A new table with a fresh index; probabilities rounded to four decimals.

    Raises:
        CorpusError: if columns are missing or unknown, the table is empty, a probability is missing, outside [0, 1] or
            does not sum to 1 over the classes, a file, speaker, seed or condition is missing, or a row comes twice.

    Example:
        >>> validate(pd.DataFrame(columns=[*COLUMNS, "p_anger", "p_sadness"]))
        Traceback (most recent call last):
        serzoo.errors.CorpusError: predictions: a table of predictions needs at least one row. Received: none.
    """
    labels = classes(predictions)
    _check_columns(predictions, labels, source)
    if predictions.empty:
        raise CorpusError(f"{source}: a table of predictions needs at least one row. Received: none.")
    predictions = predictions.assign(**{name: value for name, value in DEFAULTS.items() if name not in predictions})
    order = [*COLUMNS, *(name for name in OPTIONAL if name in predictions), *(PREFIX + label for label in labels)]
    order += [prefix + name for name in continuous_heads(predictions) for prefix in (TRUTH, VALUE)]
    table = predictions[order].reset_index(drop=True).copy()
    for name in ("start", "end"):
        table[name] = _numbers(table[name], f"{source}: {name}", "seconds or empty").round(TIME_DECIMALS)
    for name in ("corpus", "file", "speaker", "gender", "truth", *(name for name in OPTIONAL if name in table)):
        table[name] = _text(table[name])
    for name in ("corpus", "file", "speaker", *(["condition"] if "condition" in table else [])):
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


def arrays(predictions: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Take the numbers out of a table of predictions.

    Args:
        predictions: the table.

    Returns:
        Probabilities ``(rows, classes)``, and the place of each truth among the classes ``(rows,)``, -1 if it is none.

    Example:
        >>> arrays(pd.DataFrame({"truth": ["b", "c"], "p_a": [0.8, 0.6], "p_b": [0.2, 0.4]}))[1].tolist()
        [1, -1]
    """
    labels = classes(predictions)
    probabilities = predictions[[PREFIX + label for label in labels]].to_numpy(np.float64)
    return probabilities, pd.Index(labels).get_indexer(predictions["truth"])


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


def key_columns(predictions: pd.DataFrame, *more: str) -> list[str]:
    """Name the columns that tell one judged utterance from another.

    Args:
        predictions: the table.
        *more: further columns, such as ``"seed"``.

    Returns:
        Column names.

    Example:
        >>> key_columns(pd.DataFrame(columns=COLUMNS), "seed")
        ['corpus', 'file', 'start', 'seed']
    """
    return ["corpus", "file", "start", *(["condition"] if "condition" in predictions else []), *more]


def _check_columns(predictions: pd.DataFrame, labels: list[str], source: str) -> None:
    missing = [name for name in COLUMNS if name not in predictions and name not in DEFAULTS]
    if missing:
        came = ", ".join(map(str, predictions.columns)) or "none"
        raise CorpusError(f"{source} lacks the columns {', '.join(missing)}. Received: {came}.")
    heads = continuous_heads(predictions)
    if lacking := [TRUTH + name for name in heads if TRUTH + name not in predictions]:
        raise CorpusError(f"{source} lacks the columns {', '.join(lacking)}. Received: {VALUE}... alone.")
    known = {*COLUMNS, *OPTIONAL, *(PREFIX + label for label in labels)}
    known |= {prefix + name for name in heads for prefix in (TRUTH, VALUE)}
    unknown = [str(name) for name in predictions.columns if name not in known]
    if unknown:
        allowed = ", ".join([*COLUMNS, *OPTIONAL, "p_CLASS", "truth_HEAD and value_HEAD"])
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
