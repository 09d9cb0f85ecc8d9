"""What the conditions do to the sound: levels, lengths, bands and ratios against closed forms, and recordings apart."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from serzoo import audio
from serzoo.errors import CorpusError
from serzoo.evaluation.audit.conditions import (
    RATE,
    Changed,
    babble_beside,
    clipped,
    conditions,
    faster,
    mp3,
    noise_draws,
    noisy,
    telephone,
)

RNG = np.random.default_rng(0)


def tone(frequency_hz, seconds=1.0):
    return (0.5 * np.sin(2 * np.pi * frequency_hz * np.arange(int(seconds * RATE)) / RATE)).astype("float32")


def level_db(clip):
    return 10 * np.log10(np.mean(np.square(clip[1600:-1600], dtype=float)))


@pytest.fixture(scope="module")
def speech():
    return audio.read(Path(__file__).resolve().parents[1] / "data" / "emodb" / "wav" / "03a01Wa.wav")


def by_name(**options):
    return {each.name: each for each in conditions(**options)}


def changed(clip, condition, seed=0):
    return Changed([clip], condition, seed)[0]


def test_clean_is_untouched(speech):
    clean = conditions()[0]
    assert clean.name == "clean" and changed(speech, clean) is speech


def test_list_of_conditions():
    names = list(by_name(noises={"rain": lambda rng: tone(100)}, rooms={"hall": tone(50)}, snrs_db=[20, -5]))
    assert names == [
        *("clean", "white 20 dB", "white -5 dB", "rain 20 dB", "rain -5 dB", "room hall"),
        *("telephone 8 kHz", "mp3 32 kbit/s", "clipped 1 %", "clipped 10 %"),
        *("gain -30 dB", "gain -10 dB", "gain +10 dB", "speed 0.8", "speed 0.9", "speed 1.1", "speed 1.25"),
    ]


def test_telephone_passes_its_band_alone():
    for frequency_hz in (500, 1000, 3000):
        assert level_db(telephone(tone(frequency_hz))) == pytest.approx(level_db(tone(frequency_hz)), abs=0.5)
    for frequency_hz in (60, 3900, 6000):
        assert level_db(telephone(tone(frequency_hz))) < level_db(tone(frequency_hz)) - 25
    assert len(telephone(tone(1000)[:12345])) == 12345


def test_mp3_keeps_length_and_time_and_codes_at_32_kbit(speech, monkeypatch):
    sizes = []
    real = soundfile.write
    monkeypatch.setattr(soundfile, "write", lambda file, *a, **k: (real(file, *a, **k), sizes.append(file.tell())))
    decoded = mp3(speech)
    assert len(decoded) == len(speech) and decoded.dtype == np.float32
    assert sizes[0] * 8 / (len(speech) / RATE) == pytest.approx(32_000, rel=0.06)  # and up to two frames more
    middle = slice(8000, 16000)
    delays = [np.dot(speech[middle], decoded[8000 + d : 16000 + d]) for d in range(-40, 41)]
    assert np.argmax(delays) == 40
    assert np.corrcoef(speech, decoded)[0, 1] > 0.95
    assert not np.allclose(speech, decoded, atol=1e-3)


def test_clipping_cuts_the_share_that_it_says():
    clip = RNG.standard_normal(10_000).astype("float32")
    for share in (0.01, 0.1):
        cut = clipped(clip, share)
        at_limit = np.abs(cut) >= np.abs(cut).max() - 1e-7
        assert at_limit.mean() == pytest.approx(share, abs=2e-4)
        np.testing.assert_array_equal(cut[~at_limit], clip[~at_limit])


def test_speed_divides_length_and_multiplies_pitch():
    for factor in (0.8, 1.25):
        played = faster(tone(1000), factor)
        assert len(played) == pytest.approx(RATE / factor, abs=2)
        peak_hz = np.abs(np.fft.rfft(played)).argmax() * RATE / len(played)
        assert peak_hz == pytest.approx(1000 * factor, abs=2)


def test_gain_is_a_factor(speech):
    found = by_name()
    np.testing.assert_allclose(changed(speech, found["gain -10 dB"]), speech * 10**-0.5, rtol=1e-6)


def test_noise_meets_its_ratio_and_is_the_same_at_each():
    clip = 0.1 * RNG.standard_normal(RATE).astype("float32")  # active throughout: the ratio is that of all samples
    added = {}
    for snr_db in (20, 0):
        added[snr_db] = changed(clip, noisy("white", lambda rng: rng.standard_normal(2 * RATE), snr_db)) - clip
        ratio = np.mean(np.square(clip, dtype=float)) / np.mean(np.square(added[snr_db], dtype=float))
        assert 10 * np.log10(ratio) == pytest.approx(snr_db, abs=0.05)
    np.testing.assert_allclose(added[0], 10 * added[20], rtol=1e-3, atol=1e-4)
    other = changed(clip, noisy("white", lambda rng: rng.standard_normal(2 * RATE), 0), seed=1) - clip
    assert abs(np.corrcoef(other, added[0])[0, 1]) < 0.1


def test_short_noise_is_repeated():
    clip = 0.1 * RNG.standard_normal(RATE).astype("float32")
    added = changed(clip, noisy("hum", lambda rng: tone(100, 0.1), 0)) - clip
    assert np.abs(added[-1600:]).max() > 0.05


def test_room_rings_on():
    room = np.zeros(4000, "float32")
    room[[100, 3100]] = 1.0, 0.5  # an echo 3000 samples after the direct sound
    clip = np.zeros(8000, "float32")
    clip[1000] = 1.0
    heard = changed(clip, by_name(rooms={"echo": room})["room echo"])
    assert np.flatnonzero(np.abs(heard) > 0.1).tolist() == [1000, 4000]
    assert heard[4000] / heard[1000] == pytest.approx(0.5, abs=1e-4)


@pytest.mark.parametrize("snr_db", ["ten", True, float("nan"), float("inf")])
def test_ratios_that_are_none(snr_db):
    with pytest.raises(CorpusError, match="snrs_db must be numbers, ratios in dB. Received"):
        conditions(snrs_db=[10, snr_db])


@pytest.fixture
def esc10(tmp_path):
    """Two classes of ESC-10, one clip a fold; the pitch tells class and fold."""
    for number, name in (("001", "Dog bark"), ("002", "Rain")):
        (tmp_path / f"{number} - {name}").mkdir()
        for fold in range(1, 6):
            soundfile.write(
                tmp_path / f"{number} - {name}" / f"{fold}-10{fold}-A.wav", tone(1000 * int(number) + 100 * fold), RATE
            )
    return tmp_path


def pitch(clip):
    return round(np.abs(np.fft.rfft(clip)).argmax() * RATE / len(clip))


def test_noises_are_drawn_from_the_recordings_of_a_split(esc10):
    draws = {split: noise_draws({"esc10": esc10}, split) for split in ("train", "test")}
    rng = np.random.default_rng(0)
    heard = {split: {pitch(draw["rain"](rng)) for _ in range(40)} for split, draw in draws.items()}
    assert set(draws["test"]) == {"dog", "rain"}
    assert heard == {"train": {2100, 2200, 2300, 2400}, "test": {2500}}


def test_noises_without_official_folds_are_split_by_source(tmp_path):
    for i in range(4):
        (tmp_path / "office").mkdir(exist_ok=True)
        soundfile.write(tmp_path / "office" / f"{i}.wav", tone(1000 + 100 * i), RATE)
    rng = np.random.default_rng(0)
    heard = {}
    for split in ("train", "test"):
        draw = noise_draws({"folder": tmp_path}, split)["office"]
        heard[split] = {pitch(draw(rng)) for _ in range(30)}
    assert heard == {"test": {1000, 1200}, "train": {1100, 1300}}


def test_noise_folders_that_are_none(tmp_path, esc10):
    with pytest.raises(CorpusError, match="not a root of esc10|no folder"):
        noise_draws({"esc10": tmp_path / "nothing"})
    for file in esc10.glob("*/5-*"):
        file.unlink()
    with pytest.raises(CorpusError, match="esc10 has no recording to test with"):
        noise_draws({"esc10": esc10})


def test_noise_without_a_recording_to_learn_from(tmp_path):
    """DEMAND has one source for each type: it tests."""
    (tmp_path / "office").mkdir()
    soundfile.write(tmp_path / "office" / "a.wav", tone(1000), RATE)
    assert noise_draws({"folder": tmp_path}, "train") == {}
    assert set(noise_draws({"folder": tmp_path})) == {"office"}


def test_voices_do_not_take_the_place_of_recorded_babble():
    assert babble_beside(["rain"]) == "babble"
    assert babble_beside(["babble", "rain"]) == "babble of speech"
