"""The readers against the manifests of real copies, and against miniature copies in every layout."""

import subprocess
import sys
import time

import pandas as pd
import pytest
from miniature import EMODB_TEXTS, ravdess_files, touch

from serzoo import corpora
from serzoo.errors import CorpusError, UnknownNameError

# Names of the manifests, which are not the canonical ones.
CANONICAL = {"happy": "happiness", "sad": "sadness", "angry": "anger", "fearful": "fear", "surprised": "surprise"}
STATEMENTS = {"01": "Kids are talking by the door", "02": "Dogs are sitting by the door"}


def manifest(root):
    rows = pd.read_csv(root / "manifest.csv", dtype=str).sort_values("file").reset_index(drop=True)
    return rows.assign(emotion=rows["emotion"].replace(CANONICAL))


def assert_same_columns(table, expected, columns):
    for column in columns:
        assert list(table[column]) == list(expected[column]), column


def assert_canonical(table, name):
    assert list(table.columns[: len(corpora.COLUMNS)]) == list(corpora.COLUMNS)
    assert set(table["corpus"]) == {name}
    assert set(table["emotion"]) <= set(corpora.EMOTIONS)
    assert table[["start", "end"]].isna().all(axis=None)
    assert (table[["start", "end"]].dtypes == "float64").all()
    assert not table.duplicated(["corpus", "file"]).any()
    assert list(table.index) == list(range(len(table)))


def test_ravdess_equals_the_manifest(shared_data):
    root = shared_data / "RAVDESS"
    start = time.perf_counter()
    table = corpora.read("ravdess", root)
    seconds = time.perf_counter() - start
    expected = manifest(root)
    assert_canonical(table, "ravdess")
    assert_same_columns(table, expected, ["file", "speaker", "gender", "emotion", "intensity"])
    assert list(table["text"]) == [STATEMENTS[code] for code in expected["statement"]]
    assert list(table["repetition"]) == [int(code) for code in expected["repetition"]]
    assert seconds < 2


@pytest.mark.parametrize(("folder", "num_files"), [("EmoDB", 339), ("EmoDB_first2s_22k", 535)])
def test_emodb_equals_the_manifest(shared_data, folder, num_files):
    root = shared_data / folder
    table = corpora.read("emodb", root)
    expected = manifest(root)
    assert len(table) == num_files
    assert_canonical(table, "emodb")
    assert_same_columns(table, expected, ["file", "speaker", "gender", "emotion"])
    assert len(set(zip(expected["text"], table["text"], strict=True))) == len(EMODB_TEXTS) == table["text"].nunique()


def test_originals_with_other_suffix_read_the_same(shared_data):
    root = shared_data / "RAVDESS_original_48k_samples"
    table = corpora.read("ravdess", root, partial=True)
    assert_same_columns(table, manifest(root), ["file", "speaker", "gender", "emotion", "intensity"])


def test_the_wav_folder_itself_is_a_root_of_emodb(shared_data):
    root = shared_data / "EmoDB"
    outer, inner = corpora.read("emodb", root), corpora.read("emodb", root / "wav")
    assert list(outer["file"]) == ["wav/" + file for file in inner["file"]]
    pd.testing.assert_frame_equal(outer.drop(columns="file"), inner.drop(columns="file"))


def test_several_corpora_in_one_table(shared_data):
    emodb, ravdess = shared_data / "EmoDB", shared_data / "RAVDESS"
    table = corpora.read_many({"ravdess": ravdess, "emodb": emodb})
    assert list(table["corpus"]) == ["ravdess"] * 1440 + ["emodb"] * 339
    assert list(table.index) == list(range(1779))
    assert table["intensity"].isna().sum() == 339


def test_ravdess_reads_the_fields_of_a_name(tmp_path):
    touch(tmp_path, ["Actor_12/03-01-06-02-02-01-12.FLAC"])
    row = corpora.read("ravdess", tmp_path, partial=True).iloc[0]
    assert row.drop(["start", "end", "session"]).to_dict() == {
        "corpus": "ravdess",
        "file": "Actor_12/03-01-06-02-02-01-12.FLAC",
        "emotion": "fear",
        "gender": "female",
        "speaker": "12",
        "text": "Dogs are sitting by the door",
        "intensity": "strong",
        "repetition": 1,
    }


