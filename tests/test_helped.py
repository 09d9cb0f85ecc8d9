"""The page of what helped is what the committed log of trials says."""

import re

import pytest
from helped import LOG, PAGE, tables, updated, verdict

from serzoo.training import trials

TEXT = PAGE.read_text(encoding="utf-8")


def ranked(gain, gain_std, folds=5):
    return trials.Ranked("a", 60, folds, 0.6, 0.1, gain, gain_std)


def test_the_page_is_that_of_the_log():
    assert updated(TEXT, tables()) == TEXT, "run python -m tests.helped"


def test_every_training_of_the_log_counts():
    rows = trials.read(LOG)
    assert len(rows) >= 18 and len({tuple(row.values()) for row in rows}) == len(rows)
    assert all(row["model"] and row["recipe"] and row["how"] != "the same" for row in rows)
    cells = [line.split(" | ") for line in TEXT.splitlines() if re.match(r"\| (?!recipe|---)", line)]
    assert sum(int(line[4]) for line in cells) == len(rows)


def test_a_changed_log_changes_the_page():
    rows = trials.read(LOG)
    rows[0] = rows[0] | {"val_ua_mean_of_last_3": "0.999"}
    assert "0.999" in tables(rows)["trials"] and tables(rows) != tables()


@pytest.mark.parametrize(
    ("each", "said"),
    [
        (ranked(None, None), ""),
        (ranked(0.3, None, 1), "one training"),
        (ranked(0.05, 0.04), "helped"),  # t of 4 degrees of freedom is 2.776: the half is 0.0497
        (ranked(0.049, 0.04), "not told apart"),
        (ranked(-0.049, 0.04), "not told apart"),
        (ranked(-0.05, 0.04), "harmed"),
        (ranked(float("nan"), float("nan")), "not told apart"),
    ],
)
def test_verdicts(each, said):
    assert verdict(each) == said
