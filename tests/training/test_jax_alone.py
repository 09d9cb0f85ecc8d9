"""Training on JAX where TensorFlow cannot be imported, and its weights on the backend of these tests."""

import os
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

import serzoo
from serzoo import audio
from serzoo.evaluation import predictions

HERE = Path(__file__).resolve().parent
CHILD = """
import sys
import toy_model
from serzoo import registry
registry.BUILDERS["toy"] = "toy_model:build"
toy_model.train(*sys.argv[1:], folds=(0,))
assert "tensorflow" not in sys.modules
"""


def test_weights_of_a_machine_without_tensorflow(toy_yaml, emodb, tmp_path):
    pytest.importorskip("jax", reason="needs serzoo[jax]")
    (tmp_path / "blocked").mkdir()
    (tmp_path / "blocked" / "tensorflow.py").write_text("raise ImportError('there is no TensorFlow here')")
    paths = [tmp_path / "blocked", HERE, HERE.parents[1]]
    done = subprocess.run(
        [sys.executable, "-c", CHILD, toy_yaml, emodb, tmp_path / "run"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths)), "KERAS_BACKEND": "jax"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    fold = tmp_path / "run" / "seed0-fold0"
    told = predictions.read(fold)
    model = serzoo.load(fold)
    assert keras.backend.backend() == "tensorflow" and len(told) == 12
    found = model.probabilities([audio.read(emodb / file) for file in told["file"]])
    np.testing.assert_allclose(found, told[[f"p_{label}" for label in model.classes]], atol=1e-3)
