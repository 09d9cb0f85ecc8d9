"""From a table of clips to batches: decode, cache, draw, crop, pad.

Training is planned before it is read, by :func:`serzoo.plan.plan_epoch`. Two feeds then carry out the same plan:
:func:`dataset`, a ``tf.data.Dataset`` that decodes in parallel and prefetches, and :class:`ArrayFeed`, a
``keras.utils.PyDataset`` for backends without TensorFlow. Both give the same batches.
"""

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Lock

import keras
import numpy as np
import pandas as pd

from serzoo import audio, decoding, noises, scales
from serzoo.errors import CorpusError
from serzoo.listener import padded
from serzoo.plan import AUGMENTATION, plan_epoch
from serzoo.rooms import Responses
from serzoo.versions import check_keras

check_keras()

CACHE_BYTES = 2 * 2**30
NUM_WORKERS = 4


class Clips:
    """The waveforms of a table, decoded when asked for and kept as long as the cache has room; equal rows share one.

    Args:
        table: rows with ``corpus``, ``file``, ``start`` and ``end`` (seconds, NaN for a whole file).
        roots: root folder of each corpus.
        cache_bytes: room of the cache; clips that find none are decoded each time.
    """

    def __init__(self, table: pd.DataFrame, roots: Mapping[str, str | Path], cache_bytes: int = CACHE_BYTES):
        if missing := sorted(set(table["corpus"]) - set(roots)):
            raise CorpusError(f"No root folder was given for: {', '.join(missing)}. Received: {', '.join(roots)}.")
        times = ([None if np.isnan(time) else time for time in table[name]] for name in ("start", "end"))
        self._keys = list(zip(table["corpus"], table["file"], *times, strict=True))
        self._roots = {corpus: Path(root) for corpus, root in roots.items()}
        self._cache: dict[tuple, np.ndarray] = {}
        self._room, self._lock = cache_bytes, Lock()

    def __len__(self) -> int:
        return len(self._keys)

    def __getitem__(self, index: int) -> np.ndarray:
        """Waveform of one row, ``(samples,)`` float32 at 16 kHz."""
        if (clip := self._cache.get(self._keys[index])) is None:
            corpus, file, start, end = self._keys[index]
            clip = audio.read(self._roots[corpus] / file, start_s=start, end_s=end)
            self.keep(index, clip)
        return clip

    def source(self, index: int) -> decoding.Source | None:
        """How tensorflow-io gets the clip of one row; None if it is decoded already, or can only be read from here."""
        if self._keys[index] in self._cache:
            return None
        corpus, file, *times = self._keys[index]
        return decoding.source(self._roots[corpus] / file, *times)

    def keep(self, index: int, clip: np.ndarray) -> None:
        """Put a clip that was decoded elsewhere into the cache, as long as that has room."""
        with self._lock:  # two threads may have decoded the same clip
            if (key := self._keys[index]) not in self._cache and clip.nbytes <= self._room:
                self._room -= clip.nbytes
                self._cache[key] = clip


def labels(table: pd.DataFrame, heads: Mapping[str, Sequence[str]]) -> dict[str, np.ndarray]:
    """One-hot labels of each task, or shares of the ends of its scale; a missing label is a row of zeros.

    Args:
        table: rows with one column for each task.
        heads: class names of each task.

    Returns:
        ``{task: (rows, classes)}`` float32.

    Raises:
        CorpusError: if a value lies outside its scale.
    """
    targets = {}
    for task, classes in heads.items():
        if scale := scales.scale_of(classes):
            targets[task] = scales.encode(table[task], scale, f"The labels {task}")
        else:
            targets[task] = (table[task].to_numpy(object)[:, None] == np.array(classes, object)[None]).astype("float32")
    return targets


def cropped(clip: np.ndarray, crop: float, crop_s: float) -> np.ndarray:
    """Cut ``crop_s`` seconds out of a clip, at the place ``crop`` in [0, 1); shorter clips stay whole."""
    length = round(crop_s * audio.SAMPLE_RATE_HZ)
    # as a Python float: NumPy would round the product of a float32, and the two feeds would differ by a sample
    start = int(float(crop) * max(1, len(clip) - length + 1))
    return clip[start : start + length]


