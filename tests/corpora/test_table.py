"""Tables of one's own: CSV, Parquet, EmoBox JSONL and audformat, and everything that can be wrong with them."""

import json

import numpy as np
import pandas as pd
import pytest
from miniature import touch, write_texts

from serzoo import corpora
from serzoo.corpora import table_files
from serzoo.errors import CorpusError, UnknownNameError

# What audformat 1.4.3 wrote for a table of segments, one of files and one of speakers:
# Database.save(root, storage_format="csv").
AUDFORMAT = {
    "db.yaml": """\
name: toy
source: ''
usage: unrestricted
languages: []
schemes:
  emotion:
    dtype: str
    labels: [anger, joy, no agreement]
  gender:
    dtype: str
    labels: [female, male]
  speaker: {dtype: str, labels: speakers}
tables:
  files:
    type: filewise
    columns:
      speaker: {scheme_id: speaker}
  segments:
    type: segmented
    columns:
      emotion: {scheme_id: emotion}
misc_tables:
  speakers:
    levels: {speaker: str}
    columns:
      gender: {scheme_id: gender}
""",
    "db.files.csv": "file,speaker\na/1.wav,s1\na/2.wav,s2\n",
    "db.segments.csv": """\
file,start,end,emotion
a/1.wav,0 days 00:00:00.000000,0 days 00:00:01.500000,anger
a/1.wav,0 days 00:00:01.500000,0 days 00:00:02.250000,joy
a/2.wav,0 days 00:00:00.000000,0 days 00:00:00.500000,
a/2.wav,0 days 00:00:00.500000,,no agreement
""",
    "db.speakers.csv": "speaker,gender\ns1,female\ns2,male\n",
}
EMOBOX = [
    {"key": "toy-1", "dataset": "toy", "wav": "downloads/toy/1.wav", "type": "raw", "emo": "Angry", "channel": 1},
    {"key": "toy-2", "dataset": "toy", "wav": "downloads/toy/2.wav", "emo": "hap", "start_time": 0.5, "end_time": 2},
]


def write(root, text, name="labels.csv", files=("a.wav", "b.wav")):
    touch(write_texts(root, {name: text}), files)
    return root / name


def test_csv_with_serzoos_own_names(tmp_path):
    path = write(
        tmp_path, "file,emotion,speaker,gender,start,end,valence\na.wav,Happy,1,F,0.5,1.5,3\nb.wav,,2,x,,NaN,\n"
    )
    table = corpora.read("table", path)
    assert list(table.columns) == [*corpora.COLUMNS, "valence"]
    first, second = table.iloc[0], table.iloc[1]
    assert first.dropna().to_dict() == {
        "corpus": "table",
        "file": "a.wav",
        "start": 0.5,
        "end": 1.5,
        "emotion": "happiness",
        "gender": "female",
        "speaker": "1",
        "valence": 3.0,
    }
    assert second.dropna().to_dict() == {"corpus": "table", "file": "b.wav", "speaker": "2"}
    assert corpora.folder("table", path) == tmp_path


@pytest.mark.parametrize(("name", "mark"), [("l.csv", ","), ("l.csv", ";"), ("l.csv", "\t"), ("l.tsv", "\t")])
def test_columns_and_labels_of_another_name(tmp_path, name, mark):
    lines = [["path", "label", "who"], ["a.wav", "Wut", "x"], ["b.wav", "neutral", "y"], ["a.wav", "?", "x"]]
    path = write(tmp_path, "\r\n".join(mark.join(line) for line in lines[:3]) + "\r\n", name)
    columns = {"file": "path", "emotion": "label", "speaker": "who"}
    table = corpora.read("table", path, columns=columns, emotions={"wut": "anger", "?": None})
    assert table[["file", "emotion", "speaker"]].to_numpy().tolist() == [
        ["a.wav", "anger", "x"],
        ["b.wav", "neutral", "y"],
    ]


@pytest.mark.parametrize("nobody", ["NA", "nan", "N/A", "unknown", " ", "?"])
def test_people_without_a_name_are_not_one_speaker(tmp_path, nobody):
    table = corpora.read("table", write(tmp_path, f"file,emotion,speaker\na.wav,fear,{nobody}\nb.wav,fear,Nadia\n"))
    assert table["speaker"].fillna("").tolist() == ["", "Nadia"]


