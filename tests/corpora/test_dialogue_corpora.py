"""The readers of the corpora with label files, on miniature copies in their layout and grammar."""

import math
import os
import stat

import numpy as np
import pytest
import soundfile
from miniature import MSP_LINES, iemocap_root, touch, whole_iemocap_root, write_texts

from serzoo import audio, corpora
from serzoo.corpora.avec import quadrant
from serzoo.errors import CorpusError

IEMOCAP = {
    "ang": 1103,
    "hap": 595,
    "exc": 1041,
    "sad": 1084,
    "neu": 1708,
    "fru": 1849,
    "sur": 107,
    "fea": 40,
    "dis": 2,
    "oth": 3,
    "xxx": 2507,
}


def known(row):
    return {key: value for key, value in row.items() if key not in ("corpus", "file")}


def test_iemocap_turns(tmp_path):
    rows, skipped = corpora.scan("iemocap", iemocap_root(tmp_path))
    folder = "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_"
    assert [row["file"] for row in rows] == [f"{folder}{turn}.wav" for turn in ("F000", "F001", "M000")]
    assert known(rows[0]) == {
        "emotion": "neutral",
        "gender": "female",
        "speaker": "Ses01F",
        "session": "Ses01",
        "style": "improvised",
        "valence": 2.5,
        "arousal": 2.5,
        "dominance": 2.5,
        "votes": "anger 1, neutral 3",
        "text": "Excuse me.",
    }
    assert (rows[1]["emotion"], rows[1]["votes"]) == ("excitement", "excitement 2, happiness 1")
    # No majority: a row without an emotion, of the man, although the woman wears the markers.
    assert "emotion" not in rows[2] and (rows[2]["speaker"], rows[2]["gender"]) == ("Ses01M", "male")
    assert rows[2]["votes"] == "anger 1, frustration 1, neutral 1"
    assert (rows[2]["valence"], rows[2]["arousal"], rows[2]["dominance"]) == (3.0, 3.5, 3.0)
    assert skipped == {"a recording without a label": [f"{folder}FXX0.wav"]}
    table = corpora.read("iemocap", tmp_path, partial=True)
    assert table["emotion"].isna().sum() == 1 and table[["start", "end"]].isna().all(axis=None)


def test_iemocap_without_sentences_is_cut_out_of_the_dialogues(tmp_path):
    root = iemocap_root(tmp_path)
    for path in (root / "Session1/sentences/wav/Ses01F_impro01").iterdir():
        path.unlink()
    rows, skipped = corpora.scan("iemocap", root)
    assert {row["file"] for row in rows} == {"Session1/dialog/wav/Ses01F_impro01.wav"}
    assert [(row["start"], row["end"], row["speaker"]) for row in rows] == [
        (6.2901, 8.2357, "Ses01F"),
        (10.01, 11.3925, "Ses01M"),
        (14.8872, 18.0175, "Ses01F"),
    ]
    assert skipped == {}
    (root / "Session1/dialog/wav/Ses01F_impro01.wav").unlink()
    with pytest.raises(CorpusError, match="not a root of iemocap"):
        corpora.read("iemocap", root)


def test_turns_are_heard_where_they_stand(tmp_path):
    """Her tone on the left, his on the right: each stretch holds the tone of the one who speaks."""
    root = iemocap_root(tmp_path)
    for path in (root / "Session1/sentences/wav/Ses01F_impro01").iterdir():
        path.unlink()
    time_s = np.arange(20 * 16000) / 16000
    his = (time_s > 9) & (time_s < 13)
    tones = [np.where(his, 0, np.sin(2 * np.pi * 300 * time_s)), np.where(his, np.sin(2 * np.pi * 100 * time_s), 0)]
    path = root / "Session1/dialog/wav/Ses01F_impro01.wav"
    soundfile.write(path, 0.5 * np.stack(tones, axis=1), 16000, subtype="PCM_16")
    for row in corpora.read("iemocap", root, partial=True).itertuples():
        samples = audio.read(root / row.file, start_s=row.start, end_s=row.end)
        loudest_hz = np.argmax(np.abs(np.fft.rfft(samples))) * 16000 / len(samples)
        assert loudest_hz == pytest.approx({"female": 300, "male": 100}[row.gender], abs=1)
    report = corpora.check("iemocap", root)
    assert report.sound.num_files == 1 and report.sound.unreadable == {}
    assert report.emotions["no emotion"] == (1, 2507) and report.genders["female"] == (2, None)


