"""The readers of the corpora whose file names tell everything, on whole copies of empty files."""

from pathlib import Path

import numpy as np
import pytest
import soundfile
from miniature import crema_d_files, emovo_files, savee_files, tess_files, touch, urdu_files, write_texts

from serzoo import audio, corpora
from serzoo.errors import CorpusError

WHOLE = {"savee": savee_files, "tess": tess_files, "emovo": emovo_files, "urdu": urdu_files}


def row_of(root, name, file, **options):
    table = corpora.read(name, root, partial=True, **options)
    return table[table["file"] == file].iloc[0].dropna().drop(["corpus", "file"]).to_dict()


@pytest.mark.parametrize("name", WHOLE)
def test_whole_copies_are_complete(tmp_path, name):
    root = touch(tmp_path, WHOLE[name]())
    table = corpora.read(name, root)
    assert list(table["file"]) == sorted(WHOLE[name]())
    assert set(table["corpus"]) == {name}
    assert corpora.check(name, root, sound=False).ok
    (root / table["file"][0]).unlink()
    with pytest.raises(CorpusError, match="is not a whole copy"):
        corpora.read(name, root)
    assert not corpora.check(name, root, sound=False).ok


def test_crema_d(tmp_path):
    files = [
        file for file in crema_d_files([1001, 1040, 1076]) if "1076_MTI_SAD" not in file and "1040_ITH_SAD" not in file
    ]
    touch(tmp_path, [*files, "AudioWAV/1076_MTI_SAD_XX.wav", "AudioWAV/1040_ITH_SAD_X.wav"])
    touch(tmp_path, ["AudioMP3/1001_IEO_ANG_HI.mp3", "AudioWAV/1092_IEO_ANG_HI.wav", "AudioWAV/._1001_IEO_ANG_HI.wav"])
    rows, skipped = corpora.scan("crema_d", tmp_path)
    assert len(rows) == len(files) + 1
    assert skipped == {
        "known to hold no sound": ["AudioWAV/1076_MTI_SAD_XX.wav"],
        "not a CREMA-D file name": ["AudioWAV/1092_IEO_ANG_HI.wav"],
    }
    assert row_of(tmp_path, "crema_d", "AudioWAV/1001_IEO_ANG_HI.wav") == {
        "emotion": "anger",
        "gender": "male",
        "speaker": "1001",
        "text": "It's eleven o'clock",
        "intensity": "high",
    }
    assert row_of(tmp_path, "crema_d", "AudioWAV/1040_ITH_SAD_X.wav")["emotion"] == "sadness"
    with pytest.raises(
        CorpusError, match=r"expected 7441 files, found 245 \(anger 42 of 1271.*no file of speaker 1002"
    ):
        corpora.read("crema_d", tmp_path)
    assert len(corpora.read("crema_d", tmp_path / "AudioWAV", partial=True)) == 3 * 82 - 1


def test_crema_d_speakers():
    speakers = corpora.info("crema_d").speakers
    assert list(speakers) == [str(number) for number in range(1001, 1092)]
    assert sorted(speakers.values()).count("female") == 43 and len(speakers) - 43 == 48
    assert corpora.info("crema_d").num_files == 7442 - 1


def test_savee(tmp_path):
    touch(
        tmp_path, ["ALL/JK_su05.wav", "AudioData/JK/su05.wav", "AudioData/KL/sa15.wav", "AudioData/Info.txt", "x.wav"]
    )
    rows, skipped = corpora.scan("savee", tmp_path)
    assert [row["file"] for row in rows] == ["ALL/JK_su05.wav", "AudioData/KL/sa15.wav"]
    assert skipped == {
        "not a SAVEE file name": ["x.wav"],
        "another copy of the same utterance": ["AudioData/JK/su05.wav"],
    }
    expected = {"emotion": "surprise", "gender": "male", "speaker": "JK"}
    assert row_of(tmp_path, "savee", "ALL/JK_su05.wav") == expected
    assert row_of(tmp_path / "AudioData", "savee", "JK/su05.wav") == expected


def test_tess(tmp_path):
    touch(tmp_path, tess_files()[:35])
    touch(tmp_path, [f"TESS Toronto emotional speech set data/{file}" for file in tess_files()[:35]])
    touch(tmp_path, ["denoised/OAF_back_angry.wav", "OAF_angry/OAF_back_furious.wav"])
    rows, skipped = corpora.scan("tess", tmp_path)
    assert {reason: len(files) for reason, files in skipped.items()} == {
        "another copy of the same utterance": 35,
        "outside the official folders": 1,
        "not a TESS file name": 1,
    }
    assert len(rows) == 35
    assert row_of(tmp_path, "tess", "OAF_neutral/OA_bite_neutral.wav") == {
        "emotion": "neutral",
        "gender": "female",
        "speaker": "OAF",
        "text": "Say the word bite",
        "word": "bite",
    }
    touch(tmp_path / "flat", ["YAF_rush_ps.wav"])
    assert row_of(tmp_path / "flat", "tess", "YAF_rush_ps.wav")["emotion"] == "surprise"


def test_emovo(tmp_path):
    touch(tmp_path, ["EMOVO/m3/sor-m3-d2.wav", "EMOVO/m3/sor-m3-d9.wav"])
    rows, skipped = corpora.scan("emovo", tmp_path)
    assert skipped == {"not an EMOVO file name": ["EMOVO/m3/sor-m3-d9.wav"]}
    assert row_of(tmp_path, "emovo", "EMOVO/m3/sor-m3-d2.wav") == {
        "emotion": "surprise",
        "gender": "male",
        "speaker": "m3",
        "text": "Porti con te quella cosa?",
    }


