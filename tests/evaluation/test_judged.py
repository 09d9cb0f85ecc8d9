"""Whom an evaluation asks: all folds of a run, shipped fold weights, a file of predictions; and what does not fit."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile
from pitch import CODES, PITCH_HZ, TWO, Pitch, clip_path, judge, write_corpus

from serzoo import corpora
from serzoo.errors import CorpusError, RunError, SpeakerLeakError, UnknownNameError
from serzoo.evaluation import evaluate
from serzoo.evaluation import judged as module
from serzoo.evaluation import predictions as tables
from serzoo.files import RECORDINGS

PROTOCOL = "ravdess8-5fold"


@pytest.fixture
def root(tmp_path):
    return write_corpus(tmp_path / "ravdess")


@pytest.fixture(scope="module")
def ravdess(tmp_path_factory):
    """All 24 actors, each emotion once, as tones."""
    folder = tmp_path_factory.mktemp("all") / "ravdess"
    for actor in range(1, 25):
        (folder / f"Actor_{actor:02d}").mkdir(parents=True)
        for emotion in CODES:
            tone = 0.5 * np.sin(2 * np.pi * PITCH_HZ[emotion] * np.arange(1600) / 16000 + actor)
            soundfile.write(clip_path(folder, actor, emotion), tone, 16000)
    return folder


@pytest.fixture
def run(ravdess, tmp_path, monkeypatch):
    """A run with the five folds, whose networks are stand-ins; fold 2 always mistakes fear for anger."""
    table = corpora.read("ravdess", ravdess, partial=True)
    folder, networks = tmp_path / "run", {}
    for fold in corpora.protocol(PROTOCOL).folds(table):
        place = folder / f"seed0-{fold.name}"
        place.mkdir(parents=True)
        (place / "card.json").write_text(json.dumps({"protocol": PROTOCOL, "fold": fold.index, "seed": 0}))
        heard = [speaker for _, speaker in (*fold.train, *fold.validation)]
        networks[place] = Pitch(sorted(CODES), heard, {"fold": fold.index, "seed": 0})
    wrong = networks[folder / "seed0-fold2"]
    told = wrong.predict_on_batch

    def mistaken(inputs):
        answers = told(inputs)["emotion"]
        fear, anger = wrong.classes.index("fear"), wrong.classes.index("anger")
        answers[answers.argmax(axis=1) == fear] = np.eye(8)[anger] * 0.9 + 0.0125
        return {"emotion": answers}

    wrong.predict_on_batch = mistaken
    monkeypatch.setattr(module, "_load", lambda source: networks[source])
    return folder


def test_each_fold_of_a_run_judges_its_own_test_speakers(run, ravdess, tmp_path):
    report = judge(run, ravdess, tmp_path / "out")
    assert (report["protocol"], report["n"], report["num_speakers"], report["folds"]) == (PROTOCOL, 192, 24, 5)
    assert report["recall"]["fear"]["value"] == pytest.approx(19 / 24)  # five actors are tested in fold 2
    assert report["ua"]["value"] == pytest.approx(1 - 5 / 24 / 8)
    told = tables.read(tmp_path / "out")
    assert told.groupby("fold")["speaker"].nunique().tolist() == [5, 5, 5, 5, 4]
    assert report["dropped"] == {} and report["notes"] == [] and report["model"] == "run"


def test_a_run_without_all_its_folds_says_whom_it_did_not_judge(run, ravdess):
    for fold in (1, 4):
        shutil.rmtree(run / f"seed0-fold{fold}")
    report = judge(run, ravdess)
    assert report["n"] == 192 - 9 * 8 and report["dropped"] == {"no weights of fold1, fold4": 72}
    assert judge(run, ravdess, fold=2)["dropped"] == {"speaker is not tested in fold 2": 152}


def test_temperature_is_fitted_on_the_validation_speakers_of_each_fold(run, ravdess):
    found = judge(run, ravdess)["calibration"]
    # Always right at 0.9: the temperatures make it surer; where fold 2 errs on its validation speakers, less so.
    assert found["fitted_on"] == "validation speakers of each fold" and len(found["temperature"]) == 5
    assert found["temperature"][0] < 0.6 < found["temperature"][-1]
    assert found["after"]["nll"] < found["before"]["nll"]


def test_temperature_that_travels_with_the_weights_is_taken(root):
    found = judge(Pitch(card={"temperature": 0.5}), root)["calibration"]
    assert found["temperature"] == [0.5] and "training" in found["fitted_on"]
    assert found["after"]["confidence"] == pytest.approx(0.9**2 / (0.9**2 + 0.1**2), abs=1e-3)


def test_one_fold_of_a_run(run, ravdess):
    report = judge(run, ravdess, fold=2)
    assert (report["n"], report["fold"], report["recall"]["fear"]["value"]) == (40, 2, 0)
    with pytest.raises(CorpusError, match="folds 0 to 4. Received: 7"):
        judge(run, ravdess, fold=7)
    with pytest.raises(CorpusError, match="folds of run are those of ravdess8-5fold. Received: --protocol ravdess8-6"):
        judge(run, ravdess, protocol="ravdess8-6fold")


def test_cards_that_are_swapped_are_a_leak(run, ravdess):
    for number, other in ((0, 1), (1, 0)):
        card = run / f"seed0-fold{number}" / "card.json"
        card.write_text(json.dumps({"protocol": PROTOCOL, "fold": other, "seed": 0}))
    with pytest.raises(SpeakerLeakError, match="on 5 of the speakers to judge it by"):
        judge(run, ravdess)


def test_runs_that_are_none(run, tmp_path):
    (run / "seed0-fold1" / "card.json").write_text("{}")
    with pytest.raises(RunError, match="is not the card of a trained fold"):
        module.judged(run)
    (run / "seed0-fold1" / "card.json").write_text(json.dumps({"protocol": None, "fold": 1, "seed": 0}))
    with pytest.raises(RunError, match="must be one run. Received trained folds of None, ravdess8-5fold"):
        module.judged(run)


def test_what_was_pre_trained_answers_nothing(run):
    for card in run.glob("*/card.json"):
        card.write_text(json.dumps(json.loads(card.read_text()) | {"pretrained": True, "protocol": None}))
    with pytest.raises(RunError, match="was pre-trained without labels: nothing can be judged"):
        module.judged(run)


def test_names_of_shipped_folds():
    assert [n.fold for n in module.judged("cnn_ablstm.ravdess8-folds").networks] == [0, 1, 2, 3, 4]
    with pytest.raises(UnknownNameError, match="fold weights of cnn_ablstm 'ravdes8-folds'. Did you mean 'ravdess8-f"):
        module.judged("cnn_ablstm.ravdes8-folds")
    with pytest.raises(UnknownNameError, match="Unknown model 'cnn_ablstn'"):
        module.judged("cnn_ablstn.ravdess8-folds")


# --- predictions that were made elsewhere ---------------------------------------------------------------------------


@pytest.fixture
def told(root, tmp_path):
    judge(Pitch(), root, tmp_path / "first")
    return tables.read(tmp_path / "first")


def given(told, root, tmp_path, **more):
    tables.write(tmp_path / "p.csv", told)
    return judge(tmp_path / "p.csv", root, **more)


def test_predictions_give_the_figures_of_their_network(told, root, tmp_path):
    report = given(told, root, tmp_path)
    assert report["ua"] == judge(Pitch(), root)["ua"]
    assert report["dropped"] == {"no prediction": 8}  # calm
    assert report["calibration"]["after"] is None and report["model"] == "p.csv"


def test_predictions_for_other_rows_are_refused(told, root, tmp_path):
    moved = told.copy()
    moved.loc[[3, 5], "file"] = ["Actor_01/none.wav", "Actor_01/nil.wav"]
    with pytest.raises(CorpusError, match="Received 2 of 16 for others, the first for ravdess Actor_01/none.wav"):
        given(moved, root, tmp_path)
    with pytest.raises(CorpusError, match="p.csv must agree with the corpora about the emotion of each row. Received"):
        given(told.assign(truth=told["truth"].replace({"anger": "sadness"})), root, tmp_path)
    with pytest.raises(CorpusError, match="about the speaker of each row. Received '9' for Actor_01"):
        given(told.assign(speaker="9"), root, tmp_path)
    with pytest.raises(CorpusError, match="may come once"):
        pd.concat([told, told.iloc[:1]]).to_csv(tmp_path / "twice.csv", index=False)
        judge(tmp_path / "twice.csv", root)


def test_rows_without_a_label_on_both_sides_agree(told, root, tmp_path):
    told.loc[0, "truth"] = np.nan
    lines = [f"{row.file},{'' if i == 0 else row.truth},{row.speaker}" for i, row in enumerate(told.itertuples())]
    tables.write(tmp_path / "p.csv", told.assign(corpus="table"))
    report = evaluate(tmp_path / "p.csv", a_table(root, lines), resamples=50)
    assert (report["n"], report["dropped"]) == (15, {"truth is missing": 1})
    with pytest.raises(CorpusError, match="about the emotion of each row. Received nan for"):
        evaluate(tmp_path / "p.csv", a_table(root, [lines[0].replace(",,", ",anger,"), *lines[1:]]))


# --- tables that are awkward ----------------------------------------------------------------------------------------


def a_table(root, lines):
    path = root / "list.csv"
    path.write_text("file,emotion,speaker\n" + "\n".join(lines) + "\n")
    return {"table": path}


def test_missing_labels_and_speakers_are_counted(root):
    first, second, third, fourth = (
        clip_path(root, actor, "anger").relative_to(root).as_posix() for actor in (1, 2, 3, 4)
    )
    lines = [f"{first},anger,1", f"{second},,2", f"{third},anger,", f"{fourth},boredom,4"]
    report = evaluate(Pitch(), a_table(root, lines), resamples=50)
    assert report["n"] == 1
    assert report["dropped"] == {
        "no speaker": 1,
        "no emotion label": 1,
        "boredom is not a class of the model": 1,
    }
    assert report["warnings"][0].startswith("fewer than 3 speakers") and np.isnan(report["ua"]["ci_low"])
    nobody = [f"{first},anger,", f"{second},anger,"]
    with pytest.raises(CorpusError, match="needs to know who speaks. Received 2 rows without a speaker"):
        evaluate(Pitch(), a_table(root, nobody))


def test_duplicate_rows_are_refused(root):
    file = clip_path(root, 1, "anger").relative_to(root).as_posix()
    with pytest.raises(CorpusError, match="once"):
        evaluate(Pitch(TWO), a_table(root, [f"{file},anger,1", f"{file},anger,1"]))


def test_labels_off_the_scale_of_a_head_are_refused(root):
    """As in training: from -1 to 1 they say nothing about answers from 1 to 5."""
    (root / "list.csv").write_text(
        "file,emotion,speaker,arousal\n"
        + "".join(f"{clip_path(root, actor, 'anger').relative_to(root)},anger,{actor},-1\n" for actor in (1, 2))
    )
    network = Pitch()
    network.heads["arousal"] = ["low 1.0", "high 5.0"]
    with pytest.raises(CorpusError, match="arousal of table must lie from 1.0 to 5.0. Received: -1.0"):
        evaluate(network, {"table": root / "list.csv"})


def test_names_of_runs(run, monkeypatch):
    renamed = run.rename(run.with_name("my-folds"))
    assert module.judged(renamed).name == "my-folds" and len(module.judged(str(renamed)).networks) == 5
    monkeypatch.chdir(renamed)
    assert module.judged(".").name == "my-folds"


def test_each_shipped_fold_is_opened_by_its_own_name(monkeypatch):
    opened = []
    monkeypatch.setattr(module, "_load", opened.append)
    for network in module.judged("cnn_ablstm.ravdess8-folds").networks:
        network.open()
    assert opened == [f"cnn_ablstm.ravdess8-fold{k}" for k in range(5)]


def test_a_run_brings_its_seeds_and_its_list_of_recordings(run):
    assert module.judged(run).recordings is None
    (run / RECORDINGS).touch()
    other = shutil.copytree(run / "seed0-fold1", run / "seed3-fold1")
    (other / "card.json").write_text(json.dumps({"protocol": PROTOCOL, "fold": 1, "seed": 3}))
    found = module.judged(run)
    assert found.recordings == run / RECORDINGS
    assert [(each.seed, each.fold) for each in found.networks] == [*((0, k) for k in range(5)), (3, 1)]
