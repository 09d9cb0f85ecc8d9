"""The command line with a stand-in for the model, and at the end the real thing in a process of its own."""

import configparser
import csv
import importlib
import io
import json
import os
import platform
import re
import subprocess
import sys
import warnings
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import serzoo
from serzoo import cli, doctor
from serzoo.cli import answers
from serzoo.errors import AudioError, RunError

ROOT = Path(__file__).resolve().parent.parent
CLIPS = ROOT / "tests" / "data" / "emodb" / "wav"


class StandIn:
    """Judges a file by its name; a name that starts with ``bad`` is refused."""

    classes = ["anger", "calm", "sadness"]

    def classify(self, path):
        print("a library that prints to stdout")
        if path.name.startswith("bad"):
            raise AudioError(f"{path} is no\nsound.")
        if path.name.startswith("silent"):
            warnings.warn("Digital silence.", stacklevel=1)
        if path.name.startswith("stop"):
            raise KeyboardInterrupt
        return [
            {"label": "calm", "score": np.float32(0.7)},
            {"label": "anger", "score": 0.2},
            {"label": "sadness", "score": 0.1},
        ]

    def segments(self, path, window_s, hop_s):
        return [{"start": 0.0, "end": window_s, "label": "calm", "score": 0.5}] + [
            {"start": hop_s, "end": hop_s + window_s, "label": "anger", "score": 0.25}
        ]


@pytest.fixture
def run(monkeypatch, capsys):
    """Call the entry point; gives exit code, stdout and stderr."""
    monkeypatch.setattr(cli.opening, "import_keras", lambda batches=False: None)  # no stand-in needs it

    def call(*arguments):
        monkeypatch.setattr(sys, "argv", ["serzoo", *map(str, arguments)])
        monkeypatch.setattr(warnings, "showwarning", warnings.showwarning)
        code = 0
        try:
            cli.main()
        except SystemExit as error:
            code = error.code or 0
        out, err = capsys.readouterr()
        assert "Traceback" not in err
        return code, out, err

    return call


@pytest.fixture
def asked(monkeypatch):
    """Names that were loaded; the stand-in takes the place of every model."""
    names = []
    # Set in the module's own dict: looking the attribute up would import Keras.
    monkeypatch.setitem(serzoo.__dict__, "load", lambda name, denoise=None: names.append(name) or StandIn())
    return names


