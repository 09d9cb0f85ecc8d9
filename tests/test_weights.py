"""Every set of weights that ships: what it says of itself, and that it is what was judged."""

import numpy as np
import pytest

from serzoo import audio, config, corpora, evaluation, registry, zoo
from serzoo.errors import SpeakerLeakError
from serzoo.evaluation import predictions
from serzoo.evaluation.adaptation import TRANSDUCTIVE
from serzoo.training.provenance import allows_commercial_use

ENTRIES = [(name, entry) for name in registry.names() for entry in config.load(name).weights]
FOLDS = [(name, entry) for name, entry in ENTRIES if entry.fold is not None]
ROOTS = {"ravdess": "RAVDESS", "emodb": "EmoDB"}
NUM_CLIPS = 8


def name_of(value):
    return value if isinstance(value, str) else value.tag


def loaded(name, entry):
    model = zoo.load(f"{name}.{entry.tag}")
    model.run_eagerly = True  # one answer is sooner given than compiled
    return model


def test_the_general_weights_are_the_default_and_those_of_ravdess_have_their_folds():
    assert config.load("cnn_ablstm_mtl").default_weights.tag == "multi"
    assert {entry.tag for name, entry in FOLDS if name == "cnn_ablstm_mtl"} >= {f"ravdess8-fold{k}" for k in range(5)}


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=name_of)
def test_weights_load_and_judge(name, entry, clips):
    model = loaded(name, entry)
    assert (model.tag, model.classes, model.licence) == (entry.tag, list(entry.classes), entry.licence)
    assert ("--noise" in entry.command) == bool(model.card.get("noise"))  # so that no test uses it
    scores = model.probabilities([audio.read(clips[emotion]) for emotion in ("anger", "sadness")])
    np.testing.assert_allclose(scores.sum(axis=1), 1.0, atol=1e-5)
    # an angry and a sad voice are told apart by every network that has learnt anything
    anger, not_anger = scores[:, model.classes.index("anger")]
    assert anger > not_anger


@pytest.mark.parametrize(("name", "entry"), ENTRIES, ids=name_of)
def test_weights_from_non_commercial_corpora_say_so(name, entry):
    licences = {corpora.info(corpus).licence for corpus in entry.corpora}
    assert entry.commercial == allows_commercial_use(entry.licence.split(" AND "))
    assert all(licence in entry.licence for licence in licences)


@pytest.mark.parametrize(("name", "entry"), FOLDS, ids=name_of)
def test_fold_weights_reproduce_the_committed_predictions(name, entry, request):
    reported = next(
        each
        for each in config.load(name).reported
        if each.protocol == entry.protocol and entry.tag.startswith(f"{each.tag}-fold")
    )
    told = predictions.read(registry.configs_folder() / "reported" / reported.file)
    told = told[(told["fold"] == entry.fold) & (told["seed"] == entry.seed)]
    heard = {(corpus, speaker) for corpus, speakers in entry.corpora.items() for speaker in speakers}
    tested = set(zip(told["corpus"], told["speaker"], strict=True))
    transductive = (entry.adaptation or "").startswith(TRANSDUCTIVE)  # it heard them, without their labels
    assert tested <= heard if transductive else not heard & tested
    shared_data = request.getfixturevalue("shared_data")  # what stands above needs no corpus
    rows = told.sample(NUM_CLIPS, random_state=0)
    model = loaded(name, entry)
    files = [shared_data / ROOTS[row.corpus] / row.file for row in rows.itertuples()]
    found = model.probabilities([audio.read(path) for path in files])
    np.testing.assert_allclose(found, rows[[f"p_{each}" for each in model.classes]], atol=1e-3)


def test_the_default_model_is_refused_where_it_has_heard_the_speakers(shared_data):
    model = zoo.load("cnn_ablstm_mtl")
    with pytest.raises(SpeakerLeakError, match="ravdess 01"):
        evaluation.evaluate(model, {"ravdess": shared_data / "RAVDESS"})


def test_every_speaker_of_a_fold_is_listed(shared_data):
    table = corpora.read("ravdess", shared_data / "RAVDESS")
    folds = {fold.index: fold for fold in corpora.protocol("ravdess8-5fold").folds(table)}
    for _, entry in FOLDS:
        if entry.protocol == "ravdess8-5fold":
            fold = folds[entry.fold]
            listed = {(corpus, speaker) for corpus, speakers in entry.corpora.items() for speaker in speakers}
            assert listed == {*fold.train, *fold.validation}
