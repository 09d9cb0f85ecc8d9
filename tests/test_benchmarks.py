"""How the benchmarks measure; what they measure is no matter of passing or failing."""

import importlib

import numpy as np
import pytest

from tests.benchmarks.__main__ import BEGIN, END, NAMES, as_table, put_into
from tests.benchmarks.measure import Figure, compare, in_turn


def test_the_sides_take_turns():
    order, ticks = [], iter(range(100))
    sides = {name: lambda name=name: order.append(name) for name in ("slow", "fast")}
    seconds = in_turn(sides, turns=3, clock=lambda: next(ticks) ** 2, warm_up=1)
    assert order == ["slow", "fast"] * 4
    # Begun at tick 2k and ended at 2k + 1, of which the squares differ by 4k + 1; the first turn does not count.
    np.testing.assert_array_equal(seconds["slow"], [9, 17, 25])
    np.testing.assert_array_equal(seconds["fast"], [13, 21, 29])


def test_a_ratio_is_the_median_of_those_of_the_turns():
    figure = compare("a against b", np.array([2.0, 9.0, 8.0]), np.array([1.0, 3.0, 2.0]), ">= 1.0")
    assert (figure.low, figure.ratio, figure.high) == (2.5, 3.0, 3.5)
    assert str(figure) == "a against b: 3.00 x (2.50 to 3.50, bar >= 1.0); 2e+03 ms against 8e+03 ms"


def test_the_table_replaces_the_one_before(tmp_path):
    page = tmp_path / "speed.md"
    page.write_text(f"# Speed\n\n{BEGIN}old{END}\nEnd.\n")
    for ratio in (2.0, 3.0):
        put_into(page, as_table([Figure("a against b", ratio, 1.0, 4.0)]))
    text = page.read_text()
    assert text.startswith(f"# Speed\n\n{BEGIN}") and text.endswith(f"{END}\nEnd.\n")
    assert text.count("| a against b | 3.00 | 1.00 to 4.00 |") == 1 and "2.00" not in text and "old" not in text


@pytest.mark.parametrize("name", NAMES)
def test_every_benchmark_can_be_imported_alone(name):
    assert importlib.import_module(f"tests.benchmarks.{name}").figures.__doc__
