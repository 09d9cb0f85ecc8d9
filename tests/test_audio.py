"""What is heard: values, lengths, blocks, excerpts and arrays. Files that are odd or broken: test_containers.py."""

import os
import subprocess
import sys
import tracemalloc
import wave

import numpy as np
import pytest
import soundfile
import soxr

from serzoo import audio
from serzoo.errors import AudioError, CorpusError, MissingFileError

# soxr HQ leaves 20 bits; measured 3e-6 on full-scale tones.
TONE_TOLERANCE = 2e-5


def tone(rate, duration_s=1.0, frequency_hz=440.0, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency_hz * np.arange(round(rate * duration_s)) / rate)


def noise(num_samples, num_channels=None, seed=0):
    shape = num_samples if num_channels is None else (num_samples, num_channels)
    return (0.2 * np.random.default_rng(seed).standard_normal(shape)).astype("float32")


def inside(samples):
    """Without the edges, where a resampling filter hears the silence outside."""
    return samples[800:-800]


def test_a_clip_at_16_khz_is_its_integers_over_32768(clips):
    for path in clips.values():
        with wave.open(str(path)) as file:
            expected = np.frombuffer(file.readframes(file.getnframes()), "<i2") / 32768
        heard = audio.read(path)
        assert heard.dtype == np.float32 and heard.ndim == 1
        np.testing.assert_array_equal(heard, expected.astype("float32"))


@pytest.mark.parametrize(
    ("subtype", "tolerance"),
    [
        ("PCM_U8", 2**-7),
        ("PCM_16", 2**-15),
        ("PCM_24", 2**-23),
        ("PCM_32", 2**-23),
        ("FLOAT", 0),
        ("DOUBLE", 0),
        ("ULAW", 0.02),
        ("ALAW", 0.02),
    ],
)
@pytest.mark.parametrize("container", ["WAV", "WAVEX"])
def test_sample_formats(tmp_path, container, subtype, tolerance):
    expected = tone(16000).astype("float32")
    soundfile.write(tmp_path / "a.wav", expected, 16000, subtype, format=container)
    heard = audio.read(tmp_path / "a.wav")
    assert len(heard) == len(expected)
    assert np.abs(heard - expected).max() <= tolerance


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "MS_ADPCM", "GSM610"])
def test_telephone_formats(tmp_path, subtype):
    expected = tone(8000, 2.0)
    soundfile.write(tmp_path / "a.wav", expected, 8000, subtype)
    heard = audio.read(tmp_path / "a.wav")
    assert np.abs(inside(heard[:30000]) - inside(tone(16000, 2.0)[:30000])).max() < 0.1


@pytest.mark.parametrize(
    ("suffix", "container", "subtype", "tolerance"),
    [
        ("flac", "FLAC", "PCM_16", 2**-15),
        ("flac", "FLAC", "PCM_24", 2**-23),
        ("aiff", "AIFF", "PCM_16", 2**-15),
        ("au", "AU", "PCM_16", 2**-15),
        ("caf", "CAF", "PCM_16", 2**-15),
        ("w64", "W64", "PCM_16", 2**-15),
        ("wav", "RF64", "PCM_16", 2**-15),
        ("sph", "NIST", "PCM_16", 2**-15),
        ("ogg", "OGG", "VORBIS", 0.03),
        ("opus", "OGG", "OPUS", 0.03),
        ("mp3", "MP3", "MPEG_LAYER_III", 0.03),
    ],
)
def test_file_formats(tmp_path, suffix, container, subtype, tolerance):
    expected = tone(16000).astype("float32")
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, expected, 16000, subtype, format=container)
    heard = audio.read(path)
    assert len(heard) == len(expected)
    assert np.abs(inside(heard) - inside(expected)).max() <= tolerance


