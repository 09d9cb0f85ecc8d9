"""``cnn_ablstm_mtl`` in Keras and in PyTorch, with the same weights and the same answers."""

import numpy as np

from tests.benchmarks.measure import noise_batch

TOLERANCE = 1e-4
NO_MASKS = {"augmentation.num_time_masks": 0, "augmentation.num_mel_masks": 0}  # the PyTorch network has none


def pair(overrides=NO_MASKS):
    """Build both networks.

    Returns:
        Config, Keras model, PyTorch network, and the batch on which they were seen to agree.

    Raises:
        SystemExit: if they do not agree to 1e-4.
    """
    import torch

    from serzoo import building, config
    from tests.benchmarks.torch_network import TorchNetwork

    torch.set_num_threads(1)
    settings = config.load("cnn_ablstm_mtl", overrides)
    classes = ["anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
    model = building.build(settings, building.heads_of(settings, classes), seed=0)
    network, batch = TorchNetwork(model), noise_batch()
    wanted = model.predict_on_batch(batch)
    with torch.inference_mode():
        got = network.eval()(torch.from_numpy(batch["waveform"]))
    difference = max(np.abs(got[task].numpy() - wanted[task]).max() for task in wanted)
    if difference > TOLERANCE:
        raise SystemExit(f"The PyTorch network differs from the Keras one by {difference:.1e}.")
    return settings, model, network, batch
