"""No recording on both sides of a fold; and what a run keeps of its validation speakers."""

import json
import shutil

import numpy as np
import pytest
import toy_model

import serzoo
from serzoo import corpora
from serzoo.corpora import Fold
from serzoo.errors import AudioError, SpeakerLeakError
from serzoo.evaluation import LEAK_STAMP, leaks, predictions, summarize
from serzoo.evaluation.calibration import fit_temperature
from serzoo.files import RECORDINGS
from serzoo.training import guard as module
from serzoo.training.calibrate import temperature_of

pytestmark = pytest.mark.xdist_group("runs")


@pytest.fixture
def leaky(emodb, tmp_path):
    """The corpus, in which one speaker says what another one says, sample by sample."""
    root = shutil.copytree(emodb, tmp_path / "leaky")
    by_speaker = {}
    for path in sorted((root / "wav").glob("*.wav")):
        by_speaker.setdefault(path.name[:2], []).append(path)
    (one, first), (other, second) = list(by_speaker.items())[:2]
    shutil.copy(first[0], second[0])
    return root, (one, first[0].name), (other, second[0].name)


def test_a_copy_on_the_other_side_stops_the_run_and_leaves_nothing(leaky, toy_yaml, tmp_path):
    root, (_, first), (_, second) = leaky
    with pytest.raises(SpeakerLeakError) as refused:
        toy_model.train(toy_yaml, root, tmp_path / "run")
    assert "stand on both sides of a fold: fold0: emodb" in str(refused.value)
    assert first in str(refused.value) and second in str(refused.value) and "--allow-speaker-leak" in str(refused.value)
    assert not (tmp_path / "run").exists()


def test_an_allowed_leak_is_stamped_on_everything(leaky, toy_yaml, tmp_path):
    root, *_ = leaky
    run = toy_model.train(toy_yaml, root, tmp_path / "run", allow_speaker_leak=True, folds=(0,))
    assert summarize(predictions.read(run / "seed0-fold0"), resamples=10)["notes"] == [LEAK_STAMP]
    card = json.loads((run / "seed0-fold0" / "card.json").read_text())
    assert len(card["leak"]) == 1 and " = " in card["leak"][0]


def test_bad_recordings_are_all_named_before_a_run_has_a_folder(emodb, toy_yaml, tmp_path):
    root = shutil.copytree(emodb, tmp_path / "bad")
    bad = sorted((root / "wav").glob("*.wav"))[3:5]
    for path in bad:
        path.write_bytes(b"no sound")
    with pytest.raises(AudioError) as told:
        toy_model.train(toy_yaml, root, tmp_path / "run")
    assert "2 recordings cannot be read" in str(told.value) and all(path.name in str(told.value) for path in bad)
    assert not (tmp_path / "run").exists()


def test_recordings_are_listed_once(emodb, tmp_path, monkeypatch):
    table = corpora.read("emodb", emodb, partial=True)
    fold = Fold(0, (), (), ())
    assert module.guard(tmp_path, [table, table], {"emodb": emodb}, [fold], False) == {"fold0": []}
    listed = leaks.read_recordings(tmp_path / RECORDINGS)
    assert sorted(listed["file"]) == sorted(table["file"])
    monkeypatch.setattr(leaks, "recordings", lambda *_: pytest.fail("decoded again"))
    module.guard(tmp_path, [table], {"emodb": emodb}, [fold], False)


def test_who_is_left_out_of_a_fold_shares_nothing_unless_heard_beside_it(emodb, tmp_path, monkeypatch):
    """As the two of a dialogue, of whom a fold tests one."""
    table = corpora.read("emodb", emodb, partial=True)
    table = table[table["speaker"].isin(["03", "08"])].assign(file="dialogue.wav", start=np.arange(24), end=np.nan)
    monkeypatch.setattr(leaks, "recordings", lambda rows, _: rows.assign(digest=rows["start"].astype(str)))
    fold = Fold(0, (), (), (("emodb", "03"),), (("emodb", "08"),))
    assert module.guard(tmp_path / "a", [], {"emodb": emodb}, [fold], main=table) == {"fold0": []}
    with pytest.raises(SpeakerLeakError, match="fold0: emodb dialogue.wav"):
        module.guard(tmp_path / "b", [table], {"emodb": emodb}, [fold], main=table)


def test_what_a_start_has_heard_under_other_names_is_no_test(emodb, toy_yaml, tmp_path):
    """The start was trained on copies of the corpus by speakers of other names; so are the weights that come of it."""
    table = corpora.read("emodb", emodb, partial=True)
    own = table.assign(
        file=[str(emodb / file) for file in table["file"]], speaker=[f"someone{name}" for name in table["speaker"]]
    )
    own[["file", "emotion", "speaker", "gender"]].to_csv(tmp_path / "own.csv", index=False)
    start = serzoo.train(
        str(toy_yaml),
        {"table:own": tmp_path / "own.csv"},
        protocol="loso-table:own@anger,happiness,neutral,sadness",
        out=tmp_path / "start",
        folds=(0,),
        verbose=0,
    )
    init = str(start / "seed0-fold0")
    with pytest.raises(SpeakerLeakError, match="emodb wav/.* = table:own"):
        toy_model.train(toy_yaml, emodb, tmp_path / "run", init=init)
    run = toy_model.train(toy_yaml, emodb, tmp_path / "run", init=init, folds=(0,), allow_speaker_leak=True)
    assert json.loads((run / "seed0-fold0" / "card.json").read_text())["leak"]
    assert set(leaks.read_recordings(run / RECORDINGS)["corpus"]) == {"emodb", "table:own"}


def test_temperatures_are_those_of_the_validation_speakers(toy_run):
    cards = {path.parent: json.loads(path.read_text()) for path in toy_run.glob("*/card.json")}
    assert len(cards) == 3
    for folder, card in cards.items():
        told = predictions.read(folder / "validation.csv")
        assert card["temperature"] == pytest.approx(fit_temperature(told), abs=1e-4)
        tested = predictions.read(folder)
        assert not set(told["speaker"]) & set(tested["speaker"])
        assert set(told["speaker"]) < {speaker for speakers in card["corpora"].values() for speaker in speakers}
    low, high = min(c["temperature"] for c in cards.values()), max(c["temperature"] for c in cards.values())
    assert low <= temperature_of(toy_run) <= high


def test_a_list_that_lacks_rows_is_made_anew(emodb, tmp_path):
    table, fold = corpora.read("emodb", emodb, partial=True), Fold(0, (), (), ())
    for rows in (table[:10], table):
        module.guard(tmp_path, [rows], {"emodb": emodb}, [fold])
        assert sorted(leaks.read_recordings(tmp_path / RECORDINGS)["file"]) == sorted(rows["file"])


def test_a_refusal_leaves_a_run_that_was_begun(emodb, tmp_path):
    kept = tmp_path / "run" / "seed0-fold0" / "state.npz"
    kept.parent.mkdir(parents=True)
    kept.touch()
    table = corpora.read("emodb", emodb, partial=True)[:2].assign(speaker=["03", "08"])
    table["file"] = table["file"].iloc[0]
    fold = Fold(0, (("emodb", "03"),), (), (("emodb", "08"),))
    with pytest.raises(SpeakerLeakError):
        module.guard(tmp_path / "run", [table.assign(start=[0.0, 0.1], end=[0.1, 0.3])], {"emodb": emodb}, [fold])
    assert kept.exists()