@pytest.mark.parametrize(
    "rate", [8000, 11025, 12000, 22050, 24000, 32000, 44100, 44101, 48000, 88200, 96000, 192000, 768000]
)
def test_a_tone_keeps_its_shape_at_every_rate(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", tone(rate), rate, "FLOAT")
    heard = audio.read(tmp_path / "a.wav")
    assert len(heard) == 16000
    np.testing.assert_allclose(inside(heard), inside(tone(16000)), atol=TONE_TOLERANCE)


@pytest.mark.parametrize("rate", [22050, 48000, 192000])
def test_what_16_khz_cannot_hold_is_removed(rate):
    heard = audio.read(tone(rate, frequency_hz=9500.0), rate)
    assert np.abs(inside(heard)).max() < 1e-4


@pytest.mark.parametrize("num_channels", [1, 2, 3, 6, 32])
def test_channels_are_averaged(tmp_path, num_channels):
    stored = noise(4000, num_channels)
    soundfile.write(tmp_path / "a.wav", stored, 16000, "FLOAT")
    expected = stored.astype("float64").mean(axis=1)
    np.testing.assert_allclose(audio.read(tmp_path / "a.wav"), expected, atol=1e-7)
    np.testing.assert_allclose(audio.read(stored, 16000), expected, atol=1e-7)


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 44101, 48000])
@pytest.mark.parametrize("num_values", [211, 1 << 20])
def test_blocks_join_to_read_and_read_is_soxr_in_one_shot(tmp_path, monkeypatch, rate, num_values):
    monkeypatch.setattr("serzoo.samples._DECODED_VALUES", num_values)
    stored = noise(round(rate * 2.37), 2)
    soundfile.write(tmp_path / "a.wav", stored, rate, "FLOAT")
    heard = audio.read(tmp_path / "a.wav")
    mono = (stored[:, 0] + stored[:, 1]) / 2
    np.testing.assert_array_equal(heard, soxr.resample(mono, rate, 16000, quality="HQ"))
    for block_s in (0.1, 1.0, 30.0):
        blocks = list(audio.blocks(tmp_path / "a.wav", block_s=block_s))
        np.testing.assert_array_equal(np.concatenate(blocks), heard)
        assert {len(block) for block in blocks[:-1]} <= {round(block_s * 16000)}
        assert 0 < len(blocks[-1]) <= round(block_s * 16000)


@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_has_no_seams_between_blocks(tmp_path, monkeypatch, mode):
    # SoundFile.read seeks after each block, and a VBR decoder answers with errors of a third of full scale.
    monkeypatch.setattr("serzoo.samples._DECODED_VALUES", 16000)
    seconds = np.arange(20 * 48000) / 48000
    stored = 0.3 * np.sin(2 * np.pi * 300 * seconds) * (np.sin(2 * np.pi * 0.3 * seconds) > 0)
    stored += 0.25 * noise(len(seconds)) * (np.sin(2 * np.pi * 0.11 * seconds) > 0)
    soundfile.write(tmp_path / "a.mp3", stored, 48000, bitrate_mode=mode, compression_level=0.5)
    at_once, _ = soundfile.read(tmp_path / "a.mp3", dtype="float32")
    np.testing.assert_allclose(audio.read(tmp_path / "a.mp3"), soxr.resample(at_once, 48000, 16000), atol=1e-6)


def test_memory_does_not_grow_with_the_file(tmp_path):
    peaks = []
    for minutes in (2, 20):
        path = tmp_path / f"{minutes}.wav"
        soundfile.write(path, np.zeros(minutes * 60 * 8000, np.int16), 8000, "PCM_U8")
        tracemalloc.start()
        num_samples = sum(map(len, audio.blocks(path)))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert num_samples == minutes * 60 * 16000
    assert peaks[1] < peaks[0] + 1e6
    assert peaks[1] < 20e6


def test_a_block_does_not_keep_the_file(clips):
    for block in audio.blocks(clips["anger"], block_s=0.5):
        assert block.base is None or block.base.nbytes <= 2 * block.nbytes


@pytest.mark.parametrize("rate", [8000, 16000, 44100, 48000])
@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3"])
def test_an_excerpt_is_the_same_samples_of_the_whole(tmp_path, rate, suffix):
    rate += suffix == "wav" and rate == 44100  # 44101 Hz has nothing in common with 16000
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, 0.5 * noise(4 * rate, 2), rate)
    whole = audio.read(path)
    for start_s, end_s in [
        (0.0, 0.5),
        (0.1, 0.3),
        (1.23456, 2.90003),
        (2.0, None),
        (None, 1.0),
        (3.5, 4.0),
        (np.nan, np.nan),
    ]:
        start = 0 if start_s is None or np.isnan(start_s) else round(start_s * 16000)
        end = len(whole) if end_s is None or np.isnan(end_s) else round(end_s * 16000)
        excerpt = audio.read(path, start_s=start_s, end_s=end_s)
        np.testing.assert_allclose(excerpt, whole[start:end], atol=2e-6)


def test_an_excerpt_may_end_a_rounding_beyond_the_sound(clips):
    whole = audio.read(clips["anger"])
    np.testing.assert_array_equal(audio.read(clips["anger"], start_s=1.0, end_s=1.9), whole[16000:])


def test_an_excerpt_of_a_tenth_of_a_second_may_start_anywhere(clips):
    for start_s in np.random.default_rng(0).uniform(0, 1.7, 50):
        assert 1599 <= len(audio.read(clips["anger"], start_s=start_s, end_s=start_s + 0.1)) <= 1601


