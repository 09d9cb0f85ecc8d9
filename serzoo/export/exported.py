"""An export seen as a classifier."""

import json
from abc import abstractmethod
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from serzoo.errors import ExportError
from serzoo.listener import Listener


class Exported(Listener):
    """A model that was exported, run by the runtime of its format; it judges recordings as a classifier does.

    Args:
        path: the file or folder, for messages.
        text: ``labels.json``, as :func:`serzoo.export.about.labels` makes it.

    Raises:
        ExportError: if the text is none.
    """

    def __init__(self, path: Path, text: bytes | str):
        try:
            labels = json.loads(text)
            self.name = str(labels["name"])
            self.heads = {"emotion": [str(label) for label in labels["classes"]]}
            self.sample_rate_hz = int(labels["sample_rate_hz"])
            self.card = dict(labels["card"])
        except (KeyError, TypeError, ValueError) as error:
            raise ExportError(f"{path} must hold the labels of a serzoo export. Received: {error!r}.") from error
        self.path = path

    @abstractmethod
    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Judge a batch.

        Args:
            inputs: ``{"waveform": (batch, samples), "num_samples": (batch,)}``.

        Returns:
            ``{"emotion": (batch, classes), "embedding": (batch, features)}`` float32.
        """