@pytest.fixture
def folder(tmp_path):
    for name in ("b.wav", "a.wav", "sub/c.flac"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    return tmp_path


def test_help_lists_every_command(run):
    code, out, _ = run("--help")
    assert code == 0
    commands = "list show doctor predict corpora check fetch train evaluate audit compare publish".split()
    for command in commands:
        assert f"  {command} " in out
        assert run(command, "--help")[0] == 0


def test_python_dash_m():
    done = subprocess.run([sys.executable, "-m", "serzoo", "--version"], cwd=ROOT, capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, f"{serzoo.__version__}\n"), done.stderr


def test_version(run):
    assert run("--version") == (0, f"{serzoo.__version__}\n", "")


def test_usage_errors_exit_with_2(run, tmp_path):
    for arguments in (
        ["no-such-command"],
        ["predict"],
        ["predict", "a.wav", "--format", "xml"],
        ["predict", "a.wav", "--hop", "1"],
        ["predict", "a.wav", "--window", "0"],
        ["compare", "one"],
        ["train", "cnn_ablstm"],
        ["evaluate", "m", "--corpus", "emodb=.", "--out", tmp_path, "--fold", "1"],
    ):
        code, out, err = run(*arguments)
        assert code == 2 and out == "" and "rror" in err, arguments


def test_list_and_show(run):
    code, out, err = run("list")
    assert (code, err) == (0, "")
    assert out.splitlines()[0].split()[:3] == ["NAME", "WEIGHTS", "LICENCE"]
    assert {line.split()[0] for line in out.splitlines()[1:]} == set(serzoo.registry.names())
    listed = run("list", "cnn_*_mtl")[1].splitlines()[1:]
    assert {line.split()[0] for line in listed} == {"cnn_ablstm_mtl", "cnn_lstm_mtl"}
    code, out, _ = run("show", "cnn_ablstm_mtl")
    assert code == 0 and "10.1016/j.apacoust.2022.109178" in out
    code, out, err = run("show", "cnn_abltsm_mtl")
    assert (code, out) == (1, "")
    assert err.startswith("Error: Unknown model 'cnn_abltsm_mtl'. Did you mean 'cnn_ablstm_mtl' or ")
    assert err.endswith("See serzoo list.\n")


def test_a_list_of_nothing_says_so(run):
    told = "No model, or no weights, of that name and licence. See serzoo list.\n"
    assert run("list", "nothing") == run("list", "--licence", "free") == (0, "", told)


def test_show_takes_names_alone(run, tmp_path):
    assert run("show", f"{tmp_path}/run") == (1, "", f"Error: Unknown model '{tmp_path}/run'. See serzoo list.\n")


def test_predict_table(run, asked, folder):
    code, out, err = run("predict", folder / "b.wav", folder / "a.wav")
    assert (code, err.replace("a library that prints to stdout\n", "")) == (0, "")
    assert [line.split() for line in out.splitlines()] == [
        ["file", "label", "score", "anger", "calm", "sadness"],
        [str(folder / "b.wav"), "calm", "0.7000", "0.2000", "0.7000", "0.1000"],
        [str(folder / "a.wav"), "calm", "0.7000", "0.2000", "0.7000", "0.1000"],
    ]
    assert asked == ["cnn_ablstm_mtl"]


def test_predict_folder_takes_each_file_once(run, asked, folder):
    code, out, _ = run("predict", folder, folder / "a.wav", "--format", "json", "--model", "cnn_ablstm_mtl.emodb4")
    assert code == 0 and asked == ["cnn_ablstm_mtl.emodb4"]
    answers = json.loads(out)
    assert [Path(answer["file"]).name for answer in answers] == ["a.wav", "b.wav", "c.flac"]
    assert answers[0]["predictions"] == [
        {"label": "calm", "score": pytest.approx(0.7)},
        {"label": "anger", "score": 0.2},
        {"label": "sadness", "score": 0.1},
    ]


def test_predict_csv(run, asked, folder):
    code, out, _ = run("predict", folder / "a.wav", "--format", "csv")
    assert code == 0
    rows = list(csv.DictReader(io.StringIO(out)))
    scores = {"p_anger": "0.2000", "p_calm": "0.7000", "p_sadness": "0.1000"}
    assert rows == [{"file": str(folder / "a.wav"), "label": "calm", "score": "0.7000", **scores}]


def test_predict_windows(run, asked, folder):
    arguments = ["predict", folder / "a.wav", "--window", "2", "--format"]
    code, out, _ = run(*arguments, "json", "--hop", "0.5")
    assert code == 0
    assert json.loads(out)[0]["segments"] == [
        {"start": 0.0, "end": 2.0, "label": "calm", "score": 0.5},
        {"start": 0.5, "end": 2.5, "label": "anger", "score": 0.25},
    ]
    rows = list(csv.reader(io.StringIO(run(*arguments, "csv")[1])))  # without --hop the windows do not overlap
    assert rows[0] == ["file", "start", "end", "label", "score"]
    assert rows[2] == [str(folder / "a.wav"), "2.00", "4.00", "anger", "0.2500"]
    assert len(run(*arguments, "table")[1].splitlines()) == 3


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_predict_goes_on_past_bad_files(run, asked, folder, form):
    (folder / "empty").mkdir()
    (folder / "bad.wav").write_bytes(b"x")
    os.mkfifo(folder / "pipe.wav")
    inputs = [folder / name for name in ("bad.wav", "gone.wav", "empty", "pipe.wav", "a.wav", "gone.wav", "a.wav")]
    code, out, err = run("predict", *inputs, "--format", form)
    assert code == 1
    assert out.count("a.wav") == 1 and out.count(".wav") == 1 and "library" not in out
    assert err.splitlines()[-5:] == [
        "4 of 5 could not be judged:",
        f"  {folder / 'gone.wav'}: no such file or folder.",
        f"  {folder / 'empty'}: no audio file in this folder.",
        f"  {folder / 'pipe.wav'}: neither a file nor a folder.",
        f"  {folder / 'bad.wav'}: is no sound.",
    ]


@pytest.mark.parametrize("form", ["json", "csv", "table"])
def test_predict_that_is_stopped_keeps_its_answers(run, asked, folder, form):
    (folder / "stop.wav").write_bytes(b"x")
    code, out, _ = run("predict", *(folder / name for name in ("a.wav", "stop.wav", "b.wav")), "--format", form)
    assert code != 0 and "a.wav" in out and out.count(".wav") == 1
    if form == "json":
        assert len(json.loads(out)) == 1


def test_predict_writes_each_row_of_csv_at_once():
    out, seen = io.StringIO(), []

    def judged():
        for name in ("a.wav", "b.wav"):
            yield {"file": name, "predictions": [{"label": "calm", "score": 1.0}]}
            seen.append(out.getvalue().splitlines()[-1])

    answers.write(judged(), ["calm"], "csv", out)
    assert seen == ["a.wav,calm,1.0000,1.0000", "b.wav,calm,1.0000,1.0000"]


def test_predict_keeps_a_row_of_its_table_in_one_line(run, asked, folder):
    (folder / "d\ne\u00e9.wav").write_bytes(b"x")
    code, out, _ = run("predict", folder / "d\ne\u00e9.wav")
    assert code == 0 and len(out.splitlines()) == 2 and "d\\ne\u00e9.wav" in out


def test_predict_without_any_file_loads_no_model(run, asked, tmp_path):
    code, out, err = run("predict", tmp_path / "gone.wav")
    assert (code, out, asked) == (1, "", [])
    assert "1 of 1 could not be judged" in err
    assert json.loads(run("predict", tmp_path / "gone.wav", "--format", "json")[1]) == []


def test_warnings_are_one_line_on_stderr(run, asked, folder):
    (folder / "silent.wav").write_bytes(b"x")
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        code, out, err = run("predict", folder / "silent.wav", "--format", "json")
    assert code == 0 and "Warning: Digital silence.\n" in err
    assert len(json.loads(out)) == 1


def test_corpora(run):
    code, out, _ = run("corpora")
    assert code == 0
    for word in ("ravdess", "1440", "emodb", "535", "ravdess8-5fold", "emodb4-loso", "esc10", "DKITCHEN/ch01.wav"):
        assert word in out


def test_fetch(run, monkeypatch, tmp_path):
    asked = []
    monkeypatch.setattr(serzoo.corpora, "fetch", lambda *a, progress: asked.append(a) or progress(1, None))
    assert run("fetch", "ravdess", tmp_path / "r") == (0, f"Fetched: {tmp_path / 'r'}\n", "")
    assert asked == [("ravdess", tmp_path / "r")]


def test_fetch_of_what_has_no_open_download(run, tmp_path):
    code, out, err = run("fetch", "iemocap", tmp_path / "r")
    assert (code, out) == (1, "") and not (tmp_path / "r").exists()
    assert err.startswith(
        "Error: iemocap has no open download; its publisher gives it out: https://sail.usc.edu/iemocap"
    )
    assert err.endswith(" Open are: emodb, esc50, ravdess.\n")
    code, out, err = run("fetch", "ravdes", tmp_path / "r")
    assert (code, out) == (1, "") and "Unknown corpus with an open download 'ravdes'. Did you mean 'ravdess'" in err


def test_check_of_what_is_no_corpus(run, tmp_path):
    code, out, err = run("check", "ravdess", tmp_path)
    assert code == 1 and "1440" in out + err
    code, _, err = run("check", "ravdes", tmp_path)
    assert code == 1 and "Did you mean 'ravdess'" in err


def test_check_of_noise(run, tmp_path):
    """A corpus of noise has no official numbers; recordings that cannot be mixed in are problems."""
    for name in ("street/a.wav", "street/b.wav", "office/c.wav"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        rng = np.random.default_rng(len(name) + ord(name[-5]))
        soundfile.write(tmp_path / name, 0.1 * rng.standard_normal(16000), 16000)
    code, out, err = run("check", "folder:mine", tmp_path)
    assert (code, err) == (0, "") and out.splitlines()[-2:] == ["sound: 3 files, 0.1 minutes decoded", "ok"]
    assert [line.split() for line in out.splitlines()[4:6]] == [["office", "1"], ["street", "2"]]
    soundfile.write(tmp_path / "street" / "b.wav", np.zeros(16000), 16000)
    code, out, err = run("check", "folder:mine", tmp_path)
    assert (code, err) == (1, "") and out.splitlines()[-2:] == ["1 problem:", "  silent: street/b.wav"]
    assert run("check", "folder:mine", tmp_path, "--no-sound")[1].endswith("sound: not looked at\nok\n")


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (("cnn_abltsm", "all", "training.epochs=1"), "Unknown model 'cnn_abltsm'. Did you mean 'cnn_ablstm'"),
        (("cnn_ablstm", "ravdess8-5fodl", "training.epochs=1"), "Unknown protocol 'ravdess8-5fodl'. Did you mean "),
        (("cnn_ablstm", "all", "training.epoch=1"), "--set: unknown key training.epoch. Did you mean "),
        (("cnn_ablstm", "all", "epochs=1"), "--set: unknown key epochs. Did you mean 'training.epochs'?"),
    ],
)
def test_a_slip_in_a_training_is_told_before_tensorflow_is_imported(run, monkeypatch, tmp_path, wrong, message):
    name, protocol, override = wrong
    command = ["train", name, "--corpus", f"emodb={tmp_path}", "--protocol", protocol, "--set", override, "--out", "r"]
    monkeypatch.setattr(cli.opening, "import_keras", lambda batches=False: pytest.fail("too late"))
    code, out, err = run(*command)
    assert (code, out) == (1, "") and err.startswith(f"Error: {message}")


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("predict . --model cnn_ablstm_mlt", "Unknown model 'cnn_ablstm_mlt'. Did you mean 'cnn_ablstm_mtl'"),
        ("predict . --model cnn_ablstm_mtl.emodb", "Unknown weights of cnn_ablstm_mtl 'emodb'. Did you mean 'emodb4"),
        ("predict . --model gone.onnx", "There is no file or folder gone.onnx."),
        ("export cnn_ablstm_mlt out", "Unknown model 'cnn_ablstm_mlt'. Did you mean 'cnn_ablstm_mtl'"),
        ("evaluate cnn_ablstm_mlt --corpus emodb=. --out r", "Unknown model 'cnn_ablstm_mlt'. Did you mean "),
        ("evaluate nope.csv --corpus emodb=. --out r", "There is no file or folder nope.csv."),
        ("evaluate cnn_ablstm_mtl --corpus ravdes=. --out r", "Unknown corpus 'ravdes'. Did you mean 'ravdess'"),
        ("audit cnn_ablstm_mtl --noise esc=.", "Unknown noise corpus 'esc'. Did you mean 'esc"),
        (
            "search bert_mtl --corpus emodb=. --protocol emodb4-loso --space nope.yaml --out r",
            "There is no file nope.yaml.",
        ),
        (
            "search bert_mtl --corpus emodb=. --protocol emodb4-losso --space . --out r",
            "Unknown protocol 'emodb4-losso'.",
        ),
        ("publish r foo.bar", "Unknown model 'foo'."),
    ],
)
def test_other_slips_are_told_before_tensorflow_is_imported(run, monkeypatch, tmp_path, command, message):
    monkeypatch.chdir(tmp_path)
    Path("a.wav").touch()
    monkeypatch.setattr(cli.opening, "import_keras", lambda batches=False: pytest.fail("too late"))
    code, out, err = run(*command.split())
    assert (code, out) == (1, "") and err.startswith(f"Error: {message}")