def test_genders_of_another_language_are_told(tmp_path):
    path = write(tmp_path, "file,emotion,gender\na.wav,fear,w\nb.wav,fear,diverse\n")
    with pytest.raises(CorpusError, match="Unknown genders in 'labels.csv': w. Known: f, female, woman, m, male, man"):
        corpora.read("table", path)


def test_several_tables_stand_beside_each_other(tmp_path):
    one, two = write(tmp_path / "1", "file,emotion\na.wav,fear\n"), write(tmp_path / "2", "f,emotion\na.wav,sad\n")
    table = corpora.read_many({"table:one": one, "table:two": two}, options={"table:two": {"columns": {"file": "f"}}})
    assert table[["corpus", "emotion"]].to_numpy().tolist() == [["table:one", "fear"], ["table:two", "sadness"]]
    with pytest.raises(UnknownNameError, match="Unknown corpus in options 'table:tow'. Did you mean 'table:two'"):
        corpora.read_many({"table:two": two}, options={"table:tow": {}})
    for name in ("table:", "ravdess:mine"):
        with pytest.raises(UnknownNameError, match="Unknown corpus"):
            corpora.read(name, one)


def test_files_relative_to_another_folder_or_absolute(tmp_path):
    touch(tmp_path / "sound", ["a.wav", "b.wav"])
    path = write(tmp_path / "lists", f"file,emotion\na.wav,fear\n{tmp_path}/sound/b.wav,fear\n", files=())
    table = corpora.read("table", path, folder=tmp_path / "sound")
    assert list(table["file"]) == ["a.wav", "b.wav"]
    assert corpora.folder("table", path, folder=tmp_path / "sound") == tmp_path / "sound"
    with pytest.raises(CorpusError, match="folder must be one that exists. Received: 'nowhere'"):
        corpora.read("table", path, folder="nowhere")


def test_absolute_files_are_the_same_however_the_root_is_written(tmp_path, monkeypatch):
    path = write(tmp_path / "mine", f"file,emotion\n{tmp_path}/mine/a.wav,fear\n{tmp_path}/link/b.wav,fear\n")
    (tmp_path / "link").symlink_to("mine")
    (tmp_path / "cwd").mkdir()
    monkeypatch.chdir(tmp_path / "cwd")
    for root in (path, "../mine/labels.csv", "../link/labels.csv"):
        assert list(corpora.read("table", root)["file"]) == ["a.wav", "b.wav"]


def test_dimensions_are_numbers_where_they_can_be(tmp_path):
    path = write(tmp_path, "file,emotion,arousal,valence\na.wav,fear,2,positive\nb.wav,fear,nan,\n")
    table = corpora.read("table", path)
    assert table[["arousal", "valence"]].fillna("-").to_numpy().tolist() == [[2.0, "positive"], ["-", "-"]]


def test_missing_files_are_counted(tmp_path):
    path = write(tmp_path, "file,emotion\na.wav,fear\ngone.wav,fear\n")
    assert corpora.scan("table", path).skipped == {"no such file": ["gone.wav"]}
    report = corpora.check("table", path, sound=False)
    assert report.problems == ["no such file: 1 (gone.wav)"] and "1 rows" in report.text()
    with pytest.raises(
        CorpusError, match=r"None of the 2 files of 'labels.csv' is there, the first a.wav.*read\(..., folder="
    ):
        corpora.read("table", write(tmp_path / "x", "file,emotion\na.wav,fear\nb.wav,fear\n", files=()))


def test_check_tells_what_training_will_miss(tmp_path):
    path = write(tmp_path, "file,emotion,speaker\na.wav,fear,1\nb.wav,fear,NA\n")
    ends = str(corpora.check("table", path, sound=False)).splitlines()[-1]
    assert ends == "ok: every row can be read, but training and judging need speakers, and 1 rows have none"
    path = write(tmp_path, "file,emotion,speaker\na.wav,fear,1\nb.wav,fear,2\n")
    assert str(corpora.check("table", path, sound=False)).splitlines()[-1] == "ok: every row can be read"


