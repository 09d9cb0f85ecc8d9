"""A whole run on a small corpus: what its folder holds, what is refused, what goes wrong."""

import csv
import errno
import json
import os
import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import keras
import numpy as np
import pandas as pd
import pytest
import toy_model
import yaml

import serzoo
from serzoo import config as configs
from serzoo import corpora, pipeline, zoo
from serzoo.errors import ConfigError, CorpusError, RunError, SpeakerLeakError, WeightsError
from serzoo.evaluation import predictions, summarize
from serzoo.training import provenance
from serzoo.training.fold import _epochs_kept, distinct
from serzoo.training.recipe import differences

pytestmark = pytest.mark.xdist_group("runs")

CLASSES = ["anger", "happiness", "neutral", "sadness"]
FOLDS = ["seed0-fold0", "seed0-fold1", "seed0-fold2"]


def snapshot(folder):
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def leftovers(folder):
    return [path.name for path in folder.rglob("*") if "partial" in path.name]


@pytest.fixture
def train(toy_yaml, emodb, tmp_path):
    """Train the toy into ``tmp_path/run``."""

    def call(**options):
        return toy_model.train(toy_yaml, emodb, options.pop("out", tmp_path / "run"), **options)

    return call


# --- what a run holds -----------------------------------------------------------------------------------------------


def test_a_run_folder(toy_run):
    assert sorted(path.name for path in toy_run.iterdir()) == sorted(
        ["config.yaml", "predictions.csv", "recordings.csv.gz", "report.json", "run.json", "training.png", *FOLDS]
    )
    for fold in FOLDS:
        names = {path.name for path in (toy_run / fold).iterdir()} - {"tensorboard"}
        assert names == {"card.json", "final.weights.h5", "log.csv", "predictions.csv", "validation.csv"}
        with open(toy_run / fold / "log.csv", newline="") as file:
            rows = list(csv.DictReader(file))
        assert [row["epoch"] for row in rows] == ["1", "2"]
        assert {"loss", "emotion_loss", "gender_loss", "learning_rate", "val_ua"} <= set(rows[0])
    assert not leftovers(toy_run)


def test_the_record_of_a_run(toy_run, emodb):
    about = json.loads((toy_run / "run.json").read_text())
    assert {key: about[key] for key in ("model", "protocol", "classes_of", "epochs", "seeds", "init", "overrides")} == {
        "model": "toy",
        "protocol": "emodb4-loso",
        "classes_of": "emodb4-loso",
        "epochs": 2,
        "seeds": [0],
        "init": None,
        "overrides": {},
    }
    assert about["corpora"]["emodb"]["rows"] == 36 and len(about["corpora"]["emodb"]["sha256"]) == 64
    assert about["order"] == {"corpora": ["emodb"], "noise": [], "streams": {}} and about["partial"] is True
    assert about["dropped"] == {} and about["backend"] == keras.backend.backend()
    assert about["versions"]["serzoo"] == serzoo.__version__ and about["versions"]["keras"] == keras.__version__
    assert str(emodb) not in (toy_run / "run.json").read_text() + (toy_run / "config.yaml").read_text()
    config = yaml.safe_load((toy_run / "config.yaml").read_text())
    assert config["training"]["epochs"] == 2 and config["weights"] == []


def test_predictions_and_report(toy_run, emodb):
    told = predictions.read(toy_run)
    assert len(told) == 36 and predictions.classes(told) == CLASSES
    assert {fold: set(rows["speaker"]) for fold, rows in told.groupby("fold")} == {0: {"03"}, 1: {"08"}, 2: {"09"}}
    report = json.loads((toy_run / "report.json").read_text())
    assert report["ua"]["value"] == pytest.approx(summarize(told)["ua"]["value"])
    assert report["n"] == 36 and report["folds"] == 3 and report["num_speakers"] == 3
    # the weights of a fold say what the fold's predictions say
    model = serzoo.load(toy_run / "seed0-fold1")
    rows = told[told["fold"] == 1]
    said = pipeline.predict_table(model, rows, {"emodb": emodb})["emotion"]
    np.testing.assert_allclose(said, rows[[f"p_{label}" for label in CLASSES]], atol=1e-4)


