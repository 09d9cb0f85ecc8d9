"""The leaderboard is what the committed predictions give, and its times are those that were measured."""

import datetime

import pytest

from serzoo import config, registry
from tests import leaderboard
from tests.benchmarks import speed


@pytest.fixture(scope="module")
def rows():
    return leaderboard.read()


def test_every_value_is_recomputed():
    assert leaderboard.PATH.read_text(encoding="utf-8") == leaderboard.text(), "run python -m tests.leaderboard"


def test_every_published_figure_has_a_row_and_nothing_else(rows):
    published = [(each.protocol, name, each.tag) for name in registry.names() for each in config.load(name).reported]
    models = [(row["protocol"], row["model"], row["tag"]) for row in rows if row["tag"]]
    assert sorted(models) == sorted(published) and len(published) > 1


def test_functionals_stand_first_and_models_by_their_figure(rows):
    of_ravdess = [row for row in rows if row["protocol"] == "ravdess8-5fold"]
    assert rows[: len(of_ravdess)] == of_ravdess
    assert [row["model"] for row in of_ravdess[:2]] == ["openSMILE eGeMAPS + SVM", "openSMILE ComParE + SVM"]
    assert [row["tag"] for row in of_ravdess[:3]] == ["", "", "ravdess8"]
    figures = [float(row["ua"]) for row in of_ravdess[2:]]
    assert figures == sorted(figures, reverse=True)


def test_the_gap_is_women_minus_men(rows):
    """Against recalls that are counted here."""
    from serzoo.evaluation import predictions as tables

    row = next(row for row in rows if row["tag"])
    (entry,) = [each for each in config.load(row["model"]).reported if each.tag == row["tag"]]
    told = tables.read(registry.configs_folder() / "reported" / entry.file)
    scores = told[[f"p_{label}" for label in tables.classes(told)]]
    told["right"] = scores.idxmax(axis=1).str.removeprefix("p_") == told["truth"]
    by_gender = told.groupby(["seed", "gender", "truth"])["right"].mean().groupby("gender").mean()
    assert float(row["gender_gap"]) == pytest.approx(by_gender["female"] - by_gender["male"], abs=1e-4)
    assert float(row["gender_gap_low"]) < float(row["gender_gap"]) < float(row["gender_gap_high"])


def test_times_say_when_and_where_they_were_measured(rows):
    measured = speed.read()
    assert {name.partition(".")[0] for name in measured} <= set(registry.names())
    for row in measured.values():
        assert 1 < float(row["ms_per_clip"]) < 60_000 and float(row["clip_s"]) == 3.0
        assert datetime.date.fromisoformat(row["date"]).year >= 2025 and row["machine"] and "keras" in row["made_with"]
    commands = {
        (name, each.protocol, each.tag): each.command
        for name in registry.names()
        for each in config.load(name).reported
    }
    for row in (row for row in rows if row["tag"]):
        command = commands[row["model"], row["protocol"], row["tag"]]
        # with other frames the network is another than the YAML's
        network = f"{row['model']}.{row['tag']}"
        network = network if network in measured or "frontend." in command else row["model"]
        assert row["ms_per_clip"] == measured.get(network, {}).get("ms_per_clip", "")
        assert row["ms_per_clip"] or network not in registry.list_models(pretrained=True)  # what ships has its time
