"""Intervals against a literal resampling, SciPy, simulation and the clock."""

import time

import numpy as np
import pytest
from toy_predictions import toy_predictions

from serzoo import metrics
from serzoo.errors import UnknownNameError
from serzoo.evaluation import bootstrap, compare, influence, summarize, summary
from serzoo.evaluation import predictions as tables


def test_speaker_confusions_equal_a_loop():
    table = toy_predictions(num_rows=60, num_speakers=5).sample(frac=1, random_state=0)
    table.loc[table["speaker"] == "05", "corpus"] = "another"
    result = bootstrap.speaker_confusions(table)
    assert result.speakers == [("another", "05"), *(("toy", f"0{i}") for i in range(1, 5))]
    expected = np.zeros((5, 2, 4, 4))
    for row in table.to_dict("records"):
        answer = max(result.labels, key=lambda label: row[f"p_{label}"])
        place = result.speakers.index((row["corpus"], row["speaker"])), row["seed"]
        expected[(*place, result.labels.index(row["truth"]), result.labels.index(answer))] += 1
    np.testing.assert_array_equal(result.counts, expected)


def test_intervals_equal_a_literal_bootstrap_of_rows():
    """Draw speakers, gather their rows with pandas, average over seeds, take percentiles."""
    table = tables.validate(toy_predictions(num_rows=96, num_speakers=8))
    columns = [f"p_{label}" for label in tables.classes(table)]
    table["answer"] = [name[2:] for name in table[columns].idxmax(axis=1)]
    speakers = sorted(table["speaker"].unique())
    rows = {(s, seed): table[(table["speaker"] == s) & (table["seed"] == seed)] for s in speakers for seed in (0, 1)}
    random = np.random.RandomState(3)
    figures = []
    for _ in range(200):
        drawn = [speakers[int(u * len(speakers))] for u in random.random_sample(len(speakers))]
        by_seed = []
        for seed in (0, 1):
            truth = [t for s in drawn for t in rows[s, seed]["truth"]]
            answer = [a for s in drawn for a in rows[s, seed]["answer"]]
            recalls = [
                np.mean([a == t for t, a in zip(truth, answer, strict=True) if t == label]) for label in set(truth)
            ]
            by_seed.append(np.mean(recalls))
        figures.append(np.mean(by_seed))
    ua = summarize(table.drop(columns="answer"), resamples=200, seed=3, method="percentile")["ua"]
    expected = np.percentile(figures, [2.5, 97.5])
    assert [ua["ci_low"], ua["ci_high"]] == pytest.approx(expected, abs=1e-9)


def accuracy(sums):
    return sums[:, :1] / sums[:, 1:]


def hits_of(num_speakers, random, num_clips=40, skill=0.7, spread=0.1):
    """Right answers and clips of speakers whose skill varies; shape ``(speakers, 2)``."""
    own = np.clip(skill + spread * random.standard_normal(num_speakers), 0, 1)
    return np.stack([random.binomial(num_clips, own), np.full(num_speakers, num_clips)], axis=1).astype(float)


@pytest.mark.parametrize(("method", "name"), [("percentile", "percentile"), ("bca", "BCa")])
@pytest.mark.parametrize(
    ("hits", "level"),
    [
        (hits_of(15, np.random.default_rng(1), spread=0.25), 0.95),
        (np.stack([1 - np.linspace(0, 1, 15) ** 6, np.ones(15)], axis=1), 0.5),
        (np.array([[2.0, 2], [2, 2], [2, 2], [2, 2], [1, 2], [1, 2], [0, 2]]), 0.95),
    ],
    ids=["plain", "skewed", "tied"],
)
def test_methods_equal_scipy(method, name, hits, level):
    from scipy import stats

    options = {"n_resamples": 40_000, "method": name, "confidence_level": level, "rng": 0}
    own = bootstrap.intervals(hits, accuracy, resamples=40_000, method=method, level=level)
    rates = hits[:, 0] / hits[:, 1]
    expected = stats.bootstrap((rates,), np.mean, **options).confidence_interval
    assert own.low[0] == pytest.approx(expected.low, abs=2e-3)
    assert own.high[0] == pytest.approx(expected.high, abs=2e-3)


