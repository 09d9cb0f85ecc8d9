"""Pre-training by masked prediction, and what starts from it: nobody hears a test speaker, and no label is read."""

import csv
import importlib
import json

import numpy as np
import pandas as pd
import pytest
import soundfile
import toy_model

import serzoo
from serzoo import building, corpora, zoo
from serzoo import config as configs
from serzoo.errors import ConfigError, CorpusError, MissingFileError, RunError, SpeakerLeakError
from serzoo.training import fit as fitting
from serzoo.training.init import _place, sources_of

pytestmark = pytest.mark.xdist_group("pretrain")

TINY = {
    "frontend.num_mels": 8,
    "model.width": 8,
    "model.num_blocks": 1,
    "model.num_heads": 2,
    "model.units": 8,
    "augmentation.crop_s": 0.4,
    "pretraining.epochs": 1,
    "pretraining.steps_per_epoch": 2,
    "pretraining.batch_size": 4,
    "pretraining.warmup_epochs": 0.0,
    "training.epochs": 1,
    "training.steps_per_epoch": 1,
    "training.batch_size": 4,
    "training.warmup_epochs": 0.0,
}
OPTIONS = {"overrides": TINY, "partial": True, "verbose": 0}


@pytest.fixture(scope="module")
def heard(emodb, tmp_path_factory):
    """One pre-trained model for each fold of the small corpus."""
    out = tmp_path_factory.mktemp("runs") / "heard"
    return serzoo.pretrain("bert_mtl", {"emodb": emodb}, protocol="emodb4-loso", out=out, **OPTIONS)


def test_each_fold_hears_its_training_speakers_alone(heard, emodb):
    table = corpora.read("emodb", emodb, partial=True)
    rules = corpora.protocol("emodb4-loso")
    folds = rules.folds(rules.apply(table)[0])
    assert len(folds) == 3
    for fold in folds:
        card = json.loads((heard / f"seed0-{fold.name}" / "card.json").read_text())
        assert card["corpora"] == {"emodb": [speaker for _, speaker in fold.train]}
        assert card["pretrained"] and card["licence"] == "CC0-1.0" and card["commercial"] and card["epochs"] == 1
        with open(heard / f"seed0-{fold.name}" / "log.csv", newline="") as file:
            (row,) = csv.DictReader(file)
        assert float(row["loss"]) > 0
    about = json.loads((heard / "run.json").read_text())
    assert about["pretraining"]["epochs"] == 1 and about["protocol"] == "emodb4-loso"


def test_what_was_learnt_is_the_encoder(heard):
    with pytest.warns(UserWarning, match="pre-trained without labels; its heads know nothing"):
        model = zoo.load(heard / "seed0-fold0")
    fresh = building.build(configs.load(heard / "config.yaml"), model.heads, seed=0)
    # Pre-training hides more steps than the config says, with the same weights.
    for name, learns in {"projection": True, "mask": True, "block1": True, "emotion": False, "layers": False}.items():
        for old, new in zip(fresh.get_layer(name).weights, model.get_layer(name).weights, strict=True):
            assert (not np.array_equal(old, new)) == learns, new.path


@pytest.fixture
def no_fit(monkeypatch):
    """Trainings that end before the first step."""

    def fit(*args, folder, **options):
        folder.mkdir(parents=True)
        return [{"epoch": 1}]

    monkeypatch.setattr(fitting, "fit", fit)


def test_a_training_starts_each_fold_from_its_own(heard, emodb, tmp_path, no_fit, monkeypatch):
    copied, copy = [], building.copy_weights
    monkeypatch.setattr(
        building, "copy_weights", lambda source, target: copied.append(source.card["fold"]) or copy(source, target)
    )
    run = toy_model.train("bert_mtl", emodb, tmp_path / "run", init=str(heard), overrides=TINY)
    assert copied == 2 * [0, 1, 2]  # once to see whether it fits
    assert len(pd.read_csv(run / "predictions.csv")) == 36
    rules = corpora.protocol("emodb4-loso")
    folds = rules.folds(rules.apply(corpora.read("emodb", emodb, partial=True))[0])
    # of a seed that was not pre-trained it takes the one that was
    sources = sources_of(configs.load("bert_mtl", TINY), str(heard), folds, (0, 5))
    assert [(seed, name, each.card["fold"]) for (seed, name), each in sources.items()] == [
        (seed, fold.name, fold.index) for seed in (0, 5) for fold in folds
    ]


