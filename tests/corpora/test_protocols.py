"""The protocols against the published lists, and every way in which speakers could leak."""

import numpy as np
import pandas as pd
import pytest
from miniature import EMODB_SPEAKERS

from serzoo import corpora
from serzoo.corpora.folds import (
    check_folds,
    fixed,
    leave_one_group_out,
    leave_one_speaker_out,
    leave_one_speaker_out_beside_partner,
)
from serzoo.errors import CorpusError, SpeakerLeakError, UnknownNameError

EIGHT = ("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise")
# The published actors of each fold, as numbers: test, validation.
RAVDESS_FOLDS = [
    ({2, 5, 14, 15, 16}, {3, 6}),
    ({3, 6, 7, 13, 18}, {10, 11}),
    ({10, 11, 12, 19, 20}, {8, 17}),
    ({8, 17, 21, 23, 24}, {1, 14}),
    ({1, 4, 9, 22}, {2, 5}),
]


# As EmoBox lists them: test.
EMOBOX_FOLDS = [{11, 1, 20, 21}, {14, 4, 12, 10}, {8, 19, 23, 9}, {7, 3, 5, 24}, {18, 16, 15, 2}, {6, 13, 17, 22}]


def table_of(corpus, speakers, emotions, **columns):
    rows = [(corpus, f"{s}-{e}.wav", np.nan, np.nan, e, s) for s in speakers for e in emotions]
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "emotion", "speaker"]).assign(**columns)


@pytest.fixture
def ravdess():
    return table_of("ravdess", [f"{actor:02d}" for actor in range(1, 25)], EIGHT)


@pytest.fixture
def emodb():
    return table_of("emodb", EMODB_SPEAKERS, ("anger", "boredom", "happiness", "neutral", "sadness"))


@pytest.mark.parametrize("name", corpora.protocol_names())
def test_every_protocol_is_speaker_independent(name):
    rules = corpora.protocol(name)
    assert rules.name == name and rules.source
    assert list(rules.classes) == sorted(rules.classes) and set(rules.classes) <= set(corpora.EMOTIONS)
    where = {column: values[0] for column, values in rules.where.items()}
    table = pd.concat(
        [table_of(c, corpora.info(c).speakers, corpora.info(c).emotions, **where) for c in rules.corpora],
        ignore_index=True,
    )
    kept, _ = rules.apply(table)
    everyone = set(zip(kept["corpus"], kept["speaker"], strict=True))
    tested = []
    for fold in rules.folds(table):
        train, validation, test = (set(part) for part in (fold.train, fold.validation, fold.test))
        assert train and validation and test
        assert not train & validation and not train & test and not validation & test
        assert train | validation | test == everyone
        tested += fold.test
    assert len(tested) == len(set(tested))
    assert rules.one_split or set(tested) == everyone


def test_ravdess_folds_are_the_published_ones(ravdess):
    folds = corpora.protocol("ravdess8-5fold").folds(ravdess)
    found = [({int(s) for _, s in fold.test}, {int(s) for _, s in fold.validation}) for fold in folds]
    assert found == RAVDESS_FOLDS
    assert [fold.name for fold in folds] == ["fold0", "fold1", "fold2", "fold3", "fold4"]
    assert {corpus for fold in folds for corpus, _ in fold.train} == {"ravdess"}


def test_ravdess_six_folds_are_those_of_emobox(ravdess):
    folds = corpora.protocol("ravdess8-6fold").folds(ravdess)
    assert [{int(s) for _, s in fold.test} for fold in folds] == EMOBOX_FOLDS
    assert [{int(s) for _, s in fold.validation} for fold in folds] == EMOBOX_FOLDS[1:] + EMOBOX_FOLDS[:1]