def test_iemocap_names_what_is_missing(tmp_path):
    root = iemocap_root(tmp_path)
    (root / "Session1/sentences/wav/Ses01F_impro01/Ses01F_impro01_M000.wav").unlink()
    assert corpora.scan("iemocap", root).skipped["a label without a recording"] == ["Ses01F_impro01_M000"]
    with pytest.raises(CorpusError, match="expected 10039 files, found 2"):
        corpora.read("iemocap", root)


@pytest.fixture(scope="module")
def whole_iemocap(tmp_path_factory):
    return corpora.read("iemocap", whole_iemocap_root(tmp_path_factory.mktemp("iemocap"), IEMOCAP))


def test_whole_iemocap_gives_5531_utterances(whole_iemocap):
    assert len(whole_iemocap) == 10039 == corpora.info("iemocap").num_files
    rules = corpora.protocol("iemocap4-5session")
    kept, dropped = rules.apply(whole_iemocap)
    assert len(kept) == 5531
    counts = {"anger": 1103, "happiness": 595 + 1041, "neutral": 1708, "sadness": 1084}
    assert kept["emotion"].value_counts().to_dict() == counts
    assert sum(dropped.values()) == 10039 - 5531 and dropped["no emotion label"] == 2507
    folds = rules.folds(whole_iemocap)
    pairs = [tuple(("iemocap", f"Ses0{session}{sex}") for sex in "FM") for session in range(1, 6)]
    assert [fold.test for fold in folds] == pairs
    assert [fold.validation for fold in folds] == pairs[1:] + pairs[:1]
    assert {len(fold.train) for fold in folds} == {6}


def test_iemocap_partners_never_train(whole_iemocap):
    for name in ("iemocap4-10speaker", "iemocap4impro-10speaker"):
        rules = corpora.protocol(name)
        kept, dropped = rules.apply(whole_iemocap)
        for fold in rules.folds(kept):
            ((_, tested),), ((_, partner),) = fold.test, fold.validation
            assert tested[:-1] == partner[:-1] and tested != partner and len(fold.train) == 8
    assert set(kept["style"]) == {"improvised"} and "excitement is not a class of iemocap4impro-10speaker" in dropped
    assert (
        dropped["style scripted takes no part in iemocap4impro-10speaker"]
        == (whole_iemocap["style"] == "scripted").sum()
    )


def msp_root(root, label_file="Evalution.txt"):
    touch(
        root / "Audio",
        [
            "session1/S01A/S/MSP-IMPROV-S01A-F01-S-FM01.wav",
            "session1/S01A/T/MSP-IMPROV-S01A-M01-T-MF02.wav",
            "session6/S12H/P/MSP-IMPROV-S12H-F06-P-FM11.wav",
            "session3/S20N/R/MSP-IMPROV-S20N-M03-R-MM01.wav",
            "session3/S20N/R/MSP-IMPROV-S20N-M03-R-MM02.wav",
            "session3/notes.wav",
        ],
    )
    return write_texts(root, {label_file: MSP_LINES})


@pytest.mark.parametrize("label_file", ["Evalution.txt", "Evaluation.txt"])
def test_msp_improv_turns(tmp_path, label_file):
    rows, skipped = corpora.scan("msp_improv", msp_root(tmp_path, label_file))
    assert known(rows[0]) == {
        "gender": "female",
        "speaker": "F01",
        "session": "1",
        "style": "target improvised",
        "target": "anger",
        "emotion": "anger",
        "arousal": 4.2,
        "valence": 1.8,
        "dominance": 3.9,
        "naturalness": 3.5,
        "votes": "anger 2, neutral 1",  # one judgement stands twice
    }
    assert [(r["speaker"], r["style"], r.get("emotion")) for r in rows[1:]] == [
        ("M01", "other improvised", None),
        ("M03", "target read", "neutral"),
        ("F06", "natural", "other"),
    ]
    assert "dominance" not in rows[1] and rows[1]["votes"] == "happiness 1, sadness 1"
    assert skipped == {
        "not an MSP-IMPROV file name": ["Audio/session3/notes.wav"],
        "a recording without a label": ["Audio/session3/S20N/R/MSP-IMPROV-S20N-M03-R-MM02.wav"],
        "a label without a recording": ["S03S-M03-R-MM01"],
    }


