"""Protocols across corpora: who trains and who judges, which classes, and what is refused."""

import numpy as np
import pandas as pd
import pytest
from miniature import EMODB_SPEAKERS

from serzoo import corpora
from serzoo.errors import CorpusError, UnknownNameError

FOUR = ("anger", "happiness", "neutral", "sadness")
ACTORS = [f"{actor:02d}" for actor in range(1, 25)]


def rows_of(corpus, speakers, emotions):
    rows = [(corpus, f"{s}-{e}.wav", np.nan, np.nan, e, s) for s in speakers for e in emotions]
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "emotion", "speaker"])


@pytest.fixture
def table():
    ravdess = rows_of("ravdess", ACTORS, corpora.info("ravdess").emotions)
    return pd.concat([ravdess, rows_of("emodb", EMODB_SPEAKERS, FOUR)], ignore_index=True)


def test_sources_train_and_validate_and_targets_judge(table):
    rules = corpora.protocol("cross-ravdess-to-emodb@anger,happiness,neutral,sadness")
    (fold,) = rules.folds(table)
    assert fold.test == tuple(("emodb", speaker) for speaker in EMODB_SPEAKERS)
    assert fold.validation == tuple(("ravdess", speaker) for speaker in ("05", "10", "15", "20"))
    assert set(fold.train) == {("ravdess", s) for s in ACTORS} - set(fold.validation)
    kept, dropped = rules.apply(table)
    assert len(kept) == 4 * 34 and set(kept["emotion"]) == set(FOUR)
    assert dropped["calm is not a class of cross-ravdess-to-emodb@anger,happiness,neutral,sadness"] == 24
    train, validation, test = fold.split(kept)
    assert (set(test["corpus"]), {*train["corpus"], *validation["corpus"]}) == ({"emodb"}, {"ravdess"})


def test_a_target_in_groups(table):
    rules = corpora.protocol("3fold-cross-ravdess-to-emodb@anger,happiness,neutral,sadness")
    assert rules.name == "3fold-cross-ravdess-to-emodb@anger,happiness,neutral,sadness"
    kept, _ = rules.apply(table)
    folds, (whole,) = rules.folds(kept), corpora.protocol(rules.name.removeprefix("3fold-")).folds(kept)
    assert [tuple(who for _, who in fold.test) for fold in folds] == [EMODB_SPEAKERS[group::3] for group in range(3)]
    for fold in folds:
        assert (fold.train, fold.validation) == (whole.train, whole.validation)
        assert {*fold.left_out, *fold.test} == set(whole.test) and not set(fold.left_out) & set(fold.test)
        train, validation, test = fold.split(kept)
        assert len(train) + len(validation) + len(test) == len(kept) - 4 * len(fold.left_out)
    for name, sentence in (
        ("1fold-cross-ravdess-to-emodb", "tested in 2 to 20 groups of speakers. Received: 1"),
        ("11fold-cross-ravdess-to-emodb@anger,sadness", "11 groups need as many speakers of a target. Received: 10"),
    ):
        with pytest.raises(CorpusError, match=sentence):
            corpora.protocol(name).folds(kept)


def test_weights_to_ship_are_trained_on_the_sources_alone(table):
    rules = corpora.protocol("cross-ravdess-to-emodb@anger,happiness,neutral,sadness")
    fold = rules.everyone(rules.apply(table)[0])
    assert fold.train == tuple(("ravdess", actor) for actor in ACTORS) and not fold.validation and not fold.test
    assert fold.left_out == tuple(("emodb", speaker) for speaker in EMODB_SPEAKERS)
    assert corpora.protocol("emodb4-loso").everyone(table[table.corpus == "emodb"]).left_out == ()


def test_classes_are_those_that_all_officially_share():
    assert corpora.protocol("cross-ravdess-to-emodb").classes == (
        *("anger", "disgust", "fear"),
        *("happiness", "neutral", "sadness"),
    )
    three = corpora.protocol("cross-crema_d+ravdess-to-emodb+savee")
    assert three.corpora == ("crema_d", "ravdess", "emodb", "savee")
    assert "surprise" not in three.classes and "fear" in three.classes


def test_class_map_merges_emotions(table):
    rules = corpora.cross(["ravdess"], ["emodb"], ["anger", "neutral"], {"calm": "neutral", "boredom": "neutral"})
    assert rules.name == "cross-ravdess-to-emodb@anger,neutral=boredom+calm"
    kept, _ = rules.apply(table)
    assert kept.groupby(["corpus", "emotion"]).size().to_dict() == {
        ("emodb", "anger"): 10,
        ("emodb", "neutral"): 10,
        ("ravdess", "anger"): 24,
        ("ravdess", "neutral"): 48,
    }
    # without a list of classes, those that are shared after the merging
    assert "boredom" not in corpora.cross(["ravdess"], ["emodb"], class_map={"calm": "neutral"}).classes
    assert "boredom" in corpora.cross(["ravdess"], ["emodb"], class_map={"calm": "boredom"}).classes