def test_the_card_of_a_fold(toy_run):
    card = json.loads((toy_run / "seed0-fold2" / "card.json").read_text())
    assert card["heads"] == {"emotion": CLASSES, "gender": ["female", "male"]}
    assert card["corpora"] == {"emodb": ["03", "08"]}  # who trained and who chose; 09 was tested
    assert card["licence"] == corpora.info("emodb").licence and card["commercial"] is True
    assert (card["seed"], card["fold"], card["epochs"], card["protocol"]) == (0, 2, 2, "emodb4-loso")


# --- resuming, refusing ---------------------------------------------------------------------------------------------


def test_a_finished_run_is_left_alone(toy_run, train):
    with pytest.raises(RunError, match="holds a run. Add --resume"):
        train(out=toy_run)
    before = snapshot(toy_run)
    train(out=toy_run, resume=True)
    after = snapshot(toy_run)
    assert {name for name in after if after[name] != before.get(name)} <= {
        "predictions.csv",
        "report.json",
        "training.png",
    }
    assert set(before) == set(after)


def test_folds_trained_one_by_one_are_the_run(toy_run, train, tmp_path):
    shared = tmp_path / "shared"
    train(out=shared, folds=(1, 2))
    other = shared / "seed0-fold1" / ".final.weights.h5.1.partial"  # of a process that is at work on another fold
    other.touch()
    assert not (shared / "report.json").exists()
    train(out=shared, folds=(0,), resume=True)
    assert other.exists()
    for name in ("predictions.csv", "report.json"):
        assert (shared / name).read_bytes() == (toy_run / name).read_bytes()


def test_seeds_are_added_to_a_run(toy_run, train, tmp_path):
    """The folds of the seed before stay as they are; the run is judged anew when those of the others are finished."""
    run = tmp_path / "more"
    shutil.copytree(toy_run, run)
    train(out=run, resume=True, seeds=(0, 1), folds=(0,))
    assert json.loads((run / "run.json").read_text())["seeds"] == [0, 1]
    assert not (run / "report.json").exists() and not (run / "predictions.csv").exists()
    train(out=run, resume=True, seeds=(0, 1))
    assert json.loads((run / "report.json").read_text())["seeds"] == 2
    kept, added = (sorted(run.glob(f"seed{seed}-fold*/final.weights.h5")) for seed in (0, 1))
    assert len(kept) == len(added) == 3
    for path in kept:
        before = toy_run / path.relative_to(run)
        assert (path.read_bytes(), path.stat().st_mtime_ns) == (before.read_bytes(), before.stat().st_mtime_ns)
    with pytest.raises(RunError, match=r"seeds is \[0, 1\] there and \[0\] here"):
        train(out=run, resume=True)


@pytest.mark.parametrize(
    ("options", "differing"),
    [
        ({"overrides": {"training.batch_size": 5}}, "training.batch_size is 4 there and 5 here"),
        ({"seeds": (1, 0)}, r"seeds is \[0\] there and \[1, 0\] here"),
        ({"protocol": "all", "epochs_from": "RUN"}, "protocol is emodb4-loso there and all"),
    ],
)
def test_another_run_is_not_resumed(toy_run, train, options, differing):
    options = {k: v.replace("RUN", str(toy_run)) if isinstance(v, str) else v for k, v in options.items()}
    before = snapshot(toy_run)
    with pytest.raises(RunError, match=f"holds another run: .*{differing}"):
        train(out=toy_run, resume=True, **options)
    assert snapshot(toy_run) == before


def test_a_changed_corpus_is_not_resumed(toy_run, toy_yaml, emodb, tmp_path):
    for path in (emodb / "wav").glob("*.wav"):
        (tmp_path / "wav").mkdir(exist_ok=True)
        (tmp_path / "wav" / path.name).write_bytes(path.read_bytes() + b"\0\0")
    with pytest.raises(RunError, match="corpora.emodb.sha256 is"):
        toy_model.train(toy_yaml, tmp_path, toy_run, resume=True)