@pytest.mark.parametrize("folder", ["", "Audio_Speech_Actors_01-24/", "audio_speech_actors_01-24/"])
def test_ravdess_layouts(tmp_path, folder):
    files = sorted(folder + file for file in ravdess_files())
    table = corpora.read("ravdess", touch(tmp_path, files))
    assert list(table["file"]) == files


def test_ravdess_flat_layout(tmp_path):
    files = sorted(file.rpartition("/")[2] for file in ravdess_files())
    assert list(corpora.read("ravdess", touch(tmp_path, files))["file"]) == files


def test_ravdess_skips_and_counts_what_is_not_speech(ravdess_root):
    songs = [f"Audio_Song_Actors_01-24/{file}" for file in ravdess_files([1, 2], channel="02")]
    videos = ["Video_Speech_Actor_01/Actor_01/01-01-01-01-01-01-01.mp4", "Actor_01/02-01-01-01-01-01-01.mp4"]
    wrong = [
        "Actor_01/03-01-01-02-01-01-01.wav",  # there is no strong neutral
        "Actor_01/03-01-09-01-01-01-01.wav",
        "Actor_01/03-01-02-01-01-01-25.wav",
        "Actor_01/jingle.ogg",
    ]
    touch(ravdess_root, [*songs, *videos, *wrong, "Actor_01/._03-01-01-01-01-01-01.wav", "README.txt", ".DS_Store"])
    rows, skipped = corpora.scan("ravdess", ravdess_root)
    assert len(rows) == 1440
    assert {reason: len(files) for reason, files in skipped.items()} == {
        "song (vocal channel 02)": 120,
        "video (modality 01 or 02)": 2,
        "not a RAVDESS file name": 4,
    }


def test_a_mirror_that_holds_everything_twice_is_read_once(ravdess_root):
    touch(ravdess_root, [f"audio_speech_actors_01-24/{file}" for file in ravdess_files()])
    rows, skipped = corpora.scan("ravdess", ravdess_root)
    assert [row["file"] for row in rows] == sorted(ravdess_files())
    assert [len(files) for files in skipped.values()] == [1440]


def test_copies_in_unrelated_folders_are_not_mixed_in(ravdess_root):
    touch(ravdess_root, ["denoised/Actor_01/03-01-01-01-01-01-01.wav"])
    rows, skipped = corpora.scan("ravdess", ravdess_root)
    assert len(rows) == 1440
    assert skipped == {"outside the official folders": ["denoised/Actor_01/03-01-01-01-01-01-01.wav"]}


def test_missing_corpus_lists_the_allowed_ones(tmp_path):
    with pytest.raises(UnknownNameError, match="Unknown corpus 'emobd'. Did you mean 'emodb'"):
        corpora.read("emobd", tmp_path)
    for given in (["emodb"], "emodb"):
        with pytest.raises(CorpusError, match="Corpora are given as {name: root}. Received: (list|str)"):
            corpora.read_many(given)
        with pytest.raises(CorpusError, match="Corpora are given as {name: root}. Received: (list|str)"):
            corpora.folders(given)
    with pytest.raises(CorpusError, match="At least one corpus"):
        corpora.read_many({})


def test_roots_that_are_no_folder(tmp_path):
    with pytest.raises(CorpusError, match=r"There is no folder .*nowhere.*Expected 1440 files such as Actor_01/"):
        corpora.read("ravdess", tmp_path / "nowhere")
    (tmp_path / "a.zip").touch()
    with pytest.raises(CorpusError, match=r"must be a folder.*535 files such as wav/03a01Fa.wav.*Received the file"):
        corpora.read("emodb", tmp_path / "a.zip")


