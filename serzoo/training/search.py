"""Search for a recipe by the validation speakers alone.

The recipes are those of a space (:mod:`serzoo.training.space`) and that of the model's YAML file, by which the others
are measured. All are trained on the same folds and seeds. Of a fold's test speakers nothing is read but who they are:
not a recording of theirs is opened for it, unless a transductive target holds them, of which no label is read. The
folder of a search holds ``config.yaml`` and ``run.json`` as that of a run, ``trials.csv``
(:mod:`serzoo.training.trials`), and in ``trials`` the log of each training.
"""

import hashlib
import itertools
import json
import math
import os
import shutil
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import mean
from typing import Any

import pandas as pd

from serzoo import config as configs
from serzoo import corpora
from serzoo.corpora import Fold
from serzoo.errors import DivergedError, RunError, join
from serzoo.files import replace_file, to_json
from serzoo.training import space as spaces
from serzoo.training import trials
from serzoo.training.checks import check_labels, check_model, check_noise, check_rooms, check_scales
from serzoo.training.fit import STATE, clear_session
from serzoo.training.fold import Shared, chosen, distinct, fit_fold
from serzoo.training.folder import open_run, resumable, sweep
from serzoo.training.guard import guard
from serzoo.training.init import recordings_of, sources_of
from serzoo.training.material import Material, gather
from serzoo.training.recipe import settings_of
from serzoo.training.streams import trained_on, with_streams
from serzoo.training.target import adaptation_of

PROPOSAL, TRIAL, TRIALS = "proposal.json", "trial.json", "trials.csv"


