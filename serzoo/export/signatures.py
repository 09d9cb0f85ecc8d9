"""The four signatures of an exported SavedModel.

TensorFlow Serving's batcher joins requests on the first dimension and splits the answers by it, so every input and
output has the batch there, the class names too. A row that cannot be judged does not disturb the others: its numbers
are NaN, or it has no segments, and its ``status`` says why.
"""

import math
from collections.abc import Callable, Sequence

import tensorflow as tf

from serzoo.audio import MAX_AMPLITUDE, MIN_DURATION_S, SAMPLE_RATE_HZ, SHORTEST_S
from serzoo.export.wav import OK, read_wavs
from serzoo.listener import BATCH_S, WHOLE_CLIP_S

_MIN_SAMPLES = round(MIN_DURATION_S * SAMPLE_RATE_HZ)  # of what is left after a window
_MIN_CLIP_SAMPLES = math.ceil(SHORTEST_S * SAMPLE_RATE_HZ)

_WAVEFORM = tf.TensorSpec([None, None], tf.float32, "waveform")
_NUM_SAMPLES = tf.TensorSpec([None], tf.int32, "num_samples")


def signatures(network: Callable, classes: Sequence[str], window_s: float, hop_s: float) -> dict[str, Callable]:
    """Make the signatures of a network.

    Args:
        network: function of ``(waveform, num_samples)`` that gives ``{"emotion", "embedding"}``.
        classes: names of the columns of ``emotion``.
        window_s: length of a segment in seconds.
        hop_s: time between the starts of two segments in seconds.

    Returns:
        ``{"serving_default", "padded", "wav_bytes", "segments"}``, each a ``tf.function`` of its named inputs.
    """
    # Traced once, whatever number of signatures call it.
    network = tf.function(network, input_signature=[_WAVEFORM, _NUM_SAMPLES], autograph=False).get_concrete_function()
    classes = tf.constant([list(classes)])

    def serving_default(waveform):
        """Judge clips of one length."""
        batch, samples = tf.unstack(tf.shape(waveform))
        return padded(waveform, tf.fill([batch], samples))

    def padded(waveform, num_samples):
        """Judge clips that were padded to one length."""
        status = _status(waveform, num_samples)
        ok = tf.equal(status, OK)
        waveform = tf.where(ok[:, None], waveform, 0.0)
        return _answer(network(waveform, tf.where(ok, num_samples, tf.shape(waveform)[1])), status, classes)

    def wav_bytes(audio):
        """Judge WAV files; long ones in pieces of 30 s, as ``Classifier.classify`` does."""
        clips, status = read_wavs(audio)
        piece = round(WHOLE_CLIP_S * SAMPLE_RATE_HZ)
        rows, starts, lengths, _ = _windows(clips.row_lengths(), piece, piece)
        pieces = _judged(network, clips.flat_values, tf.gather(clips.row_starts(), rows) + starts, lengths)
        weights = tf.cast(lengths, tf.float32)[:, None]
        # A mean over no piece is 0 / 0: NaN, as it should be.
        batch = tf.size(status)
        total = tf.math.unsorted_segment_sum(weights, rows, batch)
        means = {
            key: tf.math.unsorted_segment_sum(value * weights, rows, batch) / total for key, value in pieces.items()
        }
        return _answer(means, status, classes)

    def segments(waveform, num_samples):
        """Judge clips in windows, in memory that does not grow with their length."""
        status = _status(waveform, num_samples)
        ok = tf.equal(status, OK)
        window, hop = (round(seconds * SAMPLE_RATE_HZ) for seconds in (window_s, hop_s))
        lengths = tf.cast(tf.where(ok, num_samples, 0), tf.int64)
        rows, starts, sizes, counts = _windows(lengths, window, hop)
        first = rows * tf.shape(waveform, out_type=tf.int64)[1] + starts
        emotion = _judged(network, tf.reshape(waveform, [-1]), first, sizes)["emotion"]
        columns = {
            "starts": tf.cast(starts, tf.float32) / SAMPLE_RATE_HZ,
            "ends": tf.cast(starts + sizes, tf.float32) / SAMPLE_RATE_HZ,
            "emotion": emotion,
        }
        padded_columns = {
            key: tf.RaggedTensor.from_row_lengths(value, counts).to_tensor() for key, value in columns.items()
        }
        return {
            **padded_columns,
            "num_segments": tf.cast(counts, tf.int32),
            "classes": tf.tile(classes, [tf.size(status), 1]),
            "status": status,
        }

    specs = {
        serving_default: [_WAVEFORM],
        padded: [_WAVEFORM, _NUM_SAMPLES],
        wav_bytes: [tf.TensorSpec([None], tf.string, "audio")],
        segments: [_WAVEFORM, _NUM_SAMPLES],
    }
    return {
        function.__name__: tf.function(function, input_signature=spec, autograph=False)
        for function, spec in specs.items()
    }


