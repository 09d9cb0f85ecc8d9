"""What every judge of recordings can do, whatever computes its answers: a Keras model, or an export of one."""

import numbers
import os
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np

from serzoo import audio, scales
from serzoo.errors import AudioError, SerzooError, WeightsError

WHOLE_CLIP_S = 30.0  # longer recordings are judged in windows of this length, so that memory does not grow
BATCH_S = 60.0  # seconds of sound judged at once: about 130 MB beside the model
MIN_HOP_S = 0.01


class Listener:
    """From any recording to labels and scores.

    Whoever inherits gives ``predict_on_batch(inputs)``, which takes what :func:`padded` makes and answers with
    ``{task: (batch, classes)}``, and the attributes below.

    Attributes:
        name: name of the model.
        heads: class names of each task, in the order of its output.
        sample_rate_hz: rate of the waveforms.
        card: provenance, plain data: ``model``, ``tag``, ``licence``, ``commercial``, ``corpora`` (speakers of each
            training corpus), ``protocol``; empty for a model with fresh weights.
    """

    name: str
    heads: Mapping[str, Sequence[str]]
    sample_rate_hz: int
    card: Mapping

    # --- what it is ---------------------------------------------------------------------------------------------

    @property
    def classes(self) -> list[str]:
        """Emotions, in the order of the output ``"emotion"``."""
        if "emotion" not in self.heads:
            raise WeightsError(
                f"{self.name} has lost its classes, as of keras.models.clone_model. A copy is "
                "type(model).from_config(model.get_config()), with the weights set."
            )
        return list(self.heads["emotion"])

    @property
    def tag(self) -> str | None:
        """Tag of the weights, as in ``name.tag``; None for weights that do not ship with serzoo."""
        return self.card.get("tag")

    @property
    def full_name(self) -> str:
        """``name.tag``, as :func:`serzoo.load` takes it; the name alone of weights that do not ship with serzoo."""
        return f"{self.name}.{self.tag}" if self.tag else self.name

    @property
    def licence(self) -> str | None:
        """SPDX name of the licence of the weights; None for fresh ones."""
        return self.card.get("licence")

    @property
    def training_speakers(self) -> dict[str, list[str]]:
        """Speakers that the weights have seen, by corpus."""
        return {corpus: list(speakers) for corpus, speakers in self.card.get("corpora", {}).items()}

    # --- what it says -------------------------------------------------------------------------------------------

    def classify(self, source, sample_rate_hz: int | None = None) -> list:
        """Judge the emotion of a recording.

        A recording longer than 30 s is judged in pieces of 30 s, and the scores are their mean, weighted by length.

        Args:
            source: path of an audio file, or array of shape ``(samples,)`` or ``(samples, channels)``; a list of paths
                or arrays gives a list of answers.
            sample_rate_hz: rate of the arrays in Hz; files carry their own.

        Returns:
            ``[{"label": "anger", "score": 0.81}, ...]``, one entry for each class, highest score first.

        Raises:
            AudioError: if the sound cannot be read or lasts less than 0.1 s.
            MissingFileError: if there is no such file.

        Example:
            >>> import serzoo
            >>> model = serzoo.load("cnn_ablstm", weights=None)
            >>> len(model.classify("tests/data/emodb/wav/03a01Wa.wav"))
            8
        """
        if isinstance(source, (list, tuple)):
            return [self.classify(each, sample_rate_hz) for each in source]
        scores = mean_over_pieces(self.probabilities, source, sample_rate_hz)
        return [{"label": self.classes[i], "score": float(scores[i])} for i in np.argsort(-scores, kind="stable")]

    def dimensions(self, source, sample_rate_hz: int | None = None) -> dict[str, float]:
        """Judge arousal, valence and dominance of a recording, as far as the model has heads for them.

        Args:
            source: path or array, as of :meth:`classify`.
            sample_rate_hz: rate of the array in Hz.

        Returns:
            Value of each head with a scale, within it; empty for a model without any, and for exports, which answer
            emotion alone.

        Raises:
            AudioError: as :meth:`classify`.
            MissingFileError: if there is no such file.

        Example:
            >>> import serzoo
            >>> serzoo.load("runs/dimensional").dimensions("call.mp3")  # doctest: +SKIP
            {'arousal': 3.4, 'valence': 2.1}
        """
        held = [task for task, classes in self.heads.items() if scales.scale_of(classes)]
        if not held:
            return {}

        def judge(clips):
            answers = self.predict_on_batch(padded(clips))
            return np.concatenate([np.asarray(answers[task], "float32") for task in held], axis=1)

        shares = mean_over_pieces(judge, source, sample_rate_hz).reshape(-1, 1, 2)  # (heads, 1, ends)
        values = scales.values_of(dict(zip(held, shares, strict=True)), {task: self.heads[task] for task in held})
        return {task: float(value[0]) for task, value in values.items()}

    def segments(self, source, sample_rate_hz: int | None = None, *, window_s: float = 3.0, hop_s: float = 1.0) -> list:
        """Judge a recording piece by piece, in memory that does not grow with its length.

        Args:
            source: path or array, as of :meth:`classify`.
            sample_rate_hz: rate of the array in Hz.
            window_s: length of a piece in seconds, at least 0.1.
            hop_s: time between the starts of two pieces in seconds, at least 0.01; more than ``window_s`` leaves gaps.

        Returns:
            ``[{"start": 0.0, "end": 3.0, "label": "anger", "score": 0.81}, ...]``, times in seconds. The last piece
            ends with the recording, and so may be shorter; a rest of less than 0.1 s is not judged.

        Raises:
            AudioError: as :meth:`classify`, or if ``window_s`` or ``hop_s`` is out of its range.
            MissingFileError: if there is no such file.

        Example:
            >>> import serzoo
            >>> model = serzoo.load("cnn_ablstm_mtl", weights=None)
            >>> [each["start"] for each in model.segments("tests/data/emodb/wav/03a01Wa.wav", window_s=1.0, hop_s=0.5)]
            [0.0, 0.5, 1.0]
        """
        check_windows(window_s, hop_s, AudioError)
        found = []
        for starts, clips in _batches(source, sample_rate_hz, window_s, hop_s):
            for start, clip, scores in zip(starts, clips, self.probabilities(clips), strict=True):
                best = int(np.argmax(scores))
                times = {"start": start / audio.SAMPLE_RATE_HZ, "end": (start + len(clip)) / audio.SAMPLE_RATE_HZ}
                found.append({**times, "label": self.classes[best], "score": float(scores[best])})
        return found

    def embed(self, source, sample_rate_hz: int | None = None) -> np.ndarray:
        """Read the pooled embedding of a recording; those of one longer than 30 s are averaged as by :meth:`classify`.

        Args:
            source: path or array, as of :meth:`classify`.
            sample_rate_hz: rate of the array in Hz.

        Returns:
            Features of shape ``(features,)``, float32.

        Raises:
            AudioError: as :meth:`classify`.
            MissingFileError: if there is no such file.
        """

        def read(clips):
            return self.predict_on_batch(padded(clips))["embedding"]

        return mean_over_pieces(read, source, sample_rate_hz).astype("float32")

    def probabilities(self, clips: Sequence[np.ndarray], task: str = "emotion") -> np.ndarray:
        """Probabilities of one task for clips of any lengths.

        Args:
            clips: waveforms ``(samples,)`` at ``sample_rate_hz``.
            task: name of a head.

        Returns:
            Float32 of shape ``(clips, classes)``.
        """
        return np.asarray(self.predict_on_batch(padded(clips))[task], "float32")


