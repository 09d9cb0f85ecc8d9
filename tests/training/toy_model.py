"""A network of a few hundred weights that is built and traced in a moment, and a corpus of a few short clips."""

from pathlib import Path

import keras
import numpy as np
import soundfile
import yaml

import serzoo
from serzoo import layers
from serzoo.models import Classifier

REPOSITORY = Path(__file__).resolve().parents[2]
LETTERS = {"anger": "W", "happiness": "F", "neutral": "N", "sadness": "T"}
SPEAKERS = ("03", "08", "09")
TEXTS = ("a01", "a02", "a04")

# The real networks, made small.
TINY = {
    "frontend.num_mels": 16,
    "model.conv_filters": [4, 4, 4, 4, 4],
    "model.lstm_units": 4,
    "augmentation.crop_s": 0.4,
    "training.epochs": 3,
    "training.steps_per_epoch": 3,
    "training.batch_size": 4,
    "training.warmup_epochs": 1.0,
}


def build(*, heads, frontend, spec_augment=None, units=4, seed=None, name="toy"):
    """Build the toy; a builder as those of the registry."""
    waveform = keras.Input((None,), name="waveform")
    num_samples = keras.Input((), dtype="int32", name="num_samples")
    log_mel = {key: value for key, value in frontend.items() if hasattr(layers.LogMel(), key)}
    x, n = layers.LogMel(name="log_mel", **log_mel)(waveform, num_samples)
    x = layers.AttentionPooling(name="attention")(x, n)
    x = keras.layers.Dense(units, "tanh", name="embedding")(x)
    x = keras.layers.Dropout(0.2, seed=seed, name="dropout")(x)
    outputs = {
        task: keras.layers.Dense(len(classes), "softmax", dtype="float32", name=task)(x)
        for task, classes in heads.items()
    }
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, name=name)


def training_graph(model, config, labels, steps, seed):
    """An adversary on the embedding, and a penalty of its size; as those of the zoo."""
    x = model.get_layer("embedding").output
    outputs = dict(model.output)
    if "adversary" in config.objectives:
        reversed_x = layers.GradientReversal(ramp_steps=steps, name="reversal")(x)
        classes = labels[config.objectives["adversary"].label]
        outputs["adversary"] = keras.layers.Dense(len(classes), "softmax", name="adversary")(reversed_x)
    if "size" in config.objectives:
        outputs["size"] = keras.ops.mean(keras.ops.square(x), axis=1)
    return keras.Model(model.input, outputs)


def write_config(folder, **training):
    """Write ``toy.yaml`` into a folder, with a comment on top."""
    config = yaml.safe_load((REPOSITORY / "zoo_configs" / "cnn_ablstm_mtl.yaml").read_text(encoding="utf-8"))
    config |= {"name": "toy", "model": {"units": 4}, "weights": [], "reported": []}
    config["frontend"]["num_mels"] = 16
    config["augmentation"] |= {"crop_s": 0.4, "speed": [1.0, 1.0], "noise_probability": 0.0}
    config["training"] |= {"epochs": 2, "steps_per_epoch": 3, "batch_size": 4, "warmup_epochs": 1.0, **training}
    path = Path(folder) / "toy.yaml"
    path.write_text("# A comment.\n" + yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path


def write_emodb(root):
    """Write a corpus in the layout of EmoDB: three speakers, four emotions, 36 clips of 0.3 to 0.8 s."""
    random = np.random.default_rng(0)
    sources = sorted((REPOSITORY / "tests" / "data" / "emodb" / "wav").glob("*.wav"))
    wave = {emotion: soundfile.read(path)[0] for emotion, path in zip(LETTERS, sources, strict=True)}
    (Path(root) / "wav").mkdir(parents=True)
    for speaker in SPEAKERS:
        for emotion, letter in LETTERS.items():
            for text in TEXTS:
                length = int(random.integers(4800, 12800))
                start = int(random.integers(0, len(wave[emotion]) - length))
                clip = wave[emotion][start : start + length]
                soundfile.write(Path(root) / "wav" / f"{speaker}{text}{letter}a.wav", clip, 16000)
    return Path(root)


def train(name, root, out, **options):
    """Train on the small corpus by ``emodb4-loso``: one fold for each of its three speakers."""
    options = {"protocol": "emodb4-loso", "verbose": 0, "partial": True, **options}
    return serzoo.train(name, {"emodb": root}, out=out, **options)