def test_standard_errors_by_influence_equal_the_jackknife():
    """Over many speakers a first-order influence and leaving the speaker out tell the same."""
    table = toy_predictions(num_rows=3200, num_speakers=80, num_seeds=2)
    counts = bootstrap.speaker_confusions(table).counts
    total, everyone = counts.sum(axis=0)[None], np.ones((1, len(counts)))
    fast = bootstrap._by_influence(summary._influence, counts)(everyone, total)
    slow = bootstrap._by_jackknife(summary._figures, counts)(everyone, total)
    np.testing.assert_allclose(fast, slow, rtol=0.02)


def test_standard_errors_where_a_draw_lacks_a_seed():
    """The figures are then those of the other seeds, and no half of them."""
    table = toy_predictions(num_rows=3200, num_speakers=80, num_seeds=2)
    table = table[(table["seed"] == 0) | (table["speaker"] == "01")]
    counts = bootstrap.speaker_confusions(table).counts
    times = np.ones((1, len(counts)))
    times[0, 0] = 0
    sums = counts[1:].sum(axis=0)[None]
    fast = bootstrap._by_influence(summary._influence, counts)(times, sums)
    np.testing.assert_allclose(fast, bootstrap._by_jackknife(summary._figures, counts)(times, sums), rtol=0.03)


def test_influences_are_derivatives():
    """Against central differences, where a class is absent, too."""
    random = np.random.default_rng(0)
    sums, counts = random.integers(1, 50, (3, 4, 4)) * 1.0, random.integers(0, 9, (5, 4, 4)) * 1.0
    sums[1, 2], counts[:, 2] = 0, 0  # never spoken
    found = influence.influences(sums, counts)
    for name in influence.Influences._fields:
        figure, step = getattr(metrics, name), 1e-5
        for speaker, own in enumerate(counts):
            change = (figure(sums + step * own) - figure(sums - step * own)) / (2 * step)
            np.testing.assert_allclose(
                getattr(found, name)[..., speaker], np.nan_to_num(change), atol=1e-8, err_msg=name
            )


@pytest.mark.parametrize(
    "rates",
    [np.random.default_rng(2).random(12), np.array([0.5] * 6 + [0.0, 0.86, 0.03]), np.array([0.5] * 8 + [0.3, 0.42])],
    ids=["plain", "draws without spread", "ends beyond the draws"],
)
def test_studentised_equals_a_literal_one(rates):
    """One figure, the mean of equally large speakers: t of each draw by hand."""
    size, mean = len(rates), rates.mean()
    result = bootstrap.intervals(rates[:, None] / size, lambda sums: sums, resamples=500, seed=1)
    drawn = rates[(np.random.RandomState(1).random_sample((500, size)) * size).astype(int)]
    means, errors = drawn.mean(axis=1), drawn.std(axis=1, ddof=1) / np.sqrt(size)
    spread = errors > 1e-9
    low, high = np.quantile((means[spread] - mean) / errors[spread], [0.025, 0.975])
    own = rates.std(ddof=1) / np.sqrt(size)
    expected = np.clip([mean - high * own, mean - low * own], means.min(), means.max())
    assert [result.low[0], result.high[0]] == pytest.approx(expected)


@pytest.mark.parametrize("method", bootstrap.METHODS)
def test_coverage(method):
    """Of 300 intervals over 24 speakers about 95 % hold the truth; as if clips were independent, 75 % would."""
    random = np.random.default_rng(0)
    held, held_by_clips = 0, 0
    for _ in range(300):
        hits = hits_of(24, random)
        result = bootstrap.intervals(hits, accuracy, resamples=400, method=method)
        held += result.low[0] <= 0.7 <= result.high[0]
        share = result.value[0]
        held_by_clips += abs(share - 0.7) < 1.96 * np.sqrt(share * (1 - share) / hits[:, 1].sum())
    assert 0.90 <= held / 300 <= 0.98
    assert held_by_clips / 300 < 0.82


def test_seed_and_chunks_decide_nothing_else(monkeypatch):
    hits = hits_of(9, np.random.default_rng(0))
    first = bootstrap.intervals(hits, accuracy, seed=4)
    assert bootstrap.intervals(hits, accuracy, seed=5).low != first.low
    monkeypatch.setattr(bootstrap, "_CHUNK_BYTES", 10_000)
    assert bootstrap.intervals(hits, accuracy, seed=4) == first


