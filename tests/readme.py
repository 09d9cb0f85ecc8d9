"""The README's tables, from the committed configs and predictions; ``python -m tests.readme`` writes them."""

import math
import re
from collections.abc import Mapping, Sequence
from itertools import groupby
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from serzoo import config, registry
from serzoo.evaluation import compare, compare_table, summarize
from serzoo.evaluation.figures import percent
from serzoo.evaluation.predictions import read
from serzoo.training.recipe import recipe
from tests import leaderboard, noise_page
from tests.pages import updated

README = Path(__file__).resolve().parents[1] / "README.md"
MODELS = ("cnn_ablstm", "cnn_ablstm_mtl", "asp_mtl_gender")  # emotion alone, with gender, with an adversary against it
GAINS = (("ravdess8-5fold", "ravdess8"), ("emodb4-loso", "emodb4-tuned"))  # protocol and tag of the figures
CROSS = re.compile("^([0-9]+fold-)?cross-")
ENDS = ("", "_low", "_high")


def tables() -> dict[str, str]:
    """Each table by the name of its markers."""
    parts = {"figures": figures(), "gain": gain(), "noise": noise_page.overview()}
    return parts | {"adaptation": adaptation(), "general": general()}


def figures() -> str:
    """The leaderboard, one table for each protocol; what was trained on one corpus for another stands below."""
    parts = []
    for protocol, rows in groupby(leaderboard.read(), key=lambda row: row["protocol"]):
        rows = list(rows)
        if CROSS.match(protocol):
            continue
        told = next(row for row in rows if row["tag"])
        head = f"`{protocol}`: {told['clips']} clips, {told['speakers']} speakers, {told['folds']} folds"
        lines = [
            f"{head.removesuffix('s') if told['folds'] == '1' else head}, chance {float(told['chance']):.3f}",
            "",
            "| model | UA | WA | macro F1 | over folds | women − men | seeds | parameters | ms | MB |",
            "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
        ]
        parts.append("\n".join([*lines, *map(_line, rows)]))
    return "\n\n".join(parts)


def _line(row: dict[str, str]) -> str:
    name = f"`{row['model']}.{row['tag']}`" if row["tag"] else row["model"]
    if row["notes"] and row["tag"]:
        name += f" ({row['notes'].partition(':')[0]})"
    spread = f"± {float(row['fold_ua_std']):.3f}" if row["fold_ua_std"] else ""
    parameters = f"{int(row['parameters']):,}" if row["parameters"] else ""
    intervals = [_interval(row, name) for name in ("ua", "wa", "macro_f1")]
    rest = [spread, _interval(row, "gender_gap", "+"), row["seeds"], parameters, row["ms_per_clip"], row["megabytes"]]
    return f"| {' | '.join([name, *intervals, *rest])} |"


def _interval(row: dict[str, str], name: str, sign: str = "") -> str:
    value, low, high = (row[f"{name}{part}"] and f"{float(row[f'{name}{part}']):{sign}.3f}" for part in ENDS)
    return f"{value} [{low}, {high}]" if low else value


def adaptation() -> str:
    """Of each model with an unlabelled target what adapting changed: paired with the same network without a target."""
    lines = [
        "| from, to | model | source alone | adapted | minus source alone | |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for each in _beside("source"):
        lines.append(f"{_cells(each.way, each.model, *each.figures)} {each.reported.notes[0].partition(':')[0]} |")
    return "\n".join(lines)


def general() -> str:
    """What other recipes changed on a corpus that was not trained on: each way, and both where both were measured."""
    lines = [
        "| from, to | recipe | plain | this recipe | minus plain |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    for recipe_name, ways in groupby(sorted(_beside("plain"), key=_Beside.full_name), key=_Beside.full_name):
        ways = list(ways)
        lines += [_cells(each.way, recipe_name, *each.figures) for each in ways]
        if len(ways) == 2:  # there and back
            lines.append(_cells("mean", recipe_name, *map(_mean, zip(*(each.figures for each in ways), strict=True))))
    return "\n".join(lines)


class _Beside(NamedTuple):
    """A figure across corpora beside that of its control: UA of the control, its own, and their paired difference."""

    way: str
    model: str
    figures: tuple[Mapping[str, float], Mapping[str, float], Mapping[str, float]]
    reported: object

    def full_name(self) -> str:
        return f"{self.model}.{self.reported.tag}"


def _beside(alone: str) -> list[_Beside]:
    """What was trained on one corpus for another, beside the tag ``alone`` of its model."""
    rows = []
    for name in registry.names():
        reported = [each for each in config.load(name).reported if CROSS.match(each.protocol)]
        for way, found in groupby(sorted(reported, key=_way), key=_way):
            figures = {each.tag: each for each in found}
            if alone not in figures:
                continue
            control = _predictions(figures.pop(alone))
            for each in figures.values():
                told = _predictions(each)
                uas = (summarize(control)["ua"], summarize(told)["ua"], compare(told, control)["ua"])
                rows.append(_Beside(way.partition("@")[0], name, uas, each))
    return rows


def _cells(way: str, model: str, control: Mapping, told: Mapping, difference: Mapping) -> str:
    return f"| {way} | `{model}` | {percent(control)} | {percent(told)} | {percent(difference, '+')} |"


def _mean(figures: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Mean of figures on different speakers: the halves of their intervals add up as squares do."""
    value = fmean(each["value"] for each in figures)
    low, high = (
        math.hypot(*(each[end] - each["value"] for each in figures)) / len(figures) for end in ("ci_low", "ci_high")
    )
    return {"value": value, "ci_low": value - low, "ci_high": value + high}


def _way(reported) -> str:
    return CROSS.sub("", reported.protocol)


def _predictions(reported):
    return read(registry.configs_folder() / "reported" / reported.file)


def gain() -> str:
    """Emotion alone, with gender, and with an adversary against gender, where all have the same recipe but for that."""
    models = [config.load(name) for name in MODELS]
    first, *others = ({**recipe(each), "model": None, "heads": None, "objectives": None} for each in models)
    if any(other != first for other in others) or models[0].model != models[1].model:
        return "Not measured with the recipe of today yet: one of them still has the one before."
    parts = []
    for protocol, tag in GAINS:
        told = {
            each.name: row for each in models for row in each.reported if (row.protocol, row.tag) == (protocol, tag)
        }
        table = compare_table({name: registry.configs_folder() / "reported" / row.file for name, row in told.items()})
        parts.append(f"`{protocol}`, `{tag}`:\n\n{table.strip()}")
    return "\n\n".join(parts)


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8"), tables()), encoding="utf-8")
