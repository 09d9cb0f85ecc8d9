"""Adapting to an unlabelled target, from the command to the report: what is heard, and what is said about it."""

import json
import shutil
import sys

import h5py
import numpy as np
import pandas as pd
import pytest
import toy_model

import serzoo
from serzoo.errors import ConfigError, RunError, SpeakerLeakError
from serzoo.evaluation.report import page
from serzoo.training import trials
from serzoo.training.fit import LOG

CLASSES = ["anger", "happiness", "neutral", "sadness"]
TARGET = "table:mine"
PROTOCOL = f"cross-emodb-to-{TARGET}@{','.join(CLASSES)}"
TINY = {
    "streams": {"emotion": 0.5, "target": 0.5},
    "objectives": {"adversary": {"label": "stream", "loss_weight": 0.1}},
    "training.epochs": 1,
    "training.steps_per_epoch": 2,
}


@pytest.fixture(scope="module")
def target(tmp_path_factory):
    """A table of other sound, by three speakers, and the same one with wrong labels."""
    folder = tmp_path_factory.mktemp("target")
    toy_model.write_emodb(folder / "sound")
    random, rows = np.random.default_rng(1), []
    for path in sorted((folder / "sound" / "wav").glob("*.wav")):
        samples, rate = toy_model.soundfile.read(path)
        toy_model.soundfile.write(path, 0.5 * samples + 0.01 * random.standard_normal(len(samples)), rate)
        rows.append({"file": f"sound/wav/{path.name}", "speaker": f"t{path.name[:2]}", "emotion": path.name[5]})
    table = pd.DataFrame(rows)
    emotions = {letter: emotion for emotion, letter in toy_model.LETTERS.items()}
    table["emotion"] = table["emotion"].map(emotions)
    table.assign(gender="female").to_csv(folder / "right.csv", index=False)
    wrong = [CLASSES[CLASSES.index(emotion) - 1] for emotion in table["emotion"]]
    table.assign(emotion=wrong, gender="male").to_csv(folder / "wrong.csv", index=False)
    return folder


def adapted(toy_yaml, emodb, table, out, protocol=PROTOCOL, **options):
    roots = {"emodb": emodb, TARGET: table}
    options = {"overrides": TINY, "streams": {"target": {TARGET: table}}, **options}
    return serzoo.train(str(toy_yaml), roots, protocol=protocol, out=out, partial=True, verbose=0, **options)


@pytest.fixture(scope="module")
def transductive(toy_yaml, emodb, target, tmp_path_factory):
    folder = tmp_path_factory.mktemp("transductive")
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(serzoo.registry.BUILDERS, "toy", "toy_model:build")
        return [
            adapted(toy_yaml, emodb, target / f"{kind}.csv", folder / kind, transductive=True)
            for kind in ("right", "wrong")
        ]


def weights(run):
    with h5py.File(run / "seed0-fold0" / "final.weights.h5") as file:
        found = {}
        file.visititems(lambda name, item: found.update({name: item[()]} if isinstance(item, h5py.Dataset) else {}))
        return found


def test_wrong_labels_of_the_target_change_nothing(transductive):
    """Neither a weight nor an answer; the truth that the answers are judged by is another one, of course."""
    right, wrong = map(weights, transductive)
    assert right.keys() == wrong.keys() and len(right) > 4
    for name in right:
        np.testing.assert_array_equal(right[name], wrong[name])
    one, other = (pd.read_csv(run / "predictions.csv") for run in transductive)
    assert set(one["corpus"]) == {TARGET} and (one["truth"] != other["truth"]).all()
    scores = [f"p_{label}" for label in CLASSES]
    pd.testing.assert_frame_equal(one[["file", *scores]], other[["file", *scores]])
    records = [json.loads((run / "run.json").read_text()) for run in transductive]
    assert records[0]["streams"] == records[1]["streams"]
    # chosen by the validation speakers of the source, whose figure is the same
    logs = [pd.read_csv(run / "seed0-fold0" / LOG)["val_ua"].tolist() for run in transductive]
    assert logs[0] == logs[1]