def test_crema_d_split_is_that_of_tensorflow_datasets():
    rules = corpora.protocol("crema_d6-tfds")
    table = table_of("crema_d", corpora.info("crema_d").speakers, rules.classes)
    (fold,) = rules.folds(table)
    # How crema_d 1.0.0 of TensorFlow Datasets splits: actors sorted, shuffled by seed 0, cut at 0.7 and 0.8.
    actors = sorted(str(number) for number in range(1001, 1092))
    np.random.RandomState(0).shuffle(actors)
    assert {s for _, s in fold.train} == set(actors[: int(0.7 * 91)])
    assert {s for _, s in fold.validation} == set(actors[int(0.7 * 91) : int((0.7 + 0.1) * 91)])
    assert {s for _, s in fold.test} == set(actors[int((0.7 + 0.1) * 91) :])
    assert [len(part) for part in (fold.train, fold.validation, fold.test)] == [63, 9, 19]
    # Its published sizes are 5144, 738 and 1556: 82 an actor but for those that were not there, such as these.
    assert {"1013", "1040"} == {s for _, s in fold.test} & {"1002", "1006", "1009", "1013", "1017", "1040"}
    with pytest.raises(CorpusError, match="needs 91 speakers. Received 90, without crema_d 1091"):
        rules.folds(table[table["speaker"] != "1091"])


def test_savee_folds_train_on_two():
    savee = table_of("savee", corpora.info("savee").speakers, corpora.info("savee").emotions)
    folds = corpora.protocol("savee7-loso").folds(savee)
    assert [(fold.test[0][1], fold.validation[0][1]) for fold in folds] == [
        ("DC", "JE"),
        ("JE", "JK"),
        ("JK", "KL"),
        ("KL", "DC"),
    ]


def test_seven_emotions_of_emodb_in_both_forms():
    for corpus, name in (("emodb", "emodb7-loso"), ("emodb_first2s", "emodb_first2s7-loso")):
        rules = corpora.protocol(name)
        folds = rules.folds(table_of(corpus, EMODB_SPEAKERS, corpora.info("emodb").emotions))
        assert [fold.test for fold in folds] == [((corpus, speaker),) for speaker in EMODB_SPEAKERS]
        assert set(rules.classes) == set(corpora.info("emodb").emotions)
    with pytest.raises(CorpusError, match="needs the corpus emodb_first2s. Received: emodb"):
        rules.folds(table_of("emodb", EMODB_SPEAKERS, rules.classes))


def test_groups_and_pairs_that_are_too_few():
    by_first = leave_one_group_out(lambda speaker: speaker[0])
    with pytest.raises(CorpusError, match="at least 3 groups.*Received 2: a, b"):
        by_first([("x", "a1"), ("x", "a2"), ("x", "b1")])
    in_pairs = leave_one_speaker_out_beside_partner(lambda speaker: speaker[0])
    with pytest.raises(CorpusError, match="Received 3 speakers, without one partner: x b1"):
        in_pairs([("x", "a1"), ("x", "a2"), ("x", "b1")])
    with pytest.raises(CorpusError, match="two or more of them. Received 2 speakers"):
        in_pairs([("x", "a1"), ("x", "a2")])


def test_rows_outside_the_part_of_a_protocol_are_counted():
    rules = corpora.Protocol("toy", "this test", ("c",), ("anger",), leave_one_speaker_out, where={"style": ("read",)})
    table = table_of("c", "xyz", ["anger", "fear"], style=["read", "natural"] * 3)
    kept, dropped = rules.apply(table)
    assert len(kept) == 3 and dropped == {"style natural takes no part in toy": 3}
    with pytest.raises(CorpusError, match="lacks the columns style"):
        rules.apply(table.drop(columns="style"))


def test_emodb_folds_leave_one_speaker_out(emodb):
    folds = corpora.protocol("emodb4-loso").folds(emodb)
    assert [fold.test for fold in folds] == [(("emodb", speaker),) for speaker in EMODB_SPEAKERS]
    following = [*EMODB_SPEAKERS[1:], EMODB_SPEAKERS[0]]
    assert [fold.validation for fold in folds] == [(("emodb", speaker),) for speaker in following]
    assert {len(fold.train) for fold in folds} == {8}