def search(
    name: str,
    corpora_roots: Mapping[str, str | Path],
    *,
    protocol: str,
    space: str | Path | Sequence[Mapping] | Mapping[str, Sequence],
    out: str | Path,
    num_trials: int | None = None,
    optuna: bool = False,
    keep: float = 1.0,
    folds: Sequence[int] | None = None,
    seeds: Sequence[int] = (0,),
    init: str | None = None,
    streams: Mapping[str, Mapping[str, str | Path]] | None = None,
    transductive: bool = False,
    noise: Mapping[str, str | Path] | None = None,
    rooms: str | Path | None = None,
    overrides: Mapping | None = None,
    resume: bool = False,
    partial: bool = False,
    verbose: str | int = "auto",
) -> list[trials.Ranked]:
    """Train recipes on the folds of a protocol and compare them by their validation speakers.

    Args:
        name: registered model, or path of a YAML file.
        corpora_roots: root folder of each corpus.
        protocol: name of a protocol.
        space: the recipes, or the path of a YAML file with them.
        out: folder of the search; must not exist unless ``resume``.
        num_trials: recipes to try beside that of the YAML file: of a list the first ones, of a mapping some drawn at
            random. All of them by default.
        optuna: let Optuna propose one combination of a mapping after the other, by what was found so far.
        keep: share of the recipes that go on after each fold and seed, the best of them; 1 keeps all.
        folds: numbers of the folds to train on now; all by default. Several processes, each with ``resume``, can share
            a search that keeps all recipes.
        seeds: seeds to train with.
        init: as of :func:`serzoo.training.run.train`; all recipes start from it.
        streams: as of :func:`serzoo.training.run.train`.
        transductive: as of :func:`serzoo.training.run.train`.
        noise: as of :func:`serzoo.training.run.train`; for the recipes that mix in noise.
        rooms: as of :func:`serzoo.training.run.train`; for the recipes that play clips in rooms.
        overrides: config values by dotted key, the same for all recipes.
        resume: go on with a search that was cut off.
        partial: accept incomplete copies of the corpora.
        verbose: as of ``keras.Model.fit``.

    Returns:
        The recipes, those that were tried on the most folds and seeds first, among them the best first; one whose
        loss was no longer finite stands last among them.

    Raises:
        ConfigError: if the space is none, or a recipe of it does not fit the YAML file.
        RunError: as of :func:`serzoo.training.run.train`.
        CorpusError: if the corpora do not fit the protocol.
        SpeakerLeakError: if a recording is trained on and validated on in a fold, or ``init`` has heard a test speaker.

    Example:
        >>> space = [{"training.epochs": 40}, {"training.epochs": 80}]
        >>> search("cnn_ablstm", {"emodb": "EmoDB"}, protocol="emodb4-loso", space=space, out="a")  # doctest: +SKIP
    """
    out, overrides = Path(out), dict(overrides or {})
    base = configs.load(name, overrides).model_copy(update={"weights": (), "reported": ()})
    space = spaces.checked(space, optuna, num_trials)
    recipes = spaces.recipes(space, base, num_trials, singly=optuna)  # what is wrong is said before the first training
    same = spaces.unchanged(space, base) if optuna else None  # the combination that is the recipe of the YAML file
    if optuna and num_trials > (count := spaces.num_combinations(space) - (same is not None)):
        raise RunError(
            f"The space holds {count} combinations beside the recipe of the YAML file. Ask for fewer trials. Received: "
            f"{num_trials}."
        )
    if not 0 < keep <= 1 or (optuna and keep < 1):
        raise RunError(f"keep must be above 0 and 1 at most, and 1 with optuna. Received: {keep}.")
    rules = corpora.protocol(protocol)
    material = gather(base, rules, corpora_roots, streams=streams, noise=noise, rooms=rooms, partial=partial)
    all_folds = rules.folds(material.table)
    folds_now = chosen(all_folds, folds)
    now = list(itertools.product(distinct(seeds), folds_now))
    source = trained_on(material.table, all_folds)
    adaptation = adaptation_of(base, rules, all_folds, source, material.others, transductive)
    sources = sources_of(base, init, folds_now, distinct(seeds)) if init else {}
    networks, heard_by = {}, []
    for recipe in recipes:
        config = configs.override(base, recipe)
        heard_by.append(_heard_by(config, material))
        if config.streams.keys() != base.streams.keys():
            raise RunError(
                f"All recipes of a search draw from the same streams, here {join(list(base.streams)) or 'none'}: give "
                f"them to all by --set. Received a recipe with {join(list(config.streams)) or 'none'}."
            )
        # what differs in the training alone is the same network, but layers of their own rates must be there
        same_training = base.training.model_copy(update={"layer_decay": config.training.layer_decay})
        networks[configs.dump(config.model_copy(update={"training": same_training}))] = config
    if all(each.sounds is None for each in heard_by):  # what no recipe hears is refused as a training refuses it
        check_noise(base, material.sounds)
    if all(each.rooms is None for each in heard_by):
        check_rooms(base, material.rooms)
    for config in networks.values():
        check_model(config, rules.classes, dict.fromkeys(sources.values()))
        check_labels(config, source, material.others)
        check_scales(config, [source, *material.others.values()])
    about = {
        "model": base.name,
        "protocol": protocol,
        "classes_of": protocol,
        "space": space,
        "drawn": num_trials is not None,
        "optuna": optuna,
        "keep": keep,
        "init": str(init) if init else None,
        "overrides": overrides,
        "partial": partial,
        **material.fingerprints,
    }
    if adaptation:
        about["adaptation"] = adaptation
    beside = [f"from {init}"] * bool(init)
    beside += [f"{stream} {corpus}" for stream, each in (streams or {}).items() for corpus in each]
    beside += [adaptation] * bool(adaptation) + [f"noise {each}" for each in noise or ()] + ["rooms"] * bool(rooms)
    how = "; ".join([f"serzoo search {out.name}", *beside])
    shared = Shared(base, material, about, verbose)
    with resumable(out):
        open_run(out, base, about, material.skipped, resume)
        tried = _Tried(out, shared, how, sources)
        heard = recordings_of(init, sources) if init else None
        rows = [_rows_heard(material, fold, transductive) for fold in folds_now]
        guard(out, rows, material.roots, folds_now, heard=heard)
        if optuna:
            for number in range(num_trials + 1):
                recipe = tried.proposal(number, space, same, now) if number else {}
                for seed, fold in now:
                    tried.attempt(number, recipe, seed, fold)
        else:
            going = dict(enumerate(recipes))
            for done, (seed, fold) in enumerate(now, start=1):
                for number, recipe in going.items():
                    tried.attempt(number, recipe, seed, fold)
                uas = {number: tried.ua(number, now[:done]) for number in going if number}
                others = sorted(uas, key=uas.get, reverse=True)
                best = {0, *others[: math.ceil(keep * len(others))]}
                going = {number: recipe for number, recipe in going.items() if number in best}
        return trials.ranking(tried.write())


