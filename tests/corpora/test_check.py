"""The check of a copy: counts against the official numbers, and bad recordings."""

import shutil

import numpy as np
import pytest
import soundfile
from miniature import ravdess_files, touch

from serzoo import corpora
from serzoo.errors import CorpusError


def write_tone(path, hz=200.0, duration_s=0.3, amplitude=0.1):
    path.parent.mkdir(parents=True, exist_ok=True)
    time_s = np.arange(round(16000 * duration_s)) / 16000
    soundfile.write(path, amplitude * np.sin(2 * np.pi * hz * time_s), 16000, subtype="PCM_16")


def test_a_whole_copy_is_ok(ravdess_root):
    report = corpora.check("ravdess", ravdess_root, sound=False)
    assert report.ok and report.problems == []
    assert report.emotions["neutral"] == (96, 96) and report.emotions["calm"] == (192, 192)
    assert report.genders == {"female": (720, 720), "male": (720, 720)}
    assert len(report.speakers) == 24 and set(report.speakers.values()) == {(60, 60)}
    assert str(report).splitlines()[-1] == "ok: complete"
    assert "sound: not looked at" in report.text()


def test_half_a_copy_is_reported(tmp_path):
    root = touch(tmp_path, ravdess_files(range(1, 13)) + ravdess_files([3], channel="02"))
    report = corpora.check("ravdess", root, sound=False)
    assert not report.ok
    assert report.emotions["anger"] == (96, 192)
    assert report.speakers["13"] == (0, 60) and report.speakers["12"] == (60, 60)
    assert "720 of 1440 files" in report.text()
    assert "skipped, song (vocal channel 02): 60" in report.text()
    assert report.problems[-1].startswith("files by speaker: 13 0 of 60, 14 0 of 60")


def test_a_wrong_root_is_refused_as_by_the_reader(tmp_path, ravdess_root):
    with pytest.raises(CorpusError, match="looks like 'ravdess'"):
        corpora.check("emodb", ravdess_root)


def test_options_that_no_noise_takes(tmp_path):
    with pytest.raises(CorpusError, match="The corpus folder:mine takes no options. Received: stretch_s"):
        corpora.check("folder:mine", touch(tmp_path, ["a.wav"]), stretch_s=3.0)


def test_bad_recordings_are_named(tmp_path):
    names = [file for file in ravdess_files([7]) if "-03-01-" in file or "-05-" in file]
    for index, name in enumerate(names):
        write_tone(tmp_path / name, hz=200 + 10 * index, duration_s=0.3 + 0.01 * index)
    write_tone(tmp_path / "Actor_07/03-01-05-01-01-01-07.wav", amplitude=0.0)
    (tmp_path / "Actor_07/03-01-05-01-01-02-07.wav").write_bytes(b"")
    (tmp_path / "Actor_07/03-01-05-01-02-01-07.wav").write_bytes(b"not a recording" * 100)
    twin = tmp_path / "Actor_07/03-01-05-02-01-01-07.wav"
    # Other bytes, the same sound: a FLAC of the same samples under another utterance's name.
    samples, rate = soundfile.read(twin, dtype="int16")
    (tmp_path / "Actor_07/03-01-05-02-01-02-07.wav").unlink()
    soundfile.write(tmp_path / "Actor_07/03-01-05-02-01-02-07.flac", samples, rate)
    first = tmp_path / "Actor_07/03-01-03-01-02-01-07.wav"
    shutil.copy(first, first.with_name("03-01-03-01-02-02-07.wav"))
    steps = []
    report = corpora.check("ravdess", tmp_path, progress=lambda done, total: steps.append((done, total)))
    sound = report.sound
    assert sound.silent == ["Actor_07/03-01-05-01-01-01-07.wav"]
    assert sound.empty == ["Actor_07/03-01-05-01-01-02-07.wav"]
    assert list(sound.unreadable) == ["Actor_07/03-01-05-01-02-01-07.wav"]
    assert str(tmp_path) not in report.text().replace(report.root, "", 1)
    assert sound.duplicates == [("Actor_07/03-01-05-02-01-01-07.wav", "Actor_07/03-01-05-02-01-02-07.flac")]
    assert sound.known_duplicates == [("Actor_07/03-01-03-01-02-01-07.wav", "Actor_07/03-01-03-01-02-02-07.wav")]
    assert steps[-1] == (len(names), len(names)) and len(steps) == len(names) - 1
    for word in (
        "empty: ",
        "unreadable: ",
        "silent: ",
        "bit-identical: ",
        "bit-identical in the official release too: ",
    ):
        assert word in report.text()


