"""Figures as text: one model's summary, and several models side by side."""

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from serzoo.errors import CorpusError, unknown_name
from serzoo.evaluation.continuous import FIGURES as CONTINUOUS
from serzoo.evaluation.figures import decimal, markdown, percent
from serzoo.evaluation.predictions import read
from serzoo.evaluation.summary import compare, summarize

_TITLES = {"ua": "UA", "wa": "WA", "macro_f1": "macro F1"}
_LEGEND = "In per cent; in brackets the 95 % interval, bootstrapped over speakers. Differences are paired."


def compare_table(
    runs: Sequence[str | os.PathLike] | Mapping[str, str | os.PathLike | pd.DataFrame],
    resamples: int = 10_000,
    seed: int = 0,
    form: str = "markdown",
) -> str:
    """Set several models side by side, each against the first, with paired intervals.

    Args:
        runs: run folders, files of predictions or ``"NAME.TAG"`` of shipped weights; or names with any of these or
            tables. The first is what the others are measured against.
        resamples: number of bootstrap draws over speakers.
        seed: of the draws.
        form: ``"markdown"`` or ``"latex"`` (of the package booktabs), in per cent, with how many pairs each difference
            rests on and every warning below; or ``"csv"``, fractions with each end of an interval in a column of its
            own, and the same remarks in the last one.

    Returns:
        The table as text.

    Raises:
        CorpusError: if there are fewer than two runs, or two that cannot be paired.
        MissingFileError: if a run holds no predictions.
        UnknownNameError: for a form that does not exist.

    Example:
        >>> print(compare_table(["runs/stl", "runs/mtl"]))  # doctest: +SKIP
    """
    if form not in _FORMS:
        raise unknown_name("form of a table", form, _FORMS)
    named = dict(runs) if isinstance(runs, Mapping) else dict(zip(_short_names(runs), runs, strict=True))
    if len(named) < 2:
        raise CorpusError(f"A comparison needs two runs or more. Received: {', '.join(named) or 'none'}.")
    tables = {name: run if isinstance(run, pd.DataFrame) else read(run) for name, run in named.items()}
    first, *others = tables
    lines = []
    for name, table in tables.items():
        summary = summarize(table, resamples, seed)
        paired = compare(table, tables[first], resamples, seed) if name in others else None
        remarks = [*summary["notes"], *summary["warnings"], *_dropped(summary)]
        remarks = [f"{name}: {text}" for text in remarks] + ([_pairs(name, first, paired)] if paired else [])
        lines.append(_Line(name, summary, paired, remarks))
    return _FORMS[form](first, lines)


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
    lines += [f"condition  {summary['condition']}"] if summary.get("condition") else []
    for figure, title in {**_TITLES, "micro_f1": "micro F1"}.items():
        chance = f"  chance {100 * summary['chance']:.1f}" if figure == "ua" else ""
        lines.append(f"{title:<10} {percent(summary[figure])}{chance}")
    if summary["folds"] > 1:
        lines.append(f"UA by fold {100 * summary['fold_ua']['mean']:.1f} +- {100 * summary['fold_ua']['std']:.1f}")
    for head, figures in summary.get("continuous", {}).items():
        told = ", ".join(f"{name.upper()} {decimal(figures[name])}" for name in CONTINUOUS)
        lines.append(f"{head:<10} {told}  n {figures['n']}")
    width = max(map(len, summary["recall"]))
    for label, entry in summary["recall"].items():
        genders = "".join(
            f"  {gender} {percent(by_class[label])}" for gender, by_class in summary["recall_by_gender"].items()
        )
        lines.append(f"recall {label:<{width}} {percent(entry)}{genders}")
    lines += [*summary["notes"], *(f"warning: {text}" for text in summary["warnings"]), *_dropped(summary)]
    lines += [f"failed: {failure['file']}: {failure['reason']}" for failure in summary.get("failed", [])]
    return "\n".join(lines) + "\n"


class _Line(NamedTuple):
    """A model of a comparison: its figures, those of the differences from the first one, and what to say of it."""

    name: str
    summary: Mapping[str, Any]
    paired: Mapping[str, Any] | None
    remarks: list[str]

    def cells(self) -> list[str]:
        """Texts of the row, in per cent."""
        figures = [percent(self.summary[figure]) for figure in _TITLES]
        gains = [percent(self.paired[figure], sign="+") if self.paired else "" for figure in _TITLES]
        return [self.name, str(self.summary["n"]), str(self.summary["seeds"]), *figures, *gains]


def _heads(first: str) -> list[str]:
    return ["model", "n", "seeds", *_TITLES.values(), *(f"{title} minus {first}" for title in _TITLES.values())]


def _markdown(first: str, lines: Sequence[_Line]) -> str:
    table = markdown(_heads(first), [line.cells() for line in lines])
    return "\n".join([table, "", _LEGEND, "", *(f"- {each}" for line in lines for each in line.remarks)]) + "\n"


def _latex(first: str, lines: Sequence[_Line]) -> str:
    heads = _heads(first)
    text = [rf"\begin{{tabular}}{{l{'r' * (len(heads) - 1)}}}", r"\toprule"]
    text += [" & ".join(map(_escaped, heads)) + r" \\", r"\midrule"]
    text += [" & ".join(map(_escaped, line.cells())) + r" \\" for line in lines]
    text += [r"\bottomrule"]
    for remark in (_LEGEND, *(each for line in lines for each in line.remarks)):
        text.append(rf"\multicolumn{{{len(heads)}}}{{l}}{{\footnotesize {_escaped(remark)}}} \\")
    return "\n".join([*text, r"\end{tabular}"]) + "\n"


def _csv(first: str, lines: Sequence[_Line]) -> str:
    rows = []
    for line in lines:
        row = {"model": line.name, "n": line.summary["n"], "seeds": line.summary["seeds"]}
        for figure in _TITLES:
            row |= {figure: line.summary[figure]["value"]}
            row |= {f"{figure}_{end}": line.summary[figure][end] for end in ("ci_low", "ci_high")}
        for figure in _TITLES:
            gain = line.paired[figure] if line.paired else dict.fromkeys(("value", "ci_low", "ci_high"))
            row |= {f"{figure}_minus_first": gain["value"]}
            row |= {f"{figure}_minus_first_{end}": gain[end] for end in ("ci_low", "ci_high")}
        rows.append(row | {"remarks": "; ".join(line.remarks)})
    return pd.DataFrame(rows).to_csv(index=False, float_format="%.6f", lineterminator="\n")


def _escaped(text: str) -> str:
    """Text as LaTeX prints it."""
    special = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}"}
    return "".join(special.get(each, f"\\{each}" if each in "&%$#_{}" else each) for each in text)


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


def _dropped(summary: Mapping[str, Any]) -> list[str]:
    return [f"dropped {count} rows: {reason}" for reason, count in summary["dropped"].items()]


def _pairs(name: str, first: str, paired: Mapping[str, Any]) -> str:
    text = f"{name} minus {first}: {paired['num_rows']} pairs of {paired['num_speakers']} speakers"
    left_out = paired["unpaired"]["a"] + paired["unpaired"]["b"]
    return text + (f"; {left_out} rows without a partner left out" if left_out else "")


_FORMS = {"csv": _csv, "latex": _latex, "markdown": _markdown}
