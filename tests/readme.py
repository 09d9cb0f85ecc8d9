"""The README's tables, from the committed configs and predictions; ``python -m tests.readme`` writes them."""

import re
from pathlib import Path

from serzoo import config, registry
from serzoo.evaluation import compare_table
from serzoo.training.recipe import recipe

README = Path(__file__).resolve().parents[1] / "README.md"
CONTROL, MULTI_TASK = "cnn_ablstm", "cnn_ablstm_mtl"
PROTOCOL = "ravdess8-5fold"


def tables() -> dict[str, str]:
    """Each table by the name of its markers."""
    rows = [
        "| model | tag | protocol | UA | WA | macro F1 | over folds | clips, speakers, seeds | chance | parameters |",
        "| --- | --- | --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name in registry.names():
        for each in config.load(name).reported:
            figures = " | ".join(
                f"{figure.value:.3f} [{figure.ci_low:.3f}, {figure.ci_high:.3f}]"
                for figure in (each.ua, each.wa, each.macro_f1)
            )
            rows.append(
                f"| `{name}` | `{each.tag}` | `{each.protocol}` | {figures} "
                f"| {each.fold_ua.mean:.3f} ± {each.fold_ua.std:.3f} | {each.n}, {each.speakers}, {each.seeds} "
                f"| {each.chance:.3f} | {each.parameters:,} |"
            )
    return {"figures": "\n".join(rows), "gain": gain()}


def gain() -> str:
    """The multi-task model against its control, as far as both are published with the same recipe but for the head."""
    reported = registry.configs_folder() / "reported"
    files = {name: reported / f"{name}.{PROTOCOL}.csv.gz" for name in (CONTROL, MULTI_TASK)}
    control, multi_task = ({**recipe(config.load(name)), "heads": None} for name in files)
    if control != multi_task or not all(path.exists() for path in files.values()):
        return "Not measured with the recipe of today yet: the control still has the one before."
    return compare_table(files).strip()


def updated(text: str) -> str:
    """The README with its tables replaced."""
    for name, table in tables().items():
        pattern = rf"(<!-- {name}: [^\n]*-->\n).*?(<!-- end of {name} -->)"
        found = re.findall(pattern, text, re.DOTALL)
        if len(found) != 1:
            raise ValueError(f"README.md must have the markers of {name} once. Received: {len(found)}.")
        text = re.sub(pattern, lambda match, table=table: f"{match[1]}{table}\n{match[2]}", text, flags=re.DOTALL)
    return text


if __name__ == "__main__":
    README.write_text(updated(README.read_text(encoding="utf-8")), encoding="utf-8")
