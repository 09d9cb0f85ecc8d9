"""Figures of continuous heads from predictions."""

import numpy as np
import pandas as pd
import pytest
from toy_predictions import toy_predictions

from serzoo import metrics
from serzoo.errors import CorpusError
from serzoo.evaluation import bootstrap, summarize, summary_text
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.continuous import FIGURES, _figures, _sums, continuous


def with_arousal(seed=0, num_speakers=12, num_seeds=2, missing=0):
    table = toy_predictions(num_speakers=num_speakers, num_seeds=num_seeds)
    random = np.random.default_rng(seed)
    truth = np.tile(random.uniform(1, 5, len(table) // num_seeds), num_seeds)
    answer = 3 + 0.6 * (truth - 3) + random.normal(0, 0.5, len(table))
    truth[:missing] = np.nan
    return tables.validate(table.assign(truth_arousal=truth, value_arousal=answer))


@pytest.mark.parametrize(("missing", "shift"), [(0, 0.0), (7, 0.0), (0, 1e6)])
def test_figures_are_those_of_the_metrics_averaged_over_seeds(missing, shift):
    table = with_arousal(missing=missing)
    table[["truth_arousal", "value_arousal"]] += shift
    found = continuous(table, resamples=50)["arousal"]
    assert found["n"] == len(table) - missing
    for name in ("ccc", "pcc", "mae", "rmse"):
        by_seed = [
            getattr(metrics, name)(rows["truth_arousal"], rows["value_arousal"])
            for _, rows in table.dropna(subset=["truth_arousal"]).groupby("seed")
        ]
        assert found[name]["value"] == pytest.approx(np.mean(by_seed), rel=1e-9), name
        assert found[name]["ci_low"] < found[name]["value"] < found[name]["ci_high"]


def test_percentile_intervals_are_those_of_drawn_speakers():
    table = with_arousal(num_seeds=1)
    found = continuous(table, resamples=2000, method="percentile")["arousal"]["ccc"]
    groups = [rows for _, rows in table.groupby("speaker")]
    random = np.random.default_rng(1)
    drawn = []
    for _ in range(400):
        rows = pd.concat([groups[i] for i in random.integers(len(groups), size=len(groups))])
        drawn.append(metrics.ccc(rows["truth_arousal"], rows["value_arousal"]))
    np.testing.assert_allclose([found["ci_low"], found["ci_high"]], np.quantile(drawn, [0.025, 0.975]), atol=0.01)


def test_studentised_intervals_have_the_standard_error_of_the_jackknife():
    """Sums of values around zero are signed: what a speaker said is taken off whole, whatever its sign."""
    table = with_arousal(num_seeds=1)
    x, y = (table[name].to_numpy() - table["truth_arousal"].mean() for name in ("truth_arousal", "value_arousal"))
    counts = _sums(table, x, y)
    spread = bootstrap._by_jackknife(_figures, counts)(np.ones((1, 12)), counts.sum(axis=0, keepdims=True))[0]
    without = [table[table["speaker"] != speaker] for speaker in table["speaker"].unique()]
    for figure, name in zip(spread, FIGURES, strict=True):
        values = [getattr(metrics, name)(rows["truth_arousal"], rows["value_arousal"]) for rows in without]
        assert figure == pytest.approx(np.std(values) * np.sqrt(11), rel=1e-6), name


def test_speakers_of_one_name_in_two_corpora_are_two():
    table = with_arousal()
    number = table["speaker"].astype(int) - 1
    shared = table.assign(corpus=np.where(number < 6, "toy", "toys"), speaker=(number % 6).astype(str))
    assert continuous(shared, resamples=50) == continuous(table, resamples=50)


def test_one_speaker_has_no_interval_and_no_truth_no_figure():
    found = continuous(with_arousal(num_speakers=1), resamples=50)["arousal"]
    assert np.isfinite(found["ccc"]["value"]) and np.isnan(found["ccc"]["ci_low"])
    found = continuous(with_arousal().assign(truth_arousal=np.nan), resamples=50)["arousal"]
    assert found["n"] == 0 and np.isnan(found["rmse"]["value"])
    assert continuous(toy_predictions(), resamples=50) == {}


@pytest.mark.parametrize("case", ["constant answers", "constant truth", "one row of each seed"])
def test_what_is_not_defined_is_so_as_in_the_metrics(case):
    """Rounding leaves a constant a variance of 1e-17 or so."""
    table = with_arousal()
    if case == "one row of each seed":
        table = table[table["file"] == "wav/00003.wav"].reset_index(drop=True)
    else:
        table[{"constant answers": "value_arousal", "constant truth": "truth_arousal"}[case]] = 3.1416
    found = continuous(table, resamples=50)["arousal"]
    for name in ("ccc", "pcc"):
        by_seed = [
            getattr(metrics, name)(rows["truth_arousal"], rows["value_arousal"]) for _, rows in table.groupby("seed")
        ]
        np.testing.assert_array_equal(found[name]["value"], np.mean(by_seed), err_msg=name)


def test_rows_without_an_emotion_count():
    table = with_arousal()
    expected = summarize(table, 50)["continuous"]
    table.loc[table.index % 2 == 0, "truth"] = np.nan
    assert summarize(table, 50)["continuous"] == expected and expected["arousal"]["n"] == len(table)


def test_they_stand_in_the_summary_and_survive_the_file(tmp_path):
    table = with_arousal(missing=3)
    tables.write(tmp_path / "predictions.csv", table)
    read = tables.read(tmp_path)
    pd.testing.assert_frame_equal(read, table)
    options = {"resamples": 100, "seed": 3, "method": "percentile"}
    assert summarize(read, **options)["continuous"] == continuous(table, **options)
    figures = summarize(read, 100)["continuous"]["arousal"]
    text = summary_text(summarize(read, 100))
    assert f"arousal    CCC {figures['ccc']['value']:.3f} [{figures['ccc']['ci_low']:.3f}, " in text
    assert f"n {len(table) - 3}" in text


def test_from_a_corpus_table():
    rows = {"corpus": "toy", "file": ["a", "b"], "start": np.nan, "end": np.nan, "emotion": "anger", "speaker": "1"}
    values = {"arousal": np.array([2.5, 3.0])}
    half = np.full((2, 2), 0.5)
    made = tables.from_table(pd.DataFrame({**rows, "arousal": ["1.5", None]}), half, ["anger", "fear"], values=values)
    assert made["value_arousal"].tolist() == [2.5, 3.0] and made["truth_arousal"][0] == 1.5
    assert np.isnan(made["truth_arousal"][1])
    made = tables.from_table(pd.DataFrame(rows), half, ["anger", "fear"], values=values)
    assert made["truth_arousal"].isna().all()


def test_refusals():
    table = with_arousal()
    with pytest.raises(CorpusError, match="lacks the columns truth_arousal"):
        tables.validate(table.drop(columns="truth_arousal"))
    with pytest.raises(CorpusError, match="unknown columns truth_valence"):
        tables.validate(table.assign(truth_valence=1.0))
    with pytest.raises(CorpusError, match="value_arousal must not be empty"):
        tables.validate(table.assign(value_arousal=table["value_arousal"].where(table.index > 0)))
