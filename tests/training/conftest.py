import pytest
import toy_model

from serzoo import registry


@pytest.fixture(scope="session")
def emodb(tmp_path_factory):
    """Root of a small corpus in the layout of EmoDB."""
    return toy_model.write_emodb(tmp_path_factory.mktemp("corpora") / "emodb")


@pytest.fixture(autouse=True)
def toy_is_registered(monkeypatch):
    monkeypatch.setitem(registry.BUILDERS, "toy", "toy_model:build")


@pytest.fixture(scope="session")
def toy_yaml(tmp_path_factory):
    return toy_model.write_config(tmp_path_factory.mktemp("configs"))


@pytest.fixture(scope="session")
def toy_run(tmp_path_factory, emodb, toy_yaml):
    """A finished run of the toy, three folds and one seed; not to be changed."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.BUILDERS, "toy", "toy_model:build")
        return toy_model.train(toy_yaml, emodb, tmp_path_factory.mktemp("runs") / "run")
