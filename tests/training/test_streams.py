"""Several corpora in a batch, each with its labels, and what only training computes."""

import csv
import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import toy_model

import serzoo
from serzoo import building
from serzoo import config as configs
from serzoo.corpora import Fold
from serzoo.errors import ConfigError, RunError
from serzoo.training import fit as fitting
from serzoo.training import streams

SHARES = {"emotion": 0.5, "gender": 0.25, "target": 0.25}
FOLD = Fold(0, (("emodb", "03"),), (("emodb", "08"),), (("emodb", "09"),))


def table_of(*speakers, corpus="emodb"):
    rows = [(corpus, f"{s}.wav", np.nan, np.nan, "anger", "female" if s == "03" else "male", s) for s in speakers]
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "emotion", "gender", "speaker"])


@pytest.fixture
def config(toy_yaml):
    return configs.load(toy_yaml, {"streams": SHARES})


def test_streams_keep_the_label_of_their_name_alone():
    rows = streams.with_streams(table_of("03"), {"gender": table_of("03"), "target": table_of("03", "10")}, FOLD)
    learnt = streams.labels_of(rows).astype(object).where(lambda table: table.notna(), None)
    assert rows["stream"].tolist() == ["emotion", "gender", "target", "target"]
    assert learnt["emotion"].tolist() == ["anger", None, None, None]
    assert learnt["gender"].tolist() == ["female", "female", None, None]
    assert learnt["speaker"].tolist() == ["emodb 03", None, None, None]
    assert rows["speaker"].tolist() == ["03", "03", "03", "10"]  # the true ones stay, for the list of who was heard


def test_unlabelled_clips_say_who_speaks_and_nothing_else():
    table = table_of("03").assign(arousal=2.0)
    rows = streams.with_streams(table, {"unlabelled": table_of("10").assign(arousal=3.0)}, FOLD)
    learnt = streams.labels_of(rows).astype(object).where(lambda table: table.notna(), None)
    assert learnt["emotion"].tolist() == ["anger", None] and learnt["arousal"].tolist() == [2.0, None]
    assert learnt["gender"].tolist() == ["female", "male"] and learnt["speaker"].tolist() == ["emodb 03", "emodb 10"]


def test_a_person_in_two_forms_of_a_corpus_is_one_speaker():
    both = pd.concat([table_of("03"), table_of("03", corpus="emodb_first2s")], ignore_index=True)
    assert streams.labels_of(both.assign(stream="emotion"))["speaker"].tolist() == ["emodb 03", "emodb 03"]


def test_no_stream_holds_speakers_that_choose_or_judge():
    rows = streams.with_streams(table_of("03"), {"target": table_of("03", "08", "09", "10")}, FOLD)
    assert rows.loc[rows["stream"] == "target", "speaker"].tolist() == ["03", "10"]
    # a speaker of another corpus is somebody else
    rows = streams.with_streams(table_of("03"), {"target": table_of("08", corpus="savee")}, FOLD)
    assert rows["speaker"].tolist() == ["03", "08"]
    with pytest.raises(RunError, match="The stream target has no speaker that fold0 neither chooses nor judges by"):
        streams.with_streams(table_of("03"), {"target": table_of("08", "09")}, FOLD)


def test_streams_must_be_those_of_the_config(config, toy_yaml, emodb):
    with pytest.raises(
        RunError, match="trains on the streams emotion, gender, target. Received beside emotion: gender"
    ):
        streams.streams_of({"gender": {"emodb": emodb}}, config, partial=True)
    with pytest.raises(RunError, match="Received beside emotion: target. Set their shares"):
        streams.streams_of({"target": {"emodb": emodb}}, configs.load(toy_yaml), partial=True)
    with pytest.raises(RunError, match="emodb has two root folders, a and b: give one"):
        streams.joined_roots({"emodb": "a"}, {"emodb": "b"})


def test_classes_of_labels(config, toy_yaml):
    rows = streams.labels_of(streams.with_streams(table_of("03", "10"), {"target": table_of("11")}, FOLD))
    adversary = {"adversary": {"label": "stream", "loss_weight": 1.0}}
    wanted = configs.load(toy_yaml, {"streams": {"emotion": 1.0, "target": 1.0}, "objectives": adversary})
    assert streams.label_classes(rows, wanted, {}) == {"stream": ["emotion", "target"]}

    def with_label(label):
        return configs.load(toy_yaml, {"objectives": {"adversary": {"label": label, "loss_weight": 1.0}}})

    assert streams.label_classes(rows, with_label("speaker"), {}) == {"speaker": ["emodb 03", "emodb 10"]}
    with pytest.raises(RunError, match="no table has the label 'height'"):
        streams.label_classes(rows, with_label("height"), {})
    with pytest.raises(
        RunError, match="'corpus' apart, which needs two values or more among the clips. Received: emodb"
    ):
        streams.label_classes(rows, with_label("corpus"), {})


