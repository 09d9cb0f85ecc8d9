"""Searches: what is tried, that no test speaker is heard, and that a search that was cut off goes on."""

import shutil
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

import serzoo
from serzoo import config as configs
from serzoo.errors import ConfigError, DivergedError, RunError
from serzoo.training import space as spaces
from serzoo.training import trials

pytestmark = pytest.mark.xdist_group("search")

SPACE = [{"model.units": 3}, {"training.learning_rate": 0.01, "augmentation.gain_db": [0.0, 0.0]}]
FILE, THREE, FAST = (
    trials.UNCHANGED,
    "model.units=3",
    "training.learning_rate=0.01; augmentation.gain_db=[0.0, 0.0]",
)
RECIPES = (FILE, THREE, FAST)


@pytest.fixture
def search(toy_yaml, emodb, tmp_path):
    """Search for recipes of the toy in ``tmp_path/found``, on the first of three folds."""

    def call(**options):
        return search_toy(toy_yaml, options.pop("root", emodb), options.pop("out", tmp_path / "found"), **options)

    return call


def search_toy(name, root, out, **options):
    options = {"space": SPACE, "folds": (0,), "verbose": 0, "partial": True, "protocol": "emodb4-loso", **options}
    return serzoo.search(name, {"emodb": root}, out=out, **options)


@pytest.fixture(scope="module")
def found(toy_yaml, emodb, tmp_path_factory):
    """The folder of a finished search and what it returned; not to be changed."""
    out = tmp_path_factory.mktemp("searches") / "found"
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(serzoo.registry.BUILDERS, "toy", "toy_model:build")
        return out, search_toy(toy_yaml, emodb, out)


@pytest.fixture
def made_up(monkeypatch):
    """Trainings that are not done: their UA is a function of recipe and fold, and they are counted."""
    begun = []

    def fit_fold(shared, fold, seed, folder, source=None):
        start = () if source is None else (source.card["fold"],)
        begun.append((shared.config.model["units"], seed, fold.index, *start))
        if shared.config.model["units"] == 9:
            raise DivergedError("the loss was no longer finite")
        ua = 0.5 + 0.02 * shared.config.model["units"] - 0.1 * fold.index
        return SimpleNamespace(log=[{"val_ua": ua}] * 4)

    module = sys.modules["serzoo.training.search"]  # the package has a function of this name
    monkeypatch.setattr(module, "fit_fold", fit_fold)
    monkeypatch.setattr(module, "check_model", lambda *_: None)
    monkeypatch.setattr(module, "clear_session", lambda: None)  # nothing was built
    return begun


def units(*values):
    return [{"model.units": value} for value in values]


# --- real trainings -------------------------------------------------------------------------------------------------


def test_a_search_and_its_log(found):
    out, ranked = found
    rows = trials.read(out / "trials.csv")
    assert [row["recipe"] for row in rows] == [FILE, THREE, FAST] and {each.recipe for each in ranked} == {*RECIPES}
    assert {(row["model"], row["protocol"], row["fold"], row["seed"], row["epochs"], row["how"]) for row in rows} == {
        ("toy", "emodb4-loso", "0", "0", "2", "serzoo search found")
    }
    logs = sorted((out / "trials").glob("*/*/log.csv"))
    assert len(logs) == 3 and not list(out.rglob("*.npz"))
    lines = [[line.split(",") for line in log.read_text().splitlines()] for log in logs]
    last = [float(log[-1][log[0].index("val_ua")]) for log in lines]
    assert [f"{ua:.3f}" for ua in last] == [row["val_ua_last"] for row in rows]
    assert configs.load(out / "config.yaml").model == {"units": 4}


def test_no_test_speaker_is_heard(found, search, emodb, tmp_path):
    """The recordings of the test speaker may be no sound at all: nothing fails, and nothing changes."""
    mute = tmp_path / "mute"
    shutil.copytree(emodb, mute)
    for path in (mute / "wav").glob("03*.wav"):  # who is tested in fold 0
        path.write_bytes(b"no sound")
    out, ranked = found
    assert search(root=mute) == ranked
    assert (tmp_path / "found" / "trials.csv").read_bytes() == (out / "trials.csv").read_bytes()
    with pytest.raises(serzoo.errors.AudioError, match="03a01"):  # who trains in fold 1
        search(root=mute, folds=(1,), out=tmp_path / "other")