def test_real_tables_split_into_the_known_numbers(shared_data):
    table = corpora.read("ravdess", shared_data / "RAVDESS")
    folds = corpora.protocol("ravdess8-5fold").folds(table)
    assert [len(fold.split(table)[2]) for fold in folds] == [300, 300, 300, 300, 240]
    table = corpora.read("emodb", shared_data / "EmoDB")
    rules = corpora.protocol("emodb4-loso")
    kept, dropped = rules.apply(table)
    assert (len(kept), dropped) == (339, {})
    assert sum(len(fold.split(kept)[2]) for fold in rules.folds(kept)) == 339


def test_apply_counts_what_it_drops_by_reason(emodb, ravdess):
    emodb.loc[0, "emotion"] = np.nan
    kept, dropped = corpora.protocol("emodb4-loso").apply(pd.concat([emodb, ravdess], ignore_index=True))
    assert dropped == {
        "no emotion label": 1,
        "boredom is not a class of emodb4-loso": 10,
        "corpus ravdess takes no part in emodb4-loso": 192,
    }
    assert len(kept) == 39 and list(kept.index) == list(range(39))
    again, nothing = corpora.protocol("emodb4-loso").apply(kept)
    pd.testing.assert_frame_equal(kept, again)
    assert nothing == {}


def test_apply_maps_emotions_to_classes():
    rules = corpora.Protocol(
        "toy", "this test", ("c",), ("anger", "happiness"), leave_one_speaker_out, {"excitement": "happiness"}
    )
    table = table_of("c", "xyz", ("anger", "excitement", "happiness", "fear"))
    kept, dropped = rules.apply(table)
    assert kept["emotion"].value_counts().to_dict() == {"anger": 3, "happiness": 6}
    assert dropped == {"fear is not a class of toy": 3}
    assert table["emotion"].eq("excitement").sum() == 3  # the table that came is left alone


def test_split_keeps_every_row_once(emodb):
    rules = corpora.protocol("emodb4-loso")
    kept, _ = rules.apply(emodb.sample(frac=1, random_state=0))
    for fold in rules.folds(kept):
        parts = fold.split(kept)
        assert sorted(index for part in parts for index in part.index) == list(range(len(kept)))
        assert set(parts[2]["speaker"]) == {speaker for _, speaker in fold.test}
        assert all(list(part.columns) == list(kept.columns) for part in parts)


def test_everyone_trains(emodb):
    fold = corpora.all_speakers(emodb)
    train, validation, test = fold.split(emodb)
    assert (fold.name, len(fold.train), len(train)) == ("all", 10, 50)
    assert validation.empty and test.empty and list(test.columns) == list(emodb.columns)
    with pytest.raises(CorpusError, match="needs the speaker of every row. Received 5 rows without one"):
        corpora.all_speakers(emodb.assign(speaker=emodb["speaker"].where(emodb["speaker"] != "09")))


def test_the_same_name_in_two_corpora_is_two_speakers():
    table = pd.concat([table_of(c, ["1", "2"], ["anger"]) for c in "ab"], ignore_index=True)
    rules = corpora.Protocol("toy", "this test", ("a", "b"), ("anger",), leave_one_speaker_out)
    assert [fold.test for fold in rules.folds(table)] == [((c, s),) for c in "ab" for s in "12"]


def test_unknown_protocol():
    with pytest.raises(UnknownNameError, match="Did you mean 'emodb4-loso'"):
        corpora.protocol("emodb4-los")


@pytest.mark.parametrize("speakers", [["03"], ["03", "08"]])
def test_too_few_speakers(speakers):
    table = table_of("emodb", speakers, ("anger", "happiness", "neutral", "sadness"))
    with pytest.raises(CorpusError, match=rf"at least 3 speakers.*Received {len(speakers)}: emodb 03"):
        corpora.protocol("emodb4-loso").folds(table)


def test_missing_and_unknown_actors(ravdess):
    rules = corpora.protocol("ravdess8-5fold")
    with pytest.raises(CorpusError, match="needs 24 speakers. Received 23, without ravdess 07"):
        rules.folds(ravdess[ravdess["speaker"] != "07"])
    with pytest.raises(CorpusError, match="Received others: ravdess 25"):
        rules.folds(pd.concat([ravdess, table_of("ravdess", ["25"], EIGHT)]))


