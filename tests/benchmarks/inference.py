"""A batch of 32 clips from waveform to probabilities, against the same network in PyTorch: one thread each."""

from collections.abc import Iterator

from tests.benchmarks.measure import Figure, compare, in_turn
from tests.benchmarks.network import pair


def figures() -> Iterator[Figure]:
    """The Keras model as ``predict`` runs it, and as a SavedModel is exported (convolutions and recurrence fused)."""
    import tensorflow as tf
    import torch

    from serzoo.export.fused import fused
    from serzoo.export.inference import inference_model

    _, model, network, batch = pair()
    network.eval()
    waveform = torch.from_numpy(batch["waveform"])
    tensors = {key: tf.constant(value) for key, value in batch.items()}
    exported = fused(inference_model(model))

    def in_torch():
        with torch.inference_mode():
            return network(waveform)

    sides = {
        "PyTorch": in_torch,
        "Keras": tf.function(lambda: model(tensors, training=False)),
        "SavedModel": tf.function(lambda: exported(tensors, training=False)),
    }
    seconds = in_turn(sides, turns=15)
    for name, bar in (("Keras", ">= 1.0"), ("SavedModel", "")):
        yield compare(f"inference, {name} against PyTorch", seconds["PyTorch"], seconds[name], bar)
