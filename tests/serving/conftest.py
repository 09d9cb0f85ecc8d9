"""A served toy for the tests of the client."""

import pytest

pytest.importorskip("tensorflow_serving", reason="needs the extra `serving`")

from serzoo import building, config, serving
from serzoo.export.savedmodel import write
from tests.serving.loopback import Loopback
from tests.serving.toy_export import CLASSES, save

BATCHING = {
    "max_batch_size": serving.MAX_BATCH_SIZE,
    "batch_timeout_micros": 20_000,
    "max_enqueued_batches": 100,
    "allowed_batch_sizes": [1, 2, 4, 8, 16, 32],
}


@pytest.fixture(scope="session")
def toy_export(tmp_path_factory):
    """Base path of the toy."""
    return save(str(tmp_path_factory.mktemp("toy")))


@pytest.fixture(scope="session")
def toy_server(toy_export):
    """The toy under the names of the serving kit, behind a batcher."""
    names = ["toy", *(serving.name_of_length("toy", length_s) for length_s in serving.LENGTHS_S)]
    with Loopback(dict.fromkeys(names, toy_export), BATCHING) as server:
        yield server


@pytest.fixture
def server(toy_server):
    """The served toy, with nothing left of the test before."""
    toy_server.failures.clear()
    toy_server.batch_sizes.clear()
    toy_server.delay_s = 0.0
    toy_server.num_requests = 0
    yield toy_server
    toy_server.failures.clear()
    toy_server.delay_s = 0.0


@pytest.fixture(scope="session")
def model():
    """A small network."""
    settings = config.load("cnn_ablstm_mtl", {"model.conv_filters": [4] * 5, "model.lstm_units": 4})
    return building.build(settings, building.heads_of(settings, CLASSES), seed=1)


@pytest.fixture(scope="session")
def base(model, tmp_path_factory):
    """Base path of an export with its serving kit."""
    base = tmp_path_factory.mktemp("served") / "ser"
    write(model, base, serving_kit=True)
    return base
