"""Judging a model on a corpus: a made-up RAVDESS of tones, and a stand-in for the network that hears their pitch."""

import json
import os
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from serzoo import audio
from serzoo.errors import CorpusError, RunError, SpeakerLeakError
from serzoo.evaluation import LEAK_STAMP, evaluate, recompute
from serzoo.evaluation import predictions as tables

CODES = {"neutral": 1, "calm": 2, "happiness": 3, "sadness": 4, "anger": 5, "fear": 6, "disgust": 7, "surprise": 8}
PITCH_HZ = {emotion: 400 * code for emotion, code in CODES.items()}
TWO = ["anger", "sadness"]


def clip_path(root, actor, emotion, repetition=1):
    return root / f"Actor_{actor:02d}" / f"03-01-{CODES[emotion]:02d}-01-01-{repetition:02d}-{actor:02d}.wav"


@pytest.fixture
def root(tmp_path):
    """Four actors, three emotions, two repetitions; actor 4's second anger sounds like sadness."""
    folder = tmp_path / "ravdess"
    for actor in range(1, 5):
        (folder / f"Actor_{actor:02d}").mkdir(parents=True)
        for emotion in (*TWO, "calm"):
            for repetition in (1, 2):
                heard = "sadness" if (actor, emotion, repetition) == (4, "anger", 2) else emotion
                tone = 0.5 * np.sin(2 * np.pi * PITCH_HZ[heard] * np.arange(3200) / 16000)
                soundfile.write(clip_path(folder, actor, emotion, repetition), tone, 16000)
    return folder


def model(classes=TWO, speakers=(), **more):
    return SimpleNamespace(
        name="pitch",
        tag="tones",
        licence="CC0-1.0",
        classes=classes,
        training_speakers={"ravdess": list(speakers)},
        **more,
    )


def predict(judge, table, roots):
    """Say the class whose pitch is nearest to the loudest frequency."""
    found = np.full((len(table), len(judge.classes)), 0.1 / (len(judge.classes) - 1))
    for i, row in enumerate(table.itertuples()):
        waveform = audio.read(f"{roots[row.corpus]}/{row.file}")
        peak_hz = np.abs(np.fft.rfft(waveform)).argmax() * 16000 / len(waveform)
        found[i, np.argmin([abs(PITCH_HZ[label] - peak_hz) for label in judge.classes])] = 0.9
    return {"emotion": found.astype(np.float32)}


def judge(the_model, root, out=None, **more):
    return evaluate(the_model, {"ravdess": root}, out, partial=True, predict=predict, resamples=200, **more)


def test_figures_and_files(root, tmp_path):
    report = judge(model(), root, tmp_path / "deep" / "report")
    assert report["ua"]["value"] == pytest.approx((7 / 8 + 1) / 2)
    assert report["confusion"] == {"labels": TWO, "counts": [[7, 1], [0, 8]]}
    assert report["dropped"] == {"calm is not a class of the model": 8}
    assert (report["n"], report["num_speakers"], report["failed"], report["notes"]) == (16, 4, [], [])
    assert (report["model"], report["licence"], report["corpora"]) == ("pitch.tones", "CC0-1.0", ["ravdess"])
    folder = tmp_path / "deep" / "report"
    assert sorted(os.listdir(folder)) == ["confusion.png", "predictions.csv", "report.json"]
    written = json.loads((folder / "report.json").read_text())
    assert written["ua"] == report["ua"]
    assert written["fold_ua"]["mean"] is None  # JSON has no NaN
    assert recompute(folder)["ua"] == report["ua"]
    assert set(tables.read(folder)["speaker"]) == {"01", "02", "03", "04"}