def test_lines_of_jsonl_end_at_line_feeds_alone(tmp_path):
    rows = [{"file": "1.wav", "emotion": "anger", "text": "one\u2028two"}, {"file": "2.wav", "emotion": "sadness"}]
    path = tmp_path / "mine.jsonl"
    path.write_text("\r\n".join(json.dumps(row, ensure_ascii=False) for row in rows), encoding="utf-8", newline="")
    touch(tmp_path, ["1.wav", "2.wav"])
    assert list(corpora.read("table", path)["emotion"]) == ["anger", "sadness"]


def test_emobox_jsonl(tmp_path):
    text = "\n".join(json.dumps(line) for line in EMOBOX) + "\n\n"
    path = write(tmp_path / "data/toy", text, "toy.jsonl", files=())
    touch(tmp_path, ["downloads/toy/1.wav", "downloads/toy/2.wav"])
    table = corpora.read("table", path)
    assert table[["file", "start", "end", "emotion"]].fillna(-1).to_numpy().tolist() == [
        ["downloads/toy/1.wav", -1, -1, "anger"],
        ["downloads/toy/2.wav", 0.5, 2.0, "happiness"],
    ]
    assert list(table["key"]) == ["toy-1", "toy-2"]
    assert corpora.folder("table", path) == tmp_path
    for text, message in (("{", "Line 1 of 'toy.jsonl' is no JSON"), ("[1]", "must be a JSON object"), ("", "no rows")):
        with pytest.raises(CorpusError, match=message):
            corpora.read("table", write(tmp_path / "data/toy", text, "toy.jsonl", files=()))


def test_audformat_database(tmp_path):
    touch(write_texts(tmp_path, AUDFORMAT), ["a/1.wav", "a/2.wav"])
    table = corpora.read("table", tmp_path, emotions={"no agreement": None})
    columns = ["file", "start", "end", "emotion", "speaker", "gender"]
    assert table[columns].astype(object).fillna("-").to_numpy().tolist() == [
        ["a/1.wav", 0.0, 1.5, "anger", "s1", "female"],
        ["a/1.wav", 1.5, 2.25, "happiness", "s1", "female"],
        ["a/2.wav", 0.0, 0.5, "-", "s2", "male"],
        ["a/2.wav", 0.5, "-", "-", "s2", "male"],
    ]
    assert corpora.folder("table", tmp_path) == tmp_path
    with pytest.raises(CorpusError, match="Unknown emotions.*no agreement"):
        corpora.read("table", tmp_path)
    with pytest.raises(CorpusError, match="one of: files, segments. Received: people"):
        corpora.read("table", tmp_path, table="people")
    with pytest.raises(CorpusError, match="lacks the columns emotion"):
        corpora.read("table", tmp_path, table="files")
    (tmp_path / "db.segments.csv").rename(tmp_path / "db.segments.pkl")
    with pytest.raises(CorpusError, match="must be stored as db.segments.csv or db.segments.parquet"):
        corpora.read("table", tmp_path)


def test_audformat_speakers_in_the_header(tmp_path):
    header = AUDFORMAT["db.yaml"].replace("labels: speakers", "labels: {s1: {sex: female}, s2: {}}")
    touch(write_texts(tmp_path, AUDFORMAT | {"db.yaml": header}), ["a/1.wav", "a/2.wav"])
    table = corpora.read("table", tmp_path, emotions={"no agreement": None})
    assert table["gender"].fillna("-").tolist() == ["female", "female", "-", "-"]


def test_audformat_speakers_whose_names_are_numbers(tmp_path):
    header = AUDFORMAT["db.yaml"].replace("{dtype: str, labels: speakers}", "{dtype: int, labels: {1: {sex: female}}}")
    files = {"db.yaml": header, "db.files.csv": "file,speaker\na/1.wav,1\na/2.wav,\n"}
    touch(write_texts(tmp_path, AUDFORMAT | files), ["a/1.wav", "a/2.wav"])
    table = corpora.read("table", tmp_path, emotions={"no agreement": None})
    assert table["speaker"].fillna("-").tolist() == ["1", "1", "-", "-"]
    assert table["gender"].fillna("-").tolist() == ["female", "female", "-", "-"]


