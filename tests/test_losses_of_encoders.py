"""The difference loss: closed forms and a naive NumPy version."""

import numpy as np
import pytest

from serzoo.losses import difference_loss, spread

RNG = np.random.default_rng(0)


def naive(shared, private):
    """Domain separation networks, eq. (5), with centred columns and rows of length one, written out."""
    sides = []
    for x in (shared, private):
        x = x - x.mean(axis=0)
        sides.append(np.array([row / np.sqrt((row**2).sum()) for row in x]))
    s, p = sides
    total = 0.0
    for i in range(s.shape[1]):
        for j in range(p.shape[1]):
            total += sum(s[b, i] * p[b, j] for b in range(len(s))) ** 2
    return total / (s.shape[1] * p.shape[1])


def test_against_numpy():
    shared, private = RNG.standard_normal((7, 5)), RNG.standard_normal((7, 3))
    found = float(difference_loss(shared.astype("float32"), private.astype("float32")))
    assert found == pytest.approx(naive(shared, private), rel=1e-5)
    again = float(difference_loss(3.0 + 5.0 * shared.astype("float32"), private.astype("float32")))
    assert again == pytest.approx(found, rel=1e-4)  # neither place nor scale counts


def test_it_is_zero_where_nothing_is_shared_and_one_where_all_is():
    a = np.array([[1.0], [1.0], [-1.0], [-1.0]], "float32")
    b = np.array([[1.0], [-1.0], [1.0], [-1.0]], "float32")
    assert float(difference_loss(a, b)) == 0.0
    assert float(difference_loss(a, 2 * a)) == pytest.approx(16.0)  # (batch) ** 2 for one feature


def test_a_dead_encoder_is_seen_by_its_spread_since_its_loss_is_zero():
    alive, dead = RNG.standard_normal((8, 4)).astype("float32"), np.full((8, 4), 0.7, "float32")
    assert float(difference_loss(alive, dead)) == pytest.approx(0.0, abs=1e-5)
    assert float(spread(dead)) < 1e-6
    assert float(spread(alive)) == pytest.approx(np.sqrt(np.mean((alive - alive.mean(axis=0)) ** 2)), rel=1e-5)
