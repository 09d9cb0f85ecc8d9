"""Files with odd headers, which are read, and broken or foreign ones, which are refused in one sentence."""

import os
import struct

import numpy as np
import pytest
import soundfile

from serzoo import audio
from serzoo.errors import AudioError, MissingFileError

SAMPLES = (0.2 * np.random.default_rng(0).standard_normal(4800) * 32768).astype("<i2")
HEARD = SAMPLES.astype("float32") / 32768


def chunk(name, body, size=None, order="<"):
    return name + struct.pack(f"{order}I", len(body) if size is None else size) + body + b"\0" * (len(body) % 2)


def fmt(order="<", rate=16000, num_channels=1, extra=b"", tag=1):
    block = 2 * num_channels
    return chunk(
        b"fmt ",
        struct.pack(f"{order}HHIIHH", tag, num_channels, rate, rate * block & 0xFFFFFFFF, block, 16) + extra,
        None,
        order,
    )


def riff(*chunks, magic=b"RIFF", size=None, order="<"):
    body = b"WAVE" + b"".join(chunks)
    return magic + struct.pack(f"{order}I", len(body) if size is None else size) + body


DATA = SAMPLES.tobytes()
EXTENSIBLE = struct.pack("<HHIH14s", 22, 16, 4, 1, bytes.fromhex("000000001000800000aa00389b71"))
LIST = chunk(b"LIST", b"INFOISFT" + struct.pack("<I", 13) + b"Lavf58.29.100\0")
WAVS = {
    "plain": riff(fmt(), chunk(b"data", DATA)),
    "fmt of 18 bytes": riff(fmt(extra=b"\0\0"), chunk(b"data", DATA)),
    "extensible": riff(fmt(tag=0xFFFE, extra=EXTENSIBLE), chunk(b"data", DATA)),
    "LIST before the sound": riff(fmt(), LIST, chunk(b"data", DATA)),
    "LIST after the sound": riff(fmt(), chunk(b"data", DATA), LIST),
    "JUNK before the format": riff(chunk(b"JUNK", bytes(28)), fmt(), chunk(b"data", DATA)),
    "bext": riff(chunk(b"bext", bytes(602)), fmt(), chunk(b"data", DATA)),
    "unknown chunk of odd size": riff(fmt(), chunk(b"abcd", b"odd"), chunk(b"data", DATA)),
    "big-endian": riff(fmt(">"), chunk(b"data", SAMPLES.astype(">i2").tobytes(), order=">"), magic=b"RIFX", order=">"),
    "to a pipe, by ffmpeg": riff(fmt(), LIST, chunk(b"data", DATA, 0xFFFFFFFF), size=0xFFFFFFFF),
    "to a pipe, by sox": riff(fmt(), chunk(b"data", DATA, 0x7FFFF000), size=0x7FFFF024),
    "to a pipe, by arecord": riff(fmt(), chunk(b"data", DATA, 0x80000000), size=0x80000024),
    "recorder killed": riff(fmt(), chunk(b"data", DATA, 0), size=0),
    "recorder killed, size of the header": riff(fmt(), chunk(b"data", DATA, 0), size=36),
    "recorder killed, size unknown": riff(fmt(), LIST, chunk(b"data", DATA, 0), size=0xFFFFFFFF),
    "wrong RIFF size": riff(fmt(), chunk(b"data", DATA), size=12345),
    "header counted as sound": riff(fmt(), chunk(b"data", DATA, len(DATA) + 44)),
    "bytes behind the end": riff(fmt(), chunk(b"data", DATA)) + b"\0" * 7,
}


@pytest.mark.parametrize("name", WAVS)
@pytest.mark.parametrize("suffix", ["wav", "raw", "mp3"])
def test_odd_wavs_are_read_whatever_their_suffix(tmp_path, name, suffix):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(WAVS[name])
    np.testing.assert_array_equal(audio.read(path), HEARD)
    np.testing.assert_array_equal(np.concatenate(list(audio.blocks(path, 0.1))), HEARD)
    np.testing.assert_array_equal(audio.read(path, start_s=0.1, end_s=0.25), HEARD[1600:4000])
    assert audio.info(path) == (0.3, 16000, 1)


def write_flac_of_unknown_length(path, rate):
    soundfile.write(path, SAMPLES, rate)
    content = bytearray(path.read_bytes())
    content[21] &= 0xF0  # the total of 36 bits in STREAMINFO; 0 is unknown
    content[22:26] = bytes(4)
    path.write_bytes(content)


