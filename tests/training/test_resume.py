"""A real network, killed by SIGKILL twice, ends as one that was left in peace."""

import csv
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import keras
import numpy as np
import pytest
import toy_model

from serzoo.evaluation import predictions

pytestmark = [
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL"),
    pytest.mark.xdist_group("search"),  # so that it starts early
]
NAME = "cnn_ablstm_mtl"

# Goes on until it is killed: so slowly that the kill comes in the middle of an epoch, ...
SLOW = """
import time
fitting._EpochEnd.on_train_batch_end = lambda self, batch, logs=None: time.sleep(0.4)
"""
# ... or up to the second fold, where it kills itself with half of the second epoch's state written.
IN_A_WRITE = """
def kill_in_a_write(source, target):
    states.append(target) if str(target).endswith("fold1/state.npz") else None
    if len(states) == 2:
        os.truncate(source, os.path.getsize(source) // 2)
        os.kill(os.getpid(), signal.SIGKILL)
    return replace(source, target)

states, replace, os.replace = [], os.replace, kill_in_a_write
"""
CHILD = """
import os, signal, sys
import toy_model
from serzoo.training import fit as fitting
{how}
toy_model.train({name!r}, sys.argv[1], sys.argv[2], overrides=toy_model.TINY, folds=(0, 1), resume=True)
"""


def child(how, root, out):
    here = Path(__file__).resolve().parent
    path = os.pathsep.join([str(here), str(here.parents[1]), os.environ.get("PYTHONPATH", "")])
    code = CHILD.format(how=how, name=NAME)
    with open(Path(out).with_suffix(".log"), "wb") as log:
        return subprocess.Popen(
            [sys.executable, "-c", code, str(root), str(out)],
            env={**os.environ, "PYTHONPATH": path, "KERAS_BACKEND": keras.backend.backend()},
            stdout=log,
            stderr=log,
        )


def read_log(path):
    with open(path, newline="") as file:
        return [{key: float(value) for key, value in row.items()} for row in csv.DictReader(file)]


def test_killed_and_resumed(emodb, tmp_path):
    options = {"overrides": toy_model.TINY, "folds": (0, 1)}
    whole = toy_model.train(NAME, emodb, tmp_path / "whole", **options)

    cut = tmp_path / "cut"
    process = child(SLOW, emodb, cut)
    log = cut / "seed0-fold0" / "log.csv"
    deadline = time.monotonic() + 300
    try:
        while not log.exists():  # the first of three epochs, each of which takes more than a second
            assert process.poll() is None and time.monotonic() < deadline, cut.with_suffix(".log").read_text()
            time.sleep(0.02)
        time.sleep(0.3)
    finally:
        process.kill()
        process.wait()
    assert len(read_log(log)) == 1 and not (cut / "seed0-fold0" / "card.json").exists()

    process = child(IN_A_WRITE, emodb, cut)
    assert process.wait(timeout=300) == -signal.SIGKILL, cut.with_suffix(".log").read_text()
    assert (cut / "seed0-fold0" / "card.json").exists() and not (cut / "seed0-fold1" / "card.json").exists()
    assert len(read_log(cut / "seed0-fold1" / "log.csv")) == 2  # written before the state that was cut
    assert list((cut / "seed0-fold1").glob(".state.npz.*.partial"))
    finished = {path: path.stat().st_mtime_ns for path in (cut / "seed0-fold0").rglob("*")}

    toy_model.train(NAME, emodb, cut, **options, resume=True)
    assert finished == {path: path.stat().st_mtime_ns for path in (cut / "seed0-fold0").rglob("*")}
    for fold in (0, 1):
        one, other = (read_log(run / f"seed0-fold{fold}" / "log.csv") for run in (whole, cut))
        assert [row["epoch"] for row in one] == [row["epoch"] for row in other] == [1, 2, 3]
        for a, b in zip(one, other, strict=True):
            assert a == pytest.approx(b, abs=1e-5)
        one, other = (predictions.read(run / f"seed0-fold{fold}") for run in (whole, cut))
        columns = [f"p_{label}" for label in predictions.classes(one)]
        np.testing.assert_allclose(one[columns], other[columns], atol=2e-4)
    assert not [path for path in cut.rglob("*") if "partial" in path.name or path.name == "state.npz"]
