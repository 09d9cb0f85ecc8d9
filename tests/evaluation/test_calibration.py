"""Calibration against scikit-learn, closed forms, a grid, and labels drawn at a known temperature."""

import numpy as np
import pandas as pd
import pytest
from toy_predictions import LABELS, toy_predictions

from serzoo.errors import CorpusError
from serzoo.evaluation import calibration as module
from serzoo.evaluation import predictions as tables

COLUMNS = [f"p_{label}" for label in LABELS]


def drawn(temperature, num_rows=4000, seed=0):
    """Predictions whose truth is drawn from them after their logits were divided by a temperature."""
    random = np.random.default_rng(seed)
    logits = 3 * random.standard_normal((num_rows, len(LABELS)))
    said, true = (np.exp(logits / t) / np.exp(logits / t).sum(axis=1, keepdims=True) for t in (1.0, temperature))
    truth = (true.cumsum(axis=1) > random.random((num_rows, 1))).argmax(axis=1)
    return pd.DataFrame(dict(zip(COLUMNS, said.T, strict=True)) | {"truth": np.array(LABELS)[truth]})


def test_bins_equal_scikit_learn():
    from sklearn.calibration import calibration_curve

    table = tables.validate(toy_predictions(num_rows=2000))
    result = module.calibration(table)
    confidence = table[COLUMNS].max(axis=1)
    right = table[COLUMNS].idxmax(axis=1).str[2:] == table["truth"]
    accuracy, mean_confidence = calibration_curve(right, confidence, n_bins=15, strategy="uniform")
    assert [each["accuracy"] for each in result["bins"]] == pytest.approx(accuracy.tolist())
    assert [each["confidence"] for each in result["bins"]] == pytest.approx(mean_confidence.tolist())
    counts = np.array([each["count"] for each in result["bins"]])
    assert result["ece"] == pytest.approx(np.sum(counts * np.abs(accuracy - mean_confidence)) / counts.sum())
    assert (result["accuracy"], result["confidence"]) == pytest.approx((right.mean(), confidence.mean()))


def test_log_loss_equals_scikit_learn():
    from sklearn.metrics import log_loss

    table = drawn(1.0)
    assert module.calibration(table)["nll"] == pytest.approx(log_loss(table["truth"], table[COLUMNS], labels=LABELS))


def test_ece_in_closed_form():
    # Ten sure answers of which eight are right, ten at 0.6 of which six are: errors 0.2 and 0.
    rows = [{"truth": "a" if i < 8 else "b", "p_a": 1.0, "p_b": 0.0} for i in range(10)]
    rows += [{"truth": "a" if i < 6 else "b", "p_a": 0.6, "p_b": 0.4} for i in range(10)]
    result = module.calibration(pd.DataFrame(rows))
    assert result["ece"] == pytest.approx(0.1)
    assert [each["count"] for each in result["bins"]] == [10, 10]
    edges = [edge for each in result["bins"] for edge in (each["low"], each["high"])]
    assert edges == pytest.approx([8 / 15, 9 / 15, 14 / 15, 1])
    assert result["nll"] < np.inf  # a truth that had probability 0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0, 4.0])
def test_temperature_is_found_again_and_mends_the_error(temperature):
    table = drawn(temperature)
    found = module.fit_temperature(table)
    assert found == pytest.approx(temperature, rel=0.07)
    mended = module.scaled(table, found)
    assert module.calibration(mended)["ece"] < 0.03
    np.testing.assert_array_equal(mended[COLUMNS].to_numpy().argmax(axis=1), table[COLUMNS].to_numpy().argmax(axis=1))
    np.testing.assert_allclose(mended[COLUMNS].sum(axis=1), 1)


def test_temperature_is_the_best_of_a_grid():
    table = drawn(1.7, num_rows=300)
    loss = {t: module.calibration(module.scaled(table, t))["nll"] for t in np.geomspace(0.1, 10, 400)}
    assert module.fit_temperature(table) == pytest.approx(min(loss, key=loss.get), rel=0.012)


def test_scaling_each_row_by_its_own_temperature():
    table = drawn(1.0, num_rows=6)
    each = module.scaled(table, np.array([1, 1, 1, 2, 2, 2.0]))
    assert each[COLUMNS].to_numpy()[:3] == pytest.approx(module.scaled(table, 1.0)[COLUMNS].to_numpy()[:3])
    assert each[COLUMNS].to_numpy()[3:] == pytest.approx(module.scaled(table, 2.0)[COLUMNS].to_numpy()[3:])


def test_always_right_is_as_sure_as_allowed_and_never_infinite():
    table = pd.DataFrame({"truth": ["a"] * 5, "p_a": [0.9] * 5, "p_b": [0.1] * 5})
    assert module.MIN_TEMPERATURE <= module.fit_temperature(table) < 0.1


def test_refusals():
    table = drawn(1.0, num_rows=5)
    with pytest.raises(CorpusError, match="fitted on one prediction or more"):
        module.fit_temperature(table[:0])
    with pytest.raises(CorpusError, match="must be above 0. Received: 0.0"):
        module.scaled(table, 0.0)
    with pytest.raises(CorpusError, match="Every truth must be one of anger, .* Received: 'calm'"):
        module.calibration(table.assign(truth="calm"))


def test_a_probability_of_0_counts_as_half_of_the_fourth_decimal():
    table = pd.DataFrame({"truth": ["a"] * 9 + ["b"], "p_a": 1.0, "p_b": 0.0})
    assert module.calibration(table)["nll"] == pytest.approx(-np.log(0.00005) / 10)
    assert 4 < module.fit_temperature(table) < 5