def test_a_search_killed_in_a_training_goes_on(found, search, tmp_path, monkeypatch):
    judge, calls = serzoo.training.fit._EpochEnd._judge, []

    def killed(self):
        calls.append(1)
        if len(calls) == 4:  # at the end of the second epoch of the second recipe
            raise KeyboardInterrupt
        return judge(self)

    monkeypatch.setattr(serzoo.training.fit._EpochEnd, "_judge", killed)
    with pytest.raises(KeyboardInterrupt):
        search()
    assert len(trials.read(tmp_path / "found" / "trials.csv")) == 1
    assert len(list((tmp_path / "found").rglob("state.npz"))) == 1
    with pytest.raises(RunError, match="holds a run. Add --resume"):
        search()
    assert search(resume=True) == found[1]
    assert len(calls) == 4 + 1 + 2  # one epoch of the second recipe, both of the third


# --- which recipes, in which order ----------------------------------------------------------------------------------


def test_processes_share_a_search_by_its_folds(search, made_up, tmp_path):
    search(space=units(5), folds=(1,))
    ranked = search(space=units(5), folds=(0,), resume=True)
    assert sorted(made_up) == [(4, 0, 0), (4, 0, 1), (5, 0, 0), (5, 0, 1)]
    assert [(each.recipe, each.folds) for each in ranked] == [("model.units=5", 2), (FILE, 2)]
    search(space=units(5), folds=None, resume=True)
    assert len(made_up) == 6  # what was done is done
    with pytest.raises(RunError, match="holds another run: space"):
        search(space=units(6), resume=True)


def test_the_best_go_on(search, made_up):
    ranked = search(space=units(1, 2, 7, 8), folds=(0, 1, 2), keep=0.5)
    assert [place for place in made_up if place[2] == 0] == [(each, 0, 0) for each in (4, 1, 2, 7, 8)]
    assert [place for place in made_up if place[2] == 1] == [(each, 0, 1) for each in (4, 7, 8)]
    assert [place for place in made_up if place[2] == 2] == [(each, 0, 2) for each in (4, 8)]
    assert [each.recipe for each in ranked] == ["model.units=8", FILE, *(f"model.units={n}" for n in (7, 2, 1))]
    assert search(space=units(1, 2, 7, 8), folds=(0, 1, 2), keep=0.5, resume=True) == ranked
    assert len(made_up) == 5 + 3 + 2


def test_a_recipe_that_diverges_stands_last(search, made_up, tmp_path):
    ranked = search(space=units(9, 5), folds=(0, 1), keep=0.5)
    assert [each.recipe for each in ranked] == ["model.units=5", FILE, "model.units=9"]
    rows = {row["recipe"]: row for row in trials.read(tmp_path / "found" / "trials.csv")}
    assert rows["model.units=9"]["val_ua_last"] == "" and len(made_up) == 3 + 2


def test_seeds_and_what_all_recipes_share(search, made_up, tmp_path):
    search(space=units(5), seeds=(0, 3), overrides={"training.epochs": 1})
    rows = trials.read(tmp_path / "found" / "trials.csv")
    assert [(row["recipe"], row["seed"], row["epochs"]) for row in rows] == [
        (recipe, seed, "1") for recipe in ("training.epochs=1", "training.epochs=1; model.units=5") for seed in "03"
    ]


def test_all_recipes_start_from_what_each_fold_may_hear(search, made_up, toy_run, tmp_path):
    search(space=units(5), folds=(0, 2), init=str(toy_run))
    assert made_up == [(4, 0, 0, 0), (5, 0, 0, 0), (4, 0, 2, 2), (5, 0, 2, 2)]
    rows = trials.read(tmp_path / "found" / "trials.csv")
    assert {row["how"] for row in rows} == {f"serzoo search found; from {toy_run}"}
    with pytest.raises(RunError, match="holds another run: init"):
        search(space=units(5), folds=(0, 2), resume=True)
    with pytest.raises(serzoo.errors.SpeakerLeakError, match="was trained on test speakers of fold1"):
        search(init=str(toy_run / "seed0-fold0"), folds=(1,), out=tmp_path / "other")


def test_optuna_proposes_and_goes_on(search, made_up, tmp_path):
    pytest.importorskip("optuna")
    space = {"model.units": [1, 2, 3, 5, 6, 7], "training.batch_size": [4, 8]}
    search(space=space, optuna=True, num_trials=3, folds=(0,), out=tmp_path / "a" / "found")
    first = list(made_up)
    assert first[0] == (4, 0, 0) and len(first) == 4
    search(space=space, optuna=True, num_trials=2, folds=(0,))
    ranked = search(space=space, optuna=True, num_trials=3, folds=(0,), resume=True)
    assert made_up[4:] == first and len(ranked) == 4  # the same proposals, cut off or not
    search(space=space, optuna=True, num_trials=12, folds=(0,), resume=True)
    recipes = [row["recipe"] for row in trials.read(tmp_path / "found" / "trials.csv")]
    assert len(set(recipes)) == len(recipes) == 13
    with pytest.raises(RunError, match="The space holds 12 combinations beside the recipe of the YAML file"):
        search(space=space, optuna=True, num_trials=13, folds=(0,), resume=True)