def test_pretrain_needs_something_to_hear(run):
    code, out, err = run("pretrain", "bert_mtl", "--out", "r")
    assert (code, out) == (2, "") and "one of them is needed" in err


@pytest.mark.parametrize("command", ["train", "pretrain", "search"])
def test_progress_of_a_training_is_no_answer(run, monkeypatch, tmp_path, command):
    def made(*_, verbose, **options):
        print(f"Epoch 1/2, verbose={verbose}")  # as Keras does
        return [] if command == "search" else options["out"]

    monkeypatch.setitem(serzoo.__dict__, command, made)
    (tmp_path / "space.yaml").touch()
    more = ["--space", tmp_path / "space.yaml"] if command == "search" else []
    options = ["--corpus", f"emodb={tmp_path}", "--protocol", "emodb4-loso", "--out", tmp_path / "r"]
    code, out, err = run(command, "bert_mtl", *options, *more)
    assert (code, err) == (0, "Epoch 1/2, verbose=2\n") and "Epoch" not in out


def test_audit_takes_incomplete_copies(run, monkeypatch, tmp_path):
    got = {}
    monkeypatch.setitem(serzoo.__dict__, "audit", lambda *a, **k: got.update(k))
    monkeypatch.setattr("serzoo.evaluation.audit.markdown_of", lambda found: "# Audit\n")
    for given in ([], ["--partial"]):
        assert run("audit", "cnn_ablstm_mtl", "--corpus", f"emodb={tmp_path}", *given)[:2] == (0, "# Audit\n")
        assert got["partial"] is bool(given)


