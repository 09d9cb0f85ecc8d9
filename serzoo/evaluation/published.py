"""Figures to set beside one's own: those that ship with serzoo, and those of others."""

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
    return sorted(found, key=lambda each: (each["figure"], -each["value"], each["system"]))


def _entry(system, figure, value, ci_low=None, ci_high=None, std=None, source=None, remark=None) -> dict[str, Any]:
    ends = {"ci_low": ci_low, "ci_high": ci_high, "std": std}
    return {"system": system, "figure": figure, "value": value, **ends, "source": source, "remark": remark}
