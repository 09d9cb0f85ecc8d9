"""What is done to the sound before a model is asked again: noise, rooms, the telephone, coding, level, speed.

A condition takes a waveform at 16 kHz and a random generator, and gives the changed waveform. The generator decides
which recording is mixed in and from where; it depends on the seed and the place of the clip alone, so that a clip meets
the same noise at every ratio.
"""

import functools
import io
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from serzoo import audio
from serzoo import corpora as readers
from serzoo.errors import CorpusError
from serzoo.noises import CLEAN

Change = Callable[[np.ndarray, np.random.Generator], np.ndarray]
Draw = Callable[[np.random.Generator], np.ndarray]
SNRS_DB = (20.0, 10.0, 0.0)
RATE = audio.SAMPLE_RATE_HZ
TELEPHONE_HZ, TELEPHONE_BAND_HZ = 8000, (300.0, 3400.0)
# The level at which libsndfile codes 16 kHz mono with a constant 32 kbit/s, and what its encoder puts in front.
_MP3_LEVEL, _MP3_DELAY = 0.85, 1105


@dataclass(frozen=True)
class Condition:
    """One way to change the sound.

    Args:
        name: as in the column ``condition`` of predictions, such as ``"rain 10 dB"``.
        kind: what is changed, such as ``"noise: rain"``; conditions of a kind differ in strength.
        change: waveform and generator to waveform; None changes nothing.
    """

    name: str
    kind: str
    change: Change | None


class Changed:
    """Clips under a condition, for :func:`serzoo.pipeline.predict`.

    Args:
        clips: waveforms ``(samples,)`` at 16 kHz.
        condition: what to do to each.
        seed: of the draws.
    """

    def __init__(self, clips: Sequence[np.ndarray], condition: Condition, seed: int = 0):
        self._clips, self._change, self._seed = clips, condition.change, seed

    def __len__(self) -> int:
        return len(self._clips)

    def __getitem__(self, index: int) -> np.ndarray:
        clip = self._clips[index]
        if self._change is None:
            return clip
        return np.asarray(self._change(clip, np.random.default_rng([self._seed, int(index)])), "float32")


def conditions(
    noises: Mapping[str, Draw] | None = None,
    rooms: Mapping[str, np.ndarray] | None = None,
    snrs_db: Sequence[float] = SNRS_DB,
) -> list[Condition]:
    """List what a model is tried under, the clean sound first.

    Args:
        noises: by type, a function that draws a recording.
        rooms: impulse responses by name.
        snrs_db: signal-to-noise ratios over the active samples, in dB.

    Raises:
        CorpusError: if a ratio is not a number.

    Example:
        >>> [each.name for each in conditions(snrs_db=[10])][:3]
        ['clean', 'white 10 dB', 'telephone 8 kHz']
    """
    check_ratios(snrs_db)
    noises = {"white": _white, **(noises or {})}
    found = [Condition(CLEAN, CLEAN, None)]
    found += [noisy(name, draw, snr_db) for name, draw in noises.items() for snr_db in snrs_db]
    found += [
        Condition(f"room {name}", "reverberation", functools.partial(_in_room, room=room))
        for name, room in (rooms or {}).items()
    ]
    found.append(Condition("telephone 8 kHz", "telephone", lambda clip, _: telephone(clip)))
    found.append(Condition("mp3 32 kbit/s", "coding", lambda clip, _: mp3(clip)))
    found += [
        Condition(f"clipped {100 * share:g} %", "clipping", lambda clip, _, share=share: clipped(clip, share))
        for share in (0.01, 0.1)
    ]
    found += [
        Condition(f"gain {gain_db:+g} dB", "gain", lambda clip, _, gain_db=gain_db: clip * 10 ** (gain_db / 20))
        for gain_db in (-30, -10, 10)
    ]
    found += [
        Condition(f"speed {factor:g}", "speed", lambda clip, _, factor=factor: faster(clip, factor))
        for factor in (0.8, 0.9, 1.1, 1.25)
    ]
    return found


def check_ratios(snrs_db: Sequence[float]) -> None:
    """Check that signal-to-noise ratios are numbers.

    Raises:
        CorpusError: if one is not.
    """
    for snr_db in snrs_db:
        if isinstance(snr_db, (str, bool)) or not np.isfinite(snr_db):
            raise CorpusError(f"snrs_db must be numbers, ratios in dB. Received: {snr_db!r}.")


def noisy(name: str, draw: Draw, snr_db: float) -> Condition:
    """Make the condition that mixes in a drawn noise, at a ratio over the active samples of speech and noise."""
    return Condition(
        f"{name} {snr_db:g} dB", f"noise: {name}", functools.partial(_with_noise, draw=draw, snr_db=snr_db)
    )


