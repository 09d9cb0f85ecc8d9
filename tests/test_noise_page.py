"""The page on noise is what the committed curve says, and the curve is that of the published models."""

import pytest
from noise_page import PAGE, PICTURE, curve, tables, updated

from serzoo import config

TEXT = PAGE.read_text(encoding="utf-8")


def test_the_page_is_that_of_the_curve():
    assert updated(TEXT, tables()) == TEXT, "run python -m tests.noise_page"
    assert PICTURE.read_bytes()[1:4] == b"PNG" and f"]({PICTURE.name})" in TEXT


@pytest.mark.parametrize("model", ["cnn_ablstm.ravdess8-clean", "asp_mtl_noise.ravdess8"])
def test_without_noise_the_curve_has_the_published_figure(model):
    name, _, tag = model.partition(".")
    figure = next(each for each in config.load(name).reported if each.tag == tag)
    clean = next(row for row in curve()["rows"] if (row["model"], row["noise"]) == (model, "clean"))
    assert (clean["n"], clean["num_speakers"]) == (figure.n, figure.speakers)
    # the weights ship in half precision, which may turn a clip or two of 1440
    assert clean["ua"] == pytest.approx(figure.ua.value, abs=0.002)


def test_every_row_of_the_experiment_is_there():
    rows = curve()["rows"]
    ratios = {row["snr_db"] for row in rows if row["noise"] != "clean"}
    assert ratios == {20.0, 10.0, 5.0, 0.0, -5.0, "mean"}
    for model in {row["model"] for row in rows}:
        assert len([row for row in rows if row["model"] == model]) == 1 + 2 * len(ratios)