def test_leak_is_refused_by_name_and_writes_nothing(root, tmp_path):
    with pytest.raises(SpeakerLeakError, match="2 of the speakers to judge it by: ravdess 02, ravdess 04. Figures"):
        judge(model(speakers=["02", "04", "24"]), root, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_allowed_leak_stamps_every_output(root, tmp_path):
    report = judge(model(speakers=["02"]), root, tmp_path / "a", allow_speaker_leak=True)
    judge(model(), root, tmp_path / "b")
    assert report["shared_speakers"] == ["ravdess 02"]
    assert report["notes"] == json.loads((tmp_path / "a/report.json").read_text())["notes"] == [LEAK_STAMP]
    assert recompute(tmp_path / "a")["notes"] == [LEAK_STAMP]
    pictures = [(tmp_path / name / "confusion.png").read_bytes() for name in "ab"]
    assert pictures[0] != pictures[1]


def test_bad_recordings_are_named_and_the_rest_is_judged(root):
    missing, nan, noise = (clip_path(root, actor, "anger") for actor in (1, 2, 3))
    waveform = np.zeros(3200, np.float32)
    waveform[100] = np.nan  # the header is fine: only decoding tells
    soundfile.write(nan, waveform, 16000, subtype="FLOAT")
    noise.write_bytes(b"this is no sound at all")
    missing.write_bytes(b"")
    report = judge(model(), root)
    assert [failure["file"] for failure in report["failed"]] == [
        path.relative_to(root).as_posix() for path in (missing, nan, noise)
    ]
    assert all(failure["reason"] for failure in report["failed"])
    assert report["dropped"]["recording cannot be read"] == 3
    assert report["n"] == 13
    assert report["confusion"]["counts"] == [[4, 1], [0, 8]]


def test_nothing_readable(root):
    for path in root.rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(CorpusError, match="None of the 16 recordings can be read. The first"):
        judge(model(), root)


def test_classes_the_corpus_lacks_are_said(root):
    report = judge(model([*TWO, "fear"]), root)
    assert report["ua"]["value"] == pytest.approx((7 / 8 + 1) / 2)
    assert report["chance"] == 0.5
    assert "classes without examples, left out of ua: fear" in report["warnings"]


def test_nothing_to_judge(root):
    with pytest.raises(CorpusError, match="Classes of the model: boredom, fear. Dropped: .*anger.*8"):
        judge(model(["boredom", "fear"]), root)


def test_fold_needs_a_protocol(root):
    with pytest.raises(CorpusError, match="fold 1 without a protocol"):
        judge(model(), root, fold=1)


def test_fold_weights_are_judged_on_the_test_speakers_of_their_fold(tmp_path):
    """All 24 actors: weights that saw everyone but the test actors of fold 4 are no leak there, and one elsewhere."""
    root = tmp_path / "ravdess"
    for actor in range(1, 25):
        (root / f"Actor_{actor:02d}").mkdir(parents=True)
        for emotion in CODES:
            tone = 0.5 * np.sin(2 * np.pi * PITCH_HZ[emotion] * np.arange(1600) / 16000)
            soundfile.write(clip_path(root, actor, emotion), tone, 16000)
    tested = ["01", "04", "09", "22"]
    trained = [f"{actor:02d}" for actor in range(1, 25) if f"{actor:02d}" not in tested]
    fold_weights = model(sorted(CODES), trained, card={"seed": 3})
    report = judge(fold_weights, root, tmp_path / "out", protocol="ravdess8-5fold", fold=4)
    assert (report["ua"]["value"], report["n"], report["folds"]) == (1, 32, 1)
    assert report["dropped"] == {"speaker is not tested in fold 4": 160}
    predictions = tables.read(tmp_path / "out")
    assert sorted(predictions["speaker"].unique()) == tested
    assert set(predictions["fold"]) == {4} and set(predictions["seed"]) == {3}
    with pytest.raises(SpeakerLeakError):
        judge(fold_weights, root, protocol="ravdess8-5fold", fold=3)
    with pytest.raises(CorpusError, match="folds 0 to 4. Received: 5"):
        judge(fold_weights, root, protocol="ravdess8-5fold", fold=5)


def test_folder_that_cannot_be_written_is_told_before_the_work(root, tmp_path):
    (tmp_path / "file").write_text("in the way")

    def never(*_):
        raise RuntimeError("predicted before the folder was tried")

    with pytest.raises(RunError, match="needs a folder that can be written to"):
        evaluate(model(), {"ravdess": root}, tmp_path / "file", partial=True, predict=never)


def test_full_disk_leaves_no_report(root, tmp_path, monkeypatch):
    judge(model(), root, tmp_path / "out")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        judge(model(), root, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["confusion.png", "predictions.csv"]


def test_a_fault_of_the_network_is_not_blamed_on_the_files(root):
    def broken(*_):
        raise OSError("the network broke")

    with pytest.raises(OSError, match="the network broke"):
        evaluate(model(), {"ravdess": root}, partial=True, predict=broken)
