"""The log-mel layer against librosa, Keras's own layer and PyTorch: 32 clips of 3 s on one thread."""

from collections.abc import Iterator

from tests.benchmarks.measure import SAMPLE_RATE_HZ, Figure, compare, in_turn, noise_batch

FRAME, WINDOW, HOP, MELS, LOW_HZ, HIGH_HZ = 512, 400, 160, 64, 50.0, 8000.0
BARS = {
    "librosa clip by clip": ">= 5.0",
    "librosa on the batch": "",
    "keras.layers.MelSpectrogram": ">= 1.0",
    "torch.stft and mel": ">= 1.0",
}


def figures() -> Iterator[Figure]:
    """How many times as fast the layer is, in both implementations.

    The others compute in float32 throughout; ``fft`` transforms in float64 on TensorFlow, for which see its source.
    """
    import keras
    import tensorflow as tf

    from serzoo import layers

    batch = noise_batch()
    tensors = {key: tf.constant(value) for key, value in batch.items()}
    kinds = {name: layers.LogMel(implementation=name) for name in ("fft", "dft")}
    for layer in kinds.values():
        layer(**tensors)  # build it
    own = {name: tf.function(lambda layer=layer: layer(**tensors)[0]) for name, layer in kinds.items()}
    other = keras.layers.MelSpectrogram(
        FRAME, HOP, WINDOW, "hamming", SAMPLE_RATE_HZ, MELS, LOW_HZ, HIGH_HZ, power_to_db=True
    )
    sides = own | {
        # As it is used, since it knows no lengths; and at its best, where one call makes the mel filters once.
        "librosa clip by clip": lambda: [_by_librosa(clip) for clip in batch["waveform"]],
        "librosa on the batch": lambda: _by_librosa(batch["waveform"]),
        "keras.layers.MelSpectrogram": tf.function(lambda: other(tensors["waveform"])),
        "torch.stft and mel": _by_torch(batch["waveform"], kinds["fft"]),
    }
    seconds = in_turn(sides, turns=11)
    for name in own:
        for yardstick, bar in BARS.items():
            bar = bar if name == "fft" else ""
            yield compare(f"LogMel `{name}` against {yardstick}", seconds[yardstick], seconds[name], bar)


def _by_librosa(waveform):
    import librosa
    import numpy as np

    power = librosa.feature.melspectrogram(
        y=waveform,
        sr=SAMPLE_RATE_HZ,
        n_fft=FRAME,
        hop_length=HOP,
        win_length=WINDOW,
        window="hamming",
        center=False,
        n_mels=MELS,
        fmin=LOW_HZ,
        fmax=HIGH_HZ,
        htk=True,
        norm=None,
    )
    return np.log(np.maximum(power, 1e-10))


def _by_torch(waveform, layer):
    import torch

    from tests.benchmarks.torch_network import LogMel

    torch.set_num_threads(1)
    own, tensor = LogMel(layer), torch.from_numpy(waveform)

    def run():
        with torch.inference_mode():
            return own(tensor, None)[0]

    return run
