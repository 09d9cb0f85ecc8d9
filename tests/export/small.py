"""The registered models made small, so that they are built, traced and converted in seconds."""

import numpy as np

from serzoo import building, config

CLASSES = ["anger", "neutral", "sadness"]
CARD = {"licence": "CC0-1.0", "commercial": True, "corpora": {"emodb": ["03", "08"]}}


def model(name, seed=1):
    """A registered model of any architecture, with few maps and units, and weights that answer differently to clips."""
    overrides = {f"model.{key}": _less(key, value) for key, value in config.load(name).model.items()}
    settings = config.load(name, {key: value for key, value in overrides.items() if value is not None})
    small = building.build(settings, building.heads_of(settings, CLASSES), CARD, seed=seed)
    rng = np.random.default_rng(seed)
    for weight in small.weights:
        if len(weight.shape) > 1:  # fresh matrices of tiny layers would give nearly the same answer to everything
            scale = 2.0 / np.sqrt(np.prod(weight.shape[:-1]))
            weight.assign((scale * rng.standard_normal(tuple(weight.shape))).astype("float32"))
    return small


def _less(key, value):
    if not any(word in key for word in ("filters", "units", "channels")):
        return None
    return [4] * len(value) if isinstance(value, (list, tuple)) else 4