def test_transductive_is_said_everywhere(transductive, target, emodb):
    run, note = transductive[0], f"transductive: adapted to unlabelled clips of {TARGET}, those of the tested speakers"
    assert json.loads((run / "run.json").read_text())["adaptation"] == "transductive"
    card = json.loads((run / "seed0-fold0" / "card.json").read_text())
    assert card["adaptation"].startswith(note) and card["corpora"][TARGET] == ["t03", "t08", "t09"]
    report = json.loads((run / "report.json").read_text())
    assert len(report["notes"]) == 1 and report["notes"][0].startswith(note)
    assert serzoo.load(run / "seed0-fold0").card["adaptation"] == card["adaptation"]
    with pytest.raises(SpeakerLeakError, match="trained on 3 of the speakers to judge it by: table:mine t03"):
        serzoo.evaluate(run, {"emodb": emodb, TARGET: target / "right.csv"}, partial=True)


def searched(toy_yaml, emodb, table, out, protocol=PROTOCOL, **options):
    roots = {"emodb": emodb, TARGET: table}
    options |= {"streams": {"target": {TARGET: table}}, "overrides": TINY, "partial": True, "verbose": 0}
    space = [{"objectives.adversary.loss_weight": 0.5}]
    serzoo.search(str(toy_yaml), roots, protocol=protocol, space=space, out=out, **options)
    return trials.read(out / "trials.csv")


def test_a_search_with_a_target_reads_no_label_of_it(toy_yaml, emodb, target, tmp_path):
    right, wrong = (
        searched(toy_yaml, emodb, target / f"{kind}.csv", tmp_path / kind / "found", transductive=True)
        for kind in ("right", "wrong")
    )
    assert right == wrong and len(right) == 2
    assert {row["how"] for row in right} == {f"serzoo search found; target {TARGET}; transductive"}
    assert json.loads((tmp_path / "right" / "found" / "run.json").read_text())["adaptation"] == "transductive"


def test_an_inductive_search_opens_no_recording_of_a_tested_speaker(toy_yaml, emodb, target, tmp_path):
    shutil.copytree(target, tmp_path / "mute")
    for path in (tmp_path / "mute" / "sound" / "wav").glob("03*.wav"):  # who is tested in fold 0
        path.write_bytes(b"no sound")
    options = {"protocol": f"3fold-{PROTOCOL}", "folds": (0,)}
    sound, mute = (
        searched(toy_yaml, emodb, folder / "right.csv", tmp_path / name / "found", **options)
        for name, folder in (("a", target), ("b", tmp_path / "mute"))
    )
    assert sound == mute and sound[0]["how"].endswith("; inductive")
    with pytest.raises(RunError, match="tests every speaker of the target at once"):
        searched(toy_yaml, emodb, target / "right.csv", tmp_path / "found")
    assert not (tmp_path / "found").exists()


def test_a_speaker_head_is_refused_before_there_is_a_run(toy_yaml, emodb, tmp_path):
    heads = {"emotion": {"loss_weight": 1.0}, "speaker": {"loss_weight": 0.1}}
    with pytest.raises(ConfigError, match="a head 'speaker' would meet speakers that it never heard"):
        toy_model.train(str(toy_yaml), emodb, tmp_path / "run", overrides={"heads": heads})
    assert not (tmp_path / "run").exists()


def test_inductive_hears_no_tested_speaker(toy_yaml, emodb, target, tmp_path, monkeypatch):
    run = adapted(toy_yaml, emodb, target / "right.csv", tmp_path / "run", protocol=f"3fold-{PROTOCOL}")
    cards = [json.loads((run / f"seed0-fold{fold}" / "card.json").read_text()) for fold in range(3)]
    assert [card["corpora"][TARGET] for card in cards] == [["t08", "t09"], ["t03", "t09"], ["t03", "t08"]]
    note = f"inductive: adapted to unlabelled clips of {TARGET}, but to none of the tested speakers"
    assert {card["adaptation"] for card in cards} == {note}
    told = pd.read_csv(run / "predictions.csv")
    assert set(told["note"]) == {note} and len(told) == 36 and told.groupby("fold")["speaker"].nunique().eq(1).all()
    assert json.loads((run / "run.json").read_text())["adaptation"] == "inductive"
    monkeypatch.setattr(sys.modules["serzoo.evaluation.evaluate"], "published", lambda protocol: [])  # the toy is not
    # judged again by the weights of each fold: nothing is shared, and the note stays
    report = serzoo.evaluate(run, {"emodb": emodb, TARGET: target / "right.csv"}, partial=True, resamples=50)
    assert report["notes"] == [note] and report["shared_speakers"] == []
    assert report["ua"]["value"] == pytest.approx(json.loads((run / "report.json").read_text())["ua"]["value"])
    text = page(report)
    assert note in text and "on speakers that the model did not hear in training" in text
