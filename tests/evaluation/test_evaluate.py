"""Judging a model on a corpus: a made-up RAVDESS of tones, and a stand-in for the network that hears their pitch."""

import json
import os

import numpy as np
import pytest
import soundfile
from pitch import CODES, PITCH_HZ, TWO, Pitch, clip_path, judge, write_corpus

from serzoo.errors import CorpusError, RunError, SpeakerLeakError
from serzoo.evaluation import LEAK_STAMP, evaluate, recompute
from serzoo.evaluation import predictions as tables


@pytest.fixture
def root(tmp_path):
    return write_corpus(tmp_path / "ravdess")


def test_figures_and_files(root, tmp_path):
    report = judge(Pitch(), root, tmp_path / "deep" / "report")
    assert report["ua"]["value"] == pytest.approx((7 / 8 + 1) / 2)
    assert report["confusion"] == {"labels": TWO, "counts": [[7, 1], [0, 8]]}
    assert report["dropped"] == {"calm is not a class of the model": 8}
    assert (report["n"], report["num_speakers"], report["failed"], report["notes"]) == (16, 4, [], [])
    assert (report["model"], report["licence"], report["corpora"]) == ("pitch.tones", "CC0-1.0", ["ravdess"])
    folder = tmp_path / "deep" / "report"
    assert sorted(os.listdir(folder)) == ["confusion.png", "predictions.csv", "report.html", "report.json"]
    written = json.loads((folder / "report.json").read_text())
    assert written["ua"] == report["ua"]
    assert written["fold_ua"]["mean"] is None  # JSON has no NaN
    assert recompute(folder)["ua"] == report["ua"]
    assert set(tables.read(folder)["speaker"]) == {"01", "02", "03", "04"}


def test_a_table_far_from_its_sound(root, tmp_path):
    rows = [("none.wav", "anger", "9")]
    rows += [(clip_path(root, actor, emotion), emotion, actor) for actor in (1, 2) for emotion in TWO]
    (tmp_path / "lists").mkdir()
    mine = tmp_path / "lists" / "mine.csv"
    mine.write_text("file,emotion,speaker\n" + "".join(f"{file},{emotion},{actor}\n" for file, emotion, actor in rows))
    theirs = root / "theirs.csv"  # relative to the folder of the table
    theirs.write_text("file,emotion,speaker\n" + f"{clip_path(root, 3, 'anger').relative_to(root)},anger,3\n")
    tables_ = {"table:mine": mine, "table:theirs": theirs}
    report = evaluate(Pitch(), tables_, tmp_path / "out", resamples=200)
    assert (report["n"], report["ua"]["value"], report["failed"]) == (5, 1, [])
    assert report["dropped"] == {"table:mine: no such file": 1}
    assert set(tables.read(tmp_path / "out")["corpus"]) == {"table:mine", "table:theirs"}


def test_leak_is_refused_by_name_and_writes_nothing(root, tmp_path):
    with pytest.raises(SpeakerLeakError, match="2 of the speakers to judge it by: ravdess 02, ravdess 04. Figures"):
        judge(Pitch(speakers=["02", "04", "24"]), root, tmp_path / "report")
    assert not (tmp_path / "report").exists()


def test_allowed_leak_stamps_every_output(root, tmp_path):
    report = judge(Pitch(speakers=["02"]), root, tmp_path / "a", allow_speaker_leak=True)
    judge(Pitch(), root, tmp_path / "b")
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
    report = judge(Pitch(), root)
    assert [failure["file"] for failure in report["failed"]] == [
        path.relative_to(root).as_posix() for path in (missing, nan, noise)
    ]
    assert all(failure["reason"] for failure in report["failed"])
    assert report["dropped"]["recording cannot be read"] == 3
    assert report["n"] == 13
    assert report["confusion"]["counts"] == [[4, 1], [0, 8]]


