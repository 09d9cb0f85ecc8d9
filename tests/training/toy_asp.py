"""The training of a shared-private model on a network without recurrence, which is traced in a moment."""

import keras
import yaml
from toy_model import REPOSITORY

from serzoo import layers
from serzoo.models import Classifier

TINY = {
    "frontend.num_mels": 16,
    "augmentation.crop_s": 0.6,
    "training.epochs": 2,
    "training.steps_per_epoch": 3,
    "training.batch_size": 8,
    "training.warmup_epochs": 0.0,
}


def build(*, heads, frontend, spec_augment=None, units=6, seed=None, name="toy_asp"):
    """Build the toy: two dense encoders on the spectrogram, emotion by clip and noise by segment."""
    waveform = keras.Input((None,), name="waveform")
    num_samples = keras.Input((), dtype="int32", name="num_samples")
    log_mel = {key: value for key, value in frontend.items() if key not in ("delta_width", "standardize", "denoise")}
    x, n = layers.LogMel(name="log_mel", **log_mel)(waveform, num_samples)
    pooled = {}
    for which in ("shared", "private_emotion"):
        frames = keras.layers.Dense(units, "tanh", name=f"{which}_encoder")(x)
        pooled[which] = layers.AttentionPooling(name=which)(frames, n)
    embedding = keras.layers.Concatenate(name="embedding")(list(pooled.values()))
    outputs = {
        "emotion": keras.layers.Dense(len(heads["emotion"]), "softmax", dtype="float32", name="emotion")(embedding)
    }
    if "noise" in heads:
        head = layers.SegmentClassifier(len(heads["noise"]), 3200, 160, name="noise")
        outputs["noise"] = head(x, n, pooled["shared"])
    inputs = {"waveform": waveform, "num_samples": num_samples}
    return Classifier(inputs=inputs, outputs=outputs, heads=heads, name=name)


def training_graph(model, config, labels, steps, seed):
    """Add an adversary and a difference loss."""
    read = {which: model.get_layer(which).output for which in ("shared", "private_emotion")}
    objectives = layers.adversarial_objectives(
        config.objectives,
        labels,
        steps,
        adversaries={"adversary": read["shared"]},
        differences={"difference": (read["shared"], [read["private_emotion"]])},
    )
    return keras.Model(model.input, {**model.output, **objectives})


def write_config(folder, **changes):
    """Write ``toy_asp.yaml`` into a folder; ``changes`` are sections to replace."""
    config = yaml.safe_load((REPOSITORY / "zoo_configs" / "asp_mtl_noise.yaml").read_text(encoding="utf-8"))
    config |= {"name": "toy_asp", "model": {"units": 6}, "weights": [], "reported": [], **changes}
    path = folder / "toy_asp.yaml"
    path.write_text(yaml.safe_dump(config, sort_keys=False), encoding="utf-8")
    return path