def test_publish_passes_everything_on_and_names_the_files(run, monkeypatch):
    import serzoo.training

    got = []
    monkeypatch.setattr(serzoo.training, "publish", lambda *names, **options: got.append(options) or [Path("toy.yaml")])
    assert run("publish", "r", "acrnn.a") == (0, "toy.yaml\nPublished: acrnn.a\n", "")
    assert run("publish", "r", "acrnn.a", "--figure-only", "--replace")[0] == 0
    assert got == [{"fold_weights": True, "replace": False}, {"fold_weights": False, "replace": True}]
    monkeypatch.setattr(serzoo.training, "add_seeds", lambda *names: got.append(names) or [Path("toy.yaml")])
    assert run("publish", "r", "acrnn.a", "--add-seeds") == (0, "toy.yaml\nPublished: acrnn.a\n", "")
    assert got[2:] == [(Path("r"), "acrnn.a")]
    status, _, told = run("publish", "r", "acrnn.a", "--add-seeds", "--replace")
    assert status == 2 and "goes with neither --figure-only nor --replace" in " ".join(told.replace("│", " ").split())


def test_pretrain_passes_everything_on(run, monkeypatch, tmp_path):
    got = {}
    monkeypatch.setitem(serzoo.__dict__, "pretrain", lambda *a, **k: got.update(k, a=a) or k["out"])
    assert run("pretrain", "bert_mtl", "--out", "r", "--audio", tmp_path) == (0, "Run: r\n", "")
    none = {"protocol": None, "seed": 0, "overrides": {}, "resume": False, "partial": False, "verbose": 2}
    assert got == {"a": ("bert_mtl", {}), "out": Path("r"), "audio_folder": tmp_path, **none}
    options = ["--corpus", f"emodb={tmp_path}", "--protocol", "emodb4-loso", "--seed", "3", "--resume", "--partial"]
    assert run("pretrain", "bert_mtl", "--out", "r", *options, "--set", "pretraining.epochs=5")[0] == 0
    given = {"protocol": "emodb4-loso", "seed": 3, "overrides": {"pretraining.epochs": 5}, "resume": True}
    given |= {"partial": True, "verbose": 2}
    assert got == {"a": ("bert_mtl", {"emodb": str(tmp_path)}), "out": Path("r"), "audio_folder": None, **given}
    assert (
        run("pretrain", "bert_mtl", "--out", "r", *options, "--set", "pretraining.epoch=5")[0] == 1
    )  # before Keras is there