def test_flac_of_unknown_length(tmp_path):
    path = tmp_path / "a.flac"
    write_flac_of_unknown_length(path, 32000)
    assert audio.info(path) == (0.15, 32000, 1)
    write_flac_of_unknown_length(path, 16000)
    np.testing.assert_array_equal(audio.read(path), HEARD)
    np.testing.assert_array_equal(audio.read(path, start_s=0.1, end_s=0.25), HEARD[1600:4000])
    assert audio.info(path) == (0.3, 16000, 1)
    with pytest.raises(AudioError, match=r"0\.1 s or more"):
        audio.read(path, start_s=0.25)


def write_mp3(path, rate=48000, num_channels=1, mode="VARIABLE"):
    """Write 4 s, half of them silent so that a variable bitrate varies; return the offset of the second frame."""
    sound = np.random.default_rng(1).standard_normal((4 * rate, num_channels)) * 0.1
    sound[: 2 * rate] = 0
    soundfile.write(path, sound, rate, bitrate_mode=mode, compression_level=0.5, format="MP3")
    content = path.read_bytes()
    return content.index(content[:2], 4)


@pytest.mark.parametrize("rate", [16000, 22050, 44100, 48000])
@pytest.mark.parametrize("num_channels", [1, 2])
@pytest.mark.parametrize("mode", ["CONSTANT", "VARIABLE"])
def test_mp3_without_a_xing_header_is_read_to_its_end(tmp_path, rate, num_channels, mode):
    path = tmp_path / "a.mp3"
    second = write_mp3(path, rate, num_channels, mode)
    whole = audio.read(path)
    path.write_bytes(path.read_bytes()[second:])
    heard = audio.read(path)
    # Without the header nobody knows the encoder's delay and padding, some 3 frames in all.
    assert 0 <= len(heard) - len(whole) <= 4 * 1152 * 16000 / rate
    assert audio.info(path).duration_s == pytest.approx(len(heard) / 16000, abs=1e-4)
    delays = range(0, 4 * 1152 * 16000 // rate)
    part = whole[40000:44000]
    error = min(np.abs(heard[40000 + delay : 44000 + delay] - part).max() for delay in delays)
    assert error < (1e-3 if rate in (16000, 48000) else 0.2)  # else the delay falls between two samples


@pytest.mark.skipif(os.name != "posix", reason="elsewhere file names are text")
def test_a_name_that_is_no_text(tmp_path):
    good, odd = tmp_path / "a.wav", tmp_path / os.fsdecode(b"\xfc.wav")
    soundfile.write(good, SAMPLES, 16000)
    odd.write_bytes(good.read_bytes())
    np.testing.assert_array_equal(audio.read(odd), audio.read(good))
    assert audio.info(odd) == audio.info(good)


def test_joined_mp3s_are_read_to_their_end(tmp_path):
    path = tmp_path / "a.mp3"
    second = write_mp3(path)
    content = path.read_bytes()
    tag = b"ID3\x04\0\0\0\0\0\x0a0123456789"
    end = b"TAG" + bytes(125)
    for joined in (content + content, tag + content + tag + content + end, content[second:] + content):
        path.write_bytes(joined)
        assert audio.info(path).duration_s == pytest.approx(8.0, abs=0.2)
        assert len(audio.read(path)) == pytest.approx(8 * 16000, abs=3200)


def test_mp3_with_tags_and_padding_around_it(tmp_path):
    path = tmp_path / "a.mp3"
    write_mp3(path)
    content, whole = path.read_bytes(), audio.read(path)
    for head, tail in (
        (b"", b"TAG" + bytes(125)),
        (bytes(500), b""),
        (b"ID3\x03\0\0\0\0\x01\x00" + bytes(128), bytes(99)),
    ):
        path.write_bytes(head + content + tail)
        np.testing.assert_array_equal(audio.read(path), whole)


def refusal(path):
    """The one sentence with which read, blocks and info all refuse a file."""
    with pytest.raises(AudioError) as caught:
        audio.read(path)
    with pytest.raises(AudioError):
        list(audio.blocks(path))
    message = str(caught.value)
    assert message.startswith(str(path)) and "\n" not in message
    return message


@pytest.mark.parametrize(
    ("suffix", "container", "subtype"),
    [
        ("wav", "WAV", "PCM_16"),
        ("wav", "WAVEX", "FLOAT"),
        ("wav", "RF64", "PCM_16"),
        ("w64", "W64", "PCM_16"),
        ("aiff", "AIFF", "PCM_16"),
        ("au", "AU", "PCM_16"),
        ("caf", "CAF", "PCM_16"),
        ("sph", "NIST", "PCM_16"),
        ("flac", "FLAC", "PCM_16"),
        ("ogg", "OGG", "VORBIS"),
        ("opus", "OGG", "OPUS"),
        ("mp3", "MP3", "MPEG_LAYER_III"),
    ],
)
def test_cut_files_are_refused(tmp_path, capfd, suffix, container, subtype):
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, np.tile(HEARD, 5), 16000, subtype, format=container)
    content = path.read_bytes()
    audio.read(path)
    for kept in (len(content) - 100, len(content) * 2 // 3, len(content) // 10):
        path.write_bytes(content[:kept])
        message = refusal(path)
        assert "truncated" in message or "malformed" in message
    for kept in (1, 3, 4, 11, 20, 40, 50):  # within the header
        path.write_bytes(content[:kept])
        refusal(path)
    assert capfd.readouterr().err == ""


def test_compressed_nist_file_is_refused_as_such(tmp_path):
    header = "NIST_1A\n   1024\nsample_count -i 100000\nchannel_count -i 1\nsample_n_bytes -i 2\n"
    header += "sample_coding -s26 pcm,embedded-shorten-v2.00\nend_head\n"
    path = tmp_path / "a.sph"
    path.write_bytes(header.encode().ljust(1024) + bytes(60000))
    assert "is a compressed NIST file" in refusal(path)


def test_cut_mp3_without_a_xing_header_is_refused(tmp_path):
    path = tmp_path / "a.mp3"
    second = write_mp3(path)
    content = path.read_bytes()[second:]
    path.write_bytes(content[: len(content) // 2])
    assert "last MP3 frame is cut" in refusal(path)


def test_mp3_that_holds_fewer_frames_than_its_header_says_is_refused(tmp_path):
    path = tmp_path / "a.mp3"
    write_mp3(path)
    content = bytearray(path.read_bytes())
    at = content.index(b"Xing") + 8
    content[at : at + 4] = struct.pack(">I", 2 * struct.unpack(">I", content[at : at + 4])[0])
    path.write_bytes(content)
    assert "promises" in refusal(path)


def test_flac_damaged_inside_is_refused(tmp_path):
    path = tmp_path / "a.flac"
    soundfile.write(path, np.tile(HEARD, 5), 16000)
    content = bytearray(path.read_bytes())
    content[20000:20100] = bytes(100)
    path.write_bytes(content)
    assert "damaged" in refusal(path)
    with pytest.raises(AudioError, match="damaged"):
        audio.read(path, start_s=1.0)


def test_joined_oggs_are_refused_as_half_of_them_would_be_lost(tmp_path):
    for seed in (1, 2):
        soundfile.write(tmp_path / f"{seed}.ogg", np.random.default_rng(seed).standard_normal(8000) * 0.1, 16000)
    (tmp_path / "a.ogg").write_bytes((tmp_path / "1.ogg").read_bytes() + (tmp_path / "2.ogg").read_bytes())
    assert "several Ogg streams" in refusal(tmp_path / "a.ogg")


def test_missing_folder_and_empty(tmp_path):
    for call in (audio.read, audio.info, lambda path: next(audio.blocks(path))):
        with pytest.raises(MissingFileError, match=r"nothing\.wav does not exist"):
            call(tmp_path / "nothing.wav")
    assert "is a folder" in refusal(tmp_path)
    (tmp_path / "a.wav").touch()
    assert "is empty (0 bytes)" in refusal(tmp_path / "a.wav")
    assert "cannot be opened" in refusal(tmp_path / ("a" * 300 + ".wav"))


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="this system has no named pipes")
def test_a_named_pipe_is_refused_and_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "a.wav")
    assert "not a regular file" in refusal(tmp_path / "a.wav")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"\0\0\0\x20ftypM4A \0\0\0\0M4A mp42isom\0\0\0\0" + bytes(5000), "MPEG-4"),
        (b"\x1a\x45\xdf\xa3" + bytes(5000), "webm"),
        (b"\x30\x26\xb2\x75\x8e\x66\xcf\x11" + bytes(5000), "wma"),
        (b"#!AMR\n" + bytes(5000), "AMR"),
        (b"\xff\xf1\x50\x80\x2e\x7f\xfc" + bytes(5000), "AAC"),
        (b"This is a text about sound.\n" * 200, "no sound file"),
        (b"ID3\x03\0\0\0\0\0\x05hello" + b"text " * 1000, "no sound file"),
        (bytes(5000), "no sound file"),
        (b"RIFF\x88\x13\0\0AVI LIST" + bytes(5000), "other than WAV"),
        (b"OggS", "cut"),
        (b"\xff", "cut"),
        (np.random.default_rng(0).bytes(70000), "no sound file"),
    ],
)
@pytest.mark.parametrize("suffix", ["wav", "mp3", "m4a", "raw"])
def test_what_is_not_readable_sound_is_refused_with_the_way_out(tmp_path, capfd, content, expected, suffix):
    path = tmp_path / f"my call.{suffix}"
    path.write_bytes(content)
    message = refusal(path)
    with pytest.raises(AudioError):
        audio.info(path)
    assert any(word in message for word in expected.split("|"))
    if expected != "cut":
        assert "Readable are WAV, FLAC, Ogg" in message
        target = tmp_path / ("my call-converted.wav" if suffix == "wav" else "my call.wav")
        assert message.endswith(f"ffmpeg -i '{path}' '{target}'")
    if content[:1] != b"\xff":
        assert capfd.readouterr().err == ""  # the MP3 decoder complains on its own if it is let near


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (riff(fmt(), chunk(b"data", b"")), "empty: it holds 0 samples"),
        (riff(fmt(), chunk(b"data", b""), LIST), "empty: it holds 0 samples"),
        (riff(fmt(), chunk(b"data", b"", 0xFFFFFFFF), size=0xFFFFFFFF), "empty: it holds 0 samples"),
        (riff(fmt()), "cannot be decoded|empty"),
        (riff(chunk(b"data", DATA)), "cannot be decoded"),
        (riff(fmt(num_channels=0), chunk(b"data", DATA)), "cannot be decoded"),
        (riff(fmt(num_channels=33), chunk(b"data", DATA)), "1 to 32 channels"),
        (riff(fmt(num_channels=30000), chunk(b"data", DATA)), "cannot be decoded|channels"),
        (riff(fmt(rate=0), chunk(b"data", DATA)), "1000 to 768000 Hz|cannot be decoded"),
        (riff(fmt(rate=999), chunk(b"data", DATA)), "1000 to 768000 Hz. Received: 999"),
        (riff(fmt(rate=2**31 - 1), chunk(b"data", DATA)), "1000 to 768000 Hz"),
        (riff(fmt(rate=1000), chunk(b"data", bytes(2 * 1000 * 21601))), "6 h or less"),
        (riff(fmt(tag=0x7777), chunk(b"data", DATA)), "cannot be decoded"),
        (riff(fmt(), chunk(b"data", DATA[:3000])), "0.1 s or more. Received: 0.09375 s"),
        (riff(fmt(), chunk(b"data", DATA, len(DATA) + 100)), "truncated"),
        (riff(chunk(b"abcd", b"odd"), fmt(), chunk(b"data", DATA, 2 * len(DATA))), "truncated"),
        (riff(fmt(), LIST[:20]), "cannot be decoded|empty"),
    ],
)
def test_wavs_that_are_refused(tmp_path, content, expected):
    path = tmp_path / "a.wav"
    path.write_bytes(content)
    message = refusal(path)
    assert any(word in message for word in expected.split("|")), message


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e30])
@pytest.mark.parametrize("rate", [16000, 44100])
def test_samples_that_are_no_numbers_are_refused(tmp_path, value, rate):
    path = tmp_path / "a.wav"
    stored = np.zeros((rate, 2), "float32")
    stored[rate // 2, 1] = value
    soundfile.write(path, stored, rate, "FLOAT")
    assert "finite samples" in refusal(path)


def test_silence_is_read(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(48000), 48000)
    assert not audio.read(tmp_path / "a.wav").any()


@pytest.mark.parametrize("suffix", ["wav", "flac", "ogg", "mp3", "aiff", "caf"])
def test_whatever_bytes_are_changed_the_answer_is_sound_or_a_refusal(tmp_path, suffix):
    rng = np.random.default_rng(0)
    path = tmp_path / f"a.{suffix}"
    soundfile.write(path, HEARD, 16000)
    content = path.read_bytes()
    refused = 0
    for _ in range(60):
        damaged = bytearray(content)
        for at in rng.integers(0, min(len(content), 120), rng.integers(1, 4)):
            damaged[at] = rng.integers(256)
        path.write_bytes(damaged)
        try:
            heard = audio.read(path)
        except AudioError as error:
            refused += 1
            assert "\n" not in str(error)
        else:
            assert np.isfinite(heard).all() and len(heard) >= 1599
    assert refused