class ArrayFeed(keras.utils.PyDataset):
    """Training batches from clips in memory, for any backend.

    On some backends Keras calls ``on_epoch_end`` once more than there are epochs: to train on the epochs of
    :func:`dataset`, call :meth:`draw` at the start of each, as :func:`serzoo.training.fit.fit` does.

    Args:
        clips: waveforms ``(samples,)`` at 16 kHz: a list of arrays, or :class:`Clips`.
        targets: as of :func:`serzoo.plan.plan_epoch`.
        config: the model's config.
        seed: seed of the run.
        epoch: first epoch.
        noise: recorded noise to mix in, :class:`serzoo.noises.Noises`; None for none.
        rooms: impulse responses of the rooms to play clips in, by name, as from :func:`serzoo.rooms.read`; or None.
    """

    def __init__(self, clips, targets, config, seed: int, epoch: int = 0, noise=None, rooms=None, **kwargs):
        super().__init__(**kwargs)
        self._clips, self._targets, self._config = clips, targets, config
        self._seed, self._noise = seed, noise
        self._responses = Responses(rooms or {}, config.augmentation.crop_s)
        self.draw(epoch)

    def draw(self, epoch: int) -> None:
        """Turn to an epoch."""
        self._epoch = epoch
        kinds = None if self._noise is None else self._noise.targets
        num_rooms = len(self._responses) - 1
        self._plan = plan_epoch(self._targets, epoch, self._seed, self._config, kinds, num_rooms)

    def __len__(self) -> int:
        return len(self._plan["index"]) // self._config.training.batch_size

    def __getitem__(self, step: int):
        size = self._config.training.batch_size
        rows = {key: values[step * size : (step + 1) * size] for key, values in self._plan.items()}
        crop_s = self._config.augmentation.crop_s
        clips = [cropped(self._clips[i], u, crop_s) for i, u in zip(rows["index"], rows["crop"], strict=True)]
        batch = padded(clips)
        if self._noise is not None:
            drawn = zip(rows["noise_index"], rows["noise_crop"], strict=True)
            added = padded([noises.stretch(self._noise[i], u, crop_s) for i, u in drawn])
            batch |= {"noise": added["waveform"], "noise_num_samples": added["num_samples"]}
        if "room_index" in rows:
            room = padded([self._responses[number] for number in rows["room_index"]])
            batch |= {"room": room["waveform"], "room_num_samples": room["num_samples"]}
        return _as_fit_takes_it(batch, rows)

    def on_epoch_end(self):
        """Draw the next epoch; Keras calls this."""
        self.draw(self._epoch + 1)


def dataset(clips, targets, config, seed: int, epoch: int = 0, noise=None, rooms=None):
    """Training batches by tf.data: decoded in parallel, cached by the clips, padded, prefetched, epoch after epoch.

    Files are decoded inside the graph where tensorflow-io can (:mod:`serzoo.decoding`), by soundfile otherwise.

    Args:
        clips: as of :class:`ArrayFeed`.
        targets: as of :func:`serzoo.plan.plan_epoch`.
        config: the model's config.
        seed: seed of the run.
        epoch: first epoch.
        noise: as of :class:`ArrayFeed`.
        rooms: as of :class:`ArrayFeed`.

    Returns:
        Endless ``tf.data.Dataset`` of (inputs, labels, sample weights), each a dict of tensors.
    """
    import tensorflow as tf

    size, crop_s = config.training.batch_size, config.augmentation.crop_s
    kinds = None if noise is None else noise.targets
    responses = Responses(rooms or {}, crop_s)
    in_graph = hasattr(clips, "source") and decoding.available()

    def plan(number):
        drawn = plan_epoch(targets, int(number), seed, config, kinds, len(responses) - 1)
        return [drawn[key] for key in keys]

    def cut(clip, crop):
        return np.ascontiguousarray(cropped(clip, float(crop), crop_s))

    def read(index, crop):
        return cut(clips[int(index)], crop)

    def with_waveform(row):
        if in_graph:
            waveform = decoding.waveform(clips, row["index"], row["crop"], cut)
        else:
            waveform = tf.numpy_function(read, [row["index"], row["crop"]], tf.float32)
        waveform.set_shape([None])
        return row | {"waveform": waveform, "num_samples": tf.shape(waveform)[0]}

    def read_noise(index, place):
        return np.ascontiguousarray(noises.stretch(noise[int(index)], float(place), crop_s))

    def with_noise(row):
        added = tf.numpy_function(read_noise, [row["noise_index"], row["noise_crop"]], tf.float32)
        added.set_shape([None])
        return row | {"noise": added, "noise_num_samples": tf.shape(added)[0]}

    def with_room(row):
        room = tf.numpy_function(lambda number: responses[int(number)], [row["room_index"]], tf.float32)
        room.set_shape([None])
        return row | {"room": room, "room_num_samples": tf.shape(room)[0]}

    first = plan_epoch(targets, epoch, seed, config, kinds, len(responses) - 1)
    keys = list(first)

    def epoch_rows(number):
        drawn = tf.numpy_function(plan, [number], [tf.as_dtype(first[key].dtype) for key in keys])
        for tensor, key in zip(drawn, keys, strict=True):
            tensor.set_shape((None, *first[key].shape[1:]))
        return tf.data.Dataset.from_tensor_slices(dict(zip(keys, drawn, strict=True)))

    rows = tf.data.Dataset.range(epoch, 2**31).flat_map(epoch_rows).map(with_waveform, tf.data.AUTOTUNE)
    rows = rows if noise is None else rows.map(with_noise, tf.data.AUTOTUNE)
    rows = rows.map(with_room, tf.data.AUTOTUNE) if "room_index" in keys else rows
    batches = rows.padded_batch(size, drop_remainder=True)
    return batches.map(lambda row: _as_fit_takes_it(row, row)).prefetch(4)


