"""Summaries and comparisons against scikit-learn, closed forms and degenerate tables."""

import math
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn import metrics as reference
from toy_predictions import LABELS, toy_predictions

from serzoo.errors import CorpusError
from serzoo.evaluation import compare, summarize
from serzoo.evaluation import predictions as tables


def answers(table):
    table = tables.validate(table)
    return table.assign(answer=table[[f"p_{label}" for label in LABELS]].idxmax(axis=1).str[2:])


def test_figures_are_pooled_over_folds_and_averaged_over_seeds():
    table = toy_predictions(num_rows=230, num_speakers=7)
    summary = summarize(table, resamples=100)
    seeds = [rows for _, rows in answers(table).groupby("seed")]
    for name, figure in {
        "ua": reference.balanced_accuracy_score,
        "wa": reference.accuracy_score,
        "macro_f1": lambda truth, answer: reference.f1_score(truth, answer, average="macro"),
        "micro_f1": lambda truth, answer: reference.f1_score(truth, answer, average="micro"),
    }.items():
        assert summary[name]["value"] == pytest.approx(np.mean([figure(r.truth, r.answer) for r in seeds])), name
        assert summary[name]["ci_low"] < summary[name]["value"] < summary[name]["ci_high"]
    recalls = np.mean([reference.recall_score(r.truth, r.answer, average=None, labels=LABELS) for r in seeds], axis=0)
    assert [summary["recall"][label]["value"] for label in LABELS] == pytest.approx(recalls)
    total = sum(reference.confusion_matrix(r.truth, r.answer, labels=LABELS) for r in seeds)
    assert summary["confusion"] == {"labels": list(LABELS), "counts": total.tolist()}
    sizes = {"n": 230, "num_rows": 460, "num_speakers": 7, "folds": 3, "seeds": 2, "chance": 0.25}
    assert {name: summary[name] for name in sizes} == sizes


def test_mean_and_deviation_over_folds():
    table = toy_predictions()[:-50]  # one of the seeds lacks them
    expected = [
        np.mean([reference.balanced_accuracy_score(r.truth, r.answer) for _, r in rows.groupby("seed")])
        for _, rows in answers(table).groupby("fold")
    ]
    fold_ua = summarize(table, resamples=10)["fold_ua"]
    assert fold_ua["values"] == pytest.approx(expected)
    assert fold_ua["mean"] == pytest.approx(np.mean(expected))
    assert fold_ua["std"] == pytest.approx(np.std(expected, ddof=1))


def test_by_gender_is_the_summary_of_that_gender():
    table = toy_predictions()
    summary = summarize(table, resamples=200)
    for gender in ("female", "male"):
        alone = summarize(table[table["gender"] == gender], resamples=200)
        assert summary["recall_by_gender"][gender] == alone["recall"]
        assert summary["ua_by_gender"][gender] == alone["ua"]
    table.loc[table["speaker"] == "01", "gender"] = np.nan
    summary = summarize(table, resamples=10)
    assert any("40 rows without a gender" in text for text in summary["warnings"])
    assert summary["n"] == 240


def test_order_of_rows_and_columns_does_not_matter():
    table = toy_predictions()
    shuffled = table.sample(frac=1, random_state=1)[sorted(table.columns)]
    assert summarize(shuffled, resamples=100) == summarize(table, resamples=100)


def test_one_speaker_has_figures_but_no_interval():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        summary = summarize(toy_predictions(num_speakers=1, num_folds=1))
    assert 0 < summary["ua"]["value"] < 1
    assert math.isnan(summary["ua"]["ci_low"]) and math.isnan(summary["ua"]["ci_high"])
    assert math.isnan(summary["fold_ua"]["std"])
    assert summary["warnings"] == ["fewer than 3 speakers (toy/01): no interval"]


def test_absent_class_is_left_out_of_ua_and_said():
    table = toy_predictions()
    table = table[table["truth"] != "sadness"]
    summary = summarize(table, resamples=50)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected = np.mean(
            [reference.balanced_accuracy_score(r.truth, r.answer) for _, r in answers(table).groupby("seed")]
        )
    assert summary["ua"]["value"] == pytest.approx(expected)
    assert math.isnan(summary["recall"]["sadness"]["value"])
    assert summary["chance"] == pytest.approx(1 / 3)
    assert "classes without examples, left out of ua: sadness" in summary["warnings"]
    said = "classes without examples that were answered, and count as 0 in macro_f1: sadness"
    assert said in summary["warnings"]
    # what was given to sadness goes to anger: nobody answers it any more
    never = table.assign(p_anger=table["p_anger"] + table["p_sadness"], p_sadness=0.0)
    assert said not in summarize(never, resamples=50)["warnings"]