def test_processes_share_what_optuna_proposes(search, made_up, tmp_path, monkeypatch):
    """Each asks with what it knows, by its own fold; of a number there is one recipe."""
    pytest.importorskip("optuna")
    space = {"model.units": [1, 2, 3, 5, 6, 7], "training.batch_size": [4, 8]}
    proposed, rename = spaces.proposed, Path.rename
    search(space=space, optuna=True, num_trials=2, folds=(0,))
    monkeypatch.setattr(spaces, "proposed", lambda *_: pytest.fail("proposed again"))
    search(space=space, optuna=True, num_trials=2, folds=(1,), resume=True)
    assert [units for units, *_ in made_up[:3]] == [units for units, *_ in made_up[3:]]

    def second(path, target):  # another process was first with the third
        target.mkdir()
        (target / "proposal.json").write_text('{"model.units": 7, "training.batch_size": 8}')
        return rename(path, target)

    monkeypatch.setattr(spaces, "proposed", proposed)
    monkeypatch.setattr(Path, "rename", second)
    search(space=space, optuna=True, num_trials=3, folds=(0,), resume=True)
    assert made_up[-1] == (7, 0, 0) and not list(tmp_path.rglob(".*.partial"))


def test_optuna_knows_the_combination_that_the_file_has(search, made_up):
    pytest.importorskip("optuna")
    space = {"model.units": [3, 4, 5]}
    with pytest.raises(RunError, match="The space holds 2 combinations.*Received: 3"):
        search(space=space, optuna=True, num_trials=3)
    search(space=space, optuna=True, num_trials=2)
    assert made_up[0] == (4, 0, 0) and sorted(made_up[1:]) == [(3, 0, 0), (5, 0, 0)]


# --- spaces ---------------------------------------------------------------------------------------------------------


def test_recipes_of_a_space(toy_yaml, tmp_path):
    base = configs.load(toy_yaml)
    grid = {"model.units": [3, 4], "training.batch_size": [4, 8]}
    assert spaces.recipes(grid, base) == [
        {},
        {"model.units": 3, "training.batch_size": 4},
        {"model.units": 3, "training.batch_size": 8},
        {"model.units": 4, "training.batch_size": 8},
    ]
    large = {"model.units": list(range(1, 1001)), "training.batch_size": list(range(1, 1001)), "training.epochs": [1]}
    few = spaces.recipes(large, base, 5)
    assert len(few) == 6 and few == spaces.recipes(large, base, 8)[:6]  # a search that goes on with more keeps its own
    assert len(spaces.recipes(grid, base, 9)) == 4
    listed = [{"model.units": 3}, {"model.units": 4}, {"model.units": 3}, {"model.units": 5}]
    assert spaces.recipes(listed, base) == [{}, {"model.units": 3}, {"model.units": 5}]
    assert spaces.recipes(listed, base, 1) == [{}, {"model.units": 3}]
    (tmp_path / "space.yaml").write_text("model.units: [3, 5]\n")
    assert spaces.checked(tmp_path / "space.yaml") == {"model.units": [3, 5]}
    assert spaces.checked(({"model.units": 3}, {})) == [{"model.units": 3}, {}]


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"space": 3}, ConfigError, "must be a list of recipes.*Received: 3"),
        ({"space": []}, ConfigError, "must be a list of recipes"),
        ({"space": {"model.units": 3}}, ConfigError, "must be a list of recipes"),
        (
            {"space": {"model.units": [3, 3]}},
            ConfigError,
            "model.units must be given different values.*Received: .3, 3",
        ),
        ({"space": [{"model.unit": 3}]}, ConfigError, "unknown key model.unit. Did you mean 'model.units'"),
        ({"space": [{}, {"model.units": -1}]}, ConfigError, "toy: model does not fit its builder"),
        ({"space": [{"training.layer_decay": 0.5}]}, ConfigError, "has no blocks: training.layer_decay"),
        ({"space": [{"training.epochs": 0}]}, ConfigError, "training.epochs must be an int > 0. Received: 0"),
        ({"space": {"training.epochs": [1, 0]}, "optuna": True, "num_trials": 1}, ConfigError, "must be an int > 0"),
        ({"num_trials": 0}, ConfigError, "number of trials must be 1 or more. Received: 0"),
        ({"optuna": True, "num_trials": 3}, ConfigError, "Optuna needs a mapping.*Received: a list"),
        ({"optuna": True, "space": {"model.units": [3]}}, ConfigError, "Received: no number of trials"),
        ({"keep": 0.0}, RunError, "keep must be above 0 and 1 at most.*Received: 0.0"),
        ({"folds": (7,)}, RunError, "folds must be one or more of 0 to 2. Received: .7."),
        ({"protocol": "all"}, serzoo.errors.UnknownNameError, "Unknown protocol 'all'"),
        ({"rooms": "nowhere"}, serzoo.errors.MissingFileError, "nowhere"),
        ({"space": [{}, {"augmentation.room_probability": 0.5}]}, RunError, "give a folder of their impulse responses"),
        (
            {"space": [{}, {"streams": {"emotion": 0.5, "target": 0.5}}]},
            RunError,
            "here none: give them to all by --set",
        ),
        ({"seeds": ()}, RunError, "seeds must be one or more integers >= 0"),
        ({"seeds": (0, -1)}, RunError, "Received: .0, -1."),
    ],
)
def test_what_cannot_be_searched(search, tmp_path, options, error, message):
    with pytest.raises(error, match=message):
        search(**options)
    assert not (tmp_path / "found").exists()


