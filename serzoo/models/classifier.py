"""The model that every builder returns: a functional ``keras.Model`` that knows its classes and where it comes from."""

from collections.abc import Mapping

import keras
import numpy as np

from serzoo import audio
from serzoo.errors import unknown_name
from serzoo.listener import Listener, mean_over_pieces, padded

__all__ = ["Classifier", "plain"]


@keras.saving.register_keras_serializable("serzoo")
class Classifier(Listener, keras.Model):
    """Functional model from a waveform to the probabilities of each task.

    It is a ``keras.Model`` as any other: ``compile``, ``fit``, ``summary`` and ``save`` work on it; what it says of
    recordings is :class:`serzoo.listener.Listener`'s. Inputs are
    ``{"waveform": (batch, samples), "num_samples": (batch,)}`` at ``sample_rate_hz``, outputs ``{task: (batch,
    classes)}``.

    Args:
        inputs: as of ``keras.Model``.
        outputs: as of ``keras.Model``, a dict with an entry ``"emotion"``.
        heads: class names of each task, in the order of its output.
        sample_rate_hz: rate of the waveform.
        card: provenance, plain data: ``model``, ``tag``, ``licence``, ``commercial``, ``corpora`` (speakers of each
            training corpus), ``protocol``; empty for a model with fresh weights.
    """

    def __init__(self, *args, heads=None, sample_rate_hz=audio.SAMPLE_RATE_HZ, card=None, **kwargs):
        super().__init__(*args, **kwargs)
        self.heads = {task: list(classes) for task, classes in (heads or {}).items()}
        self.sample_rate_hz = sample_rate_hz
        self.card = dict(card or {})
        self._readers = {}  # of `embed`, by layer: functions, because Keras would save sub-models with the weights

    def get_config(self):
        config = super().get_config()
        config.update(
            heads={task: list(classes) for task, classes in self.heads.items()},
            sample_rate_hz=self.sample_rate_hz,
            card=plain(self.card),
        )
        return config

    def embed(self, source, sample_rate_hz: int | None = None, *, layer: str = "embedding") -> np.ndarray:
        """Read the features of a recording; those of one longer than 30 s are averaged as by :meth:`classify`.

        Args:
            source: path or array, as of :meth:`classify`.
            sample_rate_hz: rate of the array in Hz.
            layer: name of a layer with output ``(batch, features)``; the pooled embedding by default.

        Returns:
            Features of shape ``(features,)``, float32.

        Raises:
            UnknownNameError: if no layer with such an output has this name.
            AudioError: as :meth:`classify`.
            MissingFileError: if there is no such file.

        Example:
            >>> import serzoo
            >>> model = serzoo.load("cnn_ablstm_mtl", weights=None)
            >>> model.embed("tests/data/emodb/wav/03a01Wa.wav").shape
            (192,)
        """
        if layer not in self._readers:
            outputs = {each.name: each.output for each in self.layers if _gives_features(each)}
            if layer not in outputs:
                raise unknown_name("layer", layer, outputs)
            self._readers[layer] = keras.Model(self.input, outputs[layer]).predict_on_batch
        read = self._readers[layer]
        return mean_over_pieces(lambda clips: read(padded(clips)), source, sample_rate_hz).astype("float32")


def plain(data):
    """Copy nested dicts and lists as builtin ones, which Keras' tracked containers are not."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    return data


def _gives_features(layer) -> bool:
    shape = getattr(layer.output, "shape", ())
    return len(shape) == 2 and shape[1] is not None
