import numpy as np
import pytest

from serzoo import building, config

torch = pytest.importorskip("torch", reason="needs PyTorch, with which the benchmarks compare")
from tests.benchmarks.torch_network import TorchNetwork  # noqa: E402


@pytest.mark.parametrize("standardize", ["utterance", "utterance_active", "utterance_all", "utterance_all_active"])
def test_pytorch_gives_the_same_probabilities(standardize):
    """Alone, in a batch of several lengths with garbage in the padding, and without lengths."""
    settings = config.load(
        "cnn_ablstm_mtl",
        {"model.conv_filters": [4, 5, 6, 7, 8], "model.lstm_units": 5, "frontend.standardize": standardize},
    )
    model = building.build(settings, building.heads_of(settings, ["anger", "neutral", "sadness"]), seed=0)
    rng = np.random.default_rng(0)
    for weight in model.weights:  # moving statistics of a fresh model would hide an error
        if "moving" in weight.path:
            weight.assign(rng.uniform(0.5, 1.5, weight.shape))
    waveform = rng.standard_normal((4, 20000)).astype("float32")
    waveform[:, 2000:5000] *= 1e-3  # a pause, which is not active
    num_samples = np.array([20000, 11111, 5000, 300], "int32")
    network = TorchNetwork(model).eval()
    with torch.inference_mode():
        for inputs in ({"waveform": waveform, "num_samples": num_samples}, {"waveform": waveform[:1, :9000]}):
            got = network(**{key: torch.from_numpy(value) for key, value in inputs.items()})
            full = np.full(len(inputs["waveform"]), inputs["waveform"].shape[1], "int32")
            wanted = model.predict_on_batch({"num_samples": full, **inputs})
            for task in ("emotion", "gender"):
                np.testing.assert_allclose(got[task].numpy(), wanted[task], atol=1e-5)
