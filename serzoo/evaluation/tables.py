"""Figures as text: one model's summary, and several models side by side."""

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from serzoo.errors import CorpusError
from serzoo.evaluation.predictions import read
from serzoo.evaluation.summary import compare, summarize

_TITLES = {"ua": "UA", "wa": "WA", "macro_f1": "macro F1"}


def compare_table(
    runs: Sequence[str | os.PathLike] | Mapping[str, str | os.PathLike | pd.DataFrame],
    resamples: int = 10_000,
    seed: int = 0,
) -> str:
    """Set several models side by side, each against the first, with paired intervals.

    Args:
        runs: run folders or files of predictions; or names with paths or tables. The first is what the others are
            measured against.
        resamples: number of bootstrap draws over speakers.
        seed: of the draws.

    Returns:
        A Markdown table in per cent and, below it, how many pairs each difference rests on and every warning.

    Raises:
        CorpusError: if there are fewer than two runs, or two that cannot be paired.
        MissingFileError: if a run holds no predictions.

    Example:
        >>> print(compare_table(["runs/stl", "runs/mtl"]))  # doctest: +SKIP
    """
    named = dict(runs) if isinstance(runs, Mapping) else dict(zip(_short_names(runs), runs, strict=True))
    if len(named) < 2:
        raise CorpusError(f"A comparison needs two runs or more. Received: {', '.join(named) or 'none'}.")
    tables = {name: run if isinstance(run, pd.DataFrame) else read(run) for name, run in named.items()}
    first, *others = tables
    heads = ["model", "n", "seeds", *_TITLES.values(), *(f"{title} minus {first}" for title in _TITLES.values())]
    lines = [f"| {' | '.join(heads)} |", f"| --- {'| ---: ' * (len(heads) - 1)}|"]
    remarks = []
    for name, table in tables.items():
        summary = summarize(table, resamples, seed)
        cells = [name, str(summary["n"]), str(summary["seeds"]), *(_percent(summary[figure]) for figure in _TITLES)]
        remarks += [f"{name}: {text}" for text in (*summary["notes"], *summary["warnings"], *_dropped(summary))]
        if name in others:
            paired = compare(table, tables[first], resamples, seed)
            cells += [_percent(paired[figure], sign="+") for figure in _TITLES]
            remarks.append(_pairs(name, first, paired))
        else:
            cells += [""] * len(_TITLES)
        lines.append(f"| {' | '.join(cells)} |")
    lines += ["", "In per cent; in brackets the 95 % interval, bootstrapped over speakers. Differences are paired.", ""]
    return "\n".join([*lines, *(f"- {remark}" for remark in remarks)]) + "\n"


def summary_text(summary: Mapping[str, Any]) -> str:
    """Tell the figures of one model in a few lines for a terminal.

    Args:
        summary: what :func:`serzoo.evaluation.summarize` or :func:`serzoo.evaluation.evaluate` gave.

    Returns:
        Lines of text with a final newline.

    Example:
        >>> print(summary_text(summary))  # doctest: +SKIP
    """
    sizes = {"utterance": summary["n"], "speaker": summary["num_speakers"]}
    sizes |= {"fold": summary["folds"], "seed": summary["seeds"]}
    lines = [", ".join(f"{size} {thing}{'s' * (size != 1)}" for thing, size in sizes.items() if size)]
    for figure, title in {**_TITLES, "micro_f1": "micro F1"}.items():
        chance = f"  chance {100 * summary['chance']:.1f}" if figure == "ua" else ""
        lines.append(f"{title:<10} {_percent(summary[figure])}{chance}")
    if summary["folds"] > 1:
        lines.append(f"UA by fold {100 * summary['fold_ua']['mean']:.1f} +- {100 * summary['fold_ua']['std']:.1f}")
    width = max(map(len, summary["recall"]))
    for label, entry in summary["recall"].items():
        genders = "".join(
            f"  {gender} {_percent(by_class[label])}" for gender, by_class in summary["recall_by_gender"].items()
        )
        lines.append(f"recall {label:<{width}} {_percent(entry)}{genders}")
    lines += [*summary["notes"], *(f"warning: {text}" for text in summary["warnings"]), *_dropped(summary)]
    lines += [f"failed: {failure['file']}: {failure['reason']}" for failure in summary.get("failed", [])]
    return "\n".join(lines) + "\n"


def _short_names(paths: Sequence[str | os.PathLike]) -> list[str]:
    """Name each run by as many last parts of its path as it takes to tell all apart."""
    if isinstance(paths, (str, os.PathLike)):
        raise CorpusError(f"A comparison needs two runs or more. Received: {paths}.")
    split = []
    for path in map(Path, paths):
        path = path.parent if path.name in ("predictions.csv", "predictions.csv.gz") else path
        stem = path.name.removesuffix(".gz").removesuffix(".csv")
        split.append([*path.absolute().parent.parts, stem])
    for count in range(1, max(map(len, split), default=0) + 1):
        names = ["/".join(parts[-count:]) for parts in split]
        if len(set(names)) == len(names):
            return names
    raise CorpusError(f"The same run was given twice. Received: {', '.join(map(str, paths))}.")


def _percent(entry: Mapping[str, float], sign: str = "") -> str:
    value, low, high = (entry.get("value", entry.get("difference")), entry["ci_low"], entry["ci_high"])
    if math.isnan(value):
        return "-"
    text = f"{100 * value:{sign}.1f}"
    return text if math.isnan(low) else f"{text} [{100 * low:{sign}.1f}, {100 * high:{sign}.1f}]"


def _dropped(summary: Mapping[str, Any]) -> list[str]:
    return [f"dropped {count} rows: {reason}" for reason, count in summary["dropped"].items()]


def _pairs(name: str, first: str, paired: Mapping[str, Any]) -> str:
    text = f"{name} minus {first}: {paired['num_rows']} pairs of {paired['num_speakers']} speakers"
    left_out = paired["unpaired"]["a"] + paired["unpaired"]["b"]
    return text + (f"; {left_out} rows without a partner left out" if left_out else "")