def test_noise_curve_passes_everything_on(run, monkeypatch, tmp_path):
    from serzoo.evaluation import noise_curve as module  # the package gives the module of this name

    got = []
    monkeypatch.setattr(module, "noise_curve", lambda *a, **k: got.append((a, k)))
    monkeypatch.setattr("serzoo.evaluation.noise_report.markdown_of", lambda found: "# Noise\n")
    for name in "REMB":
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    needed = ["a", "b", "--corpus", "ravdess=R", "--noise", "esc10=E", "--out", "d"]
    assert run("noise-curve", *needed) == (0, "# Noise\nReport: d\n", "")
    more = ["--other-noise", "musan=M", "--babble", "emodb=B", "--denoise", "wavelet_shrinkage", "--against", "b"]
    assert run("noise-curve", *needed, *more, "--snr", "5", "--snr", "-5", "--resume", "--partial")[0] == 0
    where = (["a", "b"], {"ravdess": "R"}, {"esc10": "E"}, Path("d"))
    none = {"other_noise": {}, "babble": {}, "denoise": [], "against": None, "resume": False, "partial": False}
    assert got[0] == (where, none | {"snrs_db": module.SNRS_DB})
    others = {"other_noise": {"musan": "M"}, "babble": {"emodb": "B"}, "denoise": ["wavelet_shrinkage"]}
    assert got[1] == (where, others | {"against": ["b"], "resume": True, "partial": True, "snrs_db": [5.0, -5.0]})


