"""The leaderboard, from the committed configs and predictions; ``python -m tests.leaderboard`` writes it.

A row is a published figure. Where openSMILE with a support vector machine was measured on the same files and folds
(``python -m tests.functionals``), it stands first, without a tag. ``gender_gap`` is the UA of women minus that of men.
``ms_per_clip`` was measured by ``python -m tests.benchmarks.speed``, and is read here; all the rest is computed.
"""

import csv
import io
import math
from collections.abc import Mapping
from typing import Any

from serzoo import config, registry
from serzoo.errors import CorpusError
from serzoo.evaluation.audit.gender import gender_gap
from serzoo.evaluation.predictions import read as read_predictions
from serzoo.evaluation.summary import summarize
from tests import functionals
from tests.benchmarks import speed

PATH = registry.configs_folder() / "reported" / "leaderboard.csv"
INTERVALS = ("ua", "wa", "macro_f1", "gender_gap")
COLUMNS = (
    *("protocol", "model", "tag"),
    *(f"{name}{part}" for name in INTERVALS for part in ("", "_low", "_high")),
    *(
        "fold_ua_std",
        "clips",
        "speakers",
        "folds",
        "seeds",
        "chance",
        "parameters",
        "ms_per_clip",
        "megabytes",
        "notes",
    ),
)
FIRST = "ravdess8-5fold"  # of the protocols


def rows() -> list[dict[str, str]]:
    """The rows by protocol, functionals first, then by UA; values as the file holds them."""
    measured, models = speed.read(), []
    for name in registry.names():
        settings = config.load(name)
        models += [_model(name, each, settings.weights, measured) for each in settings.reported]
    protocols = sorted({row["protocol"] for row in models}, key=lambda name: (name != FIRST, name))
    found = []
    for protocol in protocols:
        found += _functionals(protocol)
        of_it = [row for row in models if row["protocol"] == protocol]
        found += sorted(of_it, key=lambda row: (-float(row["ua"]), row["model"], row["tag"]))
    return [{column: row.get(column, "") for column in COLUMNS} for row in found]


def text() -> str:
    """The file."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows())
    return file.getvalue()


def read() -> list[dict[str, str]]:
    """The rows of the committed file."""
    with PATH.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _functionals(protocol: str) -> list[dict[str, str]]:
    found = []
    for name in functionals.SETS:
        path = functionals.path_of(name, protocol)
        if path.is_file():
            told = read_predictions(path)
            summary = summarize(told)
            judged = _judged(told, {**summary, "speakers": summary["num_speakers"]})
            found.append({"protocol": protocol, "model": f"openSMILE {name} + SVM", **judged})
    return sorted(found, key=lambda row: row["ua"])


def _model(name: str, entry, weights, measured) -> dict[str, str]:
    told = read_predictions(registry.configs_folder() / "reported" / entry.file)
    row = {"protocol": entry.protocol, "model": name, "tag": entry.tag, "notes": "; ".join(entry.notes)}
    row |= _judged(told, entry.model_dump())
    # that of the YAML's network is not that of one with other frames
    speed_of = measured.get(f"{name}.{entry.tag}") or ({} if "frontend." in entry.command else measured.get(name, {}))
    row |= {"parameters": str(entry.parameters), "ms_per_clip": speed_of.get("ms_per_clip", "")}
    files = [each.file for each in weights if each.tag in (entry.tag, f"{entry.tag}-fold0")]
    sizes = [(registry.weights_folder() / file).stat().st_size for file in files]
    # as they would ship: two bytes a number
    row["megabytes"] = f"{(max(sizes) if sizes else 2 * entry.parameters) / 1e6:.2f}"
    return row


def _judged(told, figures: Mapping[str, Any]) -> dict[str, str]:
    """What predictions say: their figures, and the gap between women and men."""
    row = {key: str(figures[key]) for key in ("speakers", "folds", "seeds")} | {"clips": str(figures["n"])}
    row |= {"chance": _number(figures["chance"]), "fold_ua_std": _number(figures["fold_ua"]["std"])}
    for name in ("ua", "wa", "macro_f1"):
        row |= _interval(name, figures[name])
    try:
        row |= _interval("gender_gap", gender_gap(told)["gap"]["ua"])
    except CorpusError:  # fewer than two speakers of either
        pass
    return row


def _interval(name: str, figure) -> dict[str, str]:
    parts = {"": "value", "_low": "ci_low", "_high": "ci_high"}
    return {f"{name}{part}": _number(figure[key]) for part, key in parts.items()}


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
