"""The gender gap against closed forms: a gap that is due to the texts, one that is not, and none."""

import math

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import balanced_accuracy_score
from toy_predictions import LABELS, toy_predictions

from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.audit import gender_gap
from serzoo.evaluation.bootstrap import intervals

TWO = ("anger", "sadness")


def spoken(recall, counts, num_speakers=8, classes=TWO):
    """Predictions and table: who says what how often, and how much of it is recognised, by gender and text."""
    rows = []
    for gender, by_text in counts.items():
        for speaker in range(num_speakers):
            for label in classes:
                for text, count in by_text.items():
                    right = round(count * recall[gender][text])
                    rows += [(f"{gender}{speaker}", gender, label, text, i < right) for i in range(count)]
    frame = pd.DataFrame(rows, columns=["speaker", "gender", "truth", "text", "right"])
    frame["file"] = [f"{i}.wav" for i in range(len(frame))]
    frame = frame.assign(corpus="toy", start=np.nan, end=np.nan, seed=0, fold=0)
    other = {classes[0]: classes[1], classes[1]: classes[0]}
    answer = np.where(frame["right"], frame["truth"], frame["truth"].map(other))
    for label in classes:
        frame[f"p_{label}"] = np.where(answer == label, 0.9, 0.1)
    table = frame[["corpus", "file", "start", "text"]]
    return frame.drop(columns=["text", "right"]), table


def test_gap_and_recalls_are_those_of_scikit_learn():
    table = toy_predictions()
    found = gender_gap(table, resamples=200)
    answer = table[[f"p_{label}" for label in LABELS]].idxmax(axis=1).str[2:]
    ua = {
        gender: np.mean([balanced_accuracy_score(rows["truth"], answer[rows.index]) for _, rows in own.groupby("seed")])
        for gender, own in table.groupby("gender")
    }
    assert found["gap"]["ua"]["value"] == pytest.approx(ua["female"] - ua["male"])
    assert {gender: entry["value"] for gender, entry in found["ua"].items()} == pytest.approx(ua)
    for label in LABELS:
        recall = {gender: found["recall"][gender][label]["value"] for gender in ua}
        assert found["gap"]["recall"][label]["value"] == pytest.approx(recall["female"] - recall["male"])
    assert found["gap"]["ua"]["ci_low"] < found["gap"]["ua"]["value"] < found["gap"]["ua"]["ci_high"]
    assert found["speakers"] == {"female": 6, "male": 6}


def test_gap_of_the_texts_does_not_survive_matching():
    """Men speak the hard text more often, and are recognised as well as women on either."""
    recall = {gender: {"easy": 1.0, "hard": 0.5} for gender in ("female", "male")}
    told, table = spoken(recall, {"female": {"easy": 8, "hard": 2}, "male": {"easy": 2, "hard": 8}})
    found = gender_gap(told, table, resamples=200)
    assert found["gap"]["ua"]["value"] == pytest.approx(0.9 - 0.6)
    assert found["matched"]["ua"]["value"] == pytest.approx(0)
    assert (found["matched"]["by"], found["matched"]["cells"]) == (["class", "text"], 4)
    assert found["survives"] is False
    assert found["verdict"].startswith("Women are recognised better than men: UA +30.0")
    assert "does not survive matching" in found["verdict"]


def test_excerpts_are_matched_whatever_their_start():
    """Predictions keep six decimals of a second."""
    recall = {gender: {"easy": 1.0, "hard": 0.5} for gender in ("female", "male")}
    told, table = spoken(recall, {gender: {"easy": 4, "hard": 4} for gender in recall})
    start = np.arange(len(table)) / 3
    told = tables.validate(told.assign(file="all.wav", start=start))
    found = gender_gap(told, table.assign(file="all.wav", start=start), resamples=50)
    assert sum(found["matched"]["utterances"].values()) == len(table)


def test_gap_of_the_voices_survives_matching():
    recall = {"female": {"easy": 0.5, "hard": 0.0}, "male": {"easy": 1.0, "hard": 0.5}}
    told, table = spoken(recall, {"female": {"easy": 4, "hard": 4}, "male": {"easy": 2, "hard": 8}})
    found = gender_gap(told, table, resamples=200)
    assert found["gap"]["ua"]["value"] == pytest.approx(0.25 - 0.6)
    assert found["matched"]["ua"]["value"] == pytest.approx(-0.5)
    assert found["matched"]["recall"]["anger"]["value"] == pytest.approx(-0.5)
    assert found["survives"] is True and "Men are recognised better" in found["verdict"]


def test_matching_balances_classes():
    """A class that only one of them speaks, and a text that only one of them says, are left out of the matched gap."""
    recall = {gender: {"both": 0.5, "own": 1.0} for gender in ("female", "male")}
    told, table = spoken(recall, {"female": {"both": 4, "own": 6}, "male": {"both": 4}})
    told = told[(told["gender"] == "female") | (told["truth"] == "anger")]
    found = gender_gap(told, table, resamples=50)
    assert found["matched"]["cells"] == 1
    assert list(found["matched"]["recall"]) == ["anger"]
    assert found["matched"]["ua"]["value"] == pytest.approx(0)
    assert found["matched"]["utterances"] == {"female": 32, "male": 32}
    assert found["gap"]["ua"]["value"] == pytest.approx(0.8 - 0.5)


