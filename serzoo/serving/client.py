"""The client of a served export: any recording in, labels and scores out, as from the model itself."""

import numbers
import random
import time
from collections.abc import Mapping, Sequence

import numpy as np

from serzoo import audio
from serzoo.errors import AudioError, ServingError
from serzoo.listener import Listener, padded
from serzoo.serving.transport import connect

LENGTHS_S = (3, 6, 12, 30)
"""Lengths in seconds to which the client pads, each with a name of its own on a server of the serving kit."""

MAX_BATCH_SIZE = 32
"""Rows of a request at most; the batching config of the serving kit allows no more."""

_FIRST_WAIT_S = 0.1
_LONGEST_WAIT_S = 2.0


class Client(Listener):
    """A served model that answers as the model itself would: ``classify``, ``segments``, ``embed``.

    Files and arrays are read here, cut as the model itself cuts them, padded and sent to the signature ``padded``;
    ``bytes`` go unread to ``wav_bytes``. REST needs no TensorFlow on this machine; gRPC is faster, and imports what
    tensorflow-serving-api imports. A client may be used by several threads.

    The batcher of TensorFlow Serving joins the requests to one name and refuses unequal shapes. So the serving kit
    serves the same files under one name more for each allowed length (``ser-3s``, ``ser-6s``, ...), where shapes are
    always equal, and the client pads each clip to the next length and asks that name.

    Args:
        url: ``http://HOST:8501/v1/models/NAME`` for REST, ``grpc://HOST:8500/NAME`` for gRPC, either with
            ``/versions/N`` for one version; ``https`` and ``grpcs`` for TLS.
        timeout_s: deadline of one request in seconds, repetitions included.
        lengths_s: allowed lengths in whole seconds; None for a server without the serving kit and without batching:
            clips are then sent at their own length to NAME alone.

    Raises:
        ServingError: if the URL is none of these; and from every method if the server cannot be reached, refuses, or
            does not answer in time. Only where it is unavailable is a request repeated, with growing pauses.

    Example:
        >>> client = Client("http://localhost:8501/v1/models/ser")
        >>> client.classify("call.mp3")  # doctest: +SKIP
        [{'label': 'anger', 'score': 0.81}, ...]
    """

    sample_rate_hz = audio.SAMPLE_RATE_HZ
    card = {}  # the server does not tell it; the model card stands in the assets of the export

    def __init__(self, url: str, *, timeout_s: float = 10.0, lengths_s: Sequence[int] | None = LENGTHS_S):
        if not isinstance(timeout_s, numbers.Real) or not timeout_s > 0:
            raise ServingError(f"timeout_s must be seconds > 0. Received: {timeout_s!r}.", "INVALID_ARGUMENT")
        if lengths_s is not None and not (lengths_s and all(isinstance(each, int) and each > 0 for each in lengths_s)):
            raise ServingError(
                f"lengths_s must be whole seconds > 0, or None. Received: {lengths_s!r}.", "INVALID_ARGUMENT"
            )
        self.url = self.name = url
        self.timeout_s = timeout_s
        self.lengths_s = None if lengths_s is None else tuple(sorted(lengths_s))
        self._transport = connect(url)
        self._classes = None

    def __enter__(self) -> "Client":
        return self

    def __exit__(self, *exception) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._transport.close()

    @property
    def heads(self) -> dict[str, list[str]]:
        """``{"emotion": classes}``; the server is asked once."""
        if self._classes is None:
            self.predict_on_batch(padded([np.zeros(self.sample_rate_hz, "float32")]))
        return {"emotion": self._classes}

    def classify(self, source, sample_rate_hz: int | None = None) -> list:
        """Judge the emotion of a recording.

        Args:
            source: path, array or list, as of :meth:`serzoo.models.Classifier.classify`; or the bytes of a WAV file
                with 16-bit samples, which the server reads, resamples and judges as a whole.
            sample_rate_hz: rate of the arrays in Hz.

        Returns:
            ``[{"label": "anger", "score": 0.81}, ...]``, highest score first; a list of these for a list.

        Raises:
            AudioError: if the sound cannot be read or judged.
            MissingFileError: if there is no such file.
            ServingError: as :class:`Client`.
        """
        if isinstance(source, bytes):
            scores = self._checked(self.predict("wav_bytes", {"audio": np.array([source], object)}))["emotion"][0]
            return [{"label": self.classes[i], "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")]
        return super().classify(source, sample_rate_hz)

    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """Judge padded clips, in requests of ``MAX_BATCH_SIZE`` rows at most.

        Args:
            inputs: ``{"waveform": (batch, samples), "num_samples": (batch,)}`` at 16 kHz.

        Returns:
            Outputs of the signature ``padded``: ``emotion``, ``classes``, ``embedding``, ``status``.

        Raises:
            AudioError: if there is no clip, one is longer than the longest allowed length, or the server cannot judge
                it.
            ServingError: as :class:`Client`.
        """
        waveform, name = np.asarray(inputs["waveform"], "float32"), None
        if not len(waveform):
            raise AudioError("A batch must hold one clip or more. Received: 0.")
        if self.lengths_s is not None:
            length_s = self._next_length(waveform.shape[1])
            waveform = np.pad(waveform, ((0, 0), (0, length_s * self.sample_rate_hz - waveform.shape[1])))
            name = name_of_length(self._transport.name, length_s)
        answers = []
        for first in range(0, len(waveform), MAX_BATCH_SIZE):
            rows = slice(first, first + MAX_BATCH_SIZE)
            part = {"waveform": waveform[rows], "num_samples": np.asarray(inputs["num_samples"][rows], "int32")}
            try:
                answers.append(self._checked(self.predict("padded", part, name=name)))
            except ServingError as error:
                if error.code != "NOT_FOUND" or name is None:
                    raise
                raise ServingError(
                    f"{error} If only the name {name} is missing, serve the models.config of the serving kit, "
                    "or use Client(url, lengths_s=None).",
                    error.code,
                ) from error
        return {key: np.concatenate([answer[key] for answer in answers]) for key in answers[0]}

    def predict(self, signature: str, inputs: Mapping[str, np.ndarray], *, name: str | None = None) -> dict:
        """Ask any signature, with the deadline and the repetitions of this client.

        Args:
            signature: such as ``"segments"``.
            inputs: arrays; those of ``bytes`` have dtype object.
            name: name of the served model; that of the URL by default.

        Returns:
            Arrays by name of the output; strings are ``str`` in arrays of dtype object.

        Raises:
            ServingError: as :class:`Client`.
        """
        deadline = time.monotonic() + self.timeout_s
        wait_s, unavailable = _FIRST_WAIT_S, None
        while True:
            try:
                remaining_s = max(deadline - time.monotonic(), 1e-3)
                return self._transport.predict(name or self._transport.name, signature, inputs, remaining_s)
            except ServingError as error:
                # Anything else than unavailability would only fail again, or was already carried out.
                if error.code != "UNAVAILABLE":
                    if unavailable and error.code == "DEADLINE_EXCEEDED":
                        raise unavailable from error  # a last try with no time left tells less than the one before
                    raise
                unavailable = error
            pause_s = wait_s * random.uniform(0.5, 1.0)  # apart, so that clients do not come back all at once
            if time.monotonic() + pause_s > deadline:
                raise unavailable
            time.sleep(pause_s)
            wait_s = min(2 * wait_s, _LONGEST_WAIT_S)

    def _next_length(self, num_samples: int) -> int:
        for length_s in self.lengths_s:
            if num_samples <= length_s * self.sample_rate_hz:
                return length_s
        raise AudioError(
            f"A clip or window must last {self.lengths_s[-1]} s or less, the longest of lengths_s. "
            f"Received: {num_samples / self.sample_rate_hz:.4g} s."
        )

    def _checked(self, answer: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        refused = [status for status in answer["status"] if status != "ok"]
        if refused:
            raise AudioError(f"{self.url} cannot judge the recording: {refused[0]}")
        classes = [str(each) for each in answer["classes"][0]]
        if self._classes not in (None, classes):
            raise ServingError(
                f"{self.url} changed its classes from {self._classes} to {classes}; make a new client.",
                "FAILED_PRECONDITION",
            )
        self._classes = classes
        return answer


def name_of_length(name: str, length_s: int) -> str:
    """Name under which the serving kit serves a model for clips of one length, such as ``"ser-3s"``."""
    return f"{name}-{length_s}s"