def test_another_order_of_the_corpora_is_not_resumed(toy_run, tmp_path):
    """It is another training; runs of before that told no order go on."""
    from serzoo.training import folder

    config = configs.load(toy_run / "config.yaml")
    about = {"model": "toy", "overrides": {}, "seeds": [0], "partial": True}
    folder.open_run(tmp_path / "old", config, about, {}, resume=False)
    order = {"order": {"corpora": ["emodb", "savee"], "noise": []}}
    folder.open_run(tmp_path / "old", config, about | order, {}, resume=True)
    folder.open_run(tmp_path / "new", config, about | order, {}, resume=False)
    folder.open_run(tmp_path / "new", config, about | order | {"partial": False}, {}, resume=True)
    order["order"]["corpora"].reverse()
    with pytest.raises(RunError, match=r"order.corpora is \['emodb', 'savee'\] there and \['savee', 'emodb'\] here"):
        folder.open_run(tmp_path / "new", config, about | order, {}, resume=True)


def test_folders_that_hold_no_run(train, tmp_path):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "thesis.txt").touch()
    for resume in (False, True):
        with pytest.raises(RunError, match="exists and holds no run. Choose another folder"):
            train(resume=resume)
    with pytest.raises(RunError, match="exists and holds no run"):
        train(out=tmp_path / "run" / "thesis.txt")
    assert snapshot(tmp_path).keys() == {"run/thesis.txt"}