def test_msp_improv_numbers_and_folds():
    official = corpora.info("msp_improv")
    assert sum(official.emotions[e] for e in ("anger", "happiness", "neutral", "sadness")) == 7798
    assert official.num_files == 8438 == 652 + 620 + 4381 + 2785
    speakers = sorted(("msp_improv", speaker) for speaker in official.speakers)
    folds = corpora.protocol("msp_improv4-6session").assign(speakers)
    assert [{speaker for _, speaker in test} for _, test in folds] == [{f"F0{n}", f"M0{n}"} for n in range(1, 7)]
    assert [{speaker[-1] for _, speaker in validation} for validation, _ in folds] == [{n} for n in "234561"]


MELD_HEADER = "Sr No.,Utterance,Speaker,Emotion,Sentiment,Dialogue_ID,Utterance_ID,Season,Episode,StartTime,EndTime\n"


def meld_root(root):
    rows = {
        "train": '1,"Oh my God, he\x92s lost it.",Phoebe,joy,positive,0,0,4,7,"0:20:57,256","0:21:00,049"\n'
        "2,What?,Waiter,surprise,negative,0,1,4,7,x,y\n3,Broken.,Joey,neutral,neutral,125,3,4,7,x,y\n"
        "4,No video.,Ross,fear,negative,9,9,4,7,x,y\n",
        "dev": "1,Same name.,Ross,anger,negative,0,0,4,7,x,y\n2,Lost.,Ross,neutral,neutral,110,7,4,7,x,y\n",
        "test": "1,Tested.,Monica,sadness,negative,0,0,4,7,x,y\n",
    }
    write_texts(
        root, {f"{part}_sent_emo.csv": (MELD_HEADER + text).encode("cp1252", "replace") for part, text in rows.items()}
    )
    path = root / "train_sent_emo.csv"
    path.write_bytes(path.read_bytes().replace(b"he?s", b"he\x92s"))
    return root


def test_meld_parts_tables_and_known_bad_files(tmp_path):
    root = meld_root(tmp_path)
    touch(root, ["train_splits/dia0_utt0.wav", "train_splits/dia0_utt0.mp4", "train/train_splits/dia0_utt1.wav"])
    touch(
        root, ["train_splits/dia125_utt3.wav", "dev_splits_complete/dia0_utt0.wav", "dev_splits_complete/dia5_utt0.wav"]
    )
    touch(root, ["output_repeated_splits_test/dia0_utt0.wav"])
    touch(root, ["output_repeated_splits_test/final_videos_testdia0_utt0.wav"])
    rows, skipped = corpora.scan("meld", root)
    assert [(r["file"], r["speaker"], r.get("gender"), r["emotion"], r["split"]) for r in rows] == [
        ("dev_splits_complete/dia0_utt0.wav", "Ross", "male", "anger", "dev"),
        ("output_repeated_splits_test/dia0_utt0.wav", "Monica", "female", "sadness", "test"),
        ("train/train_splits/dia0_utt1.wav", "Waiter", None, "surprise", "train"),
        ("train_splits/dia0_utt0.wav", "Phoebe", "female", "happiness", "train"),
    ]
    assert (rows[3]["text"], rows[3]["session"]) == ("Oh my God, he’s lost it.", "train dia0")
    assert skipped == {
        "a recording without a label": ["dev_splits_complete/dia5_utt0.wav"],
        "known to be damaged": ["train_splits/dia125_utt3.wav"],
        "not a MELD file name": ["output_repeated_splits_test/final_videos_testdia0_utt0.wav"],
        "a label without a recording": ["train dia9_utt9"],
    }
    assert corpora.info("meld").num_files == 13708 - 2
    assert list(corpora.read("meld", root, partial=True)["file"]) == [row["file"] for row in rows]
    write_texts(root, {"dev_sent_emo.csv": "a,b\n1,2\n"})
    with pytest.raises(CorpusError, match="lacks the columns Utterance, Speaker.*Received: a, b"):
        corpora.scan("meld", root)


@pytest.mark.parametrize("row", ["2,What?,Jo", "2,What?", "2,What?,Joey,anger,negative,0,1"])
def test_meld_tables_that_are_cut(tmp_path, row):
    path = meld_root(tmp_path) / "dev_sent_emo.csv"
    path.write_text(f"{MELD_HEADER}1,Same name.,Ross,anger,negative,0,0,4,7,x,y\n{row}")
    with pytest.raises(CorpusError, match="Line 3 of dev_sent_emo.csv must have 11 fields: it is cut"):
        corpora.scan("meld", tmp_path)
    with pytest.raises(CorpusError, match="not a root of emodb"):  # which looks at it, too
        corpora.scan("emodb", tmp_path)