def test_a_fold_that_was_not_finished_starts_none(tmp_path, emodb):
    rules = corpora.protocol("emodb4-loso")
    folds = rules.folds(rules.apply(corpora.read("emodb", emodb, partial=True))[0])
    (tmp_path / f"seed0-{folds[1].name}").mkdir()
    with pytest.raises(RunError, match=f"has not finished {folds[1].name}: let it go on with --resume"):
        sources_of(configs.load("bert_mtl", TINY), str(tmp_path), folds[1:], (0,))


def test_who_heard_everyone_cannot_start_a_fold(emodb, tmp_path, no_fit):
    run = serzoo.pretrain("bert_mtl", {"emodb": emodb}, out=tmp_path / "all", **OPTIONS)
    assert [path.parent.name for path in run.glob("*/card.json")] == ["seed0-all"]
    with pytest.raises(SpeakerLeakError, match="was trained on test speakers of fold0: emodb 03"):
        toy_model.train("bert_mtl", emodb, tmp_path / "run", init=str(run), overrides=TINY)
    assert not (tmp_path / "run").exists()


def test_no_label_is_read(emodb, monkeypatch):
    """The columns of labels may hold anything: what is planned and heard comes from the other ones."""
    seen = []
    monkeypatch.setattr(fitting, "fit", lambda *args, **options: seen.append(args[2:]) or [{"epoch": 1}])
    pretraining = importlib.import_module("serzoo.training.pretrain")  # the package gives the function of this name
    monkeypatch.setattr(pretraining, "save_weights", lambda *args: None)
    monkeypatch.setattr(pretraining, "replace_file", lambda *args: None)
    table = corpora.read("emodb", emodb, partial=True)
    config = configs.load("bert_mtl", TINY)
    for rows in (table, table.assign(emotion="fear", gender=None, text="x")):
        fold = corpora.all_speakers(rows)
        pretraining._pretrain_fold(config, rows, {"emodb": emodb}, fold, ("anger", "fear"), 0, emodb, 0)
    (one, targets), (other, same) = seen
    assert one._keys == other._keys and len(one) == len(table)
    assert not targets["emotion"].any() and np.array_equal(targets["emotion"], same["emotion"])


def test_a_folder_of_sound_and_a_run_that_goes_on(emodb, tmp_path, no_fit, capsys):
    (emodb / "note.txt").write_text("no sound")
    (emodb / "cut.wav").write_bytes(b"RIFF")
    soundfile.write(emodb / "cut.flac", np.random.default_rng(0).normal(0, 0.1, 64000), 16000)
    (emodb / "cut.flac").write_bytes((emodb / "cut.flac").read_bytes()[:40000])  # its header promises all of it
    try:
        run = serzoo.pretrain("bert_mtl", audio_folder=emodb, out=tmp_path / "run", **{**OPTIONS, "verbose": 2})
    finally:
        for name in ("cut.wav", "cut.flac", "note.txt"):
            (emodb / name).unlink()
    assert "bert_mtl: 2 left out, sound files that cannot be heard for 0.1 s" in capsys.readouterr().err
    card = json.loads((run / "seed0-all" / "card.json").read_text())
    assert (
        card["corpora"] == {"folder": ["unknown"]} and card["licence"] == "as its owner says" and not card["commercial"]
    )
    about = json.loads((run / "run.json").read_text())
    assert about["corpora"]["folder"]["rows"] == 36
    assert about["dropped"] == {"sound files that cannot be heard for 0.1 s": 2}
    again = {**OPTIONS, "resume": True}
    assert serzoo.pretrain("bert_mtl", audio_folder=emodb, out=run, **again) == run
    with pytest.raises(RunError, match="holds another run: pretraining.epochs is 1 there and 2 here"):
        serzoo.pretrain(
            "bert_mtl", audio_folder=emodb, out=run, **{**again, "overrides": {**TINY, "pretraining.epochs": 2}}
        )