def test_a_stretch_that_cannot_be_read_does_not_count_the_others_of_its_file(tmp_path):
    tone = 0.5 * np.sin(2 * np.pi * PITCH_HZ["anger"] * np.arange(9600) / 16000)
    soundfile.write(tmp_path / "a.wav", tone, 16000)
    rows = [f"a.wav,{start},{start + 0.2:.1f},anger,{speaker}" for speaker, start in enumerate((0.0, 0.2, 5.0))]
    mine = tmp_path / "mine.csv"
    mine.write_text("\n".join(["file,start,end,emotion,speaker", *rows]))
    report = evaluate(Pitch(), {"table:mine": mine}, resamples=200)
    assert (report["n"], report["dropped"]) == (2, {"recording cannot be read": 1})
    assert [(each["corpus"], each["file"]) for each in report["failed"]] == [("table:mine", "a.wav")]


def test_nothing_readable(root):
    for path in root.rglob("*.wav"):
        path.write_bytes(b"")
    with pytest.raises(CorpusError, match="None of the 16 recordings can be read. The first"):
        judge(Pitch(), root)


def test_classes_the_corpus_lacks_are_said(root):
    report = judge(Pitch([*TWO, "fear"]), root)
    assert report["ua"]["value"] == pytest.approx((7 / 8 + 1) / 2)
    assert report["chance"] == 0.5
    assert "classes without examples, left out of ua: fear" in report["warnings"]


def test_nothing_to_judge(root):
    with pytest.raises(CorpusError, match="Classes of the model: boredom, fear. Dropped: .*anger.*8"):
        judge(Pitch(["boredom", "fear"]), root)


def test_fold_needs_a_protocol(root):
    with pytest.raises(CorpusError, match="fold 1 without a protocol"):
        judge(Pitch(), root, fold=1)


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
    fold_weights = Pitch(sorted(CODES), trained, card={"seed": 3})
    report = judge(fold_weights, root, tmp_path / "out", protocol="ravdess8-5fold", fold=4)
    assert (report["ua"]["value"], report["n"], report["folds"]) == (1, 32, 1)
    assert report["dropped"] == {"speaker is not tested in fold 4": 160}
    predictions = tables.read(tmp_path / "out")
    assert sorted(predictions["speaker"].unique()) == tested
    assert set(predictions["fold"]) == {4} and set(predictions["seed"]) == {3}
    judge(Pitch(sorted(CODES)), root, tmp_path / "all")  # predictions for everyone are judged on the fold alone, too
    report = judge(tmp_path / "all" / "predictions.csv", root, tmp_path / "given", protocol="ravdess8-5fold", fold=4)
    assert (report["n"], report["dropped"]) == (32, {"speaker is not tested in fold 4": 160})
    assert sorted(tables.read(tmp_path / "given")["speaker"].unique()) == tested
    with pytest.raises(SpeakerLeakError):
        judge(fold_weights, root, protocol="ravdess8-5fold", fold=3)
    with pytest.raises(CorpusError, match="folds 0 to 4. Received: 5"):
        judge(fold_weights, root, protocol="ravdess8-5fold", fold=5)


def test_folder_that_cannot_be_written_is_told_before_the_work(root, tmp_path):
    (tmp_path / "file").write_text("in the way")

    def never(*_):
        raise RuntimeError("predicted before the folder was tried")

    network = Pitch()
    network.predict_on_batch = never
    with pytest.raises(RunError, match="The report needs a folder to write to"):
        judge(network, root, tmp_path / "file")


def test_full_disk_leaves_no_report(root, tmp_path, monkeypatch):
    judge(Pitch(), root, tmp_path / "out")

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(RunError, match="No space left on device"):
        judge(Pitch(), root, tmp_path / "out")
    assert sorted(os.listdir(tmp_path / "out")) == ["confusion.png", "predictions.csv", "report.html"]


def test_a_fault_of_the_network_is_not_blamed_on_the_files(root):
    def broken(*_):
        raise OSError("the network broke")

    network = Pitch()
    network.predict_on_batch = broken
    with pytest.raises(OSError, match="the network broke"):
        judge(network, root)