def test_noise_and_rooms_that_no_recipe_hears_are_refused(search, made_up, tmp_path):
    (tmp_path / "street").mkdir()
    soundfile.write(tmp_path / "street" / "a.wav", np.random.default_rng(0).normal(0, 0.1, 8000), 16000)
    with pytest.raises(RunError, match="toy: recorded noise is given but never mixed in"):
        search(noise={"folder": tmp_path})
    with pytest.raises(RunError, match="toy: rooms are given but never heard"):
        search(rooms=tmp_path)
    search(space=[{"augmentation.noise_probability": 0.5}], noise={"folder": tmp_path})


def test_without_optuna_one_sentence_says_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(RunError, match="Optuna is not here: pip install 'serzoo.search.'"):
        spaces.proposed({"model.units": [1]}, [], 0)


# --- the ranking ----------------------------------------------------------------------------------------------------


def test_ranking_by_hand():
    uas = {("base", 0): 0.5, ("base", 1): 0.7, ("good", 0): 0.6, ("good", 1): 0.9, ("tried once", 0): 0.95}
    rows = [
        trials.row_of("m", name, "p", fold, 0, 4, [0.0, ua, ua, ua], "a search") for (name, fold), ua in uas.items()
    ]
    good, base, once = trials.ranking(rows)
    assert (good.recipe, base.recipe, once.recipe) == ("good", "base", "tried once")
    assert good[2:] == pytest.approx((2, 0.75, 0.15 * 2**0.5, 0.15, 0.05 * 2**0.5))
    assert base[2:5] == pytest.approx((2, 0.6, 0.1 * 2**0.5)) and base.gain is None
    assert once[2:] == (1, 0.95, None, pytest.approx(0.45), None)
    assert good.cells() == ("0.750 ± 0.212", "+0.150 ± 0.071", "2") and base.cells()[1] == ""
    assert once.cells() == ("0.950", "+0.450", "1")
    assert trials.ranking([]) == []


def test_the_log_is_read_back_and_others_are_refused(tmp_path):
    rows = [trials.row_of("m", "a; b=[1, 2]", "p", 3, 1, 60, [0.25, 0.5, 0.75, 1.0], "x")]
    (tmp_path / "trials.csv").write_bytes(trials.written(rows))
    assert trials.read(tmp_path / "trials.csv") == rows
    assert (rows[0]["val_ua_last"], rows[0]["val_ua_mean_of_last_3"]) == ("1.000", "0.750")
    (tmp_path / "other.csv").write_text("recipe,ua\na,1\n")
    with pytest.raises(RunError, match="must have the columns model, recipe, .*Received: recipe, ua"):
        trials.read(tmp_path / "other.csv")


def test_the_command(search, made_up, emodb, toy_yaml, tmp_path):
    from typer.testing import CliRunner

    from serzoo.cli import app

    (tmp_path / "space.yaml").write_text("- {model.units: 5}\n")
    arguments = ["search", str(toy_yaml), "--corpus", f"emodb={emodb}", "--protocol", "emodb4-loso", "--partial"]
    arguments += ["--space", str(tmp_path / "space.yaml"), "--out", str(tmp_path / "out"), "--fold", "0"]
    told = CliRunner().invoke(app, arguments)
    assert told.exit_code == 0, told.output
    lines = told.stdout.splitlines()
    assert lines[0].split() == ["VALIDATION", "UA", "GAIN", "FOLDS", "RECIPE"]
    assert lines[1].split() == ["0.600", "+0.020", "1", "model.units=5"]
    assert lines[2].endswith(trials.UNCHANGED) and lines[3] == f"Trials: {tmp_path / 'out' / 'trials.csv'}"