def noise_draws(roots: Mapping[str, str | os.PathLike], split: str = "test") -> dict[str, Draw]:
    """Make the noises of noise corpora: by type, a function that draws one recording.

    Args:
        roots: name of each noise corpus, as ``serzoo.corpora.read_noise`` takes it, and its root.
        split: the recordings to use, ``"test"`` or ``"train"`` (with validation). Where a corpus has no split, every
            second source of a type tests.

    Returns:
        Functions from a generator to a waveform at 16 kHz.

    Raises:
        CorpusError: if a corpus cannot be read, or has no recording to test with.
    """
    found: dict[str, Draw] = {}
    for name, root in roots.items():
        table = readers.read_noise(name, root)
        table = table[_is_test(table) == (split == "test")]
        if table.empty and split == "test":
            raise CorpusError(f"The noise corpus {name} has no recording to {split} with. Received: {root}.")
        for noise, rows in table.groupby("noise", sort=True):
            label = str(noise) if str(noise) not in found else f"{name} {noise}"
            files = [(Path(root) / row.file, row.start, row.end) for row in rows.itertuples()]
            found[label] = functools.partial(_recording, files)
    return found


def babble_beside(types: Iterable[str]) -> str:
    """Name summed voices among noises of these types, one of which may be recorded babble."""
    return "babble of speech" if "babble" in types else "babble"


def telephone(clip: np.ndarray) -> np.ndarray:
    """Send a clip through the band of a telephone: 8 kHz, 300 to 3400 Hz; same length."""
    import soxr
    from scipy import signal

    low, high = TELEPHONE_BAND_HZ
    band = signal.butter(6, [low, high], "bandpass", fs=TELEPHONE_HZ, output="sos")
    narrow = signal.sosfiltfilt(band, soxr.resample(clip, RATE, TELEPHONE_HZ, quality="HQ"))
    return _of_length(soxr.resample(narrow.astype("float32"), TELEPHONE_HZ, RATE, quality="HQ"), len(clip))


def mp3(clip: np.ndarray) -> np.ndarray:
    """Code a clip as MP3 with a constant 32 kbit/s and decode it; same length, aligned."""
    import soundfile

    coded = io.BytesIO()
    options = {"format": "MP3", "subtype": "MPEG_LAYER_III", "bitrate_mode": "CONSTANT"}
    soundfile.write(coded, np.clip(clip, -1, 1), RATE, compression_level=_MP3_LEVEL, **options)
    coded.seek(0)
    decoded = soundfile.read(coded, dtype="float32")[0]
    # At this rate the file does not say how many samples the encoder put in front: a decoder then keeps them.
    first = _MP3_DELAY if len(decoded) > len(clip) else 0
    return _of_length(decoded[first:], len(clip))


def clipped(clip: np.ndarray, share: float) -> np.ndarray:
    """Cut off the loudest samples: ``share`` of them reach the limit."""
    limit = np.quantile(np.abs(clip), 1 - share)
    return np.clip(clip, -limit, limit)


def faster(clip: np.ndarray, factor: float) -> np.ndarray:
    """Play a clip faster, and so higher: its length is divided by ``factor``."""
    import soxr

    return soxr.resample(clip, RATE * factor, RATE, quality="HQ")


def _white(rng: np.random.Generator) -> np.ndarray:
    return rng.standard_normal(10 * RATE).astype("float32")


def _recording(files: Sequence[tuple], rng: np.random.Generator) -> np.ndarray:
    return _sound(*files[rng.integers(len(files))])


@functools.lru_cache(maxsize=128)
def _sound(path: Path, start: float, end: float) -> np.ndarray:
    return readers.noise_waveform(path, start_s=start, end_s=end)


def _with_noise(clip: np.ndarray, rng: np.random.Generator, draw: Draw, snr_db: float) -> np.ndarray:
    noise = draw(rng)
    noise = np.roll(noise, -int(rng.integers(len(noise))))[: len(clip)]
    mixed = _layer("MixAtSNR")(clip[None], _length(clip), noise[None], _length(noise), np.array([snr_db], "float32"))
    return np.asarray(mixed)[0]


def _in_room(clip: np.ndarray, rng: np.random.Generator, room: np.ndarray) -> np.ndarray:
    return np.asarray(_layer("Reverberate")(clip[None], _length(clip), room[None], _length(room)))[0]


@functools.cache
def _layer(name: str) -> Callable:
    from serzoo import layers

    return getattr(layers, name)()


def _length(waveform: np.ndarray) -> np.ndarray:
    return np.array([len(waveform)], "int32")


def _of_length(waveform: np.ndarray, length: int) -> np.ndarray:
    return np.pad(waveform[:length], (0, max(0, length - len(waveform))))


def _is_test(table: pd.DataFrame) -> np.ndarray:
    """Tell which recordings test: by the official split, else every second source of a type."""
    source = table["source"].where(table["source"].notna(), table["file"])
    turn = source.groupby(table["noise"]).transform(lambda column: pd.factorize(column, sort=True)[0])
    return np.where(table["split"].notna(), table["split"] == "test", turn % 2 == 0)
