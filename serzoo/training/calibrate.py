"""The temperature of a network, fitted on its validation speakers when its training ends."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd

from serzoo import pipeline
from serzoo.evaluation import predictions
from serzoo.evaluation.calibration import fit_temperature

VALIDATION = "validation.csv"


def calibrate(model: Any, rows: pd.DataFrame, roots: Mapping[str, str | Path], folder: Path) -> float:
    """Predict the validation speakers of a fold, keep what was told of them, and fit the temperature.

    Args:
        model: a trained classifier, whose card has ``seed`` and ``fold``.
        rows: of the validation speakers.
        roots: folder of each corpus.
        folder: of the fold; ``validation.csv`` is written there.

    Returns:
        The temperature.
    """
    answers = pipeline.predict_table(model, rows, roots)["emotion"]
    card = model.card
    told = predictions.from_table(rows, answers, list(model.classes), seed=card["seed"], fold=card["fold"])
    predictions.write(folder / VALIDATION, told)
    return round(fit_temperature(told), 4)


def temperature_of(run: str | Path) -> float | None:
    """Fit one temperature on the validation speakers of all folds of a run.

    It is for weights that were trained on every speaker, of whom none is left to fit it on.

    Args:
        run: a finished run of a protocol.

    Returns:
        The temperature; None if the run kept no validation predictions.
    """
    told = [predictions.read(path) for path in sorted(Path(run).glob(f"*/{VALIDATION}"))]
    return round(fit_temperature(pd.concat(told, ignore_index=True)), 4) if told else None
