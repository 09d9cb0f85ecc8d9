"""Figures to set beside one's own: those that ship with serzoo, openSMILE's on the same folds, and those of others."""

import csv
from pathlib import Path
from typing import Any

import yaml

from serzoo import registry

_OTHERS = Path(__file__).with_name("published.yaml")


def published(protocol: str | None) -> list[dict[str, Any]]:
    """List the known figures of a protocol, best first.

    Args:
        protocol: its name; None has none.

    Returns:
        ``{"system", "figure", "value", "ci_low", "ci_high", "std", "source", "remark"}`` of each: ``figure`` is
        ``"ua"`` or ``"wa"``, values are fractions, and what is not known is None.

    Example:
        >>> [each["system"] for each in published("emodb7-loso") if "Chen" in each["source"]]
        ['ACRNN, 3 channels', 'ACRNN, 1 channel']
    """
    if protocol is None:
        return []
    found = [_entry(**each) for each in yaml.safe_load(_OTHERS.read_text(encoding="utf-8")).get(protocol, [])]
    for name in registry.names():
        for each in registry.raw_entries(name)["reported"]:
            if each["protocol"] == protocol:
                found.append(_entry(f"{name}.{each['tag']}", "ua", **each["ua"], source="shipped with serzoo"))
    with (registry.configs_folder() / "reported" / "leaderboard.csv").open(encoding="utf-8", newline="") as file:
        for row in csv.DictReader(file):
            if row["protocol"] == protocol and not row["tag"]:
                value, low, high = (float(row[column]) for column in ("ua", "ua_low", "ua_high"))
                found.append(_entry(row["model"], "ua", value, low, high, source="measured on the same folds"))
    return sorted(found, key=lambda each: (each["figure"], -each["value"], each["system"]))


def published_predictions(source: str) -> Path | None:
    """Find the predictions behind the figure of shipped weights.

    Args:
        source: ``"NAME.TAG"``, or ``"NAME"`` for the default weights.

    Returns:
        The file of the first figure that the YAML reports for this tag; None where there is no such figure.

    Example:
        >>> published_predictions("cnn_ablstm.ravdess8").name
        'cnn_ablstm.ravdess8-5fold.csv.gz'
    """
    name, _, tag = source.partition(".")
    if name not in registry.BUILDERS:
        return None
    entries = registry.raw_entries(name)
    tag = tag or next((each["tag"] for each in entries["weights"] if each.get("fold") is None), "")
    file = next((each["file"] for each in entries["reported"] if each["tag"] == tag), None)
    return registry.configs_folder() / "reported" / file if file else None


def _entry(system, figure, value, ci_low=None, ci_high=None, std=None, source=None, remark=None) -> dict[str, Any]:
    ends = {"ci_low": ci_low, "ci_high": ci_high, "std": std}
    return {"system": system, "figure": figure, "value": value, **ends, "source": source, "remark": remark}