def test_folders_that_are_no_database(tmp_path):
    with pytest.raises(CorpusError, match="holds no db.yaml"):
        corpora.read("table", tmp_path)
    for text in ("a: [", "just text", "!!python/object/apply:os.system ['true']"):
        write_texts(tmp_path, {"db.yaml": text})
        with pytest.raises(CorpusError, match="is no audformat"):
            corpora.read("table", tmp_path)


def test_parquet(tmp_path):
    frame = pd.DataFrame({"file": ["a.wav", "b.wav"], "emotion": ["ang", None], "start": [0.0, float("nan")]})
    pytest.importorskip("pyarrow", reason="needs pyarrow")
    touch(tmp_path, ["a.wav", "b.wav"])
    frame.to_parquet(tmp_path / "t.parquet")
    table = corpora.read("table", tmp_path / "t.parquet")
    assert table[["file", "emotion"]].fillna("-").to_numpy().tolist() == [["a.wav", "anger"], ["b.wav", "-"]]
    (tmp_path / "t.parquet").write_bytes(b"PAR1")
    with pytest.raises(CorpusError, match="no Parquet file"):
        corpora.read("table", tmp_path / "t.parquet")


def test_parquet_without_pyarrow(tmp_path, monkeypatch):
    def refuse(path):
        raise ImportError

    monkeypatch.setattr(pd, "read_parquet", refuse)
    with pytest.raises(CorpusError, match="needs pyarrow: pip install pyarrow"):
        corpora.read("table", write(tmp_path, "", "t.parquet"))


def test_parquet_rows_as_pandas_gives_them(tmp_path, monkeypatch):
    frame = pd.DataFrame(
        {"emotion": ["fear"], "end": pd.to_timedelta([1.5], unit="s")}, index=pd.Index(["a.wav"], name="file")
    )
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    assert table_files.read(write(tmp_path, "", "t.parquet")) == [
        {"file": "a.wav", "emotion": "fear", "end": pd.Timedelta(seconds=1.5)}
    ]
    assert corpora.read("table", tmp_path / "t.parquet")["end"].tolist() == [1.5]


def test_parquet_columns_that_hold_arrays(tmp_path, monkeypatch):
    frame = pd.DataFrame({"file": ["a.wav"], "emotion": ["fear"], "end": [float("nan")], "votes": [np.array([2, 1])]})
    monkeypatch.setattr(pd, "read_parquet", lambda path: frame)
    (row,) = corpora.scan("table", write(tmp_path, "", "t.parquet")).rows
    assert row.pop("votes").tolist() == [2, 1]
    assert row == {"corpus": "table", "file": "a.wav", "emotion": "fear"}


def test_rows_whose_label_is_missing_are_kept_and_counted(tmp_path):
    lines = ['{"file": "a.wav", "emotion": NaN, "speaker": 1}', '{"file": "b.wav", "emotion": null, "speaker": 2}']
    lines += ['{"file": "c.wav", "emotion": "fear", "speaker": 3}', '{"file": "d.wav", "emotion": " ", "speaker": 3}']
    path = write(tmp_path, "\n".join(lines), "l.jsonl", files=("a.wav", "b.wav", "c.wav", "d.wav"))
    table = corpora.read("table", path)
    assert table["emotion"].isna().tolist() == [True, True, False, True]
    rules = corpora.Protocol("mine", "none", ("table",), ("anger", "fear"), corpora.all_speakers)
    kept, dropped = rules.apply(table)
    assert kept["file"].tolist() == ["c.wav"] and dropped == {"no emotion label": 3}