def _as_fit_takes_it(audio_batch: Mapping, rows: Mapping) -> tuple[dict, dict, dict]:
    """Sort the columns of a batch into inputs, labels and sample weights."""
    inputs = {"waveform": audio_batch["waveform"], "num_samples": audio_batch["num_samples"]}
    inputs |= {key: rows[key] for key in ("partner", "weight", AUGMENTATION) if key in rows}
    if "snr_db" in rows:
        inputs |= {"noise": audio_batch["noise"], "noise_num_samples": audio_batch["noise_num_samples"]}
        inputs |= {"snr_db": rows["snr_db"], "noise_class": rows["noise_class"]}
    if "room_index" in rows:
        inputs |= {key: audio_batch[key] for key in ("room", "room_num_samples")}
    answers, weights = (
        {key.removeprefix(prefix): rows[key] for key in rows if key.startswith(prefix)}
        for prefix in ("labels/", "weights/")
    )
    return inputs, answers, weights


def evaluation_batches(clips, batch_size: int = 32) -> Iterator[tuple[np.ndarray, dict]]:
    """Whole clips, batched with others of about their length, each once.

    Args:
        clips: waveforms, as of :class:`ArrayFeed`; decoded by several threads, 16 batches at a time, so that memory
            does not grow with their number.
        batch_size: clips in a batch.

    Yields:
        The clips' indices ``(batch,)`` and the model's inputs.
    """
    with ThreadPoolExecutor(NUM_WORKERS) as pool:
        for first in range(0, len(clips), 16 * batch_size):
            indices = np.arange(first, min(first + 16 * batch_size, len(clips)))
            waveforms = list(pool.map(clips.__getitem__, indices))
            order = np.argsort([len(waveform) for waveform in waveforms], kind="stable")
            for i in range(0, len(order), batch_size):
                chosen = order[i : i + batch_size]
                yield indices[chosen], padded([waveforms[j] for j in chosen])


def predict(model, clips, batch_size: int = 32) -> dict[str, np.ndarray]:
    """Probabilities of every task for whole clips.

    Args:
        model: a classifier.
        clips: as of :func:`evaluation_batches`.
        batch_size: clips in a batch.

    Returns:
        ``{task: (clips, classes)}`` float32, in the order of the clips; of a task that is answered by segment ``(clips,
        segments, classes)``, zero beyond the last segment of a clip.
    """
    told: dict[str, list] = {task: [] for task in model.heads}
    for indices, inputs in evaluation_batches(clips, batch_size):
        answers = model.predict_on_batch(inputs)  # an export also answers its embedding
        for task, parts in told.items():
            parts.append((indices, answers[task]))
    return {task: _joined(parts, len(clips), len(model.heads[task])) for task, parts in told.items()}


def _joined(parts: Sequence[tuple[np.ndarray, np.ndarray]], num_clips: int, num_classes: int) -> np.ndarray:
    """Put the answers of batches, with the indices of their clips, into one array."""
    longest = np.max([values.shape[1:-1] for _, values in parts], axis=0).astype(int) if parts else ()
    answers = np.zeros((num_clips, *longest, num_classes), "float32")
    for indices, values in parts:
        answers[(indices, *map(slice, values.shape[1:-1]))] = values
    return answers


def predict_table(model, table: pd.DataFrame, roots: Mapping[str, str | Path]) -> dict[str, np.ndarray]:
    """Probabilities of every task for the rows of a table; see :func:`predict`."""
    return predict(model, Clips(table, roots, cache_bytes=0))