def test_train_passes_everything_on(run, monkeypatch, tmp_path):
    got = {}
    monkeypatch.setitem(serzoo.__dict__, "train", lambda *a, **k: got.update(k, a=a) or k["out"])
    options = ["--corpus", f"ravdess={tmp_path}", "--protocol", "all", "--out", tmp_path / "r"]
    assert run("train", "cnn_ablstm", *options) == (0, f"Run: {tmp_path / 'r'}\n", "")
    assert got == {
        "a": ("cnn_ablstm", {"ravdess": str(tmp_path)}),
        "protocol": "all",
        "out": tmp_path / "r",
        "seeds": (0,),
        "folds": None,
        "epochs_from": None,
        "init": None,
        "streams": {},
        "transductive": False,
        "noise": {},
        "rooms": None,
        "partial": False,
        "overrides": {},
        "allow_speaker_leak": False,
        "resume": False,
        "verbose": 2,
    }
    more = ["--seed", "1", "--seed", "2", "--epochs-from", "q", "--init", "a.b", "--fold", "1", "--resume"]
    sets = ["--set", "training.epochs=5", "--set", "augmentation.gain_db=[0.0, 0.0]"]
    assert run("train", "cnn_ablstm", *options, "--corpus", f"emodb={tmp_path}", *more, *sets)[0] == 0
    assert got["a"][1] == {"ravdess": str(tmp_path), "emodb": str(tmp_path)}
    assert (got["seeds"], got["epochs_from"], got["init"], got["resume"]) == ((1, 2), Path("q"), "a.b", True)
    assert got["folds"] == [1]
    assert got["overrides"] == {"training.epochs": 5, "augmentation.gain_db": [0.0, 0.0]}
    streams = ["--stream", f"gender:emodb={tmp_path}", "--target", f"emodb={tmp_path}"]
    assert run("train", "cnn_ablstm", *options, *streams)[0] == 0
    assert got["streams"] == {name: {"emodb": str(tmp_path)} for name in ("gender", "target")}
    assert got["transductive"] is False
    assert run("train", "cnn_ablstm", *options, *streams, "--transductive")[0] == 0 and got["transductive"] is True
    message = "Error: --target emodb needs a folder that exists. Received: 'gone'.\n"
    assert run("train", "cnn_ablstm", *options, "--target", "emodb=gone") == (1, "", message)
    message = "Error: --stream takes NAME:CORPUS=ROOT, such as gender:emodb=data/EmoDB. Received: 'emodb=x'.\n"
    assert run("train", "cnn_ablstm", *options, "--stream", "emodb=x") == (1, "", message)


@pytest.mark.parametrize(
    ("corpora", "message"),
    [
        (["ravdess"], "--corpus takes NAME=ROOT, such as ravdess=data/RAVDESS. Received: 'ravdess'."),
        (["ravdess=gone"], "--corpus ravdess needs a folder that exists. Received: 'gone'."),
        (
            ["mine=a.csv"],
            "--corpus mine needs a folder that exists. Received: 'a.csv'. A table is table:mine=a.csv.",
        ),
        (["table:a=a.csv", "table=gone"], "--corpus table needs a table file or folder that exists. Received: 'gone'."),
        (["emodb=.", "emodb=."], "--corpus takes each corpus once. Received twice: 'emodb'."),
    ],
)
def test_wrong_corpus_options(run, tmp_path, monkeypatch, corpora, message):
    monkeypatch.chdir(tmp_path)
    Path("a.csv").touch()
    options = [part for item in corpora for part in ("--corpus", item)]
    for command in (["train", "m", "--protocol", "all"], ["evaluate", "m"]):
        assert run(*command, *options, "--out", "r") == (1, "", f"Error: {message}\n")


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (RunError("The run\n  exists."), "The run exists."),
        (OSError(28, "No space left on device", "r/log.csv"), "[Errno 28] No space left on device: 'r/log.csv'"),
    ],
)
def test_errors_are_one_line(run, monkeypatch, tmp_path, error, text):
    def fail(*_, **__):
        raise error

    monkeypatch.setitem(serzoo.__dict__, "train", fail)
    done = run("train", "cnn_ablstm", "--corpus", f"emodb={tmp_path}", "--protocol", "all", "--out", "r")
    assert done == (1, "", f"Error: {text}\n")


