"""The file behind every figure: what goes in comes out, and what is wrong is refused by name."""

import gzip
import os

import numpy as np
import pandas as pd
import pytest
from toy_predictions import toy_predictions

from serzoo.errors import CorpusError, MissingFileError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation import recompute, summarize


@pytest.fixture
def predictions():
    return toy_predictions(num_rows=24, num_speakers=6)


@pytest.mark.parametrize("name", ["predictions.csv", "model.protocol.csv.gz"])
def test_round_trip(tmp_path, predictions, name):
    predictions.loc[3, ["start", "end"]] = [1.25, 3.123456]
    predictions.loc[5, "gender"] = np.nan
    predictions["condition"] = "clean"
    tables.write(tmp_path / name, predictions)
    pd.testing.assert_frame_equal(tables.read(tmp_path / name), tables.validate(predictions))
    assert os.listdir(tmp_path) == [name]


def test_figure_from_memory_is_figure_from_file(tmp_path, predictions):
    # Two classes that tie once rounded: the figure must not depend on the decimals that the file drops.
    predictions.loc[0, [c for c in predictions if c.startswith("p_")]] = [0.40001, 0.40002, 0.19997, 0.0]
    tables.write(tmp_path / "predictions.csv", predictions)
    assert recompute(tmp_path) == summarize(predictions)


def test_same_table_same_bytes(tmp_path, predictions):
    for name in ("a.csv.gz", "b.csv.gz"):
        tables.write(tmp_path / name, predictions)
    data = (tmp_path / "a.csv.gz").read_bytes()
    assert data == (tmp_path / "b.csv.gz").read_bytes()
    assert data[3:8] == bytes(5)  # RFC 1952: neither a name nor a time stamp


def test_text_stays_text_and_only_empty_is_missing(tmp_path, predictions):
    predictions["speaker"] = predictions["speaker"].replace({"01": "NA", "02": "007"})
    predictions["fold"] = "session " + predictions["fold"].astype(str)
    tables.write(tmp_path / "p.csv", predictions)
    read = tables.read(tmp_path / "p.csv")
    assert {"NA", "007", "03"} <= set(read["speaker"])
    assert set(read["fold"]) == {"session 0", "session 1", "session 2"}


def test_file_has_four_decimals_and_the_agreed_columns(tmp_path, predictions):
    tables.write(tmp_path / "p.csv", predictions)
    head, first = (tmp_path / "p.csv").read_text().splitlines()[:2]
    assert head == "corpus,file,start,end,speaker,gender,seed,fold,truth,p_anger,p_happiness,p_neutral,p_sadness"
    assert first.startswith("toy,wav/00000.wav,,,01,male,0,0,anger,0.")
    assert all(len(field) == 6 for field in first.split(",")[9:])


def test_a_table_from_elsewhere_may_be_short(predictions):
    """Whole files, one seed, no folds, genders unknown: those columns can be left out."""
    whole = predictions[predictions["seed"] == 0].assign(start=np.nan, end=np.nan, gender=np.nan, fold=np.nan)
    short = whole.drop(columns=["start", "end", "gender", "seed", "fold"])
    pd.testing.assert_frame_equal(tables.validate(short), tables.validate(whole))


def test_failed_write_leaves_the_old_file(tmp_path, predictions, monkeypatch):
    tables.write(tmp_path / "p.csv", predictions)
    before = (tmp_path / "p.csv").read_bytes()

    def full(handle):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        tables.write(tmp_path / "p.csv", predictions.iloc[:5])
    assert (tmp_path / "p.csv").read_bytes() == before
    assert os.listdir(tmp_path) == ["p.csv"]