@pytest.mark.parametrize(
    "span", [(-1, None), (5, None), (1, 1), (1.5, 1), (0, 2), (1, 1.05), (1.85, None), (float("inf"), None), (0, -1)]
)
def test_an_excerpt_that_is_not_there_is_refused(clips, span):
    with pytest.raises(AudioError, match="Received"):
        audio.read(clips["anger"], start_s=span[0], end_s=span[1])


@pytest.mark.parametrize("dtype", ["int8", "int16", "int32", "int64", "uint8", "uint16"])
def test_integers_are_scaled_by_the_range_of_their_type(dtype):
    limits = np.iinfo(dtype)
    middle = 0 if limits.min else (limits.max + 1) // 2
    samples = np.full(3200, middle, dtype)
    samples[:3] = limits.min, limits.max, middle
    heard = audio.read(samples, 16000)
    np.testing.assert_allclose(heard[:4], [-1, 1 - 2.0 ** (1 - limits.bits), 0, 0], atol=1e-7)


@pytest.mark.parametrize("dtype", ["float16", "float32", "float64", ">f4"])
def test_arrays_of_floats_are_taken_as_they_are_and_not_changed(dtype):
    samples = noise(4000).astype(dtype)
    before = samples.copy()
    heard = audio.read(samples, 16000)
    assert heard.dtype == np.dtype("float32")
    np.testing.assert_array_equal(heard, before.astype("float32"))
    heard[:] = 7
    np.testing.assert_array_equal(samples, before)


def test_an_array_and_the_file_that_holds_it_sound_the_same(tmp_path):
    stored = (noise(44100, 2) * 20000).astype("int16")
    soundfile.write(tmp_path / "a.flac", stored, 44100)
    np.testing.assert_allclose(audio.read(stored, 44100), audio.read(tmp_path / "a.flac"), atol=1e-7)
    floats = stored[::-1][::-1] / 2**15
    np.testing.assert_array_equal(audio.read(floats.tolist(), 44100), audio.read(stored, 44100))
    wide = stored.astype("int32") * 2**16  # the same at the scale of its type
    np.testing.assert_array_equal(audio.read(wide, 44100), audio.read(stored, 44100))


BAD = noise(16000)
BAD[100] = np.nan
INFINITE = noise(16000)
INFINITE[100] = -np.inf


@pytest.mark.parametrize(
    ("array", "rate", "message"),
    [
        (noise(16000), None, "needs sample_rate_hz"),
        (noise(16000), 16000.5, "whole number"),
        (noise(16000), float("nan"), "whole number"),
        (noise(16000), "16000", "whole number"),
        (noise(16000), 0, "1000 to 768000 Hz"),
        (noise(16000), 10**9, "1000 to 768000 Hz"),
        (noise(16000), -16000, "1000 to 768000 Hz"),
        (noise(1599 - 1), 16000, "0.1 s or more"),
        (np.zeros(0, "float32"), 16000, "empty"),
        (np.zeros((16000, 0), "float32"), 16000, "1 to 32 channels"),
        (noise(2, 16000), 16000, "channels"),
        (np.zeros((10, 10, 2)), 16000, "shape"),
        (np.float32(1.0), 16000, "path or an array.*Received: float32"),
        (3, None, "path or an array.*Received: int"),
        ((noise(16000), 16000), None, "path or an array.*Received: tuple"),
        (["a.wav", "b.wav"], None, "path or an array.*Received: list"),
        ((noise(16000) * 32767).astype("int32"), 16000, "int32 array count in steps of 2..-31, .* a narrower type"),
        (np.full(16000, -(2**15), "int32"), 16000, "int32 array .* the largest is 32768"),
        ((noise(16000) * 32767).astype("int64"), 16000, "int64 array count in steps of 2..-63, .* a narrower type"),
        (np.zeros(16000, bool), 16000, "floats or integers"),
        (np.zeros(16000, complex), 16000, "floats or integers"),
        (b"a.wav", 16000, "path or an array.*Received: bytes"),
        (None, 16000, "path or an array"),
        ([[0.0], [0.0, 1.0]], 16000, "path or an array"),
        (BAD, 16000, "finite samples"),
        (INFINITE, 48000, "finite samples"),
        (noise(16000).astype("float64") * 1e300, 16000, "finite samples"),
        (np.broadcast_to(np.float32(0), (1000 * 6 * 3600 + 1000,)), 1000, "6 h or less"),
    ],
)
def test_arrays_that_are_refused(array, rate, message):
    with pytest.raises(AudioError, match=message) as caught:
        audio.read(array, rate)
    assert "\n" not in str(caught.value)


