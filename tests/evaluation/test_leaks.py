"""Nothing on both sides: speakers, files, bit-identical recordings under other names, formats and corpora."""

import numpy as np
import pandas as pd
import pytest
import soundfile
from pitch import TWO, Pitch, clip_path, judge, write_corpus

from serzoo import corpora, pipeline, registry
from serzoo.corpora import Fold, forms
from serzoo.errors import CorpusError, SpeakerLeakError
from serzoo.evaluation import LEAK_STAMP, evaluate, leaks, recompute

COLUMNS = list(leaks.COLUMNS)


@pytest.fixture
def root(tmp_path):
    return write_corpus(tmp_path / "ravdess")


def listed(*rows):
    return pd.DataFrame([[c, f, np.nan, np.nan, s, d] for c, f, s, d in rows], columns=COLUMNS)


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """An installation whose lists of recordings are empty."""
    monkeypatch.setattr(registry, "configs_folder", lambda: tmp_path / "installed")
    return tmp_path / "installed" / "recordings"


def test_a_recording_is_known_by_its_samples_whatever_holds_them(tmp_path):
    samples = (np.random.default_rng(0).integers(-9000, 9000, 4000) / 32768).astype("float32")
    for name, options in (("a.wav", {}), ("b.flac", {}), ("c.wav", {"subtype": "FLOAT"})):
        soundfile.write(tmp_path / name, samples, 16000, **options)
    other = samples.copy()
    other[17] += 1 / 32768
    soundfile.write(tmp_path / "d.wav", other, 16000)
    names = ["a.wav", "b.flac", "c.wav", "d.wav"]
    table = pd.DataFrame({"corpus": "x", "file": names, "start": np.nan, "end": np.nan, "speaker": "1"})
    found = leaks.recordings(table, pipeline.Clips(table, {"x": tmp_path}))["digest"].tolist()
    assert found[0] == found[1] == found[2] != found[3]


def test_lists_survive_the_file_and_give_the_same_bytes(tmp_path):
    rows = listed(("x", "b.wav", "01", "0" * 16), ("x", "a.wav", "NA", "1" * 16))
    rows.loc[1, ["start", "end"]] = 0.5, 1.25
    leaks.write_recordings(tmp_path / "1.csv.gz", rows)
    leaks.write_recordings(tmp_path / "2.csv.gz", rows.iloc[::-1])
    assert (tmp_path / "1.csv.gz").read_bytes() == (tmp_path / "2.csv.gz").read_bytes()
    back = leaks.read_recordings(tmp_path / "1.csv.gz")
    assert back.iloc[0].tolist() == ["x", "a.wav", 0.5, 1.25, "NA", "1" * 16]
    assert back.iloc[1]["speaker"] == "01" and np.isnan(back.iloc[1]["start"])
    (tmp_path / "3.csv.gz").write_bytes(b"cut")
    with pytest.raises(CorpusError, match="3.csv.gz is no list of recordings"):
        leaks.read_recordings(tmp_path / "3.csv.gz")


def test_shared_files_and_copies_are_named():
    heard = listed(("x", "a.wav", "1", "aa"), ("x", "b.wav", "1", "bb"))
    judged = listed(("x", "a.wav", "2", "zz"), ("y", "c.wav", "3", "bb"), ("y", "a.wav", "3", "yy"))
    assert leaks.shared_recordings(heard, judged) == ["x a.wav", "y c.wav = x b.wav"]
    assert leaks.shared_recordings(heard, judged, files=False) == ["y c.wav = x b.wav"]
    assert leaks.shared_recordings(heard[:0], judged) == []


def test_the_same_persons_in_a_derived_corpus():
    pairs = [("ravdess", "03"), ("emodb_first2s", "03"), ("emodb_first2s", "08"), ("emodb_first2s", "03")]
    assert leaks.shared_speakers({"emodb": ["03"]}, pairs) == ["emodb_first2s 03"]
    assert leaks.shared_speakers({"emodb_first2s": ["03"]}, [("emodb", "03")]) == ["emodb 03"]
    table = pd.DataFrame(pairs, columns=["corpus", "speaker"])
    assert forms.without(table, [("emodb", "03")]).index.tolist() == [0, 2]


def test_sides_of_a_fold():
    """Validation and test may share a dialogue's file, but no two parts a recording."""
    fold = Fold(0, (("x", "1"), ("x", "2")), (("x", "3"),), (("x", "4"),))
    apart = listed(("x", "a", "1", "1"), ("x", "b", "2", "2"), ("x", "d", "3", "3"), ("x", "d", "4", "4"))
    assert leaks.shared_in(apart, fold) == []
    same_side = listed(("x", "a", "1", "1"), ("x", "b", "2", "1"), ("x", "d", "4", "4"))
    assert leaks.shared_in(same_side, fold) == []  # as in RAVDESS, whose two are of one speaker
    for one, other in (("1", "4"), ("3", "4"), ("1", "3")):
        rows = listed(("x", "a", one, "9"), ("x", "b", other, "9"))
        assert leaks.shared_in(rows, fold) == ["x b = x a"]
    assert leaks.shared_in(listed(("x", "a", "1", "1"), ("x", "a", "4", "2")), fold) == ["x a"]
    stream = listed(("other", "a", "7", "9"), ("x", "b", "4", "9"))  # of whom the fold knows nothing
    assert leaks.shared_in(stream, fold) == ["x b = other a"]
    assert leaks.shared_in(stream, fold, unheard=[("other", "7")]) == []


