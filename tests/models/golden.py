"""Known weights for any model, and what the models answer with them.

``python tests/models/golden.py NAME...`` writes the answers of the models named, of all without a name.

The weights come from NumPy alone, so the answers are the same under every backend and every version of Keras. They
change only with what a model computes, and then weights trained before no longer fit.
"""

import json
import sys
from pathlib import Path

import numpy as np

from serzoo import building, config, registry

PATH = Path(__file__).with_name("golden.json")
CLASSES = ["anger", "fear", "happiness", "neutral", "sadness"]
CLIPS = Path(__file__).resolve().parents[1] / "data" / "emodb" / "wav"
# Too large to be run often: the same network with fewer maps and units.
_ASP = {"model.stem_filters": [8, 8], "model.conv_filters": [8, 8, 8], "model.lstm_units": 8}
_NOISE, _GENDER = {"model.noise_filters": [8, 8, 8]}, {"model.gender_filters": [8, 8, 8]}
SMALLER = {
    "acrnn": {"model.conv_filters": [8, 8, 8], "model.linear_units": 16, "model.lstm_units": 8},
    "asp_mtl_noise": _ASP | _NOISE,
    "asp_mtl_gender": _ASP | _GENDER,
    "asp_mtl_cascade": _ASP | _NOISE | _GENDER,
}


def settings_of(name):
    """The config of a registered model, as the tests build it."""
    return config.load(name, SMALLER.get(name))


def with_known_weights(name, classes=CLASSES, card=None):
    """A registered model with weights drawn by NumPy: matrices keep the scale of their input, vectors are positive."""
    settings = settings_of(name)
    model = building.build(settings, building.heads_of(settings, classes), card)
    rng = np.random.default_rng(7)
    for weight in model.weights:
        shape = tuple(weight.shape)
        if len(shape) > 1 and not weight.path.endswith("/std"):
            weight.assign((rng.standard_normal(shape) / np.sqrt(np.prod(shape[:-1]))).astype("float32"))
        else:
            weight.assign((0.5 + 0.5 * rng.random(shape)).astype("float32"))
    return model


def answers(name):
    """Scores of each clip, by class."""
    model = with_known_weights(name)
    return {
        path.name: {each["label"]: round(each["score"], 7) for each in model.classify(path)}
        for path in sorted(CLIPS.glob("*.wav"))
    }


if __name__ == "__main__":
    known = json.loads(PATH.read_text()) | {name: answers(name) for name in sys.argv[1:] or registry.names()}
    kept = {name: known[name] for name in registry.names() if name in known}
    PATH.write_text(json.dumps(kept, indent=1, sort_keys=True) + "\n")
    print(f"wrote {PATH.name}")