def test_a_run_killed_before_its_record_was_written(train, tmp_path, monkeypatch):
    """Its folder holds config.yaml alone."""
    with monkeypatch.context() as killed:
        killed.setattr(provenance, "git_commit", lambda: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            train()
    assert snapshot(tmp_path).keys() == {"run/config.yaml"}
    monkeypatch.setattr("serzoo.training.run.train_fold", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        train(resume=True)
    assert (tmp_path / "run" / "run.json").exists()


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"seeds": ()}, RunError, "seeds must be one or more integers >= 0 and below 2\\*\\*31. Received: "),
        ({"seeds": (2**32,)}, RunError, "Received: .4294967296"),
        ({"seeds": (0, -1)}, RunError, "Received: .0, -1."),
        ({"folds": (0, 9)}, RunError, r"folds must be one or more of 0 to \d. Received: \[0, 9\]"),
        ({"folds": (0,), "protocol": "all", "epochs_from": "RUN"}, RunError, "'all' has no folds to choose from"),
        ({"protocol": "all"}, RunError, "name the run that chose the epochs"),
        ({"protocol": "all", "epochs_from": "nowhere"}, RunError, "nowhere is not a finished run"),
        ({"epochs_from": "nowhere"}, RunError, "for protocol 'all' only"),
        ({"partial": False}, CorpusError, "not a whole copy of emodb"),
        ({"protocol": "ravdess8-5fold"}, CorpusError, "needs the corpus ravdess"),
        ({"overrides": {"model.units": -1}}, ConfigError, "toy: model does not fit its builder"),
    ],
)
def test_what_cannot_start_leaves_no_folder(train, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        train(**options)
    assert not (tmp_path / "run").exists()


def test_the_epochs_of_a_fold_are_those_of_the_weights_that_it_keeps():
    log = [{"epoch": epoch, "val_ua": ua} for epoch, ua in ((1, 0.5), (2, 0.75), (3, 0.75), (4, 0.25))]
    assert (_epochs_kept(log, "best"), _epochs_kept(log, "last")) == (2, 4)
    assert _epochs_kept([{"epoch": 1}, {"epoch": 2}], "best") == 2  # of all speakers none is left to choose by


# --- all speakers, other weights ------------------------------------------------------------------------------------


def test_all_speakers_for_the_epochs_that_the_folds_chose(toy_run, train, emodb, tmp_path):
    chosen = tmp_path / "chosen"
    chosen.mkdir()
    for path in toy_run.rglob("*"):
        if path.is_file() and "tensorboard" not in str(path):
            (chosen / path.relative_to(toy_run)).parent.mkdir(exist_ok=True)
            (chosen / path.relative_to(toy_run)).write_bytes(path.read_bytes())
    card = chosen / "seed0-fold0" / "card.json"
    for fold in FOLDS[:2]:  # as if the best epochs had been 1, 1 and 2
        card = chosen / fold / "card.json"
        card.write_text(json.dumps(json.loads(card.read_text()) | {"epochs": 1}))
    run = train(protocol="all", epochs_from=chosen)
    assert sorted(path.name for path in run.iterdir()) == [
        "config.yaml",
        "recordings.csv.gz",
        "run.json",
        "seed0-all",
        "training.png",
    ]
    card = json.loads((run / "seed0-all" / "card.json").read_text())
    assert (card["fold"], card["epochs"], card["protocol"]) == (None, 1, "all")
    assert card["corpora"] == {"emodb": ["03", "08", "09"]}
    with (
        open(run / "seed0-all" / "log.csv", newline="") as log,
        open(toy_run / FOLDS[0] / "log.csv", newline="") as fold,
    ):
        one, other = (list(csv.DictReader(file)) for file in (log, fold))
    assert len(one) == 1 and "val_ua" not in one[0]
    assert one[0]["learning_rate"] == other[0]["learning_rate"]  # the schedule is that of the folds
    assert serzoo.load(run).training_speakers == {"emodb": ["03", "08", "09"]}
    with pytest.raises(RunError, match="another recipe: training.batch_size is 4 there and 8 here"):
        train(out=tmp_path / "other", protocol="all", epochs_from=toy_run, overrides={"training.batch_size": 8})
    with pytest.raises(RunError, match="was given something else: init is None there and RUN-OF-INIT here"):
        train(out=tmp_path / "other", protocol="all", epochs_from=toy_run, init=str(toy_run / FOLDS[0]))
    assert not (tmp_path / "other").exists()


def test_an_objective_that_there_is_not_is_refused_before_anything_is_written(emodb, tmp_path):
    objective = {"objectives": {"judge": {"label": "gender", "loss_weight": 0.1}}}
    with pytest.raises(ConfigError, match="objectives must be among .*Received: judge"):
        serzoo.train(
            "asp_mtl_gender",
            {"emodb": emodb},
            protocol="emodb4-loso",
            out=tmp_path / "run",
            overrides=objective,
            partial=True,
        )
    assert not (tmp_path / "run").exists()


def test_rows_that_are_left_out_are_told(toy_yaml, emodb, tmp_path, capsys):
    table = corpora.read("emodb", emodb, partial=True)
    lines = [f"{emodb / row.file},{row.emotion},{row.speaker},{row.gender}" for row in table.itertuples()]
    (tmp_path / "own.csv").write_text("\n".join(["file,emotion,speaker,gender", *lines, "gone.wav,anger,03,male"]))
    run = serzoo.train(
        str(toy_yaml),
        {"table:own": tmp_path / "own.csv"},
        protocol="loso-table:own@anger,happiness,neutral,sadness",
        out=tmp_path / "run",
        overrides={"training.epochs": 1},
        verbose=2,
    )
    assert "toy: 1 left out, table:own: no such file" in capsys.readouterr().err
    assert json.loads((run / "report.json").read_text())["dropped"] == {"table:own: no such file": 1}


def test_a_seed_that_another_process_adds_meanwhile_is_waited_for(toy_run, train, tmp_path, monkeypatch):
    run = tmp_path / "run"
    shutil.copytree(toy_run, run)
    for name in ("seed0-fold2", "report.json", "predictions.csv"):
        shutil.rmtree(run / name) if (run / name).is_dir() else (run / name).unlink()
    module = sys.modules["serzoo.training.run"]
    train_fold = module.train_fold

    def slow(*args):
        train_fold(*args)
        record = json.loads((run / "run.json").read_text())
        (run / "run.json").write_text(json.dumps(record | {"seeds": [0, 1]}))

    monkeypatch.setattr(module, "train_fold", slow)
    train(out=run, resume=True)
    assert (run / "seed0-fold2" / "card.json").exists() and not (run / "report.json").exists()


def test_processes_that_begin_a_run_together_do_not_disturb_each_other(toy_run, tmp_path):
    """What another one is writing is neither foreign nor removed; what one left long ago is."""
    from serzoo.training import folder

    out = tmp_path / "run"
    out.mkdir()
    (out / "config.yaml").write_bytes((toy_run / "config.yaml").read_bytes())
    fresh, old = out / ".run.json.1.partial", out / ".report.json.2.partial"
    for path in (fresh, old):
        path.write_text("{")
    os.utime(old, (0, 0))
    config = configs.load(out / "config.yaml")
    about = {"model": "toy", "overrides": {}, "seeds": [0]}
    with pytest.raises(RunError, match="exists and holds no run"):
        folder.open_run(out, config, about, {}, resume=False)
    for _ in range(2):
        folder.open_run(out, config, about, {}, resume=True)
    assert fresh.exists() and not old.exists()


def test_a_start_for_one_fold_needs_only_what_that_fold_may_hear(toy_run, train):
    run = train(init=str(toy_run / "seed0-fold0"), folds=(0,), overrides={"training.epochs": 1})
    assert (run / "seed0-fold0" / "card.json").is_file()


def test_weights_that_heard_a_test_speaker_are_no_start(toy_run, train, tmp_path):
    with pytest.raises(SpeakerLeakError, match="seed0-fold0 was trained on test speakers of fold1: emodb 08"):
        train(init=str(toy_run / "seed0-fold0"))
    assert not (tmp_path / "run").exists()


def test_a_start_with_another_trunk_is_refused_before_there_is_a_run(toy_run, train, tmp_path):
    with pytest.raises(WeightsError, match="toy cannot start from toy: their layers .* differ"):
        train(init=str(toy_run), overrides={"model.units": 3})
    assert not (tmp_path / "run").exists()


def test_a_start_from_another_front_end_is_told(toy_run, train, tmp_path):
    told = "was trained on another front end. To train on the same one: --set frontend.hop_ms=10.0.$"
    with pytest.warns(UserWarning, match=told):
        train(init=str(toy_run), folds=(0,), overrides={"frontend.hop_ms": 20.0})
    with warnings.catch_warnings():
        warnings.filterwarnings("error", message=".*another front end")
        train(init=str(toy_run), folds=(0,), out=tmp_path / "same")


def test_a_start_from_other_weights(toy_run, train, tmp_path, monkeypatch):
    """Licence and speakers of the start are inherited, its emotion head only if the classes are the same."""
    start = tmp_path / "start"
    (start / "fold").mkdir(parents=True)
    for name in ("config.yaml", "seed0-fold0/final.weights.h5", "seed0-fold0/card.json"):
        (start / name.replace("seed0-fold0", "fold")).write_bytes((toy_run / name).read_bytes())
    card = json.loads((start / "fold" / "card.json").read_text())
    card |= {"licence": "CC-BY-NC-SA-4.0", "commercial": False, "corpora": {"ravdess": ["01", "02"]}}
    (start / "fold" / "card.json").write_text(json.dumps(card))
    begun = []
    fit = serzoo.training.fit.fit

    def spy(model, *args, **kwargs):
        begun.append(model.get_weights())
        return fit(model, *args, **kwargs)

    monkeypatch.setattr(serzoo.training.fit, "fit", spy)
    monkeypatch.setattr(zoo, "_warned", set())  # of a model it is said once
    with pytest.warns(UserWarning, match="not for commercial use"):
        run = train(init=str(start / "fold"), folds=(0,))
    for value, wanted in zip(begun[0], serzoo.load(start / "fold").get_weights(), strict=True):
        assert np.array_equal(value, wanted)
    made = json.loads((run / FOLDS[0] / "card.json").read_text())
    assert made["corpora"] == {"emodb": ["08", "09"], "ravdess": ["01", "02"]}
    assert made["licence"] == "CC-BY-NC-SA-4.0 AND " + corpora.info("emodb").licence and made["commercial"] is False
    assert json.loads((run / "run.json").read_text())["init"] == str(start / "fold")


# --- full and read-only disks ---------------------------------------------------------------------------------------


@pytest.fixture
def small_disk(tmp_path):
    """A file system of 48 kB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=48k", "tmpfs", place]
    may = hasattr(os, "geteuid") and os.geteuid() == 0
    if not may or subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("needs the right to mount a file system")
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.parametrize("room", [0, 8, 12, 24])
def test_a_full_disk(train, small_disk, room):
    (small_disk / "filler").write_bytes(b"x" * (48 - room) * 1024)
    with pytest.raises(RunError, match=r"stopped: .*No space left on device.* Once this is mended, --resume") as caught:
        train(out=small_disk / "run")
    assert "\n" not in str(caught.value)
    assert not leftovers(small_disk) and not list(small_disk.rglob("card.json"))
    if room == 24:  # and what was written is good to go on from
        subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
        train(out=small_disk / "run", resume=True)
        assert (small_disk / "run" / "report.json").exists()


def test_a_disk_that_turns_read_only(train, small_disk, monkeypatch):
    subprocess.run(["mount", "-o", "remount,size=4m", small_disk], check=True)
    train_fold = serzoo.training.run.train_fold

    def turn(*args):
        subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
        train_fold(*args)

    monkeypatch.setattr("serzoo.training.run.train_fold", turn)
    with pytest.raises(RunError, match="stopped: .*Read-only file system"):
        train(out=small_disk / "run")
    assert snapshot(small_disk).keys() == {"run/config.yaml", "run/recordings.csv.gz", "run/run.json"}


@pytest.mark.parametrize("name", ["config.yaml", "run.json", "log.csv", "state.npz", "final.weights.h5", "card.json"])
def test_each_file_is_whole_or_not_there(train, tmp_path, monkeypatch, name):
    """The disk is full when this file's turn has come; no mount is needed."""
    write = os.replace

    def full(source, target):
        if Path(target).name == name:
            raise OSError(errno.ENOSPC, "No space left on device", str(target))
        return write(source, target)

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(RunError, match=f"No space left on device: '.*{name}'.*--resume"):
        train()
    assert not leftovers(tmp_path)
    assert not list(tmp_path.rglob(name)) and not list(tmp_path.rglob("card.json"))


# --- small parts ----------------------------------------------------------------------------------------------------


def test_seeds_of_an_array_can_be_written_down():
    assert json.dumps(distinct(np.arange(2))) == "[0, 1]"


def test_differences():
    there = {"a": {"b": 1, "c": [1, 2]}, "d": None}
    assert differences(there, {"a": {"b": 1, "c": [1, 2]}, "d": None}) == []
    assert differences(there, {"a": {"b": 2, "c": [1, 3]}, "e": 0}) == [
        "a.b is 1 there and 2 here",
        "a.c is [1, 2] there and [1, 3] here",
        "e is missing there and 0 here",
    ]
    many = differences({}, {str(i): i for i in range(9)})
    assert len(many) == 6 and many[-1] == "4 more values differ"


def test_fingerprint_sees_labels_names_and_sizes_but_no_order_of_the_rows(tmp_path):
    for name in ("a.wav", "b.wav"):
        (tmp_path / name).write_bytes(b"12")
    row = {"file": "a.wav", "start": np.nan, "end": np.nan, "emotion": "anger", "gender": "male", "speaker": "1"}
    row["corpus"] = "toy"

    def of_rows(*rows):
        return corpora.fingerprints(pd.DataFrame(rows), {"toy": tmp_path})["toy"]["sha256"]

    def of(**changes):
        return of_rows(row | changes)

    first = of()
    assert first == of() and len({first, of(emotion="fear"), of(speaker="2"), of(gender=None), of(start=1.0)}) == 5
    assert len({first, of(start=1.0), of(end=2.0), of(file="b.wav")}) == 4
    other = row | {"file": "b.wav"}
    assert of_rows(row, other) == of_rows(other, row)
    (tmp_path / "a.wav").write_bytes(b"123")
    assert of() != first


def test_git_commit_is_that_of_serzoo_alone(tmp_path, monkeypatch):
    """Inside somebody else's repository there is no commit of ours."""
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.c"]
    subprocess.run([*git, "init", "-q", tmp_path], check=True, capture_output=True)
    module = tmp_path / "serzoo" / "training" / "provenance.py"
    module.parent.mkdir(parents=True)
    module.write_text("ours")
    monkeypatch.setattr(provenance, "__file__", str(module))
    run = {"cwd": tmp_path, "check": True, "capture_output": True, "text": True}
    subprocess.run([*git, "commit", "-qm", "x", "--allow-empty"], **run)
    assert provenance.git_commit() is None
    subprocess.run([*git, "add", "."], **run)
    subprocess.run([*git, "commit", "-qm", "y"], **run)
    commit = subprocess.run([*git, "rev-parse", "HEAD"], **run).stdout.strip()
    assert provenance.git_commit() == commit
    (tmp_path / "serzoo" / "other.py").write_text("changed")
    assert provenance.git_commit() == commit + "+"


def test_a_model_is_judged_in_float32_whatever_the_policy_of_the_caller(toy_run, train):
    before = keras.mixed_precision.dtype_policy()
    keras.mixed_precision.set_dtype_policy("bfloat16")
    try:
        run = train(folds=(0,))
    finally:
        keras.mixed_precision.set_dtype_policy(before)
    told, wanted = (pd.read_csv(folder / "seed0-fold0" / "predictions.csv") for folder in (run, toy_run))
    pd.testing.assert_frame_equal(told, wanted)
