"""Figures against closed forms, scikit-learn and a literal loop."""

import subprocess
import sys
import warnings

import numpy as np
import pandas as pd
import pytest

from serzoo import metrics
from serzoo.errors import UnknownNameError

LABELS = ["anger", "fear", "happiness", "sadness"]


def sklearn_figures(truth, predicted):
    from sklearn import metrics as reference

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it warns of classes that are predicted but never true
        return {
            "ua": reference.balanced_accuracy_score(truth, predicted),
            "wa": reference.accuracy_score(truth, predicted),
            "macro_f1": reference.f1_score(truth, predicted, average="macro", zero_division=0),
            "micro_f1": reference.f1_score(truth, predicted, average="micro"),
        }


def draw(true_classes, predicted_classes, seed, size=60):
    random = np.random.default_rng(seed)
    return random.choice(true_classes, size).tolist(), random.choice(predicted_classes, size).tolist()


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize(
    ("true_classes", "predicted_classes"),
    [
        (LABELS, LABELS),
        (LABELS[:3], LABELS),  # predicted, never true
        (LABELS, LABELS[1:]),  # true, never predicted
        (LABELS[:2], LABELS[:2]),  # classes that occur nowhere
        (LABELS[:1], LABELS),  # one true class
        (LABELS[:2], LABELS[2:]),  # never right
        (LABELS[:1], LABELS[:1]),  # always right, one class
    ],
)
def test_figures_equal_scikit_learn(true_classes, predicted_classes, seed):
    truth, predicted = draw(true_classes, predicted_classes, seed)
    counts = metrics.confusion(truth, predicted, LABELS)
    for name, expected in sklearn_figures(truth, predicted).items():
        assert getattr(metrics, name)(counts) == pytest.approx(expected, abs=1e-12), name


def test_confusion_equals_a_loop_and_scikit_learn():
    from sklearn.metrics import confusion_matrix

    truth, predicted = draw(LABELS, LABELS, 7)
    expected = np.zeros((4, 4), int)
    for true, answer in zip(truth, predicted, strict=True):
        expected[LABELS.index(true), LABELS.index(answer)] += 1
    counts = metrics.confusion(truth, predicted, LABELS)
    assert counts.dtype == np.int64
    np.testing.assert_array_equal(counts, expected)
    np.testing.assert_array_equal(counts, confusion_matrix(truth, predicted, labels=LABELS))


def test_closed_forms():
    counts = np.array([[8, 2, 0], [5, 5, 0], [0, 0, 0]])
    assert metrics.ua(counts) == pytest.approx((0.8 + 0.5) / 2)
    assert metrics.wa(counts) == pytest.approx(13 / 20)
    assert metrics.macro_f1(counts) == pytest.approx((16 / 23 + 10 / 17) / 2)
    np.testing.assert_allclose(metrics.recalls(counts), [0.8, 0.5, np.nan])


@pytest.mark.parametrize("name", ["ua", "wa", "macro_f1", "micro_f1", "recalls"])
def test_leading_axes_are_batches(name):
    figure = getattr(metrics, name)
    counts = np.random.default_rng(0).integers(0, 9, (3, 2, 4, 4))
    counts[1, 1, 2] = 0
    expected = [[figure(matrix) for matrix in row] for row in counts]
    np.testing.assert_allclose(figure(counts), expected)


@pytest.mark.parametrize("name", ["ua", "wa", "macro_f1", "micro_f1"])
def test_no_examples_is_nan_without_warning(name):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(getattr(metrics, name)(np.zeros((3, 3), int)))
        assert np.isnan(getattr(metrics, name)(metrics.confusion([], [], LABELS)))


# --- continuous answers ---------------------------------------------------------------------------------------------

CONTINUOUS = {"ccc": "concordance_cc", "pcc": "pearson_cc", "mae": "mean_absolute_error", "rmse": ""}


@pytest.mark.parametrize("size", [2, 3, 50, 1000])
@pytest.mark.parametrize("shift", [0.0, 3.0, 1e4])
def test_continuous_figures_against_audmetric(size, shift):
    audmetric = pytest.importorskip("audmetric")
    random = np.random.default_rng(size)
    truth = random.normal(shift, 1.0, size)
    predicted = 0.5 * truth + random.normal(shift, 0.5, size)
    for name, theirs in CONTINUOUS.items():
        if theirs:
            expected = getattr(audmetric, theirs)(truth, predicted)
        else:
            expected = np.sqrt(audmetric.mean_squared_error(truth, predicted))
        assert float(getattr(metrics, name)(truth, predicted)) == pytest.approx(expected, rel=1e-6), name


