"""Figures against closed forms, scikit-learn and a literal loop."""

import subprocess
import sys
import warnings

import numpy as np
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


def test_refusals_say_what_came():
    with pytest.raises(ValueError, match="2 and 1"):
        metrics.confusion(["anger", "fear"], ["anger"], LABELS)
    with pytest.raises(UnknownNameError, match="predicted holds labels that are no class: 'joy'. Allowed: anger"):
        metrics.confusion(["anger"], ["joy"], LABELS)
    with pytest.raises(UnknownNameError, match="truth holds labels that are no class: nan"):
        metrics.confusion([float("nan")], ["anger"], LABELS)
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
