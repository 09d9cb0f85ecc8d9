"""A whole audit on a made-up run: tiny networks with fresh weights, a few noises for clips, all parts at once."""

import json
import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile
from toy_predictions import toy_predictions

import serzoo
from serzoo import building, cli, config, corpora, pipeline, zoo
from serzoo.errors import CorpusError, MissingFileError, RunError, SpeakerLeakError, UnknownNameError
from serzoo.evaluation import leaks, summarize
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.audit import PARTS, Subject, audit, leakage, open_subjects, probes
from serzoo.evaluation.audit.robustness import _verdict as verdict_of_robustness
from serzoo.evaluation.audit.subjects import heard, sample
from serzoo.evaluation.noise_curve import noise_curve
from serzoo.files import RECORDINGS, to_json

pytestmark = pytest.mark.xdist_group("audit")

EMOTIONS = {"anger": ("05", "W"), "happiness": ("03", "F"), "neutral": ("01", "N"), "sadness": ("04", "T")}
FOLDS = {0: ("01", "02"), 1: ("03", "04")}  # tested
ACTORS = ("01", "02", "03", "04")
TINY = {"frontend.num_mels": 16, "model.conv_filters": [4, 4, 4, 4, 4], "model.lstm_units": 4}


def write(path, random, seconds=0.25):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, 0.1 * random.standard_normal(int(16000 * seconds)), 16000)


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Four actors of RAVDESS, three speakers of EmoDB, a noise and a room."""
    folder, random = tmp_path_factory.mktemp("corpora"), np.random.default_rng(0)
    for code, letter in EMOTIONS.values():
        for actor in ACTORS:
            for statement in ("01", "02"):
                name = f"03-01-{code}-01-{statement}-01-{actor}.wav"
                write(folder / "ravdess" / f"Actor_{actor}" / name, random)
        for speaker in ("03", "08", "09"):
            write(folder / "emodb" / "wav" / f"{speaker}a01{letter}a.wav", random)
    for fold in range(1, 6):
        write(folder / "esc10" / "002 - Rain" / f"{fold}-10{fold}-A.wav", random)
    write(folder / "rooms" / "hall.wav", random, 0.15)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory, roots):
    """A run of two folds as training leaves it, but that its weights are fresh."""
    folder = tmp_path_factory.mktemp("runs") / "mtl"
    settings = config.load("cnn_ablstm_mtl", TINY).model_copy(update={"weights": (), "reported": ()})
    heads = {"emotion": sorted(EMOTIONS), "gender": ["female", "male"]}
    table = corpora.read("ravdess", roots / "ravdess", partial=True)
    told = []
    for fold, tested in FOLDS.items():
        path = folder / f"seed0-fold{fold}"
        path.mkdir(parents=True)
        model = building.build(settings, heads, seed=fold)
        model.save_weights(path / zoo.FINAL_WEIGHTS)
        speakers = {"ravdess": [actor for actor in ACTORS if actor not in tested]}
        card = {"model": model.name, "heads": heads, "corpora": speakers, "protocol": "toy", "fold": fold, "seed": 0}
        (path / zoo.CARD).write_bytes(to_json({**card, "licence": "CC0-1.0", "commercial": False}))
        rows = table[table["speaker"].isin(tested)]
        random = np.random.default_rng(fold).dirichlet(np.ones(4), len(rows))
        told.append(tables.from_table(rows, random, heads["emotion"], fold=fold))
    (folder / "config.yaml").write_text(config.dump(settings))
    tables.write(folder / "predictions.csv", pd.concat(told, ignore_index=True))
    return folder


@pytest.fixture(autouse=True)
def toy_protocol(monkeypatch):
    monkeypatch.setattr(corpora, "protocol", lambda name: SimpleNamespace(class_map={}))


@pytest.fixture(scope="module")
def whole(run, roots, tmp_path_factory):
    """Everything at once, and where it was written."""
    out = tmp_path_factory.mktemp("audit") / "deep" / "audit"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpora, "protocol", lambda name: SimpleNamespace(class_map={}))
        patch.setattr(probes, "KINDS", probes.KINDS[:1])  # the MLP takes its time
        found = audit(
            [run],
            {name: roots / name for name in ("ravdess", "emodb")},
            out,
            noise={"esc10": roots / "esc10"},
            rooms=roots / "rooms",
            clips=None,
            partial=True,
            resamples=50,
        )
    return found, out


def test_every_part_that_is_possible_is_there(whole):
    found, out = whole
    assert set(found) >= {"gender", "leakage", "robustness", "cross_corpus"} and "transfer" not in found
    assert found["skipped"] == {"transfer": "it compares two models or more, and one was given"}
    assert len(found["verdicts"]) == 4 and found["verdicts"][0].startswith("Gender, mtl: ")
    names = ["cross_corpus.png", "gender.png", "leakage.png", "robustness.png", "robustness.mtl.csv.gz"]
    assert sorted(path.name for path in out.iterdir()) == sorted([*names, "audit.json", "audit.md"])
    assert json.loads((out / "audit.json").read_text())["cross_corpus"]["classes"] == sorted(EMOTIONS)
    for path in out.glob("*.png"):
        assert path.read_bytes()[:4] == b"\x89PNG"


def test_matched_on_what_ravdess_tells(whole):
    matched = whole[0]["gender"]["mtl"]["matched"]
    assert (matched["by"], matched["cells"]) == (["class", "text", "intensity"], 8)
    assert matched["utterances"] == {"female": 16, "male": 16}


def test_conditions_are_judged_by_who_never_heard_the_speaker(whole):
    found, out = whole
    result = found["robustness"]["mtl"]
    told = tables.read(out / "robustness.mtl.csv.gz")
    assert (result["n"], result["num_speakers"]) == (32, 4)
    assert set(told["corpus"]) == {"ravdess"}
    for fold, rows in told.groupby("fold"):
        assert set(rows["speaker"]) == set(FOLDS[fold])
    by_name = {each["condition"]: each for each in result["conditions"]}
    assert {"rain 0 dB", "white 20 dB", "room hall", "mp3 32 kbit/s", "speed 0.8"} <= set(by_name)
    assert set(told["condition"]) == {"clean", *by_name}
    for name in ("rain 0 dB", "speed 1.25"):
        own = summarize(told[told["condition"] == name], 10)
        clean = summarize(told[told["condition"] == "clean"], 10)
        assert by_name[name]["ua"]["value"] == own["ua"]["value"]
        assert by_name[name]["fall"]["value"] == pytest.approx(own["ua"]["value"] - clean["ua"]["value"])


def test_the_worst_condition_is_one_that_it_falls_under():
    def entry(condition, value, high):
        return {"condition": condition, "fall": {"value": value, "ci_low": -1.0, "ci_high": high}}

    ua = {"ua": {"value": 0.8, "ci_low": 0.7, "ci_high": 0.9}}
    found = [ua, entry("white 0 dB", -0.1, -0.05), entry("clipped 10 %", -0.2, 0.1)]
    told = verdict_of_robustness(found)
    assert "under 1 of 2 conditions, most under white 0 dB: -10.0" in told and "told under clipped 10 %." in told
    assert "falls under 0 of 1 conditions. No fall can be told under clipped 10 %." in verdict_of_robustness(found[::2])


def test_loudness_changes_nothing_where_the_input_is_standardised(whole):
    told = tables.read(whole[1] / "robustness.mtl.csv.gz")
    probability = [name for name in told if name.startswith("p_")]
    clean, quiet = (told[told["condition"] == name][probability].to_numpy() for name in ("clean", "gain -10 dB"))
    np.testing.assert_allclose(quiet, clean, atol=2e-3)
    noisy = told[told["condition"] == "rain 0 dB"][probability].to_numpy()
    assert np.abs(noisy - clean).max() > 0


def test_probes_cover_what_was_given(whole):
    result = whole[0]["leakage"]["mtl"]
    assert result["layers"] == ["embedding"]
    assert {each["label"] for each in result["probes"]} == {"gender", "corpus", "noise", "speaker"}
    assert result["not_probed"] == {}
    corpus = next(each for each in result["probes"] if each["label"] == "corpus")
    assert corpus["num_speakers"] == 7  # four actors by their folds, of EmoDB two for one fold and one for the other


def test_matrix_holds_folds_at_home_and_weights_elsewhere(whole, run):
    cells = {cell["corpus"]: cell for cell in whole[0]["cross_corpus"]["cells"]}
    assert (cells["ravdess"]["judged_by"], cells["emodb"]["judged_by"]) == ("its folds", "fold0")
    assert cells["ravdess"]["own"] and not cells["emodb"]["own"]
    own = summarize(tables.read(run), 10)["ua"]["value"]
    assert cells["ravdess"]["ua"]["value"] == cells["ravdess"]["ua_all_answers"]["value"] == pytest.approx(own)
    assert (cells["emodb"]["n"], cells["emodb"]["num_speakers"]) == (12, 3)


def test_a_sample_that_one_part_judged_is_not_taken_for_predictions(run, roots):
    """The matrix over corpora would else have these few clips, and call them the answers of the folds."""
    module = sys.modules["serzoo.evaluation.audit.audit"]
    (subject,) = open_subjects([run / "seed0-fold0"])
    table = corpora.read("ravdess", roots / "ravdess", partial=True)
    given = module._Given([subject], table, {"ravdess": roots / "ravdess"}, {}, None, {"seed": 0}, {"clips": 4}, {}, {})
    told = module._predictions(subject, given)
    assert len(told) == 4 and module._predictions(subject, given) is told and subject.predictions is None
    subject.encoders, subject.name = (run / "seed0-fold0", run / "seed0-fold1"), "both"
    told = module._predictions(subject, given)  # of all folds together four clips, not of each
    assert len(told) == 4 and set(told["fold"]) == {0, 1}


def test_recordings_that_were_trained_on_under_other_names_are_refused(run, roots, tmp_path):
    """The run lists what it heard; a table of copies has other names for it."""
    own = run.with_name("listed")
    shutil.copytree(run, own)
    table = corpora.read("ravdess", roots / "ravdess", partial=True)
    leaks.write_recordings(
        own / RECORDINGS, leaks.recordings(table, pipeline.Clips(table, {"ravdess": roots / "ravdess"}))
    )
    lines = [f"{roots / 'ravdess' / row.file},{row.emotion},someone{row.speaker}" for row in table.itertuples()]
    (tmp_path / "own.csv").write_text("\n".join(["file,emotion,speaker", *lines]))
    given = {"ravdess": roots / "ravdess", "table:own": tmp_path / "own.csv"}
    with pytest.raises(
        SpeakerLeakError, match="seed0-fold0 was trained on 16 of the recordings.*table:own .* = ravdess"
    ):
        audit([own / "seed0-fold0"], given, parts=["robustness"], clips=4, partial=True, resamples=20)
    with pytest.raises(SpeakerLeakError, match="listed"):
        noise_curve([own], given, {"esc10": roots / "esc10"}, snrs_db=[0], partial=True, resamples=20)


def test_markdown_has_a_table_for_each_part(whole):
    found, out = whole
    text = (out / "audit.md").read_text()
    assert "of fewer than 10 speakers it is too narrow" in text
    for title in ("# Audit of mtl", "## Gender", "## Leakage", "## Robustness", "## Cross-corpus"):
        assert f"{title}\n" in text
    for verdict in found["verdicts"]:
        assert f"- {verdict}" in text
    tables_ = [block.splitlines() for block in text.split("\n\n") if block.startswith("|")]
    assert len(tables_) == 4
    for lines in tables_:
        assert len({line.count("|") for line in lines}) == 1 and len(lines) > 2
    assert "nan" not in text.lower().replace("dominance", "")


def test_answers_of_shared_classes_alone(roots, tmp_path):
    """A model with more classes answers with the best of those that are shared; with all answers it is beaten."""
    labels = ["anger", "calm", "happiness", "neutral", "sadness"]
    table = corpora.read("ravdess", roots / "ravdess", partial=True)
    shares = np.full((len(table), 5), 0.1)
    shares[np.arange(len(table)), [labels.index(emotion) for emotion in table["emotion"]]] = 0.2
    shares[:, 1] = 0.5  # calm is always said
    tables.write(tmp_path / "five.csv", tables.from_table(table, shares, labels))
    tables.write(
        tmp_path / "four.csv", tables.from_table(table.assign(corpus="emodb"), np.full((32, 4), 0.25), sorted(EMOTIONS))
    )
    from serzoo.evaluation.audit.cross_corpus import cross_corpus

    class Stub(Subject):
        def model(self, source):
            return SimpleNamespace(training_speakers={"emovo": ["f1"]})

    subject = Stub("five", tables.read(tmp_path / "five.csv"), encoders=["x"])
    cell = cross_corpus([subject], table, {})["cells"][0]
    assert (cell["ua"]["value"], cell["ua_all_answers"]["value"], cell["own"]) == (1, 0, False)


# --- predictions alone ------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path):
    for name, table in {"stl": toy_predictions(seed=1), "mtl": toy_predictions(skill=2.5, seed=2)}.items():
        tables.write(tmp_path / f"{name}.csv", table)
    return [tmp_path / "stl.csv", tmp_path / "mtl.csv"]


def test_predictions_alone_are_enough_for_gender_and_transfer(files):
    found = audit(files, resamples=100)
    assert list(found["gender"]) == ["stl", "mtl"]
    assert found["transfer"]["mtl"]["control"] == "stl" and found["transfer"]["mtl"]["verdict"] == "helps"
    assert set(found["skipped"]) == {"leakage", "robustness", "cross_corpus"}
    assert "none was given (--corpus)" in found["skipped"]["leakage"]


def test_one_part_alone(files):
    found = audit(files[0], parts=["gender"], resamples=50)
    assert set(found) & set(PARTS) == {"gender"} and found["skipped"] == {}


def test_one_impossible_model_does_not_stop_the_others(files, tmp_path):
    women = toy_predictions()
    tables.write(tmp_path / "women.csv", women[women["gender"] == "female"])
    found = audit([*files, tmp_path / "women.csv"], resamples=50)
    assert list(found["gender"]) == ["stl", "mtl"]
    assert "2 speakers of each" in found["skipped"]["gender of women"]
    with pytest.raises(CorpusError, match="2 speakers of each. Received: 6 female, 0 male"):
        audit(tmp_path / "women.csv", parts=["gender"])


def test_notes_come_first(files, tmp_path):
    tables.write(tmp_path / "leaky.csv", toy_predictions().assign(note="speakers shared: not comparable"))
    assert audit(tmp_path / "leaky.csv", resamples=50)["verdicts"][0] == "speakers shared: not comparable (leaky)."


def test_bad_input(files, tmp_path, run):
    with pytest.raises(UnknownNameError, match="Unknown part of an audit 'gendr'. Did you mean 'gender'"):
        audit(files, parts=["gendr"])
    with pytest.raises(CorpusError, match="part transfer of the audit is not possible: it compares two models or more"):
        audit(files[:1], parts=["transfer"])
    with pytest.raises(CorpusError, match="part leakage of the audit is not possible: it hears the corpora"):
        audit(files, parts=["leakage"])
    with pytest.raises(CorpusError, match="clips must be a number >= 1, or None for all. Received: 0"):
        audit(files, clips=0)
    with pytest.raises(RunError, match="one or more different runs or weights. Received: none"):
        audit([])
    with pytest.raises(RunError, match="different runs"):
        audit([run, run])
    with pytest.raises(MissingFileError, match="no run, file or model called nothing"):
        audit("nothing")
    (tmp_path / "empty").mkdir()
    with pytest.raises(RunError, match="must be a run with trained folds"):
        audit(tmp_path / "empty")
    with pytest.raises(RunError, match="needs a folder to write to"):
        audit(files, out=files[0])
    with pytest.raises(UnknownNameError, match="Unknown weights of cnn_ablstm_mtl 'ravdes8'. Did you mean 'ravdess8'"):
        audit("cnn_ablstm_mtl.ravdes8")


def test_what_the_corpora_do_not_allow(run, roots):
    one = {"ravdess": roots / "ravdess"}
    with pytest.raises(CorpusError, match="not possible: one corpus only was given"):
        audit(run, one, parts=["cross_corpus"], partial=True)
    with pytest.raises(CorpusError, match="needs 2 speakers of each. Received: 1 female, 1 male"):
        audit(run / "seed0-fold0", one, parts=["gender"], clips=8, partial=True)


# --- what is audited --------------------------------------------------------------------------------------------------


def test_tag_stands_for_its_folds_and_published_predictions():
    (subject,) = open_subjects("cnn_ablstm_mtl.ravdess8")
    assert subject.encoders == tuple(f"cnn_ablstm_mtl.ravdess8-fold{k}" for k in range(5))
    assert subject.whole == subject.name == "cnn_ablstm_mtl.ravdess8"
    assert len(subject.predictions) >= 1440 and subject.tasks[:2] == ("emotion", "gender")
    (alone,) = open_subjects("cnn_ablstm_mtl.ravdess8-fold1")
    assert alone.encoders == ("cnn_ablstm_mtl.ravdess8-fold1",) and alone.predictions is None
    assert open_subjects("cnn_ablstm")[0].tasks == ("emotion",)
    assert open_subjects("cnn_ablstm_mtl.ravdess8-folds")[0].encoders == subject.encoders


def test_a_file_of_predictions_may_have_the_name_of_a_model(files, tmp_path, monkeypatch):
    shutil.copy(files[0], tmp_path / "cnn_ablstm.mine.csv")
    monkeypatch.chdir(tmp_path)
    (subject,) = open_subjects(["cnn_ablstm.mine.csv"])
    assert subject.name == "cnn_ablstm.mine" and subject.predictions is not None


def test_a_recording_that_cannot_be_read_costs_one_part(run, roots, tmp_path):
    copy = shutil.copytree(roots / "ravdess", tmp_path / "ravdess")
    bad = next(copy.rglob("*.wav"))
    bad.write_bytes(b"")
    given = {"clips": None, "partial": True, "resamples": 20}
    found = audit([run], {"ravdess": copy}, parts=None, **given)
    assert "gender" in found and bad.name in found["skipped"]["robustness of mtl"]


def test_runs_of_one_name_are_told_apart(files, tmp_path):
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "mtl.csv").write_bytes(files[1].read_bytes())
    names = [subject.name for subject in open_subjects([tmp_path / "x/mtl.csv", tmp_path / "y/mtl.csv", files[0]])]
    assert names == [str(tmp_path / "x/mtl.csv"), str(tmp_path / "y/mtl.csv"), "stl"]


class Heard(Subject):
    """Encoders that are told by the speakers of corpus a that they heard."""

    def model(self, source):
        return SimpleNamespace(training_speakers={"a": list(source)}, classes=["anger"], card={}, name=source)


def small_table():
    rows = [(c, f"{c}{s}{i}", s, "anger" if i < 3 else "fear") for c in "ab" for s in "1234" for i in range(4)]
    table = pd.DataFrame(rows, columns=["corpus", "file", "speaker", "emotion"])
    return table.assign(start=np.nan, end=np.nan)


def test_rows_are_shared_among_encoders_that_never_heard_them():
    table = small_table()
    parts = Heard("toy", encoders=["34", "24", "123"]).parts(table)
    assert [(model.name, sorted(set(rows["speaker"]))) for model, rows in parts] == [
        ("34", ["1", "2"]),
        ("24", ["3"]),
        ("123", ["4"]),
    ]
    for model, rows in parts:
        assert set(rows["corpus"]) == {"a"} and set(rows["emotion"]) == {"anger"}
        assert not heard(model, rows).any()
    # of a corpus that none of them heard, the weights for other people's speech
    for encoders in (["1234"], ["12", "34"]):
        subject = Heard("toy", encoders=encoders, whole="1234")
        ((model, rows),) = subject.parts(table[table["corpus"] == "b"])
        assert model.name == "1234" and set(rows["corpus"]) == {"b"} and len(rows) == 12
        assert subject.weights == list(dict.fromkeys([*encoders, "1234"]))
    everybody = Heard("toy", encoders=["1234"], whole="1234")
    with pytest.raises(CorpusError, match="toy cannot be judged by these corpora: it has heard every speaker"):
        everybody.parts(table[table["corpus"] == "a"])
    with pytest.raises(CorpusError, match="of the unheard speakers none has one of its classes"):
        everybody.parts(table.assign(emotion="fear"))
    with pytest.raises(CorpusError, match="toy came without weights"):
        Subject("toy").parts(table)


def test_a_person_who_was_heard_in_another_form_was_heard():
    table = pd.DataFrame({"corpus": "emodb", "speaker": ["03", "08"]})
    model = SimpleNamespace(training_speakers={"emodb_first2s": ["03"]})
    assert heard(model, table).tolist() == [True, False]
    assert leakage._tested(model, table, 0, 1).tolist() == [False, True]


def test_sample_is_even_over_speakers_and_emotions():
    table = small_table()
    chosen = sample(table, 16, seed=0)
    assert chosen.groupby(["corpus", "speaker", "emotion"]).size().tolist() == [1] * 16
    assert sample(table, 8, seed=0).groupby(["corpus", "speaker"]).size().tolist() == [1] * 8
    assert list(chosen.index) == sorted(chosen.index)
    assert sample(table, 16, seed=0).equals(chosen) and not sample(table, 16, seed=1).equals(chosen)
    assert sample(table, None, seed=0) is table and sample(table, 99, seed=0) is table


# --- command line -----------------------------------------------------------------------------------------------------


def command(monkeypatch, capsys, *arguments):
    monkeypatch.setattr(sys, "argv", ["serzoo", "audit", *map(str, arguments)])
    monkeypatch.setattr(cli.opening, "import_keras", lambda **options: None)
    code = 0
    try:
        cli.main()
    except SystemExit as error:
        code = error.code or 0
    return code, *capsys.readouterr()


def test_command_prints_verdicts_and_tables(files, tmp_path, monkeypatch, capsys):
    out = tmp_path / "out"
    code, told, err = command(monkeypatch, capsys, *files, "--out", out, "--part", "transfer")
    assert (code, err) == (0, "")
    assert "- Transfer: mtl against stl: helps. UA +" in told and "| mtl minus stl |" in told
    assert told.rstrip().endswith(f"Audit: {out}")
    assert json.loads((out / "audit.json").read_text())["transfer"]["mtl"]["verdict"] == "helps"


def test_command_errors(files, tmp_path, monkeypatch, capsys):
    code, told, err = command(monkeypatch, capsys, *files, "--part", "noise")
    assert (code, told) == (1, "") and err.startswith("Error: Unknown part of an audit 'noise'.")
    code, _, err = command(monkeypatch, capsys, *files, "--noise", f"esc10={tmp_path / 'none'}")
    assert code == 1 and err.startswith("Error: --noise esc10 needs a folder that exists.")
    assert command(monkeypatch, capsys)[0] == 2


def test_audit_is_public():
    assert serzoo.audit is audit
    assert Path(sys.modules["serzoo.evaluation.audit"].__file__).name == "__init__.py"