def check_windows(window_s: float, hop_s: float, error: type[SerzooError]) -> None:
    """Check the length of windows and the time between their starts, both in seconds.

    Raises:
        SerzooError: of the class ``error``, if one of them is out of its range.
    """
    check_seconds("window_s", window_s, audio.MIN_DURATION_S, error)
    check_seconds("hop_s", hop_s, MIN_HOP_S, error)


def check_seconds(what: str, value: float, least: float, error: type[SerzooError]) -> None:
    """Check a time in seconds.

    Args:
        what: name of the argument, for the message.
        value: the time.
        least: least time allowed; the greatest one is that of a recording.
        error: class of the error.

    Raises:
        SerzooError: of the class ``error``, if the time is out of this range.
    """
    if not isinstance(value, numbers.Real) or not least <= value <= audio.MAX_DURATION_S:
        raise error(f"{what} must be {least} to {audio.MAX_DURATION_S} seconds. Received: {value!r}.")


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


def mean_over_pieces(judge: Callable, source, sample_rate_hz: int | None) -> np.ndarray:
    """Mean of ``judge(clips)`` over the pieces of a recording, weighted by their length."""
    total, num_samples = 0.0, 0
    for _, clips in _batches(source, sample_rate_hz, WHOLE_CLIP_S, WHOLE_CLIP_S):
        lengths = np.array([len(clip) for clip in clips])
        total = total + lengths @ np.asarray(judge(clips), "float64")
        num_samples += lengths.sum()
    return total / num_samples


def _batches(source, sample_rate_hz, window_s: float, hop_s: float) -> Iterator[tuple[list[int], list[np.ndarray]]]:
    """Join the pieces of a recording to batches: ([first sample, ...], [waveform, ...])."""
    size = max(1, int(BATCH_S // window_s))
    starts, clips = [], []
    for start, clip in _pieces(source, sample_rate_hz, window_s, hop_s):
        starts.append(start)
        clips.append(clip)
        if len(clips) == size:
            yield starts, clips
            starts, clips = [], []
    if clips:
        yield starts, clips


def _pieces(source, sample_rate_hz, window_s: float, hop_s: float) -> Iterator[tuple[int, np.ndarray]]:
    """Cut a recording: (first sample, waveform) of each piece."""
    window, hop = round(window_s * audio.SAMPLE_RATE_HZ), round(hop_s * audio.SAMPLE_RATE_HZ)
    held, first = np.zeros(0, "float32"), 0  # what was read and is still needed, and its first sample
    start, silent = 0, True
    for block in _blocks(source, sample_rate_hz):
        silent = silent and not block.any()
        held = np.concatenate([held, block])
        # A piece that ends where the block ends may be the last one.
        while first + len(held) > start + window:
            yield start, held[start - first : start - first + window].copy()
            start += hop
        past = min(start - first, len(held))
        held, first = held[past:], first + past
    rest = held[start - first :]
    if start == 0 or len(rest) >= audio.MIN_DURATION_S * audio.SAMPLE_RATE_HZ:
        yield start, rest
    if silent:
        name = source if isinstance(source, (str, os.PathLike)) else "The array"
        warnings.warn(
            f"{name} is digital silence, or its channels cancel each other: its scores tell nothing about a speaker.",
            stacklevel=4,
        )


def _blocks(source, sample_rate_hz: int | None) -> Iterable[np.ndarray]:
    if not isinstance(source, (str, os.PathLike)):
        return [audio.read(source, sample_rate_hz)]
    if sample_rate_hz is not None and (rate := audio.info(source).sample_rate_hz) != sample_rate_hz:
        raise AudioError(f"sample_rate_hz is for arrays; {source} says itself: {rate}. Received: {sample_rate_hz}.")
    return audio.blocks(source)