def test_a_config_refuses_streams_without_emotion_and_doubled_names(toy_yaml):
    with pytest.raises(ConfigError, match="streams needs the stream 'emotion'"):
        configs.load(toy_yaml, {"streams": {"target": 1.0}})
    with pytest.raises(ConfigError, match="the same names in heads and objectives"):
        configs.load(toy_yaml, {"objectives": {"gender": {"label": "gender", "loss_weight": 1.0}}})


def test_objectives_that_the_model_does_not_put_out(toy_yaml, tmp_path):
    config = configs.load(toy_yaml, {"objectives": {"reconstruction": {"label": None, "loss_weight": 1.0}}})
    model = building.build(config, {"emotion": ["anger", "fear"], "gender": ["female", "male"]}, seed=0)
    targets = {"emotion": np.eye(2, dtype="float32"), "gender": np.eye(2, dtype="float32")}
    with pytest.raises(ConfigError, match="heads and objectives must be what the model puts out in training"):
        fitting.fit(model, config, [], targets, epochs=1, seed=0, folder=tmp_path)


def write_table(folder, label, values):
    """A table far from its sound, of which one file is gone."""
    random, lines = (
        np.random.default_rng(len(label)),
        ["file,emotion,speaker," + label, f"none.wav,anger,x,{values[0]}"],
    )
    (folder / label).mkdir()
    for i, value in enumerate(values):
        soundfile.write(folder / label / f"{i}.wav", random.normal(0, 0.1, 4000), 16000)
        lines.append(f"{folder / label / f'{i}.wav'},anger,x,{value}")
    (folder / f"{label}.csv").write_text("\n".join(lines))
    return folder / f"{label}.csv"


def test_training_with_streams_and_objectives(toy_yaml, emodb, tmp_path):
    """The adversary and the penalty are logged, resumed and left behind: the weights are those of the model.

    One stream teaches gender, another arousal, which is continuous.
    """
    objectives = {
        "adversary": {"label": "stream", "loss_weight": 0.1},
        "size": {"label": None, "loss_weight": 0.01},
    }
    heads = {"emotion": {"loss_weight": 1.0}, "gender": {"loss_weight": 0.3}}
    heads["arousal"] = {"loss_weight": 0.5, "scale": [1.0, 5.0]}
    shares = {"emotion": 0.5, "gender": 0.25, "arousal": 0.25}
    overrides = {"streams": shares, "objectives": objectives, "heads": heads, "training.batch_size": 8}
    tables = {
        "gender": {"table:mine": write_table(tmp_path, "gender", ["f", "m"] * 4)},
        "arousal": {"table:felt": write_table(tmp_path, "arousal", [1, 2.5, 3, 5] * 2)},
    }
    options = {"streams": tables, "overrides": overrides}
    run = toy_model.train(str(toy_yaml), emodb, tmp_path / "run", **options)
    with open(run / "seed0-fold0" / fitting.LOG, newline="") as file:
        rows = list(csv.DictReader(file))
    names = ("emotion_loss", "gender_loss", "arousal_loss", "adversary_loss", "size_loss")
    names += ("adversary_accuracy", "adversary_chance")
    for row in rows:
        assert all(np.isfinite(float(row[name])) for name in names)
    assert float(rows[0]["adversary_chance"]) == pytest.approx(0.5)
    total = float(rows[0]["emotion_loss"]) + 0.3 * float(rows[0]["gender_loss"])
    total += 0.5 * float(rows[0]["arousal_loss"])
    total += 0.1 * float(rows[0]["adversary_loss"]) + 0.01 * float(rows[0]["size_loss"])
    assert float(rows[0]["loss"]) == pytest.approx(total, rel=1e-4)

    record = json.loads((run / "run.json").read_text())
    assert record["streams"]["gender"]["table:mine"]["rows"] == 8
    assert record["dropped"] == {"table:mine: no such file": 1, "table:felt: no such file": 1}
    loaded = serzoo.load(run / "seed0-fold0")
    assert sorted(loaded.output) == ["arousal", "emotion", "gender"]
    assert 1 <= loaded.dimensions(emodb / "wav" / "03a01Wa.wav")["arousal"] <= 5
    assert pd.read_csv(run / "predictions.csv")["value_arousal"].between(1, 5).all()
    assert json.loads((run / "report.json").read_text())["continuous"]["arousal"]["n"] == 0  # emodb has no truth
    assert not [layer.name for layer in loaded.layers if "reversal" in layer.name or "adversary" in layer.name]
    with pytest.raises(RunError, match="Received beside emotion: none. Give --stream gender:CORPUS=ROOT"):
        toy_model.train(str(toy_yaml), emodb, tmp_path / "other", overrides=overrides)