def heard_by_training(root, shipped, actors):
    table = corpora.read("ravdess", root, partial=True)
    table = table[table["speaker"].isin(actors)].reset_index(drop=True)
    rows = leaks.recordings(table, pipeline.Clips(table, {"ravdess": root}))
    leaks.write_recordings(shipped.parent / "run.csv.gz", rows)
    assert leaks.publish_recordings(shipped.parent / "run.csv.gz") == [shipped / "ravdess.csv.gz"]


def test_a_folder_that_no_reader_knows_is_in_no_shipped_list(shipped):
    run = shipped.parent / "run.csv.gz"
    leaks.write_recordings(run, listed(("folder", "a.wav", "unknown", "aa"), ("x", "b.wav", "1", "bb")))
    assert leaks.publish_recordings(run) == [shipped / "x.csv.gz"]


def test_a_copy_of_a_training_recording_is_refused_and_stamped(root, shipped, tmp_path):
    """The clips of actor 1 lie, under other names and speakers, in a table of somebody else."""
    for number, path in enumerate(sorted((root / "Actor_01").glob("*.wav"))):  # tones of one pitch are one recording
        samples, rate = soundfile.read(path)
        soundfile.write(path, samples + 0.001 * np.random.default_rng(number).standard_normal(len(samples)), rate)
    mine = tmp_path / "mine"
    mine.mkdir()
    lines = ["file,emotion,speaker"]
    for number, emotion in enumerate(TWO):
        samples, rate = soundfile.read(clip_path(root, 1, emotion))
        soundfile.write(mine / f"{number}.flac", samples, rate)
        lines.append(f"{number}.flac,{emotion},somebody")
    (mine / "list.csv").write_text("\n".join(lines) + "\n")
    network = Pitch(speakers=["01"])
    heard_by_training(root, shipped, ["01"])
    options = {"corpora": {"table": mine / "list.csv"}, "resamples": 50}
    with pytest.raises(
        SpeakerLeakError, match=r"on 2 of the recordings to judge it by: table 0.flac = ravdess Actor_01"
    ):
        evaluate(network, **options, out=tmp_path / "refused")
    assert not list(tmp_path.glob("refused/*"))
    report = evaluate(network, **options, out=tmp_path / "out", allow_speaker_leak=True)
    assert report["notes"] == [LEAK_STAMP] == recompute(tmp_path / "out")["notes"]
    assert len(report["shared_recordings"]) == 2 and report["shared_speakers"] == []
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert LEAK_STAMP in html and "table 0.flac = ravdess Actor_01" in html
    assert evaluate(Pitch(speakers=["02"]), **options)["notes"] == []  # who never heard actor 1


def test_weights_of_a_training_with_a_leak_stay_stamped(root):
    assert judge(Pitch(card={"leak": ["x a.wav"]}), root)["notes"] == [LEAK_STAMP]


def test_shipped_lists_name_the_speakers_of_the_shipped_weights():
    for corpus, clips in (("ravdess", 1440), ("emodb", 339)):
        known = leaks.read_recordings(registry.configs_folder() / "recordings" / f"{corpus}.csv.gz")
        assert known["file"].nunique() >= clips
        assert set(known["speaker"]) == set(corpora.info(corpus).speakers)
        assert known["digest"].str.fullmatch("[0-9a-f]{16}").all()


def test_shipped_list_is_that_of_the_clips_in_the_repository(clips):
    rows = [("emodb", f"wav/{path.name}", np.nan, np.nan, path.name[:2]) for path in clips.values()]
    table = pd.DataFrame(rows, columns=COLUMNS[:-1])
    found = leaks.recordings(table, pipeline.Clips(table, {"emodb": next(iter(clips.values())).parents[1]}))
    known = leaks.listed_recordings({"emodb": ["03", "09", "11", "14"]})
    assert set(found["digest"]) <= set(known["digest"])


def test_the_default_model_is_refused_on_ravdess_by_its_recordings_too(shared_data, tmp_path):
    """A table that hides the speakers: the sound tells."""
    import serzoo

    files = sorted((shared_data / "RAVDESS" / "Actor_24").glob("*-01-01-01-24.*"))[:2]
    lines = ["file,emotion,speaker", *(f"{path},neutral,stranger" for path in files)]
    (tmp_path / "list.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(SpeakerLeakError, match="2 of the recordings to judge it by"):
        evaluate(serzoo.load("cnn_ablstm_mtl"), {"table": tmp_path / "list.csv"})


def test_shipped_lists_grow(shipped):
    run = shipped.parent / "run.csv.gz"
    for file, digest in (("a.wav", "aa"), ("b.wav", "bb")):
        leaks.write_recordings(run, listed(("x", file, "1", digest)))
        leaks.publish_recordings(run)
    assert leaks.read_recordings(shipped / "x.csv.gz")["file"].tolist() == ["a.wav", "b.wav"]
