"""The range of versions: its sentences, and what an import says outside it."""

import os
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import pytest

from serzoo import versions
from serzoo.errors import VersionError

ROOT = Path(__file__).resolve().parent.parent


@pytest.mark.parametrize("version", ["3.8.0", "3.10.0", "3.15.1", keras.__version__])
def test_the_range(version):
    assert versions.keras_problem(version) is None


def test_an_import_says_the_range(monkeypatch):
    monkeypatch.setattr(keras, "__version__", "3.7.0")
    with pytest.raises(VersionError, match="Keras 3.7.0 is too old, serzoo needs 3.8 to 3.15: "):
        versions.check_keras()
    monkeypatch.setattr(keras, "__version__", "3.16.0.dev2")
    with pytest.warns(UserWarning, match="Keras 3.16.0.dev2 is newer than what serzoo is tested with, 3.8 to 3.15"):
        versions.check_keras()
    monkeypatch.setattr(keras, "__version__", "3.9.2")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        versions.check_keras()


@pytest.mark.parametrize("module", ["serzoo.layers", "serzoo.models", "serzoo.zoo", "serzoo.pipeline"])
def test_an_old_keras_is_named_before_anything_breaks(tmp_path, module):
    """Keras 2 knows no ``keras.ops``: an error about that would help nobody."""
    (tmp_path / "keras.py").write_text("__version__ = '2.15.0'\nclass utils: PyDataset = object\n")
    code = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\ntry:\n import {module}\nexcept ImportError as e: print(e)"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=120, env=environment)
    assert done.stdout.startswith("Keras 2.15.0 is too old, serzoo needs 3.8 to 3.15: python -m pip install"), (
        done.stderr
    )
