import pytest
import small

from serzoo.export.savedmodel import SavedModelExport, write


@pytest.fixture(scope="session")
def small_model():
    return small.model("cnn_ablstm_mtl")


@pytest.fixture(scope="session")
def base(small_model, tmp_path_factory):
    """The base path of a SavedModel with one version, whose segments last 0.5 s every 0.2 s."""
    base = tmp_path_factory.mktemp("served") / "ser"
    write(small_model, base, window_s=0.5, hop_s=0.2)
    return base


@pytest.fixture(scope="session")
def served(base):
    return SavedModelExport(base / "1")