def test_faults_of_our_own_are_not_hidden(run, monkeypatch, tmp_path):
    monkeypatch.setitem(serzoo.__dict__, "train", lambda *_, **__: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        run("train", "cnn_ablstm", "--corpus", f"emodb={tmp_path}", "--protocol", "all", "--out", "r")


@pytest.mark.parametrize("failed", [[], [{"corpus": "emodb", "file": "wav/x.wav", "reason": "is cut."}]])
def test_evaluate(run, asked, monkeypatch, tmp_path, failed):
    figure = {"value": 0.5, "ci_low": 0.4, "ci_high": 0.6}
    report = {
        **{name: figure for name in ("ua", "wa", "macro_f1", "micro_f1")},
        **{"n": 9, "num_speakers": 3, "folds": 1, "seeds": 1, "chance": 0.25, "recall": {"anger": figure}},
        **{"recall_by_gender": {}, "notes": [], "warnings": [], "dropped": {}, "failed": failed},
    }
    got = {}
    monkeypatch.setitem(serzoo.__dict__, "evaluate", lambda *a, **k: got.update(k, a=a) or report)
    options = ["--corpus", f"emodb={tmp_path}", "--out", tmp_path / "o"]
    code, out, err = run(
        "evaluate", "cnn_ablstm.ravdess8", *options, "--allow-speaker-leak", "--protocol", "p", "--fold", "3"
    )
    assert (
        got.pop("a")[0] == "cnn_ablstm.ravdess8"
    )  # opened where it is known whether it stands for one network or for many
    assert got == {
        "out": tmp_path / "o",
        "allow_speaker_leak": True,
        "protocol": "p",
        "fold": 3,
        "clips": 12,
        "partial": False,
    }
    assert "UA" in out and f"Report: {tmp_path / 'o' / 'report.html'}" in out
    assert code == bool(failed)
    assert err == ("1 of 10 could not be judged:\n  emodb wav/x.wav: is cut.\n" if failed else "")


def test_compare_of_what_is_no_run(run, tmp_path):
    code, out, err = run("compare", tmp_path / "a", tmp_path / "b")
    assert code == 1 and out == "" and err.startswith("Error: ") and err.count("\n") == 1


def test_doctor_names_what_is_wrong(run, monkeypatch):
    monkeypatch.setattr(doctor, "examine", lambda: ([["Python", "3.9"]], ["Python 3.9 is too old."]))
    assert run("doctor") == (1, "Python  3.9\n", "Problem: Python 3.9 is too old.\n")


@pytest.mark.parametrize(
    ("package", "version", "problem"),
    [
        (
            "keras",
            "3.7.2",
            "Keras 3.7.2 is too old, serzoo needs 3.8 to 3.15: python -m pip install 'keras>=3.8,<",
        ),
        ("keras", "3.16.0", "Keras 3.16.0 is newer than what serzoo is tested with, 3.8 to 3.15: "),
        ("tensorflow", "2.16.1", "TensorFlow 2.16.1 is outside the tested range 2.17 to 2.21."),
        ("tensorflow", "2.22.0rc1", "TensorFlow 2.22.0rc1 is outside the tested range 2.17 to 2.21."),
        ("soxr", None, "soxr is missing: python -m pip install soxr."),
        ("PyYAML", None, "PyYAML is missing: python -m pip install PyYAML."),
    ],
)
def test_doctor_judges_versions(monkeypatch, package, version, problem):
    real = doctor._version
    monkeypatch.setattr(doctor, "_version", lambda name: version if name == package else real(name))
    assert any(found.startswith(problem) for found in doctor.examine()[1])


def test_doctor_asks_for_all_that_is_required():
    setup = configparser.ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    required = {re.match(r"[\w.-]+", line)[0] for line in setup["options"]["install_requires"].split("\n") if line}
    assert {*doctor.PACKAGES} == required - {"tensorflow", "keras"}


@pytest.mark.parametrize("package", ["pydantic", "yaml"])
def test_doctor_works_without_what_it_asks_for(package):
    lost = f"import sys; sys.modules['keras'] = sys.modules['{package}'] = None"
    code = f"{lost}; from serzoo.doctor import examine; print(examine()[1])"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert f"No model can be read: import of {package} halted" in done.stdout, done.stderr


def test_doctor_sees_changed_and_missing_weights(monkeypatch, tmp_path):
    from test_config import VALID, WEIGHTS

    from serzoo import config, registry

    entries = json.dumps([WEIGHTS, {**WEIGHTS, "tag": "b", "file": "b.weights.h5"}])
    toy = config.parse(VALID.replace("weights: []", f"weights: {entries}"))
    monkeypatch.setattr(registry, "names", lambda: ["toy"])
    monkeypatch.setattr(config, "load", lambda name: toy)
    monkeypatch.setattr(registry, "weights_folder", lambda: tmp_path)
    (tmp_path / "b.weights.h5").write_bytes(b"cut")
    problems = [problem for problem in doctor.examine()[1] if problem.startswith("The weights")]
    assert len(problems) == 2
    assert "toy.ravdess8 are missing" in problems[0] and "toy.b were changed or cut" in problems[1]


def real(*arguments, **environment):
    code = "from serzoo.cli import main; main()"
    env = {**os.environ, "PYTHONPATH": str(ROOT), **environment}
    env.pop("TF_CPP_MIN_LOG_LEVEL", None)
    command = [sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=240, env=env)


def test_tensorflow_says_nothing_that_nobody_asked(tmp_path):
    """Neither of its devices, nor of the files of an export."""
    pytest.importorskip("tensorflow")
    code = (
        "import sys; from serzoo.cli import opening; opening.import_keras(); import tensorflow as tf; "
        "tf.saved_model.save(tf.Module(), sys.argv[1])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "TF_CPP_MIN_LOG_LEVEL"}
    command = [sys.executable, "-c", code, str(tmp_path / "saved")]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240, env=environment)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "saved" / "saved_model.pb").is_file()