def test_rows_without_a_known_truth_are_dropped_and_counted():
    table = toy_predictions()
    clean = summarize(table.iloc[5:], resamples=50)
    table["truth"] = table["truth"].astype(object)
    table.loc[0:1, "truth"] = np.nan
    table.loc[2:4, "truth"] = "calm"
    summary = summarize(table, resamples=50)
    assert summary["dropped"] == {"truth is missing": 2, "truth 'calm' is not among the classes": 3}
    assert summary["ua"] == clean["ua"]
    with pytest.raises(CorpusError, match="No row has a truth among the classes anger"):
        summarize(table.iloc[:5])


def test_empty_table_and_mixed_conditions_are_refused():
    table = toy_predictions(num_rows=24)
    with pytest.raises(CorpusError, match="at least one row"):
        summarize(table.iloc[:0])
    with pytest.raises(CorpusError, match="one condition; choose one. Received: clean, noisy"):
        summarize(pd.concat([table.assign(condition="clean"), table.assign(condition="noisy")]))


def test_seeds_that_judged_other_rows_are_said():
    table = toy_predictions()
    summary = summarize(table[(table["seed"] == 0) | (table["fold"] == 0)], resamples=10)
    assert any("not every seed judged all 240 utterances (seed 0: 240, seed 1: 80)" in w for w in summary["warnings"])


def test_no_folds_is_none_and_not_a_crash():
    summary = summarize(toy_predictions().assign(fold=np.nan), resamples=10)
    assert summary["folds"] == 0
    assert math.isnan(summary["fold_ua"]["mean"])


# --- comparisons ------------------------------------------------------------------------------------------------------


def test_difference_is_that_of_the_summaries_and_changes_sign():
    a, b = toy_predictions(skill=2), toy_predictions(seed=1)
    there, back = compare(a, b, resamples=500), compare(b, a, resamples=500)
    for name in ("ua", "wa", "macro_f1", "micro_f1"):
        expected = summarize(a, 10)[name]["value"] - summarize(b, 10)[name]["value"]
        assert there[name]["value"] == pytest.approx(expected)
        assert there[name]["ci_low"] == pytest.approx(-back[name]["ci_high"])
        assert there[name]["ci_low"] < there[name]["value"] < there[name]["ci_high"]
    assert (there["n"], there["num_rows"]) == (240, 480)
    assert there["recall"]["anger"]["value"] == pytest.approx(-back["recall"]["anger"]["value"])


def test_model_against_itself_differs_by_exactly_nothing():
    table = toy_predictions()
    assert compare(table, table)["ua"] == {"value": 0, "ci_low": 0, "ci_high": 0}


def test_pairing_narrows_the_interval():
    """Two models that share how hard each speaker is: the difference is surer than either figure."""
    a = toy_predictions(num_rows=1200, spread=1.5)
    b = a.copy()
    columns = [f"p_{label}" for label in LABELS]
    random = np.random.default_rng(0).dirichlet(np.ones(4), len(b))
    b[columns] = 0.8 * b[columns].to_numpy() + 0.2 * random
    paired, alone = compare(a, b)["ua"], summarize(a)["ua"]
    assert paired["ci_high"] - paired["ci_low"] < 0.5 * (alone["ci_high"] - alone["ci_low"])


def test_classes_may_stand_in_another_order():
    a, b = toy_predictions(), toy_predictions(seed=1)
    order = [*b.columns[:9], *reversed(b.columns[9:])]
    assert compare(a, b[order], resamples=50) == compare(a, b, resamples=50)


def test_unpaired_rows_are_counted():
    a, b = toy_predictions(), toy_predictions(seed=1)
    result = compare(a.iloc[10:], b[b["seed"] == 0], resamples=10)
    assert result["unpaired"] == {"a": 240, "b": 10}
    assert (result["num_rows"], result["n"], result["seeds"]) == (230, 230, 1)
    a.loc[:9, "truth"] = np.nan
    assert compare(a, b, resamples=10)["dropped"] == {"a": {"truth is missing": 10}, "b": {}}


def test_a_comparison_says_which_class_is_absent():
    a, b = (table[table["truth"] != "sadness"] for table in (toy_predictions(), toy_predictions(seed=1)))
    assert "classes without examples, left out of ua: sadness" in compare(a, b, resamples=10)["warnings"]


def test_pairs_that_cannot_be():
    a = toy_predictions(num_rows=48)
    with pytest.raises(CorpusError, match="same classes"):
        compare(a, a.rename(columns={"p_anger": "p_fear"}).assign(truth="sadness"))
    with pytest.raises(CorpusError, match=r"in common. Received: seeds \[0, 1\] and \[7, 8\]"):
        compare(a, a.assign(seed=a["seed"] + 7))
    swapped = a.assign(truth=a["truth"].replace({"anger": "sadness"}))
    with pytest.raises(CorpusError, match="agree about the truth. Received: 'anger' and 'sadness' for wav/00000.wav"):
        compare(a, swapped)
    with pytest.raises(CorpusError, match="agree about the speaker"):
        compare(a, a.assign(speaker="someone"))
    with pytest.raises(CorpusError, match="condition"):
        compare(a, a.assign(condition="clean"))