def test_continuous_figures_against_a_literal_loop():
    truth, predicted = [1.0, 2.0, 4.0, 4.5], [1.5, 1.0, 5.0, 3.0]
    n = len(truth)
    mx, my = sum(truth) / n, sum(predicted) / n
    sxy = sum((x - mx) * (y - my) for x, y in zip(truth, predicted, strict=True)) / n
    sxx, syy = (sum((v - m) ** 2 for v in values) / n for values, m in ((truth, mx), (predicted, my)))
    assert metrics.ccc(truth, predicted) == pytest.approx(2 * sxy / (sxx + syy + (mx - my) ** 2))
    assert metrics.pcc(truth, predicted) == pytest.approx(sxy / (sxx * syy) ** 0.5)
    errors = [y - x for x, y in zip(truth, predicted, strict=True)]
    assert metrics.mae(truth, predicted) == pytest.approx(sum(map(abs, errors)) / n)
    assert metrics.rmse(truth, predicted) == pytest.approx((sum(e * e for e in errors) / n) ** 0.5)


def test_continuous_figures_at_their_ends():
    ramp = np.arange(10.0)
    assert metrics.ccc(ramp, ramp) == metrics.pcc(ramp, ramp + 5) == pytest.approx(1)
    assert metrics.ccc(ramp, -ramp) < metrics.ccc(ramp, 0 * ramp + 0.1) == 0
    assert metrics.ccc(ramp - 4.5, 4.5 - ramp) == pytest.approx(-1)
    # mean shift 2, variances 8.25: 2 * 8.25 / (8.25 + 8.25 + 4)
    assert metrics.ccc(ramp, ramp + 2) == pytest.approx(16.5 / 20.5)
    assert metrics.mae(ramp, ramp) == metrics.rmse(ramp, ramp) == 0


def test_continuous_figures_that_are_not_defined():
    same = np.full(3, 0.1)  # whose mean is not exactly 0.1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isnan(metrics.ccc(same, same)) and np.isnan(metrics.pcc(same, [0.0, 1.0, 2.0]))
        for name in CONTINUOUS:
            assert np.isnan(getattr(metrics, name)([], []))
        assert np.isnan(metrics.ccc([1.0], [2.0])) and np.isnan(metrics.pcc([1.0], [2.0]))
    assert metrics.mae([1.0], [2.0]) == metrics.rmse([1.0], [2.0]) == 1


@pytest.mark.parametrize("name", CONTINUOUS)
def test_continuous_figures_by_rows_and_refusals(name):
    figure = getattr(metrics, name)
    truth, predicted = np.random.default_rng(1).normal(size=(2, 3, 20))
    truth[1] = 0.3
    np.testing.assert_allclose(figure(truth, predicted), [figure(*pair) for pair in zip(truth, predicted, strict=True)])
    with pytest.raises(ValueError, match=r"same shape. Received: \(2,\) and \(3,\)"):
        figure([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="Received such: 1 true, 2 predicted"):
        figure([1, np.nan, 2], [np.nan, 1, np.inf])


def test_refusals_say_what_came():
    with pytest.raises(ValueError, match="2 and 1"):
        metrics.confusion(["anger", "fear"], ["anger"], LABELS)
    with pytest.raises(UnknownNameError, match="predicted holds labels that are no class: 'joy'. Allowed: anger"):
        metrics.confusion(["anger"], ["joy"], LABELS)
    with pytest.raises(UnknownNameError, match="truth holds labels that are no class: nan"):
        metrics.confusion([np.nan], ["anger"], [*LABELS, np.nan])
    with pytest.raises(UnknownNameError, match="truth holds labels that are no class: 'joy'"):
        metrics.confusion(pd.Series(["anger", "joy"], index=[5, 9]), ["anger", "fear"], LABELS)
    with pytest.raises(ValueError, match="each class once"):
        metrics.confusion(["anger"], ["anger"], ["anger", "anger"])
    with pytest.raises(ValueError, match=r"Received: \(2, 3\)"):
        metrics.ua(np.ones((2, 3)))


def test_integers_and_arrays_are_labels_too():
    np.testing.assert_array_equal(metrics.confusion(np.array([0, 1, 1]), np.array([1, 1, 0]), [0, 1]), [[0, 1], [1, 1]])


def test_import_is_light():
    code = "import sys, serzoo.metrics; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = ["tensorflow", "keras", "librosa", "matplotlib", "sklearn", "scipy", "pandas"]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