def _answer(judged, status, classes):
    judged_rows = tf.equal(status, OK)[:, None]
    numbers = {key: tf.where(judged_rows, judged[key], float("nan")) for key in ("emotion", "embedding")}
    return {**numbers, "classes": tf.tile(classes, [tf.size(status), 1]), "status": status}


def _status(waveform, num_samples):
    """Say of each row whether it can be judged."""
    samples = tf.shape(waveform)[1]
    valid = tf.range(samples)[None, :] < num_samples[:, None]
    finite = tf.reduce_all(~valid | (tf.abs(waveform) <= MAX_AMPLITUDE), axis=1)  # NaN is not <= anything
    received = tf.strings.as_string(num_samples)
    limits = tf.strings.join(["num_samples must be 1 to ", tf.strings.as_string(samples), ", the row's. Received: "])
    checks = [
        ((num_samples < 1) | (num_samples > samples), tf.strings.join([limits, received, "."])),
        (
            num_samples < _MIN_CLIP_SAMPLES,
            tf.strings.join(
                [f"A clip must have {_MIN_CLIP_SAMPLES} samples (0.1 s) or more. Received: ", received, "."]
            ),
        ),
        (~finite, "Samples must be finite. Received: NaN or infinity among them."),
    ]
    status = tf.fill(tf.shape(num_samples), OK)
    for holds, reason in reversed(checks):
        status = tf.where(holds, reason, status)
    return status


def _windows(lengths, window: int, hop: int):
    """Place windows over rows as ``Classifier.segments`` does; a row of length 0 has none.

    Returns:
        ``(rows, starts, sizes, counts)`` in int64: row, first sample and length of each window; windows of each row.
    """
    whole = tf.maximum(
        -((window - lengths) // hop), 0
    )  # those that the row goes on after: ceil((length - window) / hop)
    rest = lengths - whole * hop
    has_rest = tf.where(tf.equal(whole, 0), lengths > 0, rest >= _MIN_SAMPLES)
    counts = whole + tf.cast(has_rest, tf.int64)
    rows = tf.repeat(tf.range(tf.size(counts, out_type=tf.int64)), counts)
    starts = tf.ragged.range(counts).flat_values * hop
    return rows, starts, tf.minimum(tf.gather(lengths, rows) - starts, window), counts


def _judged(network, flat, starts, sizes):
    """Judge pieces of ``flat`` (samples,), a bounded number of samples at a time.

    Returns:
        ``{"emotion", "embedding"}``, each ``(pieces, ...)``.
    """
    num_pieces = tf.size(sizes)
    longest = tf.maximum(tf.reduce_max(sizes), 1)
    per_step = tf.maximum(tf.cast(round(BATCH_S * SAMPLE_RATE_HZ) // longest, tf.int32), 1)
    num_steps = (num_pieces + per_step - 1) // per_step
    shapes = {key: value.shape for key, value in network.structured_outputs.items()}
    found = {
        key: tf.TensorArray(tf.float32, num_steps, element_shape=shape, infer_shape=False)
        for key, shape in shapes.items()
    }

    def step(i, *arrays):
        span = slice(i * per_step, (i + 1) * per_step)
        size = sizes[span]
        # Whole seconds: each new shape costs the server a plan of its convolutions, which it then keeps.
        position = tf.range(-(-tf.reduce_max(size) // SAMPLE_RATE_HZ) * SAMPLE_RATE_HZ)
        place = tf.minimum(starts[span][:, None] + position, tf.size(flat, out_type=tf.int64) - 1)
        waveform = tf.where(position < size[:, None], tf.gather(flat, place), 0.0)
        judged = network(waveform, tf.cast(size, tf.int32))
        return i + 1, *(array.write(i, judged[key]) for key, array in zip(found, arrays, strict=True))

    loop = tf.while_loop(lambda i, *_: i < num_steps, step, [0, *found.values()], parallel_iterations=1)
    return {key: array.concat() for key, array in zip(found, loop[1:], strict=True)}
