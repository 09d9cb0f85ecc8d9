"""Continuous labels as shares of the ends of their scale."""

import numpy as np
import pandas as pd
import pytest

from serzoo import building, scales
from serzoo import config as configs
from serzoo.errors import ConfigError, CorpusError


@pytest.mark.parametrize("scale", [(1.0, 5.0), (-1.0, 1.0), (0, 0.001)])
def test_values_come_back(scale):
    values = np.linspace(*scale, 11)
    shares = scales.encode(values, scale)
    assert shares.dtype == np.float32
    np.testing.assert_allclose(shares.sum(axis=1), 1)
    np.testing.assert_allclose(shares[:, 1], np.linspace(0, 1, 11), atol=1e-6)
    np.testing.assert_allclose(scales.decode(shares, scale), values, atol=1e-6)
    assert scales.scale_of(scales.ends(scale)) == scale


def test_a_mix_of_two_clips_has_the_value_between_theirs():
    one, other = scales.encode([-1.0, 0.5], (-1, 1))
    assert scales.decode([0.25 * one + 0.75 * other], (-1, 1))[0] == pytest.approx(0.25 * -1 + 0.75 * 0.5)


def test_a_missing_value_is_zeros_and_the_lowest_one_is_not():
    column = pd.Series([None, np.nan, -1.0, "0.5"], dtype=object)
    np.testing.assert_allclose(scales.encode(column, (-1, 1)), [[0, 0], [0, 0], [1, 0], [0.25, 0.75]])


def test_refusals():
    with pytest.raises(CorpusError, match="The labels arousal must lie from 1.0 to 5.0. Received: 5.5"):
        scales.encode([3.0, 5.5, np.nan], (1.0, 5.0), "The labels arousal")
    with pytest.raises(CorpusError, match="must lie from 1 to 5. Received: inf"):
        scales.encode([np.inf], (1, 5))
    with pytest.raises(CorpusError, match="must be numbers: .*'high'"):
        scales.encode(["high"], (1, 5))


@pytest.mark.parametrize(
    "classes", [["female", "male"], ["anger"], [], ["low 1.0", "high 2.0", "high 3.0"], ["low arousal", "high arousal"]]
)
def test_other_classes_are_no_scale(classes):
    assert scales.scale_of(classes) is None


def test_values_of_a_model():
    answers = {"emotion": np.array([[0.2, 0.8]]), "arousal": np.array([[0.25, 0.75]], "float32")}
    values = scales.values_of(answers, {"emotion": ["anger", "fear"], "arousal": scales.ends((1, 5))})
    assert list(values) == ["arousal"] and values["arousal"].tolist() == [4.0]


def test_heads_of_a_config():
    def heads(**more):
        heads = {"emotion": {"loss_weight": 1.0}} | more
        return building.heads_of(configs.load("cnn_ablstm", {"heads": heads}), ["anger", "fear"])

    assert heads(valence={"loss_weight": 0.5, "scale": [-1.0, 1.0]}) == {
        "emotion": ["anger", "fear"],
        "valence": ["low -1.0", "high 1.0"],
    }
    for wrong in ({"arousal": {"loss_weight": 1.0}}, {"height": {"loss_weight": 1.0, "scale": [0.0, 2.0]}}):
        with pytest.raises(
            ConfigError, match=rf"with a scale among arousal, valence, dominance. Received: {[*wrong][0]}"
        ):
            heads(**wrong)
    with pytest.raises(ConfigError, match="Received: gender"):
        heads(gender={"loss_weight": 1.0, "scale": [0.0, 2.0]})
    with pytest.raises(ConfigError, match="needs a scale that rises"):
        heads(arousal={"loss_weight": 1.0, "scale": [2.0, 2.0]})
    with pytest.raises(ConfigError, match=r"heads.arousal.scale must be a pair \[low, high\]"):
        heads(arousal={"loss_weight": 1.0, "scale": "1 to 5"})
    with pytest.raises(ConfigError, match="no label_smoothing"):
        heads(arousal={"loss_weight": 1.0, "label_smoothing": 0.1, "scale": [1.0, 5.0]})