def afew_root(root):
    return touch(root, ["Train_AFEW/Angry/000046280.avi", "Val_AFEW/Happy/000149120.avi", "Test/0001.avi"])


def test_afew_folders(tmp_path):
    rows, skipped = corpora.scan("afew", afew_root(tmp_path))
    assert [known(row) for row in rows] == [
        {"emotion": "anger", "split": "train"},
        {"emotion": "happiness", "split": "val"},
    ]
    assert skipped == {"outside the official folders": ["Test/0001.avi"]}
    assert corpora.info("afew").num_files == 773 + 383


def test_videos_without_ffmpeg_are_refused_with_the_way_out(tmp_path, monkeypatch):
    root = afew_root(tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(CorpusError, match="2 files are videos, the first Train_AFEW/Angry/000046280.avi, and ffmpeg"):
        corpora.read("afew", root, partial=True)
    with pytest.raises(CorpusError, match="ffmpeg"):
        corpora.check("afew", root)
    assert corpora.check("afew", root, sound=False).emotions["anger"] == (1, 197)
    touch(root, ["Train_AFEW/Angry/000046280.wav", "Val_AFEW/Happy/000149120.flac"])
    table = corpora.read("afew", root, partial=True)
    assert list(table["file"]) == ["Train_AFEW/Angry/000046280.wav", "Val_AFEW/Happy/000149120.flac"]
    assert "another copy of the same utterance" not in corpora.scan("afew", root).skipped


def test_videos_are_heard_through_ffmpeg_once(tmp_path, monkeypatch):
    """A stand-in for ffmpeg, which copies a sound and counts its calls: its own work is not tested here."""
    root, tools = afew_root(tmp_path / "AFEW"), tmp_path / "bin"
    tools.mkdir()
    soundfile.write(tmp_path / "tone.wav", np.full(16000, 0.1), 16000)
    fake = tools / "ffmpeg"
    fake.write_text(
        f'#!/bin/sh\necho called >> "{tmp_path}/calls"\nfor last; do :; done\n'
        f'case "$*" in *000149120*) echo "moov atom not found" >&2; exit 1;; esac\ncp "{tmp_path}/tone.wav" "$last"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tools}{os.pathsep}{os.environ['PATH']}")
    table = corpora.read("afew", root, partial=True)
    # The video that has no sound stays, so that whoever decodes it names it.
    assert list(table["file"]) == ["serzoo_sound/Train_AFEW/Angry/000046280.wav", "Val_AFEW/Happy/000149120.avi"]
    assert len(audio.read(root / table["file"][0])) == 16000
    corpora.read("afew", root, partial=True)
    assert (tmp_path / "calls").read_text().count("called") == 3  # the good one is not made again
    left = sorted(path.name for path in (root / "serzoo_sound").rglob("*") if path.is_file())
    assert left == ["000046280.wav"]
    assert corpora.scan("afew", root).skipped == {"outside the official folders": ["Test/0001.avi"]}


def test_videos_by_ffmpeg_itself(tmp_path):
    import shutil
    import subprocess

    if shutil.which("ffmpeg") is None:
        pytest.skip("needs ffmpeg")
    root = tmp_path / "Train" / "Sad"
    root.mkdir(parents=True)
    source = ["-f", "lavfi", "-i", "sine=440:duration=1", "-f", "lavfi", "-i", "color=black:size=32x32:duration=1"]
    subprocess.run(["ffmpeg", "-v", "error", *source, str(root / "1.avi")], check=True)
    table = corpora.read("afew", tmp_path, partial=True)
    assert len(audio.read(tmp_path / table["file"][0])) == pytest.approx(16000, abs=800)


def arff(name, values, step=0.04):
    lines = "".join(f"'{name}',{index * step:.2f},{value:.6f}\n" for index, value in enumerate(values))
    names = "@attribute Instance_name string\n@attribute frameTime numeric\n@attribute GoldStandard numeric\n"
    return f"@relation GOLDSTANDARD\n\n{names}\n\n@data\n\n{lines}"


def test_recola_stretches_become_classes(tmp_path):
    # 40 ms steps: one second each of excited and pleasant, excited and unpleasant, near nothing, and 0.4 s left over.
    arousal = [0.4] * 25 + [0.3] * 25 + [0.02] * 25 + [-0.5] * 10
    valence = [0.2] * 25 + [-0.3] * 25 + [0.05] * 25 + [-0.5] * 10
    labels = "ratings_gold_standard/{}/train_1.arff"
    texts = {labels.format("arousal"): arff("train_1", arousal), labels.format("valence"): arff("train_1", valence)}
    touch(write_texts(tmp_path, texts), ["recordings_audio/train_1.wav", "recordings_audio/test_1.wav"])
    table = corpora.read("avec", tmp_path, stretch_s=1.0)
    assert table[["start", "end", "emotion"]].to_numpy().tolist() == [
        [0.0, 1.0, "happiness"],
        [1.0, 2.0, "anger"],
        [2.0, 3.0, "neutral"],
    ]
    assert set(table["speaker"]) == {"train_1"} and set(table["split"]) == {"train"}
    assert table["arousal"].tolist() == pytest.approx([0.4, 0.3, 0.02])
    assert corpora.scan("avec", tmp_path).skipped == {"a recording without a label": ["recordings_audio/test_1.wav"]}
    assert corpora.read("avec", tmp_path, stretch_s=1.0, neutral_radius=0.0)["emotion"][2] == "happiness"
    # Raters who are one second late: what they said of the first second falls away.
    late = corpora.read("avec", tmp_path, stretch_s=1.0, delay_s=1.0)
    assert late[["start", "emotion"]].to_numpy().tolist() == [[0.0, "anger"], [1.0, "neutral"]]
    # The last 0.4 s are more than half of 0.5 s.
    assert corpora.read("avec", tmp_path, stretch_s=0.5)[["start", "end"]].to_numpy().tolist()[-1] == [3.0, 3.4]
    for option, message in (
        ({"stretch_s": 0}, "0.1 or more"),
        ({"delay_s": math.nan}, "nan"),
        ({"step": 1}, "Received: step"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read("avec", tmp_path, **option)


def test_sewa_stretches(tmp_path):
    lines = [f"'Devel_HU_02';{i / 10:.6f};{-0.3 if i < 40 else -0.2};{-0.4 if i < 40 else 0.3};0.1" for i in range(80)]
    text = "name;timestamp;arousal;valence;liking\n" + "\n".join(lines) + "\n"
    touch(write_texts(tmp_path, {"labels/Devel_HU_02.csv": text}), ["audio/Devel_HU_02.wav"])
    table = corpora.read("avec", tmp_path)
    assert table[["start", "end", "emotion", "split", "language"]].to_numpy().tolist() == [
        [0.0, 4.0, "sadness", "dev", "hu"],
        [4.0, 8.0, "calm", "dev", "hu"],
    ]
    write_texts(tmp_path, {"labels/Devel_HU_02.csv": "time;anger\n0;1\n"})
    with pytest.raises(
        CorpusError, match="labels/Devel_HU_02.csv cannot be read: its columns must be.*Received: time, anger"
    ):
        corpora.read("avec", tmp_path)
    write_texts(tmp_path, {"labels/Devel_HU_02.csv": text + "'Devel_HU_02';8.0;-0.2"})
    with pytest.raises(CorpusError, match="labels/Devel_HU_02.csv cannot be read: could not convert"):
        corpora.read("avec", tmp_path)
    with pytest.raises(CorpusError, match="not a root of emodb"):  # which looks at it, too
        corpora.scan("emodb", tmp_path)


def test_recola_traces_that_disagree_are_refused(tmp_path):
    labels = "ratings_gold_standard/{}/dev_1.arff"
    texts = {labels.format("arousal"): arff("dev_1", [0.1] * 50), labels.format("valence"): arff("dev_1", [0.1] * 49)}
    touch(write_texts(tmp_path, texts), ["recordings_audio/dev_1.wav"])
    with pytest.raises(CorpusError, match="different times"):
        corpora.read("avec", tmp_path)
    (tmp_path / labels.format("valence")).unlink()
    with pytest.raises(CorpusError, match="valence/dev_1.arff cannot be read"):
        corpora.read("avec", tmp_path)


@pytest.mark.parametrize(
    ("arousal", "valence", "name"),
    [
        (0.2, 0.0, "happiness"),
        (0.0, 0.2, "happiness"),
        (0.0, -0.2, "sadness"),
        (-0.2, 0.0, "calm"),
        (0.2, -1e-9, "anger"),
        (0.06, 0.08, "happiness"),  # on the circle
        (0.06, 0.0799, "neutral"),
    ],
)
def test_quadrants_and_their_borders(arousal, valence, name):
    assert quadrant(arousal, valence, neutral_radius=0.1) == name
