"""Recipes compared on a text that no training heard, with RAVDESS alone: what may a recipe promise on another corpus?

RAVDESS has two sentences. A recipe is trained on one sentence by half of the actors and judged on the other sentence by
the other half, four ways, on the four emotions that RAVDESS and EmoDB share. No EmoDB speaker takes part, so what is
chosen here may be judged on EmoDB; on RAVDESS it may not.

    python -m tests.other_text ROOT OUT recipes.yaml --fold 0 --noise ESC10 --rooms RIR

trains what is not there yet and writes ``OUT/trials.csv`` of all that is, whose rows have the form of
``zoo_configs/reported/trials.csv``. ``recipes.yaml`` is a list of mappings of dotted keys to values; a recipe with
``augmentation.room_probability`` hears the noise and the rooms. The first is what the others are measured by.
"""

import argparse
import json
from pathlib import Path

import yaml

from serzoo import corpora
from serzoo.files import replace_file
from serzoo.training import train, trials
from serzoo.training.recipe import settings_of

PROTOCOL = "cross-table:heard-to-table:new@anger,happiness,neutral=calm,sadness"
TO_ALL = {
    "frontend.hop_ms": 16.0,
    "augmentation.max_time_frames": 13,
    "training.epochs": 20,
    "training.warmup_epochs": 1.0,
}
HOW = "trained on one sentence by half of the actors, judged on the other sentence by the other half; hop of 16 ms"
FOLDS = range(4)
ROOMS = "augmentation.room_probability"


def tables(root: Path, out: Path, fold: int) -> dict[str, Path]:
    """Write the two tables of a fold: what is heard, and the new text by new speakers."""
    rows = corpora.read("ravdess", root)
    first_half = rows["speaker"].astype(int) <= 12
    first_text = rows["text"] == sorted(rows["text"].unique())[0]
    half, text = first_half == bool(fold & 1), first_text == bool(fold & 2)
    found = {}
    for name, chosen in (("heard", half & text), ("new", ~half & ~text)):
        found[f"table:{name}"] = out / f"{name}{fold}.csv"
        table = rows.loc[chosen, ["file", "emotion", "speaker", "gender"]]
        table.assign(file=[str(root.resolve() / file) for file in table["file"]]).to_csv(
            found[f"table:{name}"], index=False
        )
    return found


def main() -> None:
    """Train what is asked for and is not there, and write the log of all that is."""
    parser = argparse.ArgumentParser(prog="python -m tests.other_text", description=__doc__.split("\n")[0])
    parser.add_argument("root", type=Path, help="folder of RAVDESS")
    parser.add_argument("out", type=Path)
    parser.add_argument("recipes", type=Path)
    parser.add_argument("--fold", type=int, action="append", choices=FOLDS, help="all four by default")
    parser.add_argument("--noise", type=Path, help="folder of ESC-10")
    parser.add_argument("--rooms", type=Path, help="folder of impulse responses")
    parser.add_argument("--model", default="cnn_ablstm_mtl")
    given = parser.parse_args()
    given.out.mkdir(parents=True, exist_ok=True)
    recipes = yaml.safe_load(given.recipes.read_text(encoding="utf-8"))
    if not (given.noise and given.rooms) and any(ROOMS in recipe for recipe in recipes):
        parser.error(f"a recipe with {ROOMS} needs --noise and --rooms")
    names = ["; ".join(settings_of(recipe)) or trials.UNCHANGED for recipe in recipes]
    reports = {
        (name, fold): given.out / given.model / f"fold{fold}" / name / "report.json" for name in names for fold in FOLDS
    }
    for fold in given.fold or FOLDS:
        roots = tables(given.root, given.out, fold)
        for name, recipe in zip(names, recipes, strict=True):
            report = reports[name, fold]
            if not report.exists():
                train(
                    given.model,
                    roots,
                    protocol=PROTOCOL,
                    out=report.parent,
                    noise={"esc10": given.noise} if ROOMS in recipe else None,
                    rooms=given.rooms if ROOMS in recipe else None,
                    overrides=TO_ALL | recipe,
                    resume=report.parent.exists(),
                    verbose=0,
                )
            print(f"{ua_of(report):.3f}  fold {fold}  {name}", flush=True)
    rows = []
    for name, recipe in zip(names, recipes, strict=True):
        epochs = (TO_ALL | recipe)["training.epochs"]
        for fold in FOLDS:
            if reports[name, fold].exists():
                uas = [ua_of(reports[name, fold])]
                rows.append(trials.row_of(given.model, name, "one sentence to the other", fold, 0, epochs, uas, HOW))
    replace_file(given.out / "trials.csv", trials.written(rows))


def ua_of(report: Path) -> float:
    """UA on the new text."""
    return json.loads(report.read_text(encoding="utf-8"))["ua"]["value"]


if __name__ == "__main__":
    main()
