"""Training with both kinds of head, on the backend that KERAS_BACKEND names."""

import csv

import numpy as np
import pandas as pd
import pytest

from serzoo import building, corpora, metrics, pipeline, scales
from serzoo import config as configs
from serzoo.errors import CorpusError, RunError
from serzoo.plan import plan_epoch
from serzoo.training import checks
from serzoo.training import fit as fitting
from serzoo.training.material import gather

TASKS = {"emotion": {"loss_weight": 0.5}, "arousal": {"loss_weight": 1.0, "scale": [1.0, 5.0]}}


@pytest.fixture
def config(toy_yaml):
    changed = {"heads": TASKS, "model.units": 8, "training.learning_rate": 0.02, "training.batch_size": 8}
    return configs.load(toy_yaml, changed | {"augmentation.gain_db": [0.0, 0.0], "augmentation.mixup_probability": 0.3})


@pytest.fixture
def loud_and_soft():
    """Noise that is the louder the more aroused it is; of every fourth clip only the emotion is known."""
    random = np.random.default_rng(0)
    arousal = random.uniform(1, 5, 16)
    clips = [random.normal(scale=10 ** (a / 2 - 3), size=3200).astype("float32") for a in arousal]
    emotion = np.where(arousal > 3, "anger", "sadness")
    known = np.where(np.arange(16) % 4, arousal, np.nan)
    return clips, pd.DataFrame({"emotion": emotion, "arousal": known}), arousal


def test_a_model_with_both_kinds_of_head_learns_both(config, loud_and_soft, tmp_path):
    clips, table, arousal = loud_and_soft
    heads = building.heads_of(config, ["anger", "sadness"])
    model = building.build(config, heads, seed=0)
    before = metrics.ccc(arousal, values(model, clips))
    targets = pipeline.labels(table, heads)
    options = {"seed": 0, "tensorboard": False, "verbose": 0}
    fitting.fit(model, config, clips, targets, epochs=15, folder=tmp_path, **options)
    with open(tmp_path / fitting.LOG, newline="") as file:
        rows = list(csv.DictReader(file))
    total = 0.5 * float(rows[-1]["emotion_loss"]) + float(rows[-1]["arousal_loss"])
    assert float(rows[-1]["loss"]) == pytest.approx(total, rel=1e-4)
    after = metrics.ccc(arousal, values(model, clips))
    assert before < 0.6 and after > 0.8
    guesses = pipeline.predict(model, clips)["emotion"].argmax(axis=1)
    assert (guesses == (table["emotion"] == "sadness")).mean() > 0.8
    loudest = int(arousal.argmax())
    told = model.dimensions(clips[loudest], 16000)
    assert list(told) == ["arousal"] and told["arousal"] == pytest.approx(values(model, clips)[loudest], abs=1e-3)
    assert values(model, clips).min() >= 1 and values(model, clips).max() <= 5


def values(model, clips):
    return scales.values_of(pipeline.predict(model, clips), model.heads)["arousal"]


def test_labels_that_no_head_can_learn_from(config, loud_and_soft):
    _, table, _ = loud_and_soft
    heads = building.heads_of(config, ["anger", "sadness"])
    table = table.assign(corpus="toy", file=[f"{i}.wav" for i in range(16)])
    checks.check_labels(config, table, {})
    with pytest.raises(CorpusError, match="The labels arousal must lie from 1.0 to 5.0. Received: 7.0"):
        pipeline.labels(table.assign(arousal=7.0), heads)
    for value, told in (("high", "arousal of toy must be numbers"), (7.0, "arousal of toy must lie from 1.0 to 5.0")):
        off = table.assign(arousal=table["arousal"].astype(object).where(table.index > 0, value))
        with pytest.raises(CorpusError, match=told):
            checks.check_scales(config, [table, off])
    checks.check_scales(config, [table, table.drop(columns="arousal")])
    for wrong in (table.drop(columns="arousal"), table.assign(arousal=np.nan), table.assign(arousal=3.0)):
        with pytest.raises(RunError, match="'arousal' apart, which needs two values or more among the clips. Received"):
            checks.check_labels(config, wrong, {})
    texts = table.assign(arousal=table["arousal"].astype(object).where(table.index > 7, "1.5"))  # of a CSV file
    checks.check_labels(config, texts, {})


def test_every_value_of_a_balanced_stream_is_drawn_equally_often(config):
    shares = {"streams": {"emotion": 0.5, "arousal": 0.5}, "training.steps_per_epoch": 500}
    stream = np.eye(2, dtype="float32")[[0] * 4 + [1] * 6]
    arousal = scales.encode([None] * 4 + [1, 2, 3, 4, 5, None], (1.0, 5.0))
    emotion = np.eye(2, dtype="float32")[[0, 1, 0, 1] + [0] * 6] * stream[:, :1]
    plan = plan_epoch(
        {"emotion": emotion, "arousal": arousal, "stream": stream}, 0, 0, configs.override(config, shares)
    )
    counts = np.bincount(plan["index"], minlength=10)[4:]
    assert counts[5] == 0 and counts[:5].tolist() == pytest.approx([400] * 5, abs=80)


def test_a_run_knows_its_continuous_labels(config, toy_yaml, tmp_path):
    def of(config, arousal):
        lines = [
            "file,emotion,speaker,arousal",
            *(f"{n}.wav,{e},{n},{arousal}" for n, e in enumerate(("anger", "fear"))),
        ]
        (tmp_path / "mine.csv").write_text("\n".join(lines))
        for number in range(2):
            (tmp_path / f"{number}.wav").write_bytes(b"not heard yet")
        rules = corpora.protocol("loso-table:mine@anger,fear")
        return gather(config, rules, {"table:mine": tmp_path / "mine.csv"}).fingerprints["corpora"]["table:mine"]

    assert of(config, 1.0) != of(config, 5.0)
    assert of(configs.load(toy_yaml), 1.0) == of(configs.load(toy_yaml), 5.0)  # which reads none