def change(column, row, value):
    def apply(table):
        table[column] = table[column].astype(object)
        table.loc[row, column] = value
        return table

    return apply


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda t: t.iloc[:0], "needs at least one row"),
        (
            lambda t: t.drop(columns=["truth", "fold", "speaker"]),
            "lacks the columns speaker, truth. Received: corpus, ",
        ),
        (lambda t: t.assign(colour="red"), "unknown columns colour. Allowed: corpus"),
        (lambda t: t[[c for c in t if c[:2] != "p_" or c == "p_anger"]], "two or more classes"),
        (lambda t: pd.concat([t, t.iloc[[4, 6]]]), r"may come once. Received: 2 such rows.*'wav/00004.wav'"),
        (change("p_anger", 2, np.nan), r"missing or NaN. Received: 1 such row, .* row 3 \(file 'wav/00002.wav'\)"),
        (change("p_anger", 2, 1.7), "between 0 and 1"),
        (change("p_anger", 2, -0.1), "between 0 and 1"),
        (change("p_anger", 2, "high"), "p_anger must be a number from 0 to 1"),
        (lambda t: t.assign(p_anger=t.p_anger / 2), "must sum to 1"),
        (change("speaker", 1, np.nan), "speaker must not be empty"),
        (lambda t: t.assign(condition=["clean", None] * (len(t) // 2)), "condition must not be empty"),
        (change("seed", 1, np.nan), "seed must be an integer"),
        (change("seed", 1, 0.5), "seed must be an integer"),
        (change("start", 1, "soon"), "start must be seconds or empty"),
    ],
)
def test_wrong_tables_are_refused(predictions, spoil, message):
    with pytest.raises(CorpusError, match=message):
        tables.validate(spoil(predictions))


def test_rounded_probabilities_of_many_classes_pass(tmp_path):
    labels = [f"class{i}" for i in range(12)]
    table = toy_predictions(num_rows=24, num_speakers=2, labels=labels)
    table[[f"p_{label}" for label in labels]] = 1 / 12  # 0.0833 twelve times is 0.9996
    tables.write(tmp_path / "p.csv", table)
    assert len(tables.read(tmp_path / "p.csv")) == 48


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("p.csv", b"", "CSV file with a header line"),
        ("p.csv", "corpus,file\nä,b\n".encode("latin-1"), "UTF-8"),
        ("p.csv", b"a,b\n1,2,3\n1,2,3,4\n", "CSV file with a header"),
        ("p.csv.gz", b"no gzip", "no gzip file"),
        ("p.csv.gz", gzip.compress(b"corpus,file\n" * 1000, mtime=0)[:30], "cut or is no gzip"),
        ("p.txt", b"corpus", r"\.csv or \.csv\.gz"),
    ],
)
def test_files_that_are_no_predictions(tmp_path, name, data, message):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(CorpusError, match=message):
        tables.read(tmp_path / name)


def test_missing_files(tmp_path):
    with pytest.raises(MissingFileError, match="no file, folder or published figure"):
        tables.read(tmp_path / "nothing.csv")
    with pytest.raises(MissingFileError, match="is the run finished"):
        tables.read(tmp_path)


def test_from_table_checks_shapes_and_columns():
    table = pd.DataFrame({"corpus": ["toy"], "file": ["a.wav"], "emotion": ["anger"], "speaker": ["01"]})
    with pytest.raises(CorpusError, match=r"shape \(1, 2\). Received: \(1, 3\)"):
        tables.from_table(table, [[0.1, 0.2, 0.7]], ["anger", "fear"])
    with pytest.raises(CorpusError, match="lacks the columns speaker"):
        tables.from_table(table.drop(columns="speaker"), [[0.5, 0.5]], ["anger", "fear"])


def test_from_table_keeps_the_stretch_of_each_row():
    rows = {"corpus": "toy", "file": "a.wav", "start": [0.0, 0.5], "end": [0.5, np.nan]}
    table = pd.DataFrame({**rows, "emotion": "anger", "speaker": "01"})
    made = tables.from_table(table, np.full((2, 2), 0.5), ["anger", "fear"])
    pd.testing.assert_frame_equal(made[["start", "end"]], table[["start", "end"]])