def test_tables_that_are_refused(emodb):
    rules = corpora.protocol("emodb4-loso")
    with pytest.raises(CorpusError, match="lacks the columns speaker"):
        rules.apply(emodb.drop(columns="speaker"))
    with pytest.raises(CorpusError, match="needs the corpus emodb. Received: ravdess"):
        rules.apply(emodb.assign(corpus="ravdess"))
    with pytest.raises(CorpusError, match="needs the corpus emodb. Received: an empty table"):
        rules.apply(emodb[:0])
    with pytest.raises(CorpusError, match="2 duplicate rows, the first emodb: 03-anger.wav"):
        rules.apply(pd.concat([emodb, emodb[:2]]))
    starting = emodb.assign(start=0.0, end=1.0)
    with pytest.raises(CorpusError, match="Every file and start may stand once in a table. Received 1 duplicate rows"):
        rules.apply(pd.concat([starting, starting[:1].assign(end=2.0)]))
    with pytest.raises(CorpusError, match="Received 5 rows without one"):
        rules.apply(emodb.assign(speaker=emodb["speaker"].where(emodb["speaker"] != "09")))
    with pytest.raises(CorpusError, match="No row is left.*Received the emotions: boredom"):
        rules.apply(emodb[emodb["emotion"] == "boredom"])


def test_a_class_without_training_examples(emodb):
    lone = emodb[(emodb["emotion"] != "sadness") | (emodb["speaker"] == "09")]
    with pytest.raises(CorpusError, match="fold1: no training example of sadness"):
        corpora.protocol("emodb4-loso").folds(lone)
    assert len(corpora.protocol("emodb4-loso").folds(lone, trains=False)) == 10  # whoever judges needs none


def test_leaks_are_noticed():
    a, b, c = (("x", name) for name in "abc")
    good = [corpora.Fold(0, (c,), (b,), (a,)), corpora.Fold(1, (a,), (c,), (b,)), corpora.Fold(2, (b,), (a,), (c,))]
    check_folds(good, [a, b, c])
    with pytest.raises(SpeakerLeakError, match="fold0 shares speakers between its parts: x a"):
        check_folds([corpora.Fold(0, (a, c), (b,), (a,)), *good[1:]], [a, b, c])
    with pytest.raises(SpeakerLeakError, match="x b"):
        corpora.Fold(0, (b, c), (b,), (a,)).split(table_of("x", "abc", ["anger"]))
    with pytest.raises(CorpusError, match="exactly once. This fails for x c"):
        check_folds(good[:2], [a, b, c])
    with pytest.raises(CorpusError, match="exactly once. This fails for x a"):
        check_folds([*good, corpora.Fold(3, (b,), (c,), (a,))], [a, b, c])
    with pytest.raises(CorpusError, match="fold0 has no validation speaker"):
        check_folds([corpora.Fold(0, (b, c), (), (a,))], [a])
    with pytest.raises(CorpusError, match="in no part of fold0: x d"):
        good[0].split(table_of("x", "abcd", ["anger"]))


def test_a_leaky_protocol_is_refused():
    rules = corpora.Protocol("toy", "this test", ("x",), ("anger",), fixed("x", ((("a",), ("a", "b")), (("a",), "c"))))
    with pytest.raises(SpeakerLeakError, match="fold0 shares speakers"):
        rules.folds(table_of("x", "abc", ["anger"]))


def test_who_is_left_out_is_in_no_other_part():
    a, b, c = (("x", name) for name in "abc")
    with pytest.raises(SpeakerLeakError, match="fold0 shares speakers between its parts: x a"):
        check_folds([corpora.Fold(0, (c,), (b,), (a,), left_out=(a,))], [a])


def test_nobody_is_tested_who_is_not_in_the_table():
    a, b, c, d = (("x", name) for name in "abcd")
    good = [corpora.Fold(0, (c,), (b,), (a,)), corpora.Fold(1, (a,), (c,), (b,)), corpora.Fold(2, (b,), (a,), (c,))]
    with pytest.raises(CorpusError, match="exactly once. This fails for x d"):
        check_folds([*good, corpora.Fold(3, (a,), (b,), (d,))], [a, b, c])
