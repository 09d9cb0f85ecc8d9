"""One utterance in one form: by the rule, on made-up tables, and on the real EmoDB."""

import numpy as np
import pandas as pd
import pytest
from miniature import EMODB_SPEAKERS, EMODB_TEXTS

from serzoo import corpora
from serzoo.corpora.forms import FORM_OF, in_one_form, person
from serzoo.errors import SpeakerLeakError

LETTERS = {"anger": "W", "disgust": "E", "fear": "A", "happiness": "F", "neutral": "N", "sadness": "T"}
FORMS = ("emodb", "emodb_first2s")
MULTI = "multi7-5fold"


def emodb_in(corpus, emotions):
    rows = [
        (corpus, f"wav/{speaker}{text}{LETTERS[emotion]}a.wav", np.nan, np.nan, emotion, speaker)
        for speaker in EMODB_SPEAKERS
        for text in EMODB_TEXTS[:5]
        for emotion in emotions
    ]
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "emotion", "speaker"])


def ravdess():
    emotions = corpora.info("ravdess").emotions
    rows = [
        ("ravdess", f"{actor}-{emotion}.wav", np.nan, np.nan, emotion, actor)
        for actor in corpora.info("ravdess").speakers
        for emotion in emotions
    ]
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "emotion", "speaker"])


@pytest.fixture
def both():
    """Four emotions in both forms, two in the second one alone."""
    tables = [emodb_in("emodb", ["anger", "happiness", "neutral", "sadness"]), emodb_in("emodb_first2s", LETTERS)]
    return pd.concat(tables, ignore_index=True)


def test_every_utterance_stays_once_and_the_forms_are_balanced(both):
    kept = both[in_one_form(both)]
    assert sorted(kept["file"]) == sorted(set(both["file"])) and len(kept) == 10 * 5 * 6
    counts = kept.groupby(["speaker", "emotion", "corpus"]).size().unstack(fill_value=0)
    for (_, emotion), (whole, first) in zip(counts.index, counts[list(FORMS)].to_numpy(), strict=True):
        assert (whole, first) == (0, 5) if emotion in ("disgust", "fear") else abs(whole - first) == 1
    totals = kept[~kept["emotion"].isin(["disgust", "fear"])]["corpus"].value_counts()
    assert totals["emodb"] == totals["emodb_first2s"] == 100
    assert in_one_form(kept) == [True] * len(kept)  # what was chosen is chosen again


def test_the_choice_hangs_on_no_order_of_the_rows(both):
    shuffled = both.sample(frac=1, random_state=0)
    chosen = [set(map(tuple, table[in_one_form(table)][["corpus", "file"]].to_numpy())) for table in (both, shuffled)]
    assert chosen[0] == chosen[1]


def test_an_utterance_in_one_form_alone_takes_no_turn():
    table = emodb_in("emodb", ["anger"])[:3]
    table = pd.concat([table, table.iloc[[0, 2]].assign(corpus="emodb_first2s")])
    assert in_one_form(table) == [True, True, False, False, True]


def test_corpora_without_another_form_are_left_alone():
    table = pd.concat([emodb_in("emodb", ["anger"]), ravdess()], ignore_index=True)
    assert all(in_one_form(table))
    assert set(FORM_OF) <= set(corpora.names()) and person(("ravdess", "03")) == ("ravdess", "03")


def test_a_protocol_counts_the_forms_that_it_leaves_out(both):
    rules = corpora.protocol("5fold-emodb+emodb_first2s@anger,fear")
    kept, dropped = rules.apply(both)
    assert len(kept) == 100 and dropped["the same utterance is kept in another form"] == 50
    for fold in rules.folds(both):
        assert {person(who) for who in fold.test}.isdisjoint({person(who) for who in (*fold.train, *fold.validation)})


def test_a_person_on_two_sides_is_a_leak(both):
    def alone(speakers):
        return [([after], [tested]) for tested, after in zip(speakers, [*speakers[1:], speakers[0]], strict=True)]

    rules = corpora.Protocol("toy", "this test", FORMS, ("anger", "fear"), alone)
    with pytest.raises(SpeakerLeakError, match="fold0 shares speakers between its parts: emodb 03"):
        rules.folds(both)


def test_the_folds_of_the_general_model(both):
    table = pd.concat([both, ravdess()], ignore_index=True)
    rules = corpora.protocol(MULTI)
    kept, dropped = rules.apply(table)
    assert dropped == {"the same utterance is kept in another form": 200}
    assert "calm" not in set(kept["emotion"]) and (kept["emotion"] == "neutral").sum() == 48 + 50
    folds, actors = rules.folds(table), corpora.protocol("ravdess8-5fold").folds(ravdess())
    gender = corpora.info("emodb").speakers
    for fold, of_actors in zip(folds, actors, strict=True):
        parts = {part: {person(who) for who in getattr(fold, part)} for part in ("train", "validation", "test")}
        assert not parts["train"] & parts["validation"] and not parts["test"] & (parts["train"] | parts["validation"])
        for part, persons in parts.items():
            assert {who for who in persons if who[0] == "ravdess"} == set(getattr(of_actors, part))
        germans = {part: [name for corpus, name in persons if corpus == "emodb"] for part, persons in parts.items()}
        assert [len(germans[part]) for part in ("train", "validation", "test")] == [7, 1, 2]
        assert {gender[name] for name in germans["test"]} == {"female", "male"}
    assert {gender[name] for fold in folds for corpus, name in fold.validation if corpus == "emodb"} == {
        "female",
        "male",
    }
    assert sorted(person(who) for fold in folds for who in fold.test if who[0] == "emodb_first2s") == [
        ("emodb", name) for name in EMODB_SPEAKERS
    ]


def test_the_real_corpora(shared_data):
    folders = {"ravdess": "RAVDESS", "emodb": "EmoDB", "emodb_first2s": "EmoDB_first2s_22k"}
    table = corpora.read_many({corpus: shared_data / folder for corpus, folder in folders.items()})
    kept, _ = corpora.protocol(MULTI).apply(table)
    of_emodb = kept[kept["corpus"] != "ravdess"]
    assert len(of_emodb) == 535 - 81 and of_emodb["file"].str.rpartition("/")[2].is_unique
    assert abs(of_emodb["corpus"].eq("emodb").sum() - 339 / 2) < 1
    shares = of_emodb["corpus"].eq("emodb").groupby(of_emodb["emotion"]).mean()
    assert shares[["disgust", "fear"]].eq(0).all()
    assert shares.drop(["disgust", "fear"]).between(0.46, 0.54).all()