def test_clipped_recordings_are_named_and_no_problem(tmp_path):
    names = [name for name in ravdess_files([1]) if "-05-" in name][:4]
    time_s = np.arange(8000) / 16000
    tone = np.sin(2 * np.pi * 100 * time_s + 0.1)
    loud = {
        "as loud as can be": tone,
        "flattened": np.clip(1.02 * tone, -1, 1),
        "quiet": 0.5 * np.clip(2 * tone, -1, 1),
    }
    for name, samples in zip(names, [*loud.values(), np.clip(-1.02 * tone, -1, 0.5)], strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        soundfile.write(tmp_path / name, samples, 16000, subtype="PCM_16")
    report = corpora.check("ravdess", tmp_path)
    assert report.sound.clipped == [names[1], names[3]]
    assert f"clipped, kept as it is: 2 ({names[1]}, {names[3]})" in report.text()
    assert not any("clipped" in problem for problem in report.problems)


def test_excerpts_that_are_not_there_are_a_problem(tmp_path):
    write_tone(tmp_path / "a.wav", duration_s=2.0)
    lines = ["a.wav,anger,0,1.5", "a.wav,anger,0.5,150", "a.wav,anger,1.5,", "a.wav,anger,1.95,", "a.wav,anger,1,2.05"]
    (tmp_path / "own.csv").write_text("\n".join(["file,emotion,start,end", *lines]))
    report = corpora.check("table", tmp_path / "own.csv")
    assert report.problems == [
        "no such excerpt: a.wav lasts 2.000 s, of which 0.5 to 150 s are asked for",
        "no such excerpt: a.wav lasts 2.000 s, of which 1.95 to inf s are asked for",
    ]


def test_copies_cut_to_one_length_are_noticed(tmp_path):
    for index, name in enumerate(ravdess_files([1])[:10]):
        write_tone(tmp_path / name, hz=200 + 10 * index, duration_s=0.25)
    assert corpora.check("ravdess", tmp_path).sound.same_duration_s == 0.25


def test_four_whole_emotions_of_emodb_are_ok(shared_data):
    report = corpora.check("emodb", shared_data / "EmoDB")
    assert report.ok
    assert report.absent == ("boredom", "disgust", "fear")
    assert report.genders == {"female": (188, 188), "male": (151, 151)}
    assert report.sound.num_files == 339 and report.sound.unreadable == {} and report.sound.duplicates == []
    assert report.text().endswith("ok: complete in 4 of 7 emotions")


def test_seven_cut_emotions_of_emodb_are_not(shared_data):
    report = corpora.check("emodb", shared_data / "EmoDB_first2s_22k")
    assert report.emotions == {name: (count, count) for name, count in sorted(corpora.info("emodb").emotions.items())}
    assert report.problems == ["all files last 2.000 s: cut or padded, not the official recordings"]


def test_the_known_duplicate_of_ravdess_is_found(shared_data):
    root = shared_data / "RAVDESS"
    report = corpora.check("ravdess", root)
    assert report.ok
    assert report.sound.known_duplicates == [
        ("Actor_07/03-01-03-01-02-01-07.flac", "Actor_07/03-01-03-01-02-02-07.flac")
    ]
    assert report.sound.duration_s == pytest.approx(sum(soundfile.info(f).duration for f in root.glob("*/*.flac")))
