"""WAV files read inside a TensorFlow graph: 16-bit PCM of any rate and channels, one bad file beside good ones.

``tf.audio.decode_wav`` fails as a whole for one bad string in a batch, and on headers that recorders really write
(extensible formats, foreign chunks, sizes left open). Here each file is examined by itself, as
:mod:`serzoo.containers` does it outside the graph, and has a status of its own.
"""

import tensorflow as tf

from serzoo import audio, containers
from serzoo.export.resample import resample

MAX_CLIP_S = 600  # of 1 kHz sound a sender's 1 MB would become 32 MB
OK = "ok"

_PCM, _EXTENSIBLE = 1, 0xFFFE
_MAX_CHUNKS = 1000  # before the sound; files have two to ten
_FORMAT_BYTES = 26  # of the format chunk, as far as the kind of an extensible format


def read_wavs(files):
    """Decode a batch of WAV files to mono at 16 kHz.

    Args:
        files: string tensor of shape ``(batch,)``, the bytes of each file.

    Returns:
        ``(clips, status)``: ragged float32 of shape ``(batch, samples)``, without samples where a file was refused;
        strings ``(batch,)``, ``"ok"`` or why it was refused.
    """
    status, clips = tf.map_fn(
        _read_wav,
        files,
        fn_output_signature=(tf.TensorSpec([], tf.string), tf.RaggedTensorSpec([None], tf.float32, ragged_rank=0)),
    )
    return clips, status


def _read_wav(file):
    status, rate_hz, num_channels, start, size = _examined(file)
    ok = tf.equal(status, OK)
    num_channels = tf.where(ok, num_channels, 1)
    size -= size % (2 * num_channels)  # a cut frame at the end of a file of open size
    sound = tf.strings.substr(file, tf.where(ok, start, 0), tf.where(ok, size, 0))
    frames = tf.reshape(tf.io.decode_raw(sound, tf.int16), tf.stack([-1, num_channels]))
    mono = tf.reduce_mean(tf.cast(frames, tf.float32), axis=1) / 32768.0
    # Resampling is the expensive part, and the rate of a refused file may be anything.
    clip = tf.cond(ok, lambda: resample(mono, rate_hz), lambda: mono)
    return status, clip


def _examined(file):
    """Read the header: ``(status, rate_hz, num_channels, start, size)``, the place and size of the sound in bytes."""
    length = tf.cast(tf.strings.length(file), tf.int64)
    head = _bytes(file, 0, 12)
    format_at, data_at, promised = _chunks(file, length)
    about = _bytes(file, tf.maximum(format_at, 0), _FORMAT_BYTES)
    kind, num_channels, bits = _number(about[0:2]), _number(about[2:4]), _number(about[14:16])
    rate_hz = _number(about[4:8])
    kind = tf.where(tf.equal(kind, _EXTENSIBLE), _number(about[24:26]), kind)

    finished = tf.abs(_number(head[4:8]) + 8 - length) <= 1
    is_open = (tf.equal(promised, 0) & ~finished) | containers.is_open(promised)
    present = tf.maximum(length - data_at, 0)
    size = tf.where(is_open, present, tf.minimum(promised, present))
    num_frames = size // tf.maximum(2 * num_channels, 1)
    duration_s = tf.cast(num_frames, tf.float64) / tf.cast(tf.maximum(rate_hz, 1), tf.float64)

    is_wav = tf.equal(tf.strings.substr(file, 0, 4), "RIFF") & tf.reduce_all(head[8:12] == list(b"WAVE"))
    checks = [  # the first that holds is the reason
        (tf.equal(length, 0), "The WAV file is empty (0 bytes)."),
        (~is_wav, "This is not a WAV file: it does not begin with RIFF and WAVE."),
        (format_at < 0, "The WAV file has no format chunk."),
        (
            tf.not_equal(kind, _PCM) | tf.not_equal(bits, 16),
            _text("The WAV file must be 16-bit PCM (format 1). Received: format ", kind, " of ", bits, " bits."),
        ),
        (
            (num_channels < 1) | (num_channels > audio.MAX_CHANNELS),
            _text(f"The WAV file must have 1 to {audio.MAX_CHANNELS} channels. Received: ", num_channels, "."),
        ),
        (
            (rate_hz < audio.MIN_SAMPLE_RATE_HZ) | (rate_hz > audio.MAX_SAMPLE_RATE_HZ),
            _text(
                f"The WAV file must have a sample rate of {audio.MIN_SAMPLE_RATE_HZ} to {audio.MAX_SAMPLE_RATE_HZ} Hz. "
                "Received: ",
                rate_hz,
                ".",
            ),
        ),
        (data_at < 0, "The WAV file ends before its sound."),
        (
            ~is_open & (present < promised - containers.SLACK_BYTES),
            _text("The WAV file is cut: its header promises ", promised, " bytes of sound, ", present, " are there."),
        ),
        (
            duration_s < audio.SHORTEST_S,
            _text(f"A clip must last {audio.MIN_DURATION_S} s or more. Received: ", duration_s, " s."),
        ),
        (
            duration_s > MAX_CLIP_S,
            _text(f"A clip must last {MAX_CLIP_S} s or less; cut it. Received: ", duration_s, " s."),
        ),
    ]
    status = tf.constant(OK)
    for holds, reason in reversed(checks):
        status = tf.where(holds, reason, status)
    return status, rate_hz, num_channels, data_at, size


def _chunks(file, length):
    """Find ``fmt`` and ``data``: where their contents begin, -1 for none, and the size that ``data`` promises."""

    def search(at, format_at, data_at, promised):
        return (data_at < 0) & (at + 8 <= length)

    def step(at, format_at, data_at, promised):
        name, size = tf.strings.substr(file, at, 4), _number(_bytes(file, at, 8)[4:8])
        format_at = tf.where(tf.equal(name, "fmt ") & (size >= 16), at + 8, format_at)
        data_at = tf.where(tf.equal(name, "data"), at + 8, data_at)
        return at + 8 + size + size % 2, format_at, data_at, tf.where(data_at < 0, promised, size)

    start = [tf.constant(value, tf.int64) for value in (12, -1, -1, 0)]
    return tf.while_loop(search, step, start, maximum_iterations=_MAX_CHUNKS)[1:]


def _bytes(file, at, count: int):
    """``count`` bytes from ``at``, zeros beyond the end."""
    length = tf.cast(tf.strings.length(file), tf.int64)
    part = tf.strings.substr(file, tf.minimum(tf.cast(at, tf.int64), length), tf.constant(count, tf.int64))
    padded = tf.io.decode_raw(part, tf.uint8, fixed_length=count)
    return tf.cast(tf.reshape(padded, [count]), tf.int32)


def _number(little_endian):
    values = tf.cast(little_endian, tf.int64)
    return tf.reduce_sum(values * [256**i for i in range(values.shape[0])])


def _text(*parts):
    return tf.strings.join([part if isinstance(part, str) else _shown(part) for part in parts])


def _shown(number):
    return tf.strings.as_string(number, precision=3) if number.dtype.is_floating else tf.strings.as_string(number)