def test_case_of_column_names_is_ignored(tmp_path):
    table = corpora.read(
        "table", write(tmp_path, "File, Emotion,SPEAKER,Arousal,start,Start\na.wav,fear,Ada,2,0.5,9\n")
    )
    assert table[["file", "emotion", "speaker", "arousal", "start"]].values.tolist() == [
        ["a.wav", "fear", "Ada", 2, 0.5]
    ]
    assert table["Start"].tolist() == ["9"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "file,label\na.wav,fear\n",
            r"lacks the columns emotion. Received: file, label. Rename them, or .*read\(..., columns=",
        ),
        (
            "file,emotion\na.wav,fear\nb.wav,rage\n",
            r"Unknown emotions in 'labels.csv': rage. Known: anger.*Rename .*read\(..., emotions=",
        ),
        ("file,emotion\na.wav,fear\na.wav,anger\n", "may stand once in 'labels.csv'. Row 2 repeats a.wav"),
        ("file,emotion,start,end\na.wav,fear,0,1\na.wav,fear,0,2\n", "Every file and start may .* Row 2 repeats a.wav"),
        ("file,emotion\na.wav\n", "Row 1 of 'labels.csv' must have 2 fields. Received: 1"),
        ("file,emotion\n,fear\n", "Row 1 of 'labels.csv' names no file"),
        ("file,emotion,file\na.wav,fear,b.wav\n", "columns of the same name: 'file'"),
        ("file,emotion\n", "'labels.csv' has no rows"),
        ("", "'labels.csv' has no rows"),
        ('file,emotion\n"a.wav,fear\n', "no CSV with the delimiter ','"),
        (
            "file,emotion,start\na.wav,fear,soon\n",
            "start of row 1 of 'labels.csv' must be seconds, with a decimal point. Received: 'soon'",
        ),
        ("file;emotion;start\na.wav;fear;0,25\n", "must be seconds, with a decimal point. Received: '0,25'"),
        ("file;emotion;start\na.wav;fear;0,5 s\n", "must be seconds, with a decimal point. Received: '0,5 s'"),
        ("file,emotion,start\na.wav,fear,-1\n", "must be 0 s or more"),
        ("file,emotion,start,end\na.wav,fear,2,1\n", "must end after it starts. Received: start 2.0, end 1.0"),
        ("file,emotion,start,end\na.wav,fear,1,1\n", "must end after it starts. Received: start 1.0, end 1.0"),
        (
            "file,emotion\na.wav,Verärgert\n".encode("cp1252"),
            r"is not UTF-8.*Save it as UTF-8, or .*read\(..., encoding='cp1252'",
        ),
    ],
)
def test_tables_that_are_refused(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        corpora.read("table", write(tmp_path, text))


def test_options_that_are_refused(tmp_path):
    path = write(tmp_path, "file,emotion\na.wav,fear\n".encode("utf-16"))
    assert len(corpora.read("table", path)) == 1
    for options, message in (
        ({"encoding": "klingon"}, "is not klingon"),
        ({"columns": {"speaker": "who"}}, r"lacks the columns who \(for speaker\)"),
        ({"emotions": {"fear": "dread"}}, "must lead to anger, .* or None. Received: dread"),
        ({"names": {}}, "takes columns, emotions, folder, table, encoding, delimiter. Received: names"),
    ):
        with pytest.raises(CorpusError, match=message):
            corpora.read("table", path, **options)
    with pytest.raises(CorpusError, match="The corpus ravdess takes no options. Received: columns"):
        corpora.read("ravdess", tmp_path, columns={})
    with pytest.raises(CorpusError, match="must be one of .csv, .tsv, .parquet, .jsonl"):
        corpora.read("table", write(tmp_path, "", "x.xlsx"))
    with pytest.raises(CorpusError, match="There is no"):
        corpora.read("table", tmp_path / "gone.csv")


def test_genders_as_people_write_them(tmp_path):
    written = {"F": "female", "woman": "female", "female": "female", "m": "male", "Man": "male", "male": "male"}
    files = [f"{i}.wav" for i in range(len(written))]
    lines = [f"{file},fear,{gender}" for file, gender in zip(files, written, strict=True)]
    path = write(tmp_path, "\n".join(["file,emotion,gender", *lines]), files=files)
    assert corpora.read("table", path)["gender"].tolist() == list(written.values())


def test_speakers_of_emobox(tmp_path):
    path = write(tmp_path, json.dumps({"wav": "a.wav", "emo": "hap", "spk": "s1"}), "toy.jsonl")
    assert corpora.read("table", path)["speaker"].tolist() == ["s1"]