def test_wrong_folders_say_what_was_found(ravdess_root, tmp_path):
    with pytest.raises(CorpusError, match=r"not a root of emodb.*looks like 'ravdess' \(1440 of its files\)"):
        corpora.read("emodb", ravdess_root)
    with pytest.raises(CorpusError, match=r"the folder 'RAVDESS' in it, which looks like a root of ravdess"):
        corpora.read("ravdess", tmp_path)
    touch(tmp_path / "other", ["a.txt", "b.wav", "c/d.wav", "e"])
    with pytest.raises(CorpusError, match=r"Found a.txt, b.wav, c, \.\.\.\."):
        corpora.read("ravdess", tmp_path / "other")
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="Found an empty folder"):
        corpora.read("ravdess", tmp_path / "empty")
    touch(tmp_path / "emodb", ["03a01Fa.wav"])
    with pytest.raises(CorpusError, match="looks like 'emodb'"):
        corpora.read("ravdess", tmp_path / "emodb")


def test_the_likeliest_corpus_is_named(tmp_path):
    touch(tmp_path, ["f1/gio-f1-b1.wav", "AudioData/DC/a01.wav", "AudioData/DC/a02.wav"])
    with pytest.raises(CorpusError, match=r"not a root of iemocap.*looks like 'savee' \(2 of its files\)"):
        corpora.read("iemocap", tmp_path)
    for name in corpora.names():
        if name != "table":
            (tmp_path / f"empty_{name}").mkdir()
            with pytest.raises(CorpusError, match=rf"is not a root of {name}\..*Found an empty folder"):
                corpora.read(name, tmp_path / f"empty_{name}")


def test_half_a_copy_is_refused_unless_asked_for(tmp_path):
    root = touch(tmp_path, ravdess_files(range(1, 13)))
    with pytest.raises(CorpusError, match=r"expected 1440 files, found 720 .*neutral 48 of 96.*speaker 13, 14"):
        corpora.read("ravdess", root)
    assert len(corpora.read("ravdess", root, partial=True)) == 720
    assert len(corpora.read_many({"ravdess": root}, partial=True)) == 720


def test_one_missing_file_is_noticed(ravdess_root):
    (ravdess_root / "Actor_24/03-01-08-02-02-02-24.wav").unlink()
    with pytest.raises(CorpusError, match=r"found 1439 \(surprise 191 of 192\)"):
        corpora.read("ravdess", ravdess_root)


def emodb_files(emotion, count):
    names = [f"wav/{s}{t}{emotion}{v}.wav" for s in ("03", "08") for t in EMODB_TEXTS for v in "abcdefg"]
    return names[:count]


def test_emodb_may_lack_whole_emotions_but_not_parts_of_one(tmp_path):
    touch(tmp_path, emodb_files("W", 127) + emodb_files("N", 79))
    assert len(corpora.read("emodb", tmp_path)) == 206
    touch(tmp_path, emodb_files("T", 61))
    with pytest.raises(CorpusError, match=r"expected 268 files, found 267 \(sadness 61 of 62"):
        corpora.read("emodb", tmp_path)
    touch(tmp_path, emodb_files("T", 63))
    with pytest.raises(CorpusError, match="sadness 63 of 62"):
        corpora.read("emodb", tmp_path)


def test_official_numbers_agree_with_themselves():
    for name in corpora.names():
        info = corpora.info(name)
        assert info.name == name
        assert set(info.emotions) <= set(corpora.EMOTIONS)
        assert set(info.speakers.values()) <= {"female", "male"}
        if info.speaker_emotions:
            assert set(info.speaker_emotions) == set(info.speakers)
            for emotion, count in info.emotions.items():
                assert sum(counts[emotion] for counts in info.speaker_emotions.values()) == count
    assert (corpora.info("emodb").num_files, corpora.info("ravdess").num_files) == (535, 1440)


def test_importing_the_corpora_is_cheap():
    heavy = "tensorflow keras librosa matplotlib sklearn pandas numpy"
    code = f"import sys, serzoo.corpora; print([name for name in {heavy.split()} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