def test_stream_of_draws_is_frozen():
    """Golden: RandomState(0).random_sample(6) is 0.5488, 0.7152, 0.6028, 0.5449, 0.4237, 0.6459 on every NumPy."""
    sums = np.concatenate([sums for _, sums in bootstrap._drawn_sums(np.eye(3), 2, 0)])
    np.testing.assert_array_equal(sums, [[0, 2, 1], [0, 3, 0]])


def test_edges():
    for few in ([[3.0, 4.0]], [[4.0, 4.0], [2.0, 4.0]]):
        alone = bootstrap.intervals(np.array(few), accuracy)
        assert alone.value[0] == 0.75
        assert np.isnan([alone.low[0], alone.high[0]]).all()
    for strata in (["f", "m", "m", "m"], ["f", "f", "m", "m", "m"]):  # one woman is in every draw, or one of two twice
        alone = bootstrap.intervals(np.full((len(strata), 2), 4.0), accuracy, strata=strata)
        assert alone.value[0] == 1 and np.isnan([alone.low[0], alone.high[0]]).all()
    for method in bootstrap.METHODS:
        perfect = bootstrap.intervals(np.full((5, 2), 4.0), accuracy, method=method)
        assert [*perfect.value, *perfect.low, *perfect.high] == [1, 1, 1]
    # What a single speaker has says nothing about others; of two, draws with neither are left out, not counted as 0.
    counts = np.zeros((4, 3, 3))
    counts[:, 0, 0], counts[0, 1, 1], counts[:2, 2, 2] = 5, 5, 5
    for method in bootstrap.METHODS:
        rare = bootstrap.intervals(counts, metrics.recalls, method=method)
        np.testing.assert_array_equal([rare.low, rare.high], [[1, np.nan, 1], [1, np.nan, 1]])
    with pytest.raises(UnknownNameError, match="'bac'. Did you mean 'bca'"):
        bootstrap.intervals(counts, metrics.recalls, method="bac")


def test_ten_thousand_draws_over_a_hundred_thousand_rows_are_fast():
    table = toy_predictions(num_rows=100_000, num_speakers=91, num_seeds=1, labels=[f"c{i}" for i in range(8)])
    begin = (
        time.process_time()
    )  # which other work on the machine hardly changes; one thread, so no more than by the wall
    assert summarize(table)["n"] == 100_000
    assert time.process_time() - begin < 5


def test_level_is_the_share_of_draws_between_the_ends():
    hits = hits_of(15, np.random.default_rng(1), spread=0.25)
    for method in bootstrap.METHODS:
        wide, half = (bootstrap.intervals(hits, accuracy, level=level, method=method) for level in (0.95, 0.5))
        assert wide.low[0] < half.low[0] < half.high[0] < wide.high[0], method
    drawn = np.concatenate([accuracy(sums)[:, 0] for _, sums in bootstrap._drawn_sums(hits, 10_000, 0)])
    half = bootstrap.intervals(hits, accuracy, level=0.5, method="percentile")
    assert [half.low[0], half.high[0]] == pytest.approx(np.quantile(drawn, [0.25, 0.75]))


def test_standard_errors_where_a_seed_lacks_a_class():
    table = toy_predictions(num_rows=3200, num_speakers=80, num_seeds=2)
    counts = bootstrap.speaker_confusions(table[(table["seed"] == 0) | (table["truth"] != "anger")]).counts
    total, everyone = counts.sum(axis=0)[None], np.ones((1, len(counts)))
    fast = bootstrap._by_influence(summary._influence, counts)(everyone, total)
    np.testing.assert_allclose(fast, bootstrap._by_jackknife(summary._figures, counts)(everyone, total), rtol=0.02)


def test_intervals_of_differences_equal_those_of_the_jackknife():
    a, b = toy_predictions(num_rows=1200, spread=1.5), toy_predictions(num_rows=1200, spread=1.5, seed=1)
    both = np.stack([bootstrap.speaker_confusions(table).counts for table in (a, b)], axis=1)
    slow = bootstrap.intervals(
        both, lambda sums: summary._figures(sums[:, 0]) - summary._figures(sums[:, 1]), resamples=500
    )
    found = compare(a, b, resamples=500)["ua"]
    assert [found["ci_low"], found["ci_high"]] == pytest.approx([slow.low[0], slow.high[0]], abs=0.004)