def test_a_tenth_of_a_second_is_enough_at_every_rate(tmp_path):
    for rate in (1001, 11025, 16000, 44100):
        soundfile.write(tmp_path / "a.wav", noise(-(-rate // 10)), rate)
        assert len(audio.read(tmp_path / "a.wav")) >= 1599
        soundfile.write(tmp_path / "a.wav", noise(round(rate * 0.095)), rate)
        with pytest.raises(AudioError, match=r"0\.1 s or more"):
            audio.read(tmp_path / "a.wav")


def test_a_rate_for_a_file_must_be_its_own(clips):
    assert len(audio.read(clips["anger"], 16000))
    with pytest.raises(AudioError, match="16000 Hz by its own header"):
        audio.read(clips["anger"], 48000)


def test_info_tells_what_is_stored(tmp_path, clips):
    assert audio.info(clips["anger"]) == (30045 / 16000, 16000, 1)
    soundfile.write(tmp_path / "a.flac", noise(22050, 6), 44100)
    assert audio.info(tmp_path / "a.flac") == audio.Info(duration_s=0.5, sample_rate_hz=44100, num_channels=6)


def test_find_lists_sound_in_order_and_nothing_hidden(tmp_path):
    for name in (
        "b/2.FLAC",
        "b/1.wav",
        "a.Mp3",
        "c.opus",
        "._c.wav",
        ".hidden/d.wav",
        "notes.txt",
        "wav",
        "e.wav/f.txt",
    ):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = audio.find(tmp_path)
    assert [path.relative_to(tmp_path).as_posix() for path in found] == ["a.Mp3", "b/1.wav", "b/2.FLAC", "c.opus"]
    assert audio.find(tmp_path / "e.wav") == []
    (tmp_path / "b" / "x.m4a").touch()
    (tmp_path / "b" / "gone.wav").symlink_to(tmp_path / "nowhere.wav")
    foreign = [path.name for path in audio.find(tmp_path, foreign=True)]
    assert audio.find(tmp_path) == found and foreign == ["a.Mp3", "1.wav", "2.FLAC", "gone.wav", "x.m4a", "c.opus"]
    with pytest.raises(MissingFileError, match="does not exist"):
        audio.find(tmp_path / "nowhere")
    with pytest.raises(AudioError, match="is a file"):
        audio.find(tmp_path / "notes.txt")


def test_find_follows_links_and_lists_a_folder_once(tmp_path):
    for name in ("real/deep/a.wav", "data/own/b.wav"):
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).touch()
    data = tmp_path / "data"
    for link, target in {"far": "../real", "a_copy": "own", "own/back": "..", "self": "self", "gone.wav": "x"}.items():
        (data / link).symlink_to(target)
    assert [path.relative_to(data).as_posix() for path in audio.find(data)] == ["far/deep/a.wav", "own/b.wav"]


def test_find_refuses_names_that_are_no_text(tmp_path):
    try:
        (tmp_path / os.fsdecode(b"l\xe4rm.wav")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")
    with pytest.raises(CorpusError, match=r"must be valid UTF-8. Received: '.*l\\udce4rm.wav'"):
        audio.find(tmp_path)
    assert len(audio.find(tmp_path, foreign=True)) == 1  # predict judges it


def test_import_is_light():
    heavy = {"tensorflow", "keras", "librosa", "scipy", "sklearn", "pandas", "matplotlib"}
    program = (
        f"import sys, serzoo.audio; sys.exit(repr({heavy} & set(sys.modules)) if {heavy} & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_ravdess_originals_as_librosa_hears_them(shared_data):
    librosa = pytest.importorskip("librosa")
    for path in audio.find(shared_data / "RAVDESS_original_48k_samples"):
        heard = audio.read(path)
        expected, _ = librosa.load(path, sr=16000, res_type="soxr_hq")
        assert abs(len(heard) - len(expected)) <= 1  # librosa rounds up
        np.testing.assert_allclose(heard[: len(expected)], expected[: len(heard)], atol=1e-6)


def test_ravdess_originals_as_the_16_khz_copies(shared_data):
    for path in audio.find(shared_data / "RAVDESS_original_48k_samples"):
        copy = audio.read(shared_data / "RAVDESS" / path.parent.name / f"{path.stem}.flac")
        heard = audio.read(path)
        assert abs(len(heard) - len(copy)) <= 1
        # VHQ there, HQ here, and 16 bits: they differ in the transition band just below 8 kHz.
        size = min(len(heard), len(copy))
        error = heard[:size] - copy[:size]
        assert np.sqrt(np.mean(error**2)) < 2e-3 * np.sqrt(np.mean(copy**2)) + 2**-15
