"""Made-up predictions for the tests of evaluation."""

import numpy as np
import pandas as pd

LABELS = ("anger", "happiness", "neutral", "sadness")


def toy_predictions(
    num_rows=240, num_speakers=12, num_seeds=2, labels=LABELS, skill=1.5, spread=0.5, num_folds=3, seed=0
):
    """Predictions of a model whose skill differs from speaker to speaker by ``spread``."""
    random = np.random.default_rng(seed)
    truth = np.arange(num_rows) % len(labels)
    speaker = np.arange(num_rows) // len(labels) % num_speakers
    parts = []
    for run in range(num_seeds):
        scores = random.normal(size=(num_rows, len(labels)))
        scores[np.arange(num_rows), truth] += skill + spread * random.normal(size=num_speakers)[speaker]
        odds = np.exp(scores)
        probabilities = odds / odds.sum(axis=1, keepdims=True)
        columns = {
            "corpus": "toy",
            "file": [f"wav/{i:05d}.wav" for i in range(num_rows)],
            "start": np.nan,
            "end": np.nan,
            "speaker": [f"{i + 1:02d}" for i in speaker],
            "gender": np.where(speaker % 2, "female", "male"),
            "seed": run,
            "fold": speaker % num_folds,
            "truth": np.array(labels)[truth],
            **{f"p_{label}": probabilities[:, i] for i, label in enumerate(labels)},
        }
        parts.append(pd.DataFrame(columns))
    return pd.concat(parts, ignore_index=True)
