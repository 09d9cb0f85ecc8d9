"""The tables and the picture of docs/noise.md, from a noise curve; ``python -m tests.noise_page`` writes them.

``zoo_configs/reported/noise_curve.json`` is what ``serzoo noise-curve`` wrote; its command stands on the page.
"""

import json
from pathlib import Path

from serzoo import registry
from serzoo.evaluation.noise_report import markdown_of, png_of
from tests.readme import updated

PAGE = Path(__file__).resolve().parents[1] / "docs" / "noise.md"
PICTURE = PAGE.with_suffix(".png")
CURVE = registry.configs_folder() / "reported" / "noise_curve.json"


def curve() -> dict:
    """The committed curve."""
    return json.loads(CURVE.read_text(encoding="utf-8"))


def tables() -> dict[str, str]:
    """The tables by the name of their markers."""
    return {"curve": markdown_of(curve()).strip()}


if __name__ == "__main__":
    PAGE.write_text(updated(PAGE.read_text(encoding="utf-8"), tables()), encoding="utf-8")
    PICTURE.write_bytes(png_of(curve()))
