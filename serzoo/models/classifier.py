"""The model that every builder returns: a functional ``keras.Model`` that knows its classes and where it comes from."""

import warnings
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

import keras
import numpy as np

from serzoo import audio
from serzoo.errors import AudioError, unknown_name

WHOLE_CLIP_S = 30.0  # longer recordings are judged in windows of this length, so that memory does not grow
BATCH_SIZE = 16


@keras.saving.register_keras_serializable("serzoo")
class Classifier(keras.Model):
    """Functional model from a waveform to the probabilities of each task.

    It is a ``keras.Model`` as any other: ``compile``, ``fit``, ``summary`` and ``save`` work on it. Inputs are
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
        self._readers = {}  # sub-models of `embed`, by layer

    # --- what it is ---------------------------------------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """Emotions, in the order of the output ``"emotion"``."""
        return list(self.heads["emotion"])

    @property
    def licence(self) -> str | None:
        """SPDX name of the licence of the weights; None for fresh ones."""
        return self.card.get("licence")

    @property
    def training_speakers(self) -> dict[str, list[str]]:
        """Speakers that the weights have seen, by corpus."""
        return {corpus: list(speakers) for corpus, speakers in self.card.get("corpora", {}).items()}

    def get_config(self):
        config = super().get_config()
        config.update(
            heads={task: list(classes) for task, classes in self.heads.items()},
            sample_rate_hz=self.sample_rate_hz,
            card=plain(self.card),
        )
        return config

    # --- what it says -------------------------------------------------------------------------------------------

    def classify(self, source, sample_rate_hz: int | None = None) -> list:
        """Judge the emotion of a recording.

        Recordings longer than 30 s are judged in windows of 30 s, weighted by their length.

        Args:
            source: path of an audio file, or samples of shape ``(samples,)`` or ``(samples, channels)``; a list of
                paths or arrays gives a list of answers.
            sample_rate_hz: rate of the samples; needed for arrays, refused nowhere.

        Returns:
            ``[{"label": "anger", "score": 0.81}, ...]``, highest score first.

        Raises:
            AudioError: if the sound cannot be read or lasts less than 0.1 s.
            MissingFileError: if there is no such file.

        Example:
            >>> import serzoo
            >>> model = serzoo.load("cnn_ablstm_mtl")
            >>> answer = model.classify("tests/data/emodb/wav/03a01Nc.wav")  # doctest: +SKIP
        """
        if isinstance(source, (list, tuple)) and not _is_samples(source):
            return [self.classify(one, sample_rate_hz) for one in source]
        total, weight = 0.0, 0
        for _, clips in _batches(_windows(source, sample_rate_hz, WHOLE_CLIP_S, WHOLE_CLIP_S), BATCH_SIZE):
            lengths = np.array([len(clip) for clip in clips])
            total = total + lengths @ self.probabilities(clips)
            weight += lengths.sum()
        scores = total / weight
        return [{"label": self.classes[i], "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")]

    def segments(self, source, sample_rate_hz: int | None = None, *, window_s: float = 3.0, hop_s: float = 1.0) -> list:
        """Judge a recording piece by piece, in memory that does not grow with its length.

        Args:
            source: path or samples, as of :meth:`classify`.
            sample_rate_hz: rate of the samples.
            window_s: length of a piece in seconds.
            hop_s: time between the starts of two pieces in seconds.

        Returns:
            ``[{"start": 0.0, "end": 3.0, "label": "anger", "score": 0.81}, ...]``, times in seconds. The last piece
            ends with the recording.
        """
        if not window_s >= audio.MIN_DURATION_S or not hop_s > 0:
            raise AudioError(
                f"window_s must be at least {audio.MIN_DURATION_S} and hop_s greater than 0. "
                f"Received: window_s={window_s}, hop_s={hop_s}."
            )
        found = []
        for starts, clips in _batches(_windows(source, sample_rate_hz, window_s, hop_s), BATCH_SIZE):
            for start, clip, scores in zip(starts, clips, self.probabilities(clips), strict=True):
                best = int(np.argmax(scores))
                end = start + len(clip) / audio.SAMPLE_RATE_HZ
                found.append(
                    {"start": start, "end": end, "label": self.classes[best], "score": float(scores[best])},
                )
        return found

    def embed(self, source, sample_rate_hz: int | None = None, *, layer: str = "embedding") -> np.ndarray:
        """Read the features of a recording.

        Args:
            source: path or samples, as of :meth:`classify`; at most 30 s are read in one piece, longer recordings are
                averaged over pieces.
            sample_rate_hz: rate of the samples.
            layer: name of the layer whose output is read; the pooled embedding by default.

        Returns:
            Features of shape ``(features,)``, float32.
        """
        if layer not in self._readers:
            if layer not in (names := [each.name for each in self.layers]):
                raise unknown_name("layer", layer, names)
            self._readers[layer] = keras.Model(self.input, self.get_layer(layer).output)
        total, weight = 0.0, 0
        for _, clips in _batches(_windows(source, sample_rate_hz, WHOLE_CLIP_S, WHOLE_CLIP_S), BATCH_SIZE):
            lengths = np.array([len(clip) for clip in clips])
            total = total + lengths @ self._readers[layer].predict_on_batch(padded(clips))
            weight += lengths.sum()
        return np.asarray(total / weight, "float32")

    def probabilities(self, clips: Sequence[np.ndarray], task: str = "emotion") -> np.ndarray:
        """Probabilities of one task for clips of any lengths.

        Args:
            clips: waveforms ``(samples,)`` at ``sample_rate_hz``.
            task: name of a head.

        Returns:
            Float32 of shape ``(clips, classes)``.
        """
        return np.asarray(self.predict_on_batch(padded(clips))[task], "float32")


def padded(clips: Sequence[np.ndarray]) -> dict[str, np.ndarray]:
    """Join clips to one batch, zeros after the shorter ones.

    Args:
        clips: waveforms ``(samples,)``.

    Returns:
        ``{"waveform": (batch, samples) float32, "num_samples": (batch,) int32}``.
    """
    lengths = np.array([len(clip) for clip in clips], "int32")
    waveform = np.zeros((len(clips), max(lengths)), "float32")
    for row, clip in zip(waveform, clips, strict=True):
        row[: len(clip)] = clip
    return {"waveform": waveform, "num_samples": lengths}


def plain(data):
    """Copy nested dicts and lists as builtin ones, which Keras' tracked containers are not."""
    if isinstance(data, Mapping):
        return {key: plain(value) for key, value in data.items()}
    if isinstance(data, (list, tuple)):
        return [plain(value) for value in data]
    return data


