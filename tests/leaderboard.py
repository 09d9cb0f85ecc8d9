"""The leaderboard, from the committed configs and predictions; ``python -m tests.leaderboard`` writes it.

A row is a published figure. Where openSMILE with a support vector machine was measured on the same files and folds, it
stands first. ``gender_gap`` is the UA of women minus that of men. ``ms_per_clip`` was measured by
``python -m tests.benchmarks.speed``, and is read here; all the rest is computed.
"""

import csv
import io
import math

from serzoo import config, registry
from serzoo.errors import CorpusError
from serzoo.evaluation.audit.gender import gender_gap
from serzoo.evaluation.predictions import read as read_predictions
from serzoo.evaluation.published import published
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
    known = [each for each in published(protocol) if each["system"].startswith("openSMILE") and each["figure"] == "ua"]
    return [
        {"protocol": protocol, "model": each["system"], "ua": _number(each["value"]), "notes": each["source"]}
        for each in sorted(known, key=lambda each: each["value"])
    ]


def _model(name: str, entry, weights, measured) -> dict[str, str]:
    row = {"protocol": entry.protocol, "model": name, "tag": entry.tag, "notes": "; ".join(entry.notes)}
    row |= _interval("ua", entry.ua.model_dump()) | _interval("wa", entry.wa.model_dump())
    row |= _interval("macro_f1", entry.macro_f1.model_dump())
    try:
        told = read_predictions(registry.configs_folder() / "reported" / entry.file)
        row |= _interval("gender_gap", gender_gap(told)["gap"]["ua"])
    except CorpusError:  # fewer than two speakers of either
        pass
    row |= {"fold_ua_std": _number(entry.fold_ua.std), "clips": entry.n, "speakers": entry.speakers}
    row |= {"folds": entry.folds, "seeds": entry.seeds, "chance": _number(entry.chance)}
    # that of the YAML's network is not that of one with other frames
    speed_of = measured.get(f"{name}.{entry.tag}") or ({} if "frontend." in entry.command else measured.get(name, {}))
    row |= {"parameters": entry.parameters, "ms_per_clip": speed_of.get("ms_per_clip", "")}
    files = [each.file for each in weights if each.tag in (entry.tag, f"{entry.tag}-fold0")]
    sizes = [(registry.weights_folder() / file).stat().st_size for file in files]
    # as they would ship: two bytes a number
    row["megabytes"] = f"{(max(sizes) if sizes else 2 * entry.parameters) / 1e6:.2f}"
    return {key: str(value) for key, value in row.items()}


def _interval(name: str, figure) -> dict[str, str]:
    parts = {"": "value", "_low": "ci_low", "_high": "ci_high"}
    return {f"{name}{part}": _number(figure[key]) for part, key in parts.items()}


def _number(value: float | None) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.4f}"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