def test_urdu(tmp_path):
    touch(tmp_path, ["Neutral/SM5_F72_N0100.wav", "Sad/SF11_F3_S05.wav", "Sad/SF11_F3_A05.wav", "SM1_F1_A01.wav"])
    rows, skipped = corpora.scan("urdu", tmp_path)
    assert [(row["speaker"], row["gender"], row["emotion"]) for row in rows] == [
        ("SM5", "male", "neutral"),
        ("SF11", "female", "sadness"),
    ]
    assert skipped == {
        "name and folder tell different emotions": ["Sad/SF11_F3_A05.wav"],
        "outside the official folders": ["SM1_F1_A01.wav"],
    }


def test_esd_in_both_releases_and_all_encodings(tmp_path):
    files = ["0001/Angry/0001_000351.wav", "0011/Sad/test/0011_001421.wav", "0016/Happy/0016_000701.wav"]
    touch(tmp_path / "Emotion Speech Dataset", [*files, "0003/Neutral/0003_000001.wav", "0001/Angry/0002_000351.wav"])
    write_texts(
        tmp_path / "Emotion Speech Dataset",
        {
            "0001/0001.txt": "0001_000351\t打远一看\t生气\n".encode("gb2312"),
            "0003/0003.txt": "0003_000001\t打远一看\t中立\r\n".encode("utf-16"),
            "0011/0011.txt": "\ufeff0011_001421\tThe nine the eggs.\tSad\n",
            "0016/0016.txt": "0016_000700 no tab\n\n0016_000701\tCaf\xe9 noir.\tHappy\n".encode("latin-1"),
        },
    )
    rows, skipped = corpora.scan("esd", tmp_path)
    assert skipped == {"name and folder tell different speakers": ["Emotion Speech Dataset/0001/Angry/0002_000351.wav"]}
    assert [(r["speaker"], r["gender"], r["emotion"], r["language"], r.get("split"), r["text"]) for r in rows] == [
        ("0001", "female", "anger", "zh", None, "打远一看"),
        ("0003", "female", "neutral", "zh", None, "打远一看"),
        ("0011", "male", "sadness", "en", "test", "The nine the eggs."),
        ("0016", "female", "happiness", "en", None, "Café noir."),
    ]
    genders = list(corpora.info("esd").speakers.values())
    assert genders[:10].count("female") == genders[10:].count("female") == 5


def test_first_two_seconds_of_emodb_end_where_the_zeros_begin(tmp_path):
    rate, tone = 22050, np.full(22050, 1000, np.int16)
    tone[100] = 0  # silence inside is no padding
    (tmp_path / "wav").mkdir()
    sounds = {
        "03a01Fa": np.concatenate([tone, np.zeros(22050, np.int16)]),
        "03a01Nc": np.concatenate([tone, tone]),
        "08a01Fd": np.zeros(44100, np.int16),
        "08a01Na": tone,
    }
    for name, samples in sounds.items():
        soundfile.write(tmp_path / "wav" / f"{name}.wav", samples, rate, subtype="PCM_16")
    (tmp_path / "wav" / "08a01Wa.wav").write_bytes(b"not a recording")
    rows, skipped = corpora.scan("emodb_first2s", tmp_path)
    assert [(row["corpus"], row["file"], row.get("start"), row.get("end")) for row in rows] == [
        ("emodb_first2s", "wav/03a01Fa.wav", 0.0, 1.0),
        ("emodb_first2s", "wav/03a01Nc.wav", None, None),
    ]
    assert skipped == {
        "silent": ["wav/08a01Fd.wav"],
        "does not last 2.0 s": ["wav/08a01Na.wav"],
        "cannot be read": ["wav/08a01Wa.wav"],
    }


def test_first_two_seconds_of_emodb_against_the_whole_utterances(shared_data):
    root = shared_data / "EmoDB_first2s_22k"
    table = corpora.read("emodb_first2s", root)
    assert len(table) == 535 and set(table["corpus"]) == {"emodb_first2s"}
    padded = table["end"].notna()
    assert padded.groupby(table["emotion"]).sum()[["fear", "neutral", "sadness"]].to_list() == [29, 28, 4]
    originals = shared_data / "EmoDB" / "wav"
    for row in table.itertuples():
        original = originals / f"{Path(row.file).stem}.wav"
        if not original.is_file():
            continue
        duration = soundfile.info(original).duration
        assert (duration < 2.0) == (row.end == row.end), row.file
        # Recordings may end in zeros of their own, and both rates round.
        assert not row.end > duration + 1 / 16000
    for row in table[padded].iloc[::40].itertuples():
        samples, rate = soundfile.read(root / row.file, dtype="int16")
        end = round(row.end * rate)
        assert samples[end - 1] != 0 and not samples[end:].any()
        assert len(audio.read(root / row.file, start_s=row.start, end_s=row.end)) == pytest.approx(
            row.end * 16000, abs=1
        )
    assert corpora.check("emodb_first2s", root).ok
    with pytest.raises(CorpusError, match="535 files such as wav/03a01Fa.wav, each lasting 2.0 s"):
        corpora.read("emodb_first2s", shared_data / "EmoDB")