def _windows(source, sample_rate_hz, window_s: float, hop_s: float) -> Iterator[tuple[float, np.ndarray]]:
    """Yield (start in seconds, samples) pieces of a recording; the last one, maybe shorter, ends with it."""
    if isinstance(source, (str, Path)):
        blocks: Iterable = audio.blocks(source)
    else:
        blocks = [audio.read(source, sample_rate_hz)]
    window, hop = (max(1, round(seconds * audio.SAMPLE_RATE_HZ)) for seconds in (window_s, min(hop_s, window_s)))
    held, start, silent = np.zeros(0, "float32"), 0, True
    for block in blocks:
        silent = silent and not block.any()
        held = np.concatenate([held, block])
        while len(held) > window:
            yield start / audio.SAMPLE_RATE_HZ, held[:window]
            held, start = held[hop:], start + hop
    if start == 0 or len(held) >= audio.MIN_DURATION_S * audio.SAMPLE_RATE_HZ:
        yield start / audio.SAMPLE_RATE_HZ, held
    if silent:
        name = source if isinstance(source, (str, Path)) else "The array"
        warnings.warn(f"{name} is digital silence: the scores say nothing about a speaker.", stacklevel=4)


def _batches(pieces: Iterable, size: int) -> Iterator[tuple[list, list]]:
    """Join (start, samples) pieces to ([start, ...], [samples, ...]) of at most ``size``."""
    starts, clips = [], []
    for start, clip in pieces:
        starts.append(start)
        clips.append(clip)
        if len(clips) == size:
            yield starts, clips
            starts, clips = [], []
    if clips:
        yield starts, clips


def _is_samples(source) -> bool:
    """Tell a list of numbers, one recording, from a list of recordings."""
    return len(source) > 0 and not isinstance(source[0], (str, Path, Sequence, np.ndarray))
