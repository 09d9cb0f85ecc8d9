"""The README's tables, from the committed configs and predictions; ``python -m tests.readme`` writes them."""

import re
from itertools import groupby
from pathlib import Path

from serzoo import config, registry
from serzoo.evaluation import compare_table
from serzoo.training.recipe import recipe
from tests import leaderboard, noise_page
from tests.pages import updated

README = Path(__file__).resolve().parents[1] / "README.md"
CONTROL, MULTI_TASK = "cnn_ablstm", "cnn_ablstm_mtl"
PROTOCOL = "ravdess8-5fold"
ENDS = ("", "_low", "_high")


def tables() -> dict[str, str]:
    """Each table by the name of its markers."""
    return {"figures": figures(), "gain": gain(), "noise": noise_page.overview(), "adaptation": adaptation()}


def figures() -> str:
    """The leaderboard, one table for each protocol."""
    parts = []
    for protocol, rows in groupby(leaderboard.read(), key=lambda row: row["protocol"]):
        rows = list(rows)
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
    parts = []
    for name in registry.names():
        settings = config.load(name)
        runs: dict[str, dict[str, Path]] = {}
        for each in settings.reported if settings.streams else ():
            base = re.sub("^[0-9]+fold-(?=cross-)", "", each.protocol)
            if base.startswith("cross-"):
                label = each.notes[0].partition(":")[0] if each.notes else "source only"
                runs.setdefault(base, {})[label] = registry.configs_folder() / "reported" / each.file
        for base, found in runs.items():
            if len(found) > 1 and "source only" in found:
                ordered = {label: found[label] for label in sorted(found, key=lambda label: label != "source only")}
                parts.append(f"`{name}`, `{base}`:\n\n{compare_table(ordered).strip()}")
    return "\n\n".join(parts) or "Not measured yet."


def gain() -> str:
    """The multi-task model against its control, as far as both are published with the same recipe but for the head."""
    reported = registry.configs_folder() / "reported"
    files = {name: reported / f"{name}.{PROTOCOL}.csv.gz" for name in (CONTROL, MULTI_TASK)}
    control, multi_task = ({**recipe(config.load(name)), "heads": None} for name in files)
    if control != multi_task or not all(path.exists() for path in files.values()):
        return "Not measured with the recipe of today yet: the control still has the one before."
    return compare_table(files).strip()


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8"), tables()), encoding="utf-8")
