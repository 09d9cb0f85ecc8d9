"""The tables and the picture of docs/noise.md, from a noise curve; ``python -m tests.noise_page`` writes them.

``zoo_configs/reported/noise_curve.json`` is what ``serzoo noise-curve`` wrote; its command stands on the page.
"""

import json
from pathlib import Path

from serzoo import registry
from serzoo.evaluation.figures import markdown, percent
from serzoo.evaluation.noise_report import markdown_of, png_of
from tests.pages import updated

PAGE = Path(__file__).resolve().parents[1] / "docs" / "noise.md"
PICTURE = PAGE.with_suffix(".png")
CURVE = registry.configs_folder() / "reported" / "noise_curve.json"


def curve() -> dict:
    """The committed curve."""
    return json.loads(CURVE.read_text(encoding="utf-8"))


def tables() -> dict[str, str]:
    """The tables by the name of their markers."""
    return {"curve": markdown_of(curve()).strip()}


def overview() -> str:
    """The table of the README: clean, and the mean over the ratios, as it is and minus the first of ``against``."""
    found = curve()
    other = found["against"][0]
    conditions = [("clean", None), *((pool, "mean") for pool in found["pools"])]
    head = [
        "model",
        *(condition for condition, _ in conditions),
        *(f"minus {other}, {pool}" for pool in found["pools"]),
    ]
    body = []
    for model in dict.fromkeys(row["model"] for row in found["rows"]):
        rows = {(row["noise"], row["snr_db"]): row for row in found["rows"] if row["model"] == model}
        told = [percent(rows[key] | {"value": rows[key]["ua"]}) for key in conditions]
        paired = [rows[key]["differences"].get(other) for key in conditions[1:]]
        body.append([model, *told, *(percent(each, "+") if each else "" for each in paired)])
    return markdown(head, body)


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), tables()), encoding="utf-8")
    PICTURE.write_bytes(png_of(curve()))