class _Tried:
    """What a search has tried, in its folder."""

    def __init__(self, out: Path, shared: Shared, how: str, sources: Mapping):
        self._out, self._shared, self._how, self._sources = out, shared, how, sources

    def attempt(self, number: int, recipe: Mapping[str, Any], seed: int, fold: Fold) -> None:
        """Train a recipe on a fold, unless that was done before, and write it down."""
        base, about = self._shared.config, self._shared.about
        text = "; ".join(settings_of(about["overrides"] | recipe)) or trials.UNCHANGED
        digest = hashlib.sha256(text.encode()).hexdigest()[:8]
        folder = self._out / "trials" / f"{number:03}-{digest}" / f"seed{seed}-{fold.name}"
        if (folder / TRIAL).exists():
            return
        if self._shared.verbose:
            print(f"{base.name}: {text}: seed {seed}, {fold.name}", file=sys.stderr, flush=True)
        sweep(folder)
        config = configs.override(base, recipe)
        material = _heard_by(config, self._shared.material)
        material = material._replace(table=trained_on(material.table, [fold]))
        epochs = config.training.epochs
        shared = self._shared._replace(config=config, material=material, about={**about, "epochs": epochs})
        try:
            source = self._sources.get((seed, fold.name))
            uas = [row["val_ua"] for row in fit_fold(shared, fold, seed, folder, source).log]
        except DivergedError:
            uas = []
        row = trials.row_of(base.name, text, about["protocol"], fold.index, seed, epochs, uas, self._how)
        replace_file(folder / TRIAL, to_json({"number": number, "recipe": recipe, "row": row}))
        (folder / STATE).unlink(missing_ok=True)
        clear_session()
        self.write()

    def proposal(self, number: int, space: Mapping[str, Sequence], same: Mapping | None, places) -> dict[str, Any]:
        """The combination that Optuna proposes as a number: who asks first, of several processes, asks for all."""
        folder = self._out / "trials" / f"{number:03}"
        if not folder.exists():
            before = self.recipes()
            known = [(each or same, self.ua(i, places)) for i, each in before.items() if each or same]
            recipe = before.get(number) or spaces.proposed(space, known, number)
            aside = folder.with_name(f".{folder.name}.{os.getpid()}.partial")
            replace_file(aside / PROPOSAL, to_json(recipe))
            try:
                aside.rename(folder)
            except OSError:
                if not folder.exists():
                    raise
                shutil.rmtree(aside)
        return json.loads((folder / PROPOSAL).read_text(encoding="utf-8"))

    def write(self) -> list[dict[str, str]]:
        """Write the log of all that was tried, by whatever process, in the order of the recipes; its rows."""
        rows = [each["row"] for each in self._found()]
        replace_file(self._out / TRIALS, trials.written(rows))
        return rows

    def recipes(self) -> dict[int, dict[str, Any]]:
        """What was tried, by number."""
        return {each["number"]: each["recipe"] for each in self._found()}

    def ua(self, number: int, places: Sequence[tuple[int, Fold]]) -> float:
        """Mean UA of a recipe over seeds and folds; -1 if it was not tried there or its loss was ever not finite."""
        there = {(str(seed), str(fold.index)) for seed, fold in places}
        rows = [each["row"] for each in self._found() if each["number"] == number]
        uas = [row["val_ua_mean_of_last_3"] for row in rows if (row["seed"], row["fold"]) in there]
        return mean(map(float, uas)) if uas and all(uas) else -1.0

    def _found(self) -> list[dict[str, Any]]:
        found = [json.loads(path.read_text(encoding="utf-8")) for path in self._out.glob(f"trials/*/*/{TRIAL}")]
        return sorted(found, key=lambda each: (each["number"], int(each["row"]["seed"]), int(each["row"]["fold"])))


def _rows_heard(material: Material, fold: Fold, transductive: bool) -> pd.DataFrame:
    """Rows that train or validate in a fold."""
    train, validation, _ = fold.split(material.table)
    train = with_streams(train, material.others, fold, transductive=transductive)
    return pd.concat([train, validation], ignore_index=True)


def _heard_by(config, material: Material) -> Material:
    """The material without the noise and the rooms that a recipe has no use for."""
    augmentation = config.augmentation
    mixed = augmentation.noise_probability or augmentation.noise_alone_probability
    material = material._replace(
        sounds=material.sounds if mixed else None, rooms=material.rooms if augmentation.room_probability else None
    )
    check_noise(config, material.sounds)
    check_rooms(config, material.rooms)
    return material
