"""The confusion matrix: a PNG whose pixels follow the counts, at any size, without touching pyplot."""

import io
import sys

import numpy as np
import pytest
from toy_predictions import toy_predictions

from serzoo.evaluation import plots, summarize


def pixels(png):
    import matplotlib.image

    return matplotlib.image.imread(io.BytesIO(png))[..., :3]


def share_of(colour, image):
    return np.mean(np.all(np.abs(image - np.array(colour)) < 0.02, axis=-1))


def test_colours_follow_the_recalls():
    """With all examples right, the diagonal quarter of the cells is the darkest colour, the rest the lightest."""
    darkest, lightest = (0x0F / 255, 0x4C / 255, 0x81 / 255), (0xF7 / 255, 0xF9 / 255, 0xFB / 255)
    right = pixels(plots.confusion_png(np.diag([10, 20, 30, 40]), list("abcd")))
    wrong = pixels(plots.confusion_png(np.full((4, 4), 10), list("abcd")))
    assert share_of(darkest, right) > 0.05
    assert share_of(lightest, right) > 2 * share_of(darkest, right)
    assert share_of(darkest, wrong) == 0


@pytest.mark.filterwarnings("error")  # matplotlib warns where there is no room
@pytest.mark.parametrize("title", ["t", "my_network on loso-table:calls@anger,happiness,neutral"])
@pytest.mark.parametrize("num_classes", [2, 4, 8, 13])
def test_every_size_and_an_empty_class(num_classes, title):
    counts = np.random.default_rng(0).integers(0, 20_000, (num_classes, num_classes))
    counts[-1] = 0
    lines = {"title": title, "subtitle": "UA 50.0 % [45.0, 55.0], chance 50.0 %", "stamp": "s"}
    image = pixels(plots.confusion_png(counts, [f"emotion {i}" for i in range(num_classes)], **lines))
    assert min(image.shape[:2]) > 250
    # Nothing is cut: the outermost pixels are the white of the page.
    edges = np.concatenate([image[0], image[-1], image[:, 0], image[:, -1]])
    assert edges.min() > 0.99


def test_stamp_is_red_and_only_there_when_asked():
    summary = summarize(toy_predictions(), resamples=50)
    red = (0xB3 / 255, 0x26 / 255, 0x1E / 255)
    assert share_of(red, pixels(plots.summary_png(summary, "model", "speakers shared: not comparable"))) > 0
    assert share_of(red, pixels(plots.summary_png(summary, "model"))) == 0


def test_dollar_signs_are_no_formulae():
    plots.confusion_png([[9, 1], [2, 8]], ["$x^$", "b"], title="run_$x^$", subtitle="$_$", stamp="$^$")


def test_a_picture_changes_no_global_state(monkeypatch):
    monkeypatch.delitem(sys.modules, "matplotlib.pyplot", raising=False)  # another test may have imported it
    assert plots.summary_png(summarize(toy_predictions(num_speakers=1), resamples=50))[:4] == b"\x89PNG"
    assert "matplotlib.pyplot" not in sys.modules
