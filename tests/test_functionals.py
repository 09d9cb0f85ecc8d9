"""The yardstick of the leaderboard, on made-up functionals: openSMILE itself is no requirement."""

import numpy as np
import pandas as pd
import pytest

from serzoo import corpora
from serzoo.evaluation import summarize
from tests import functionals

CLASSES = ["anger", "happiness", "neutral", "sadness"]


@pytest.fixture
def table():
    speakers = corpora.info("emodb").speakers
    rows = [(speaker, emotion) for speaker in speakers for emotion in CLASSES for _ in range(3)]
    table = pd.DataFrame(rows, columns=["speaker", "emotion"])
    return table.assign(
        corpus="emodb", file=[f"wav/{i}.wav" for i in table.index], start=np.nan, end=np.nan, gender="female"
    )


def test_what_tells_the_emotion_is_learnt_from_other_speakers(table):
    rng = np.random.default_rng(0)
    features = np.array([CLASSES.index(emotion) for emotion in table["emotion"]])[:, None] + 0.1 * rng.normal(
        size=(len(table), 2)
    )
    rules = corpora.protocol("emodb4-loso")
    told = functionals.judge(table, features, rules)
    summary = summarize(told, resamples=20)
    assert (summary["n"], summary["folds"], summary["ua"]["value"]) == (120, 10, 1.0)


def test_what_tells_one_clip_of_a_speaker_from_another_is_of_no_use(table):
    """A machine that had heard the test speakers would know every clip again."""
    rng = np.random.default_rng(0)
    told = functionals.judge(table, rng.normal(size=(len(table), 50)), corpora.protocol("emodb4-loso"))
    assert summarize(told, resamples=20)["ua"]["value"] < 0.4


def test_rows_keep_their_functionals_in_any_order(table):
    features = np.array([[CLASSES.index(emotion)] for emotion in table["emotion"]], float)
    shuffled = table.sample(frac=1, random_state=0)
    told = functionals.judge(shuffled, features[shuffled.index], corpora.protocol("emodb4-loso"))
    assert summarize(told, resamples=20)["ua"]["value"] == 1.0