def test_notes_travel():
    a = toy_predictions(num_rows=48)
    note = "speakers shared: not comparable"
    assert summarize(a.assign(note=note), resamples=10)["notes"] == [note]
    assert compare(a.assign(note="old"), a.assign(note=note), resamples=10)["notes"] == ["old", note]


# --- every figure against two libraries, where tables are awkward ----------------------------------------------------


def awkward(kind):
    """One seed of predictions, and the answers that follow from them by taking the first of the highest."""
    table = toy_predictions(num_rows=160, num_speakers=8, num_seeds=1)
    columns = [f"p_{label}" for label in LABELS]
    if kind == "absent classes":
        table = table[table["truth"].isin(LABELS[:2])]
    elif kind == "one class":
        table = table[table["truth"] == LABELS[2]]
    elif kind == "one speaker":
        table = table[table["speaker"] == "03"]
    elif kind == "ties":
        tied = np.eye(4)[np.arange(len(table)) % 3] + np.eye(4)[np.arange(len(table)) % 4]
        table[columns] = tied / tied.sum(axis=1, keepdims=True)
    elif kind == "one answer":
        table[columns] = [0.1, 0.7, 0.1, 0.1]
    table = table.reset_index(drop=True)
    answer = [max(LABELS, key=lambda label, row=row: row[f"p_{label}"]) for row in table.round(4).to_dict("records")]
    return table, table["truth"].tolist(), answer


@pytest.mark.parametrize("kind", ["plain", "absent classes", "one class", "one speaker", "ties", "one answer"])
def test_figures_equal_scikit_learn_and_audmetric(kind):
    audmetric = pytest.importorskip("audmetric")
    table, truth, answer = awkward(kind)
    summary = summarize(table, resamples=20)
    found = {name: summary[name]["value"] for name in ("ua", "wa", "macro_f1", "micro_f1")}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of classes that are answered and never spoken
        assert found == pytest.approx(
            {
                "ua": reference.balanced_accuracy_score(truth, answer),
                "wa": reference.accuracy_score(truth, answer),
                "macro_f1": reference.f1_score(truth, answer, average="macro"),
                "micro_f1": reference.f1_score(truth, answer, average="micro"),
            }
        )
        recalls = dict(zip(LABELS, reference.recall_score(truth, answer, labels=LABELS, average=None), strict=True))
    spoken = sorted(set(truth))
    assert {label: summary["recall"][label]["value"] for label in spoken} == pytest.approx(
        {label: recalls[label] for label in spoken}
    )
    assert all(math.isnan(summary["recall"][label]["value"]) for label in set(LABELS) - set(spoken))
    # audmetric names the same figures; its classes are those that occur at all, and an empty recall is 0 there.
    own = audmetric.recall_per_class(truth, answer)
    assert found["ua"] == pytest.approx(np.mean([own[label] for label in spoken]))
    assert found["wa"] == pytest.approx(audmetric.accuracy(truth, answer))
    assert found["macro_f1"] == pytest.approx(audmetric.unweighted_average_fscore(truth, answer))
    counts = np.array(summary["confusion"]["counts"])
    np.testing.assert_array_equal(counts, audmetric.confusion_matrix(truth, answer, labels=list(LABELS)))
    assert math.isnan(summary["ua"]["ci_low"]) == (kind == "one speaker")


def test_a_person_in_two_forms_of_a_corpus_is_drawn_once():
    table = toy_predictions()
    half = np.arange(len(table)) % 2 == 0
    one = table.assign(corpus="emodb")
    both = one.assign(corpus=np.where(half, "emodb", "emodb_first2s"))
    first, second = (summarize(each, resamples=200) for each in (one, both))
    assert first["num_speakers"] == second["num_speakers"] and first["ua"] == second["ua"]


def test_stretches_of_one_file_are_paired_by_their_start():
    whole = toy_predictions(), toy_predictions(seed=1)
    a, b = (table.assign(file="a.wav", start=np.arange(480) % 240) for table in whole)
    assert compare(a, b.iloc[::-1], resamples=50)["ua"] == compare(*whole, resamples=50)["ua"]


def test_few_speakers_are_said():
    said = summarize(toy_predictions(num_speakers=9), resamples=10)["warnings"]
    assert said == ["9 speakers only: the intervals are too narrow"]
    assert summarize(toy_predictions(num_speakers=10), resamples=10)["warnings"] == []


def test_seed_and_method_of_a_comparison_are_those_that_were_asked_for():
    a, b = toy_predictions(skill=2), toy_predictions(seed=1)
    found = [compare(a, b, resamples=100, **options)["ua"] for options in ({}, {"seed": 1}, {"method": "percentile"})]
    assert len({each["ci_low"] for each in found}) == 3
