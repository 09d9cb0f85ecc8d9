"""WAV bytes read in the graph, against the same bytes read from a file."""

import io
import struct

import numpy as np
import pytest
import soundfile
import tensorflow as tf

from serzoo import audio
from serzoo.export.wav import read_wavs

RNG = np.random.default_rng(0)
read = tf.function(read_wavs, input_signature=[tf.TensorSpec([None], tf.string)], autograph=False)


def wav(rate=16000, seconds=0.5, channels=1, subtype="PCM_16", **options):
    samples = 0.3 * RNG.standard_normal((round(seconds * rate), channels))
    file = io.BytesIO()
    soundfile.write(file, np.clip(samples, -1, 1), rate, subtype=subtype, format="WAV", **options)
    return file.getvalue()


def chunk(name, data):
    return name + struct.pack("<I", len(data)) + data + b"\0" * (len(data) % 2)


def riff(*chunks):
    body = b"WAVE" + b"".join(chunks)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def pcm_format(channels=1, rate=16000, bits=16, kind=1):
    block = channels * bits // 8
    return chunk(b"fmt ", struct.pack("<HHIIHH", kind, channels, rate, rate * block, block, bits))


DATA = (3000 * RNG.standard_normal(4000)).astype("<i2").tobytes()
PLAIN = riff(pcm_format(), chunk(b"data", DATA))
EXTENSIBLE = riff(
    chunk(
        b"fmt ",
        struct.pack("<HHIIHHHHI", 0xFFFE, 1, 16000, 32000, 2, 16, 22, 16, 4)
        + struct.pack("<H", 1)
        + bytes.fromhex("000000001000800000aa00389b71"),
    ),
    chunk(b"data", DATA),
)


@pytest.mark.parametrize(
    "data",
    [
        PLAIN,
        wav(channels=2),
        wav(channels=7),
        EXTENSIBLE,
        riff(
            chunk(b"JUNK", b"x" * 333), pcm_format(), chunk(b"LIST", b"odd"), chunk(b"data", DATA), chunk(b"id3 ", b"z")
        ),
        riff(pcm_format(), b"data" + struct.pack("<I", 0xFFFFFFFF) + DATA),  # written to a pipe
        riff(pcm_format(channels=2), chunk(b"data", DATA))[:-2],  # a frame cut in two by less than the slack
    ],
    ids=["plain", "stereo", "seven", "extensible", "foreign chunks", "open size", "cut frame"],
)
def test_same_samples_as_from_a_file(data, tmp_path):
    (tmp_path / "a.wav").write_bytes(data)
    clips, status = read([data])
    assert status.numpy().tolist() == [b"ok"]
    np.testing.assert_allclose(clips[0], audio.read(tmp_path / "a.wav"), atol=1e-6)


BAD = {
    b"": "is empty (0 bytes)",
    b"R": "not a WAV file",
    b"ID3\x04" + bytes(400): "not a WAV file",
    b"RIFF\x10\0\0\0AVI " + bytes(400): "not a WAV file",
    b"RIFF\x04\0\0\0WAVE": "no format chunk",
    riff(chunk(b"data", DATA)): "no format chunk",
    riff(chunk(b"fmt ", b"short"), chunk(b"data", DATA)): "no format chunk",
    riff(pcm_format()): "ends before its sound",
    PLAIN[:40]: "ends before its sound",
    PLAIN[:4000]: "cut: its header promises 8000 bytes of sound, 3956 are there",
    riff(pcm_format(), chunk(b"data", b"")): "must last 0.1 s or more. Received: 0.000 s",
    riff(pcm_format(), chunk(b"data", DATA[:3000])): "must last 0.1 s or more. Received: 0.094 s",
    riff(pcm_format(channels=0), chunk(b"data", DATA)): "1 to 32 channels. Received: 0",
    riff(pcm_format(channels=33), chunk(b"data", DATA)): "1 to 32 channels. Received: 33",
    riff(pcm_format(rate=999), chunk(b"data", DATA)): "1000 to 768000 Hz. Received: 999",
    riff(pcm_format(rate=0), chunk(b"data", DATA)): "1000 to 768000 Hz. Received: 0",
    riff(pcm_format(rate=1000), chunk(b"data", bytes(1_200_002))): "600 s or less; cut it",
    wav(subtype="PCM_U8"): "16-bit PCM (format 1). Received: format 1 of 8 bits",
    wav(subtype="PCM_24"): "Received: format 1 of 24 bits",
    wav(subtype="FLOAT"): "16-bit PCM (format 1). Received: format 3 of 32 bits",
    wav(subtype="ULAW"): "Received: format 7 of 8 bits",
    b"RIFF\xff\xff\xff\xffWAVE" + b"\xff" * 5000: "no format chunk",
}


def test_each_bad_file_says_why_and_the_good_ones_are_read():
    files = [PLAIN, *BAD, PLAIN]
    clips, status = read(files)
    texts = [each.decode() for each in status.numpy()]
    for text, wanted in zip(texts[1:-1], BAD.values(), strict=True):
        assert wanted in text and text.endswith(".")
    assert texts[0] == texts[-1] == "ok"
    assert clips.row_lengths().numpy().tolist() == [4000] + [0] * len(BAD) + [4000]
    np.testing.assert_array_equal(clips[0], np.frombuffer(DATA, "<i2") / np.float32(32768))


def test_no_bytes_break_the_graph():
    """Random cuts and flips of a good file: whatever they make of it, the good file beside it is read."""
    rng = np.random.default_rng(1)
    files = [PLAIN]
    for _ in range(60):
        data = bytearray(EXTENSIBLE[: rng.integers(1, len(EXTENSIBLE))])
        for place in rng.integers(0, min(len(data), 70), 3):
            data[place] = rng.integers(256)
        files.append(bytes(data))
    clips, status = read(files)
    assert status[0] == b"ok" and clips.row_lengths()[0] == 4000


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 44100, 48000, 96000, 12345])
def test_other_rates_have_the_length_and_the_sound_of_a_file(rate, tmp_path, clips):
    speech = audio.read(clips["anger"])[:16000]
    file = io.BytesIO()
    soundfile.write(file, np.interp(np.arange(rate) / rate * 16000, np.arange(16000), speech), rate, format="WAV")
    (tmp_path / "a.wav").write_bytes(file.getvalue())
    got, wanted = read([file.getvalue()])[0][0].numpy(), audio.read(tmp_path / "a.wav")
    assert got.shape == wanted.shape
    assert 10 * np.log10(np.mean(np.square(wanted)) / np.mean(np.square(got - wanted))) > (70 if rate == 12345 else 90)
