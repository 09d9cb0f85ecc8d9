"""The general model, from three corpora to weights over everyone, on miniature corpora of noise and real speech."""

import json

import numpy as np
import pandas as pd
import pytest
import soundfile

import serzoo
from serzoo import corpora
from serzoo.corpora.forms import person
from serzoo.errors import SpeakerLeakError
from serzoo.evaluation import predictions
from serzoo.training.publish import _command

pytestmark = pytest.mark.xdist_group("multi")

RNG = np.random.default_rng(0)
SEVEN = ("anger", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
FOUR = "anger,happiness,neutral=calm,sadness"
LETTERS = {"anger": "W", "disgust": "E", "fear": "A", "happiness": "F", "neutral": "N", "sadness": "T"}
OVERRIDES = {
    "augmentation.room_probability": 0.5,
    "augmentation.noise_probability": 0.5,
    "augmentation.silence_s": 0.1,
    "training.epochs": 1,
}


def write(path, length, rate=16000):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * RNG.standard_normal(length), rate)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """RAVDESS with a clip of each emotion an actor; EmoDB whole in four emotions, in its first two seconds in six."""
    root = tmp_path_factory.mktemp("multi")
    for actor in range(1, 25):
        for emotion in range(1, 9):
            write(root / "ravdess" / f"Actor_{actor:02}" / f"03-01-{emotion:02}-01-01-01-{actor:02}.wav", 2400)
    for speaker in corpora.info("emodb").speakers:
        for emotion, letter in LETTERS.items():
            for text in ("a01", "a02"):
                write(root / "first2s" / "wav" / f"{speaker}{text}{letter}a.wav", 44100, 22050)
                if emotion in ("anger", "happiness", "neutral", "sadness"):
                    write(root / "emodb" / "wav" / f"{speaker}{text}{letter}a.wav", 2400)
    write(root / "noise" / "hiss" / "1.wav", 8000)
    write(root / "rooms" / "hall.wav", 2000)
    (root / "rooms" / "manifest.csv").write_text("file,licence\nhall.wav,CC BY-SA 3.0\n")
    return root


def train(toy_yaml, roots, out, protocol, **options):
    folders = {"emodb": roots / "emodb", "emodb_first2s": roots / "first2s", "ravdess": roots / "ravdess"}
    options = {"noise": {"folder": roots / "noise"}, "rooms": roots / "rooms", "partial": True, "verbose": 0} | options
    return serzoo.train(toy_yaml, folders, protocol=protocol, out=out, overrides=OVERRIDES, **options)


@pytest.fixture(scope="module")
def run(toy_yaml, roots, tmp_path_factory):
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(serzoo.registry.BUILDERS, "toy", "toy_model:build")
        return train(toy_yaml, roots, tmp_path_factory.mktemp("runs") / "multi", "multi7-5fold")


def test_every_utterance_is_judged_once_by_who_never_heard_its_speaker(run):
    told = predictions.read(run)
    assert predictions.classes(told) == list(SEVEN)
    assert told.groupby("corpus").size().to_dict() == {"emodb": 40, "emodb_first2s": 40 + 40, "ravdess": 24 * 8}
    assert not told.loc[told["corpus"] != "ravdess", "file"].duplicated().any()
    for fold, rows in told.groupby("fold"):
        card = json.loads((run / f"seed0-fold{fold}" / "card.json").read_text())
        heard = {person((corpus, speaker)) for corpus, names in card["corpora"].items() for speaker in names}
        assert heard.isdisjoint(map(person, zip(rows["corpus"], rows["speaker"], strict=True)))


def test_the_run_says_what_was_heard_and_how_to_repeat_it(run):
    about = json.loads((run / "run.json").read_text())
    assert list(about["rooms"]) == ["hall"] and len(about["rooms"]["hall"]) == 16
    assert about["dropped"]["the same utterance is kept in another form"] == 80
    card = json.loads((run / "seed0-fold3" / "card.json").read_text())
    assert card["rooms"] == ["hall"] and list(card["noise"]) == ["folder"] and card["temperature"] > 0
    assert card["licence"] == "CC-BY-NC-SA-4.0 AND CC-BY-SA-3.0 AND CC0-1.0 AND as its owner says"
    words = _command(about)
    assert "--rooms ROOMS" in words and "--corpus emodb_first2s=ROOT" in words and "--noise folder=ROOT" in words


def test_weights_over_everyone_are_calibrated_and_judge_none_of_them(run, toy_yaml, roots, tmp_path):
    out = train(toy_yaml, roots, tmp_path / "all", "all", epochs_from=run)
    card = json.loads((out / "seed0-all" / "card.json").read_text())
    assert {corpus: len(names) for corpus, names in card["corpora"].items()} == {
        "emodb": 10,
        "emodb_first2s": 10,
        "ravdess": 24,
    }
    told = pd.concat([predictions.read(path) for path in sorted(run.glob("*/validation.csv"))])
    assert card["temperature"] == pytest.approx(serzoo.evaluation.calibration.fit_temperature(told), abs=1e-3)
    assert tuple(serzoo.load(out).classes) == SEVEN
    for corpus, folder in (("emodb", "emodb"), ("emodb_first2s", "first2s")):
        with pytest.raises(SpeakerLeakError, match=f"{corpus} 03"):
            serzoo.evaluate(serzoo.load(out), {corpus: roots / folder}, out=tmp_path / corpus, partial=True)


def test_other_rooms_are_another_run(run, toy_yaml, roots, tmp_path):
    write(tmp_path / "rooms" / "hall.wav", 2000)
    with pytest.raises(serzoo.errors.RunError, match="holds another run: rooms.hall is"):
        train(toy_yaml, roots, run, "multi7-5fold", rooms=tmp_path / "rooms", resume=True)


def test_the_same_recipe_across_corpora(toy_yaml, roots, tmp_path):
    """How the general model is judged: trained on one corpus, tested on all of the other, both ways."""
    folders = {name: roots / name for name in ("emodb", "ravdess")}
    back = corpora.protocol(f"cross-emodb-to-ravdess@{FOUR}")
    (fold,) = back.folds(corpora.read_many(folders, partial=True))
    assert len(fold.test) == 24 and {corpus for corpus, _ in (*fold.train, *fold.validation)} == {"emodb"}
    run = serzoo.train(
        toy_yaml,
        folders,
        protocol=f"cross-ravdess-to-emodb@{FOUR}",
        out=tmp_path / "run",
        noise={"folder": roots / "noise"},
        rooms=roots / "rooms",
        overrides=OVERRIDES,
        partial=True,
        verbose=0,
    )
    told = predictions.read(run)
    assert set(told["corpus"]) == {"emodb"} and set(told["truth"]) == {"anger", "happiness", "neutral", "sadness"}
    log = (run / "seed0-fold0" / "validation.csv").read_text()
    assert "ravdess" in log and "emodb" not in log