@pytest.mark.parametrize(
    ("batches", "said", "machine", "found"),
    [
        (True, None, "x86_64", "1"),
        (True, "0", "x86_64", "0"),
        (False, None, "x86_64", None),
        (True, None, "arm64", None),
    ],
)
def test_onednn_is_on_for_batches_unless_the_user_said_otherwise(monkeypatch, batches, said, machine, found):
    monkeypatch.delitem(sys.modules, "keras", raising=False)
    keras = SimpleNamespace(config=SimpleNamespace(backend=lambda: "tensorflow"))
    monkeypatch.setattr(importlib, "import_module", lambda name: keras)
    monkeypatch.setenv("TF_CPP_MIN_LOG_LEVEL", "3")  # as import_keras sets it
    monkeypatch.setattr(platform, "machine", lambda: machine)
    monkeypatch.setenv("TF_ENABLE_ONEDNN_OPTS", said or "")
    if said is None:
        monkeypatch.delenv("TF_ENABLE_ONEDNN_OPTS")
    cli.opening.import_keras(batches=batches)
    assert os.environ.get("TF_ENABLE_ONEDNN_OPTS") == found


@pytest.mark.parametrize("backend", ["torch", "bogus"])
def test_real_commands_with_a_backend_that_is_none(backend):
    done = real("predict", CLIPS, KERAS_BACKEND=backend)
    message = f"The backend of Keras must be tensorflow or jax: set KERAS_BACKEND. Received: {backend}."
    assert (done.returncode, done.stdout, done.stderr) == (1, "", f"Error: {message}\n")
    done = real("doctor", KERAS_BACKEND=backend)
    assert (
        done.returncode == 1
        and "Traceback" not in done.stderr
        and "Problem: " in done.stderr
        and backend in done.stderr
    )


def test_real_doctor_finds_nothing_wrong_here():
    done = real("doctor")
    assert (done.returncode, done.stderr) == (0, "")
    for word in ("TensorFlow", "Keras", "backend", "MP3", "weights"):
        assert word in done.stdout


def test_real_predict_past_a_bad_file(tmp_path):
    """The shipped weights judge a shipped clip; stdout holds nothing but the answers."""
    clips = sorted(CLIPS.glob("*.wav"))
    assert clips
    soundfile.write(tmp_path / "short.wav", np.zeros(100), 16000)
    (tmp_path / "text.wav").write_text("no sound")
    done = real("predict", clips[0], tmp_path / "short.wav", tmp_path / "text.wav", "--format", "json")
    assert done.returncode == 1 and "Traceback" not in done.stderr
    (answer,) = json.loads(done.stdout)
    assert answer["file"] == str(clips[0])
    scores = [each["score"] for each in answer["predictions"]]
    assert scores == sorted(scores, reverse=True) and sum(scores) == pytest.approx(1, abs=1e-4)
    title, *bad = done.stderr.splitlines()[-3:]
    assert title == "2 of 3 could not be judged:"
    assert [line.split(": ")[0] for line in bad] == [f"  {tmp_path / name}" for name in ("short.wav", "text.wav")]
