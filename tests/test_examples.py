"""Every example of a docstring gives what it says."""

import doctest
import importlib

import pytest
from test_imports import MODULES, ROOT

WITH_EXAMPLES = [path for path in MODULES if ">>> " in (ROOT / path).read_text(encoding="utf-8")]


@pytest.mark.filterwarnings("ignore:.*not for commercial use")
@pytest.mark.parametrize("path", WITH_EXAMPLES, ids=str)
def test_examples(path, monkeypatch):
    monkeypatch.chdir(ROOT)  # they name files of the repository
    module = importlib.import_module(".".join(path.with_suffix("").parts).removesuffix(".__init__"))
    assert doctest.testmod(module).failed == 0  # it prints which, and what came