def test_a_class_of_one_gender_makes_no_gap():
    """Men alone speak sadness, which is never recognised; anger, which both speak, is recognised alike."""
    told, _ = spoken({"female": {"a": 0.8}, "male": {"a": 0.8}}, {"female": {"a": 10}, "male": {"a": 10}})
    sad = told["truth"] == "sadness"
    told.loc[sad, ["p_anger", "p_sadness"]] = [0.9, 0.1]
    found = gender_gap(told[~sad | (told["gender"] == "male")], resamples=50)
    assert found["gap"]["ua"]["value"] == pytest.approx(0) and np.isnan(found["gap"]["recall"]["sadness"]["value"])
    assert "women minus men, without sadness, which only women or only men speak" in found["verdict"]
    with pytest.raises(CorpusError, match="needs a class that both speak. Received: female: anger; male: sadness"):
        gender_gap(told[sad == (told["gender"] == "male")])


def test_one_woman_of_a_shared_text_is_no_match():
    recall = {gender: {"both": 0.5, "own": 1.0} for gender in ("female", "male")}
    told, table = spoken(recall, {"female": {"both": 4, "own": 6}, "male": {"both": 4}})
    table.loc[(told["gender"] == "female") & (told["speaker"] != "female0"), "text"] = "own"
    reason = gender_gap(told, table, resamples=50)["matched"]["reason"]
    assert reason == "fewer than 2 women or men have a text of the same class in common"


def test_no_gap_is_no_gap():
    table = toy_predictions(spread=1.0)
    found = gender_gap(table, resamples=200)
    assert found["verdict"].startswith("No gap between women and men can be told")
    assert found["survives"] is None
    assert "none was given (--corpus)" in found["matched"]["reason"]


def test_texts_that_nobody_shares_or_knows():
    recall = {"female": {"a": 1.0}, "male": {"b": 1.0}}
    told, table = spoken(recall, {"female": {"a": 4}, "male": {"b": 4}})
    assert "no text of the same class in common" in gender_gap(told, table, resamples=50)["matched"]["reason"]
    untold = table.assign(text=np.nan)
    assert "texts of these utterances are not known" in gender_gap(told, untold, resamples=50)["matched"]["reason"]


def test_one_gender_or_one_man_alone():
    table = toy_predictions()
    with pytest.raises(CorpusError, match="needs 2 speakers of each. Received: 6 female, 0 male"):
        gender_gap(table[table["gender"] == "female"])
    few = table[(table["gender"] == "female") | (table["speaker"] == "01")]
    with pytest.raises(CorpusError, match="Received: 6 female, 1 male"):
        gender_gap(few)
    with pytest.raises(CorpusError, match="Received: 0 female, 0 male"):
        gender_gap(table.assign(gender=np.nan))


def test_rows_without_a_gender_change_nothing():
    table = toy_predictions()
    more = toy_predictions(num_rows=24).assign(gender=np.nan, corpus="other")
    both = gender_gap(pd.concat([table, more], ignore_index=True), resamples=50)
    assert both["gap"] == gender_gap(table, resamples=50)["gap"]


def test_women_and_men_are_drawn_apart():
    """As many women as there are stand in each draw, so their number is certain; drawn together it is not."""
    women = np.array([[1.0], [0.0], [1.0], [0.0], [0.0], [1.0]])
    apart = intervals(women, lambda sums: sums, method="percentile", strata=["f", "m", "f", "m", "m", "f"])
    together = intervals(women, lambda sums: sums, method="percentile")
    assert [float(end[0]) for end in apart] == [3, 3, 3]
    assert together.low[0] < 3 < together.high[0]


def test_strata_against_a_naive_bootstrap():
    random = np.random.default_rng(0)
    rates, group = random.random(12), np.array(["a", "b", "b"] * 4)
    counts = np.zeros((12, 2, 2))
    counts[np.arange(12), (group == "b").astype(int)] = np.stack([10 * rates, np.full(12, 10.0)], axis=1)

    def gap(sums):
        share = sums[..., 0] / sums[..., 1]
        return (share[:, 0] - share[:, 1])[:, None]

    found = intervals(counts, gap, method="percentile", strata=group, resamples=20_000)
    naive = [
        random.choice(rates[group == "a"], 4).mean() - random.choice(rates[group == "b"], 8).mean()
        for _ in range(20_000)
    ]
    assert found.value[0] == pytest.approx(rates[group == "a"].mean() - rates[group == "b"].mean())
    assert [found.low[0], found.high[0]] == pytest.approx(np.quantile(naive, [0.025, 0.975]), abs=0.01)
    assert not math.isnan(intervals(counts, gap, strata=group, resamples=500).low[0])
