"""Whether a second task helped: planted gains and losses, seed by seed and speaker by speaker."""

import numpy as np
import pytest
from sklearn.metrics import balanced_accuracy_score
from toy_predictions import LABELS, toy_predictions

from serzoo.errors import CorpusError
from serzoo.evaluation import summarize
from serzoo.evaluation.audit import Subject, transfer
from serzoo.evaluation.audit.transfer import control_of

COLUMNS = [f"p_{label}" for label in LABELS]


def mended(table, which):
    """The same answers, but right where ``which`` says so."""
    table = table.copy()
    right = np.full((len(table), len(LABELS)), 0.02)
    right[np.arange(len(table)), [LABELS.index(truth) for truth in table["truth"]]] = 0.94
    table.loc[which, COLUMNS] = right[which]
    return table


def test_gain_helps_and_loss_hurts():
    single = toy_predictions(skill=0.7)
    multi = mended(single, (np.arange(len(single)) // 7 % 3 == 0))
    there, back = transfer(multi, single, resamples=500), transfer(single, multi, resamples=500)
    gain = summarize(multi, 10)["ua"]["value"] - summarize(single, 10)["ua"]["value"]
    assert there["difference"]["ua"]["value"] == pytest.approx(gain) and gain > 0.1
    assert (there["verdict"], back["verdict"]) == ("helps", "hurts")
    assert (there["worse"], back["better"]) == (0, 0)
    assert back["worse"] == there["better"] == 1
    assert there["sentence"].startswith("The multi-task model against the single-task model: helps. UA +")
    assert "over 6 trainings with 2 seeds; 0 % of the 12 speakers got worse" in there["sentence"]


def test_nothing_is_cannot_tell():
    table = toy_predictions()
    found = transfer(table, table, resamples=100)
    assert (found["verdict"], found["worse"], found["better"]) == ("cannot tell", 0, 0)
    assert transfer(toy_predictions(seed=1), toy_predictions(seed=2), resamples=500)["verdict"] == "cannot tell"


def test_speakers_and_runs_are_those_of_scikit_learn():
    single, multi = toy_predictions(seed=1), toy_predictions(seed=2)
    found = transfer(multi, single, resamples=50)

    def ua(table, **where):
        for column, value in where.items():
            table = table[table[column] == value]
        answer = table[COLUMNS].idxmax(axis=1).str[2:]
        by_seed = [balanced_accuracy_score(rows["truth"], answer[rows.index]) for _, rows in table.groupby("seed")]
        return np.mean(by_seed)

    assert len(found["runs"]) == 6 and len(found["speakers"]) == 12
    for run in found["runs"]:
        keys = {key: run[key] for key in ("seed", "fold")}
        assert run["difference"] == pytest.approx(ua(multi, **keys) - ua(single, **keys))
    for each in found["speakers"]:
        expected = ua(multi, speaker=each["speaker"]) - ua(single, speaker=each["speaker"])
        assert each["difference"] == pytest.approx(expected)
    changes = [each["difference"] for each in found["speakers"]]
    assert changes == sorted(changes)
    assert found["worse"] == np.mean(np.array(changes) < 0)


def test_only_pairs_count():
    single, multi = toy_predictions(seed=1), toy_predictions(seed=2)
    some = multi[(multi["seed"] == 0) & (multi["speaker"] != "01")]
    found = transfer(some, single, resamples=50)
    assert (found["pairs"], found["num_speakers"], found["seeds"]) == (len(some), 11, 1)
    assert found["unpaired"] == {"a": 0, "b": len(single) - len(some)}
    assert {run["seed"] for run in found["runs"]} == {0} and len(found["speakers"]) == 11


def test_what_cannot_be_paired():
    table = toy_predictions()
    with pytest.raises(CorpusError, match="same classes"):
        transfer(table, table.rename(columns={"p_anger": "p_fear"}).assign(truth="sadness"))
    with pytest.raises(CorpusError, match="in common"):
        transfer(table[table["seed"] == 0], table[table["seed"] == 1])


def test_control_is_the_first_that_learned_emotion_alone():
    multi, single = Subject("m", tasks=["emotion", "gender"]), Subject("s", tasks=["emotion"])
    assert control_of([multi, single]) is single
    assert control_of([multi, Subject("n", tasks=["emotion", "noise"])]) is multi
    assert control_of([Subject("csv"), multi]).name == "csv"
