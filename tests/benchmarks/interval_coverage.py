"""How often does a 95 % interval over speakers hold the truth? A simulation for 10, 24 and 91 speakers.

    python -m tests.benchmarks.interval_coverage [SIMULATIONS]

Speakers are drawn from a population whose skill varies from speaker to speaker and, within a speaker, from class to
class, as much as it does in the committed predictions (standard deviations of the logit of a recall: 0.4 and 1.0). The
classes and clips of each speaker are those of EmoDB (four classes, 10 speakers), RAVDESS (eight, 24) and CREMA-D (six,
91). The truth is the figure of the whole population. What is not simulated: that speakers of one fold share one
network, so that an interval says nothing about training again.
"""

import sys
import time

import numpy as np

from serzoo import metrics
from serzoo.evaluation.bootstrap import METHODS, intervals
from serzoo.evaluation.influence import influences

# name: speakers, recall of each class, clips of each class and speaker
CORPORA = {
    "10 speakers (EmoDB)": (10, [0.81, 0.45, 0.91, 0.95], [12.7, 7.1, 7.9, 6.2]),
    "24 speakers (RAVDESS)": (24, [0.61, 0.52, 0.66, 0.78, 0.50, 0.61, 0.36, 0.80], [8, 8, 8, 8, 8, 4, 8, 8]),
    "91 speakers (CREMA-D)": (91, [0.70, 0.50, 0.45, 0.60, 0.65, 0.55], [14, 14, 14, 14, 12, 14]),
}
FIGURES = {"UA": metrics.ua, "WA": metrics.wa, "macro F1": metrics.macro_f1}
BY_SPEAKER, BY_CLASS = 0.4, 1.0
RESAMPLES = 1000


def figures(sums: np.ndarray) -> np.ndarray:
    """UA, WA and macro F1 of sums ``(draws, classes, classes)``: ``(draws, figures)``."""
    return np.stack([figure(sums) for figure in FIGURES.values()], axis=-1)


def influence(sums: np.ndarray, counts: np.ndarray) -> np.ndarray:
    """Influence of each speaker on :func:`figures`: ``(draws, figures, speakers)``."""
    moved = influences(sums, counts)
    return np.stack([moved.ua, moved.wa, moved.macro_f1], axis=1)


def confusions(num_speakers: int, recalls, clips, random, expected: bool = False) -> np.ndarray:
    """Confusion matrices of speakers drawn from the population, or what they are on average."""
    num_classes = len(recalls)
    skill = BY_SPEAKER * random.standard_normal((num_speakers, 1))
    logit = np.log(np.array(recalls) / (1 - np.array(recalls)))
    logit = logit + skill + BY_CLASS * random.standard_normal((num_speakers, num_classes))
    hit = 1 / (1 + np.exp(-logit))
    # Wrong answers go to the next classes more often than to far ones, the same for all speakers.
    distance = (np.arange(num_classes)[None] - np.arange(num_classes)[:, None]) % num_classes
    wrong = np.where(distance > 0, 0.5**distance, 0.0)
    wrong /= wrong.sum(axis=1, keepdims=True)
    share = hit[:, :, None] * np.eye(num_classes) + (1 - hit[:, :, None]) * wrong
    if expected:
        return share * np.array(clips)[None, :, None]
    # Fixed counts where they are whole (acted by a script), else Poisson (EmoDB kept what listeners recognised).
    whole = all(float(count).is_integer() for count in clips)
    counts = np.tile(clips, (num_speakers, 1)) if whole else random.poisson(clips, (num_speakers, num_classes))
    return random.multinomial(counts.astype(int), share).astype(float)


def main(simulations: int = 2000) -> None:
    """Print a Markdown table."""
    print(f"| speakers | method | {' | '.join(FIGURES)} | too low, too high | width of UA | ms |")
    print("| --- | --- |" + " ---: |" * (len(FIGURES) + 3))
    for name, (num_speakers, recalls, clips) in CORPORA.items():
        population = confusions(200_000, recalls, clips, np.random.default_rng(1), expected=True)
        truth = figures(population.sum(axis=0)[None])[0]
        for method in METHODS:
            random = np.random.default_rng(0)  # the same speakers for every method
            held, beside, width, begin = 0.0, np.zeros(2), 0.0, time.perf_counter()
            for number in range(simulations):
                counts = confusions(num_speakers, recalls, clips, random)
                found = intervals(counts, figures, resamples=RESAMPLES, seed=number, method=method, influence=influence)
                held = held + ((found.low <= truth) & (truth <= found.high))
                beside += [found.high[0] < truth[0], found.low[0] > truth[0]]
                width += found.high[0] - found.low[0]
            spent = 1000 * (time.perf_counter() - begin) / simulations
            shares = " | ".join(f"{100 * share:.1f} %" for share in held / simulations)
            low, high = 100 * beside / simulations
            wide = 100 * width / simulations
            print(
                f"| {name} | {method} | {shares} | {low:.1f} %, {high:.1f} % | {wide:.1f} | {spent:.0f} |", flush=True
            )


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
