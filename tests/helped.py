"""The table of docs/helped.md, from ``zoo_configs/reported/trials.csv``; ``python -m tests.helped`` writes it."""

import math
from itertools import groupby
from operator import itemgetter
from pathlib import Path

from scipy import stats

from serzoo import registry
from serzoo.training import trials
from tests.pages import updated

PAGE = Path(__file__).resolve().parents[1] / "docs" / "helped.md"
LOG = registry.configs_folder() / "reported" / "trials.csv"


def tables(rows: list[dict[str, str]] | None = None) -> dict[str, str]:
    """The tables by the name of their markers; of the committed log by default."""
    rows = trials.read(LOG) if rows is None else rows
    key = itemgetter("model", "protocol", "how")
    order = list(dict.fromkeys(map(key, rows)))  # as in the log
    rows = sorted(rows, key=lambda row: order.index(key(row)))
    return {"trials": "\n\n".join(_table(*search, list(found)) for search, found in groupby(rows, key=key))}


def verdict(each: trials.Ranked) -> str:
    """What a gain says: whether its 95 % interval over folds and seeds (Student's t) leaves zero out."""
    if each.gain is None:
        return ""
    if each.gain_std is None:
        return "one training"
    half = stats.t.ppf(0.975, each.folds - 1) * each.gain_std / math.sqrt(each.folds)
    return "helped" if each.gain > half else "harmed" if each.gain < -half else "not told apart"


def _table(model: str, protocol: str, how: str, rows: list[dict[str, str]]) -> str:
    lines = [
        f"`{model}`, `{protocol}`; {how}; measured by: {rows[0]['recipe']}",
        "",
        "| recipe | epochs | UA | gain | trainings | verdict |",
        "| --- | --- | --- | --- | --- | --- |",
    ]
    for each in trials.ranking(rows):
        lines.append(f"| {' | '.join([each.recipe, str(each.epochs), *each.cells(), verdict(each)])} |")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), tables()), encoding="utf-8")
