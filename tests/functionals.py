"""The yardstick of the leaderboard: openSMILE's functionals with a support vector machine, on the folds of a protocol.

    pip install opensmile
    python -m tests.functionals ravdess=ROOT --protocol ravdess8-5fold
    python -m tests.functionals emodb=ROOT --protocol emodb4-loso --partial

writes a table of predictions for each set of functionals to ``zoo_configs/reported/``; ``python -m tests.leaderboard``
and ``python -m tests.readme`` then bring the figures up to date. openSMILE is free for research, not for products, and
so is no requirement of serzoo.

It is given the chance that a network has: of some kernels and complexities the one is taken that is best on the
validation speakers of all folds together. Then the machine of each fold is trained on the speakers of training and
validation, by whom functionals are standardised, too. Its probabilities are one for the class that it names: it gives
no others.

Reference:
    Eyben, Wöllmer and Schuller (2010), openSMILE. https://doi.org/10.1145/1873951.1874246
    Eyben and others (2016), eGeMAPS. https://doi.org/10.1109/TAFFC.2015.2457417
    Schuller and others (2016), the ComParE challenge. https://doi.org/10.21437/Interspeech.2016-129
"""

import argparse
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.metrics import balanced_accuracy_score
from sklearn.metrics.pairwise import linear_kernel, rbf_kernel
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC

from serzoo import audio, corpora, registry
from serzoo.evaluation import predictions

SETS = {"eGeMAPS": "eGeMAPSv02", "ComParE": "ComParE_2016"}  # openSMILE's names
MACHINES = [
    *((rbf_kernel, complexity) for complexity in (1.0, 10.0, 100.0)),
    *((linear_kernel, complexity) for complexity in (1e-5, 1e-4, 1e-3, 1e-2, 1e-1)),
]


def path_of(name: str, protocol: str) -> Path:
    """Where the predictions from a set of functionals are kept."""
    return registry.configs_folder() / "reported" / f"functionals_{name}.{protocol}.csv.gz"


def functionals(table: pd.DataFrame, roots: dict[str, Path], name: str) -> np.ndarray:
    """Functionals of every clip, ``(clips, functionals)`` float32."""
    import opensmile

    smile = opensmile.Smile(getattr(opensmile.FeatureSet, SETS[name]), opensmile.FeatureLevel.Functionals)
    clips = (audio.read(roots[row.corpus] / row.file) for row in table.itertuples())
    return np.concatenate([smile.process_signal(clip, audio.SAMPLE_RATE_HZ).to_numpy("float32") for clip in clips])


def judge(table: pd.DataFrame, features: np.ndarray, rules: corpora.Protocol) -> pd.DataFrame:
    """Predict the test speakers of every fold from features, ``(clips, features)``: a table of predictions."""
    classes, features = list(rules.classes), pd.DataFrame(features, index=table.index)
    folds = [(fold.index, *fold.split(table)) for fold in rules.folds(table)]
    uas = []
    for machine in MACHINES:
        of_folds = [_answers(machine, features, train, validation) for _, train, validation, _ in folds]
        truth = pd.concat([validation["emotion"] for _, _, validation, _ in folds])
        uas.append(balanced_accuracy_score(truth, np.concatenate(of_folds)))
        print(f"{machine[0].__name__}, C = {machine[1]:g}: UA of the validation speakers {uas[-1]:.3f}", flush=True)
    best = MACHINES[int(np.argmax(uas))]
    told = []
    for index, train, validation, test in folds:
        answers = _answers(best, features, pd.concat([train, validation]), test)
        told.append(predictions.from_table(test, answers[:, None] == np.array(classes), classes, fold=index))
    return pd.concat(told, ignore_index=True)


def _answers(machine: tuple, features: pd.DataFrame, known: pd.DataFrame, asked: pd.DataFrame) -> np.ndarray:
    kernel, complexity = machine
    scaler = StandardScaler().fit(features.loc[known.index])
    x, y = (scaler.transform(features.loc[rows.index]) for rows in (known, asked))
    svm = SVC(C=complexity, kernel="precomputed").fit(kernel(x, x), known["emotion"])
    return svm.predict(kernel(y, x))


def main() -> None:
    """Write the predictions from both sets of functionals."""
    parser = argparse.ArgumentParser(prog="python -m tests.functionals", description=__doc__.split("\n")[0])
    parser.add_argument("corpus", nargs="+", metavar="NAME=ROOT")
    parser.add_argument("--protocol", required=True)
    parser.add_argument("--partial", action="store_true", help="accept an incomplete copy of a corpus")
    given = parser.parse_args()
    roots = {name: Path(root) for name, root in (each.split("=", 1) for each in given.corpus)}
    rules = corpora.protocol(given.protocol)
    table, _ = rules.apply(corpora.read_many(roots, partial=given.partial))
    for name in SETS:
        predictions.write(path_of(name, given.protocol), judge(table, functionals(table, roots, name), rules))
        print(path_of(name, given.protocol))


if __name__ == "__main__":
    main()