@pytest.mark.parametrize(
    "name",
    [
        "cross-ravdess-to-emodb",
        "cross-crema_d+ravdess-to-emodb+savee@anger,neutral=boredom+calm",
        "cross-table:mine-to-emodb@anger,fear",
    ],
)
def test_name_says_all(name):
    rules = corpora.protocol(name)
    assert rules.name == name and rules.one_split
    again = corpora.protocol(rules.name)
    assert (again.classes, again.class_map, again.corpora) == (rules.classes, rules.class_map, rules.corpora)


def test_order_does_not_matter():
    one, other = corpora.cross(["tess", "savee"], ["emodb"]), corpora.cross(["savee", "tess"], ["emodb"])
    assert one.name == other.name == "cross-savee+tess-to-emodb"


def test_few_speakers_validate_where_they_can():
    def folds(speakers):
        sources = rows_of("table:mine", speakers, ("anger", "fear"))
        table = pd.concat([sources, rows_of("emodb", ["03"], ("anger", "fear"))], ignore_index=True)
        return corpora.protocol("cross-table:mine-to-emodb@anger,fear").folds(table)

    assert folds("ab")[0].validation == (("table:mine", "b"),)
    assert folds("abcde")[0].validation == (("table:mine", "e"),)
    with pytest.raises(CorpusError, match="two speakers or more, to train and to validate on. Received one"):
        folds("a")


@pytest.mark.parametrize(
    ("name", "sentence"),
    [
        ("cross-ravdess-to-ravdess", "cannot be tested on what it was trained on.*Received twice: ravdess"),
        ("cross-ravdess+savee-to-emodb+savee", "Received twice: savee"),
        ("cross-emodb_first2s-to-emodb", "emodb_first2s and emodb hold the same speakers"),
        ("cross-table:mine-to-emodb", "emotions of table:mine are not known beforehand: name classes"),
        ("cross-ravdess-to-emodb@anger,calm", "emodb has no calm. Received the classes anger, calm"),
        ("cross-ravdess-to-emodb@anger", "two or more different classes.*Received: anger. ravdess has anger, calm"),
        ("cross-ravdess-to-emodb@anger,anger", "two or more different classes"),
        ("cross-ravdess-to-emodb@anger,fear=calm,neutral=calm", "merges an emotion into two classes: calm"),
        ("cross-ravdess-to-emodb@anger,neutral=anger", "merged into a class and is none itself"),
    ],
)
def test_impossible_protocols(name, sentence):
    with pytest.raises(CorpusError, match=sentence):
        corpora.protocol(name)


def test_corpora_without_shared_classes():
    with pytest.raises(CorpusError, match="that all of them share. Received: neutral. ravdess has neutral; emodb has"):
        corpora.cross(["ravdess"], ["emodb"], class_map={e: "neutral" for e in corpora.EMOTIONS if e != "neutral"})
    with pytest.raises(CorpusError, match="that all of them share. Received: none. emovo has anger"):
        corpora.cross(["emovo"], ["table:mine"], classes=[])


@pytest.mark.parametrize("name", ["cross", "cross-ravdess", "cross-ravdess-to-", "cross-ravdess-to-emodb@"])
def test_names_of_another_form(name):
    with pytest.raises(UnknownNameError, match="is called cross-SOURCE-to-TARGET.*Received: 'cross"):
        corpora.protocol(name)


def test_unknown_corpus_and_emotion():
    with pytest.raises(UnknownNameError, match="Unknown corpus 'ravdes'. Did you mean 'ravdess'"):
        corpora.protocol("cross-ravdes-to-emodb")
    with pytest.raises(UnknownNameError, match="Unknown emotion 'angr'. Did you mean 'anger'"):
        corpora.protocol("cross-ravdess-to-emodb@angr,fear")
    with pytest.raises(UnknownNameError, match="cross-SOURCE-to-TARGET"):
        corpora.protocol("crosss")


def test_a_target_without_its_classes(table):
    rules = corpora.protocol("cross-ravdess-to-emodb@disgust,fear")
    with pytest.raises(CorpusError, match="impossible on this table. No utterance of emodb has one of its classes"):
        rules.folds(table)
    with pytest.raises(CorpusError, match="no training example of disgust, fear"):
        corpora.protocol("cross-emodb-to-ravdess").folds(table)
    with pytest.raises(CorpusError, match="needs the corpus emodb. Received: ravdess"):
        rules.folds(table[table["corpus"] == "ravdess"])
