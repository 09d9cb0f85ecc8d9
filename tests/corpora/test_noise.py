"""Noise corpora in miniature copies of their layouts, and the real ESC-10 against its manifest."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from miniature import touch, write_texts

from serzoo import audio, corpora
from serzoo.errors import AudioError, CorpusError, SpeakerLeakError, UnknownNameError

RATE = 16000
ESC50 = """\
filename,fold,target,category,esc10,src_file,take
1-100032-A-0.wav,1,0,dog,True,100032,A
4-100210-A-36.wav,4,36,vacuum_cleaner,False,100210,A
5-200334-A-1.wav,5,1,rooster,True,200334,A
2-999999-A-1.wav,2,1,rooster,True,999999,A
"""
ESC50_FILES = [f"audio/{name}.wav" for name in ("1-100032-A-0", "4-100210-A-36", "5-200334-A-1")]


def tone(duration_s, amplitude=0.5, rate=RATE):
    return amplitude * np.sin(2 * np.pi * 440 * np.arange(round(duration_s * rate)) / rate)


def silence(duration_s):
    return np.zeros(round(duration_s * RATE))


def write(path, samples, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, samples, rate, subtype="FLOAT")
    return path


def test_names_and_options():
    assert corpora.noise_names() == ["demand", "esc10", "esc50", "folder", "musan"]
    with pytest.raises(UnknownNameError, match="Unknown noise corpus 'esc11'. Did you mean 'esc10'"):
        corpora.read_noise("esc11", ".")
    with pytest.raises(UnknownNameError, match="esc10:mine"):
        corpora.read_noise("esc10:mine", ".")


def test_real_esc10_equals_its_manifest(shared_data):
    root = shared_data / "Noise" / "ESC-10"
    table = corpora.read_noise("esc10", root)
    manifest = pd.read_csv(root / "manifest.csv", dtype={"source_clip": str}).sort_values("file").reset_index()
    assert list(table.columns) == list(corpora.NOISE_COLUMNS)
    assert list(table["file"]) == list(manifest["file"])
    assert list(table["fold"]) == list(manifest["fold"])
    assert list(table["source"]) == list(manifest["source_clip"])
    assert pd.crosstab(table["noise"], manifest["class"]).to_numpy().astype(bool).sum() == 10  # one to one
    assert table.groupby("split").size().to_dict() == {"test": 40, "train": 120, "validation": 40}
    assert table.groupby("source")["split"].nunique().max() == 1


def test_esc50_and_the_esc10_in_it(tmp_path):
    write_texts(touch(tmp_path, ESC50_FILES), {"meta/esc50.csv": ESC50})
    rows, skipped = corpora.scan_noise("esc50", tmp_path)
    assert skipped == {"no such file": ["audio/2-999999-A-1.wav"]}
    assert [(row["noise"], row["fold"], row["split"], row["licence"]) for row in rows] == [
        ("dog", 1, "train", "CC-BY-3.0"),
        ("vacuum_cleaner", 4, "validation", "CC-BY-NC-3.0"),
        ("rooster", 5, "test", "CC-BY-3.0"),
    ]
    table = corpora.read_noise("esc10", tmp_path)
    assert list(table["noise"]) == ["dog", "rooster"] and set(table["corpus"]) == {"esc10"}
    write_texts(tmp_path, {"meta/esc50.csv": ESC50.replace(",4,36", ",6,36")})
    with pytest.raises(CorpusError, match="fold in meta/esc50.csv must be 1 to 5. Received: '6'"):
        corpora.read_noise("esc50", tmp_path)
    write_texts(tmp_path, {"meta/esc50.csv": ESC50.replace("src_file", "source")})
    with pytest.raises(CorpusError, match="lacks the columns src_file"):
        corpora.read_noise("esc50", tmp_path)


def test_musan(tmp_path):
    files = ["music/fma/music-fma-0000.wav", "noise/free-sound/noise-free-sound-0000.wav"]
    files += ["speech/us-gov/speech-us-gov-0003.wav", "noise/free-sound/music-fma-0000.wav"]
    files += ["music/fma-western-art/music-fma-wa-0000.wav", "music/hd-classical/music-hd-0001.wav"]
    rows, skipped = corpora.scan_noise("musan", touch(tmp_path, [*files, "README", "noise/free-sound/LICENSE"]))
    assert [(row["noise"], row["collection"]) for row in rows] == [
        ("music", "fma-western-art"),
        ("music", "fma"),
        ("music", "hd-classical"),
        ("noise", "free-sound"),
        ("speech", "us-gov"),
    ]
    assert skipped == {"not a MUSAN file name": [files[3]]}
    assert corpora.read_noise("musan", tmp_path)["split"].isna().all()


def test_demand_is_one_recording_for_sixteen_microphones(tmp_path):
    files = [f"{name}/ch{channel:02d}.wav" for name in ("DKITCHEN", "TMETRO") for channel in range(1, 17)]
    touch(tmp_path, [*files, "DKITCHEN_48k/DKITCHEN/ch01.wav", "DKITCHEN/notes.wav"])
    rows, skipped = corpora.scan_noise("demand", tmp_path)
    assert [(row["file"], row["noise"], row["kind"], row["source"]) for row in rows] == [
        ("DKITCHEN/ch01.wav", "kitchen", "domestic", "DKITCHEN"),
        ("TMETRO/ch01.wav", "metro", "transportation", "TMETRO"),
    ]
    assert {reason: len(found) for reason, found in skipped.items()} == {
        "another microphone of the same recording": 30,
        "another copy of the same recording": 1,
        "not a DEMAND file name": 1,
    }


def test_folder_of_folders(tmp_path):
    touch(tmp_path / "mine", ["street/a.wav", "train/office/b.flac", "test/office/c.ogg", "d.mp3", "street/list.txt"])
    table = corpora.read_noise("folder:office", tmp_path / "mine")
    assert set(table["corpus"]) == {"folder:office"}
    found = {row.file: (row.noise, row.split if isinstance(row.split, str) else None) for row in table.itertuples()}
    assert found == {
        "d.mp3": ("mine", None),
        "street/a.wav": ("street", None),
        "test/office/c.ogg": ("office", "test"),
        "train/office/b.flac": ("office", "train"),
    }


def test_folders_behind_links_and_names_that_are_no_text(tmp_path, monkeypatch):
    touch(tmp_path, ["mine/street/a.wav", "far/b.wav"])
    (tmp_path / "mine" / "office").symlink_to(tmp_path / "far")
    (tmp_path / "mine" / "street" / "back").symlink_to(tmp_path / "mine")
    table = corpora.read_noise("folder", tmp_path / "mine")
    assert table[["file", "noise"]].to_numpy().tolist() == [["office/b.wav", "office"], ["street/a.wav", "street"]]
    # as a file system lists it that takes any bytes, which not all do
    monkeypatch.setattr("serzoo.corpora.corpus.below", lambda *_, **__: ["office/l\udce4rm.wav"])
    with pytest.raises(CorpusError, match=r"must be valid UTF-8. Received: '.*office/l\\udce4rm.wav'"):
        corpora.read_noise("folder", tmp_path / "mine")


@pytest.mark.parametrize("file", ["train/a.wav", "street/test/a.wav"])
def test_a_split_is_no_class(tmp_path, file):
    with pytest.raises(CorpusError, match=f"in a folder named after its class.*train/street/a.wav. Received: {file}"):
        corpora.read_noise("folder", touch(tmp_path, [file]))


@pytest.mark.parametrize("name", corpora.noise_names())
def test_an_empty_folder_is_refused(tmp_path, name):
    with pytest.raises(CorpusError, match=rf"not a root of {name}. Expected .*Found an empty folder"):
        corpora.read_noise(name, tmp_path)


def test_wrong_roots_say_what_was_found(tmp_path):
    touch(tmp_path / "esc10", ["001 - Dog bark/1-100032-A.ogg"])
    with pytest.raises(CorpusError, match=r"not a root of musan.*looks like 'esc10' \(1 of its files\)"):
        corpora.read_noise("musan", tmp_path / "esc10")
    touch(tmp_path / "texts", ["a.txt"])
    with pytest.raises(CorpusError, match="not a root of folder.*Found no sound files"):
        corpora.read_noise("folder", tmp_path / "texts")
    with pytest.raises(CorpusError, match="There is no folder .*nowhere"):
        corpora.read_noise("esc10", tmp_path / "nowhere")
    with pytest.raises(CorpusError, match="must be a folder"):
        corpora.read_noise("esc10", tmp_path / "texts" / "a.txt")


def test_long_silences_are_cut_out_and_short_pauses_stay(tmp_path):
    # In whole frames of 50 ms, so that the answer is known exactly.
    loud, hiss = tone(0.5), tone(1.0, amplitude=0.004)  # 42 dB below
    parts = [silence(1.0), loud, silence(0.2), loud, hiss, loud, tone(0.5, amplitude=0.02), silence(2.0)]
    path = write(tmp_path / "a.wav", np.concatenate(parts))
    expected = np.concatenate([loud, silence(0.2), loud, loud, parts[6]])
    np.testing.assert_array_equal(corpora.noise_waveform(path), expected.astype("float32"))
    # an excerpt starts its frames at its own first sample
    np.testing.assert_array_equal(corpora.noise_waveform(path, start_s=0.5, end_s=1.5), loud.astype("float32"))


def test_a_steady_noise_comes_back_as_it_is(tmp_path):
    noise = np.random.default_rng(0).normal(0, 0.1, RATE + 123)
    path = write(tmp_path / "a.wav", noise)
    np.testing.assert_array_equal(corpora.noise_waveform(path), audio.read(path))


def test_other_rates_are_resampled(tmp_path):
    path = write(tmp_path / "a.wav", tone(1.0, rate=44100), 44100)
    middle = slice(2000, 14000)
    np.testing.assert_allclose(corpora.noise_waveform(path)[middle], tone(1.0)[middle], atol=1e-3)


def test_silent_and_broken_noises_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="a.wav is silent: it never exceeds -80 dB"):
        corpora.noise_waveform(write(tmp_path / "a.wav", tone(1.0, amplitude=5e-5)))
    samples = tone(1.0)
    samples[100] = np.nan
    with pytest.raises(AudioError, match="b.wav must hold finite samples"):
        corpora.noise_waveform(write(tmp_path / "b.wav", samples))


def speech(root, frequencies):
    rows = []
    for number, hz in enumerate(frequencies):
        for take in range(2):
            samples = np.concatenate([np.sin(2 * np.pi * hz * np.arange(RATE) / RATE) * 0.1 * (number + 1), silence(1)])
            write(root / f"{number}{take}.wav", samples)
            rows.append(("emodb", f"{number}{take}.wav", np.nan, np.nan, str(number)))
    return pd.DataFrame(rows, columns=["corpus", "file", "start", "end", "speaker"])


def test_babble_sums_every_speaker_equally_loud(tmp_path):
    frequencies = (500, 1000, 2000)
    table = speech(tmp_path, frequencies)
    made = corpora.babble(table, {"emodb": tmp_path}, trained_on=["ravdess"], duration_s=5.0, num_speakers=3)
    assert made.shape == (5 * RATE,) and made.dtype == np.float32
    assert np.sqrt(np.mean(made.astype("float64") ** 2)) == pytest.approx(0.1, rel=1e-6)
    # The silences are gone and the tones fit whole seconds: each speaker is one line of the spectrum.
    spectrum = np.abs(np.fft.rfft(made)) / len(made) * 2
    np.testing.assert_allclose([spectrum[hz * 5] for hz in frequencies], 0.1 * np.sqrt(2 / 3), rtol=1e-4)
    again = corpora.babble(table, {"emodb": tmp_path}, trained_on=[], duration_s=5.0, num_speakers=3)
    np.testing.assert_array_equal(made, again)


def test_babble_draws_by_the_seed(tmp_path):
    table = speech(tmp_path, (500, 1000, 2000))
    draws = {
        tuple(np.argsort(np.abs(np.fft.rfft(made))[[500, 1000, 2000]])[-1:])
        for seed in range(8)
        for made in [
            corpora.babble(
                table, {"emodb": tmp_path}, trained_on=["ravdess"], duration_s=1.0, num_speakers=1, seed=seed
            )
        ]
    }
    assert len(draws) > 1


def test_babble_refuses_the_training_corpus_and_too_few_speakers(tmp_path):
    table = speech(tmp_path, (500,))
    with pytest.raises(SpeakerLeakError, match="never hears in training, so not from emodb"):
        corpora.babble(table, {"emodb": tmp_path}, trained_on=iter(["emodb", "ravdess"]))
    with pytest.raises(SpeakerLeakError, match="so not from emodb_first2s. Trained on: emodb"):
        corpora.babble(table.assign(corpus="emodb_first2s"), {"emodb_first2s": tmp_path}, trained_on=["emodb"])
    with pytest.raises(SpeakerLeakError, match="so not from emodb. Trained on: emodb_first2s"):
        corpora.babble(table, {"emodb": tmp_path}, trained_on=["emodb_first2s"])
    with pytest.raises(CorpusError, match="Babble of 6 speakers needs as many in the table. Received: 1"):
        corpora.babble(table, {"emodb": tmp_path}, trained_on=["ravdess"])
    with pytest.raises(CorpusError, match="No root folder was given for: emodb"):
        corpora.babble(table, {}, trained_on=["ravdess"], num_speakers=1)