def test_what_was_heard_in_a_folder_is_no_test(emodb, tmp_path, no_fit):
    """Its copies in a table are known by their samples; no other run has heard this folder."""
    (tmp_path / "heard").mkdir()
    random, lines = np.random.default_rng(0), ["file,emotion,speaker"]
    for number, emotion in enumerate(("anger", "sadness")):
        clip = random.normal(0, 0.1, 8000)
        soundfile.write(tmp_path / "heard" / f"{number}.wav", clip, 16000)
        soundfile.write(tmp_path / f"copy{number}.wav", clip, 16000)
        lines.append(f"copy{number}.wav,{emotion},somebody")
    (tmp_path / "mine.csv").write_text("\n".join(lines))
    start = serzoo.pretrain("bert_mtl", audio_folder=tmp_path / "heard", out=tmp_path / "start", **OPTIONS)
    run = toy_model.train("bert_mtl", emodb, tmp_path / "run", init=str(start), folds=(0,), overrides=TINY)
    card = json.loads((run / "seed0-fold0" / "card.json").read_text())
    assert card["corpora"] == {"emodb": ["08", "09"], "folder": ["unknown"]}
    with pytest.raises(SpeakerLeakError, match="recordings to judge it by: table copy0.wav = folder 0.wav"):
        serzoo.evaluate(run / "seed0-fold0", {"table": tmp_path / "mine.csv"})


def test_the_command_takes_an_incomplete_copy(emodb, tmp_path, no_fit):
    from typer.testing import CliRunner

    from serzoo.cli import app

    arguments = ["pretrain", "bert_mtl", "--corpus", f"emodb={emodb}", "--out", str(tmp_path / "run"), "--partial"]
    arguments += [word for key, value in TINY.items() for word in ("--set", f"{key}={value}")]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    assert json.loads((tmp_path / "run" / "run.json").read_text())["partial"] is True


def test_what_cannot_be_pre_trained_is_said_before_the_first_step(emodb, tmp_path):
    out, empty = tmp_path / "run", tmp_path / "empty"
    empty.mkdir()
    cases = [
        (("bert_mtl",), {}, RunError, "Pre-training needs sound"),
        (("bert_mtl",), {"audio_folder": empty}, RunError, "holds no sound file: pre-training needs some"),
        (("bert_mtl",), {"audio_folder": tmp_path / "none"}, MissingFileError, "does not exist"),
        (
            ("cnn_ablstm", {"emodb": emodb}),
            {},
            ConfigError,
            "cnn_ablstm cannot be pre-trained: its YAML has no section",
        ),
        (
            ("bert_mtl", {"emodb": emodb}),
            {"overrides": {"augmentation.room_probability": 0.5}},
            ConfigError,
            "augmentation.room_probability must be 0. Received: 0.5",
        ),
        (
            ("bert_mtl", {"emodb": emodb}),
            {"overrides": {"training.epochs": 5}},
            ConfigError,
            "training.epochs is not read. Set pretraining.epochs.",
        ),
        (("bert_mtl", {"emodb": emodb}), {"protocol": "ravdess8-5fold"}, CorpusError, "needs the corpora ravdess"),
    ]
    for args, options, error, message in cases:
        with pytest.raises(error, match=message):
            serzoo.pretrain(*args, out=out, partial=True, verbose=0, **options)
    (empty / "short.wav").write_bytes((emodb / "wav" / "03a01Wa.wav").read_bytes()[:60])
    with pytest.raises(RunError, match="holds 1 sound files, and none that can be heard for 0.1 s"):
        serzoo.pretrain("bert_mtl", audio_folder=empty, out=out)
    assert not out.exists()


def test_a_start_is_that_of_the_own_seed_if_there_is_one(tmp_path):
    fold = corpora.Fold(0, (), (), ())
    for seed in (0, 1):
        (tmp_path / f"seed{seed}-fold0").mkdir()
        (tmp_path / f"seed{seed}-fold0" / "card.json").touch()
    own = [_place(str(tmp_path), fold, seed) for seed in (0, 1, 2)]
    assert own == [str(tmp_path / f"seed{seed}-fold0") for seed in (0, 1, 0)]
