"""Protocols for any corpus: every speaker is tested once, and validates or trains the rest of the time."""

import pandas as pd
import pytest

from serzoo import corpora
from serzoo.errors import CorpusError, UnknownNameError


def table_of(*speakers, emotions=("anger", "neutral", "calm"), corpus="table:mine"):
    rows = [(corpus, f"{speaker}/{emotion}.wav", speaker, emotion) for speaker in speakers for emotion in emotions]
    return pd.DataFrame(rows, columns=["corpus", "file", "speaker", "emotion"])


def test_leave_one_speaker_out_of_a_table():
    rules = corpora.protocol("loso-table:mine@anger,neutral=calm")
    kept, dropped = rules.apply(table_of(*"abcd", emotions=("anger", "calm", "fear")))
    assert sorted(set(kept["emotion"])) == ["anger", "neutral"] and sum(dropped.values()) == 4
    folds = rules.folds(table_of(*"abcd"))
    assert [fold.test for fold in folds] == [(("table:mine", s),) for s in "abcd"]
    assert folds[3].validation == (("table:mine", "a"),) and len(folds[3].train) == 2


def test_a_person_in_two_forms_is_left_out_in_both():
    table = pd.concat([table_of("03", "08", "09", corpus=corpus) for corpus in ("emodb", "emodb_first2s")])
    folds = corpora.protocol("loso-emodb+emodb_first2s@anger,neutral").folds(table.reset_index(drop=True))
    assert [fold.test for fold in folds] == [(("emodb", s), ("emodb_first2s", s)) for s in ("03", "08", "09")]
    assert folds[2].validation == folds[0].test


def test_groups_of_speakers():
    speakers = [f"s{i:02}" for i in range(11)]
    folds = corpora.protocol("5fold-table:mine@anger,neutral").folds(table_of(*speakers))
    tested = [speaker for fold in folds for _, speaker in fold.test]
    assert len(folds) == 5 and sorted(tested) == speakers
    assert [speaker for _, speaker in folds[0].test] == ["s00", "s05", "s10"]
    assert folds[0].validation == folds[1].test and folds[4].validation == folds[0].test


def test_a_name_makes_the_same_protocol_again():
    rules = corpora.protocol("5fold-emodb+ravdess@anger,neutral=boredom+calm")
    assert rules.corpora == ("emodb", "ravdess") and rules.classes == ("anger", "neutral")
    assert corpora.protocol(rules.name) == rules or corpora.protocol(rules.name).name == rules.name
    assert rules.class_map == {"boredom": "neutral", "calm": "neutral"}


@pytest.mark.parametrize(
    ("name", "error", "message"),
    [
        ("loso-emodb", UnknownNameError, "is called loso-CORPUS@CLASS,CLASS"),
        ("loso-emodbb@anger,neutral", UnknownNameError, "Did you mean 'emodb'"),
        ("loso-emodb@anger,neutrl", UnknownNameError, "Did you mean 'neutral'"),
        ("loso-emodb@anger", CorpusError, "two or more different classes"),
        ("loso-emodb@anger,anger", CorpusError, "two or more different classes"),
        ("loso-emodb@anger=fear,neutral=fear", CorpusError, "merges an emotion into two classes: fear"),
        ("loso-emodb@anger,neutral=calm+neutral", CorpusError, "none itself. Received: neutral=neutral"),
        ("2fold-emodb@anger,neutral", CorpusError, "needs 3 to 20 folds"),
    ],
)
def test_names_that_are_no_protocol(name, error, message):
    with pytest.raises(error, match=message):
        corpora.protocol(name)


def test_too_few_speakers():
    with pytest.raises(CorpusError, match="Leaving one speaker out needs at least 3 speakers"):
        corpora.protocol("loso-table:mine@anger,neutral").folds(table_of("a", "b"))
    with pytest.raises(CorpusError, match="It needs 5 speakers or more. Received 4"):
        corpora.protocol("5fold-table:mine@anger,neutral").folds(table_of(*"abcd"))
