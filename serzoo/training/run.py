"""Train a model by a protocol: every seed and fold, kept in a run folder that can be resumed.

A run holds ``config.yaml`` (resolved), ``run.json`` (what was run, on what, with what), ``predictions.csv`` and
``report.json`` (of all test speakers), ``training.png`` (the logs as a picture), and for each seed and fold a folder
``seedS-foldF`` with ``log.csv``, the state to resume from, ``final.weights.h5``, ``predictions.csv`` and, written last,
``card.json``.
"""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import pandas as pd

from serzoo import config as configs
from serzoo import corpora, zoo
from serzoo.errors import RunError
from serzoo.evaluation import predictions, summarize
from serzoo.evaluation.leaks import shared_speakers
from serzoo.files import replace_file, to_json
from serzoo.training.calibrate import temperature_of
from serzoo.training.checks import check_labels, check_model, check_noise, check_rooms, check_scales
from serzoo.training.curves import curves_png
from serzoo.training.fold import Shared, chosen, distinct, train_fold
from serzoo.training.folder import open_run, record_of, resumable, sweep
from serzoo.training.guard import guard
from serzoo.training.init import recordings_of, sources_of
from serzoo.training.material import gather
from serzoo.training.recipe import differences, recipe, start_of
from serzoo.training.streams import trained_on
from serzoo.training.target import adaptation_of

ALL = "all"
CURVES = "training.png"


def train(
    name: str,
    corpora_roots: Mapping[str, str | Path],
    *,
    protocol: str,
    out: str | Path,
    seeds: Sequence[int] = (0,),
    folds: Sequence[int] | None = None,
    epochs_from: str | Path | None = None,
    init: str | None = None,
    streams: Mapping[str, Mapping[str, str | Path]] | None = None,
    transductive: bool = False,
    noise: Mapping[str, str | Path] | None = None,
    rooms: str | Path | None = None,
    overrides: Mapping | None = None,
    allow_speaker_leak: bool = False,
    resume: bool = False,
    partial: bool = False,
    verbose: str | int = "auto",
) -> Path:
    """Train a model on every fold of a protocol and predict its test speakers.

    Args:
        name: registered model, or path of a YAML file.
        corpora_roots: root folder of each corpus.
        protocol: name of a protocol; ``"all"`` trains on every speaker, for weights to ship.
        out: folder of the run; must not exist unless ``resume``.
        seeds: seeds to train with; to those of a run that is resumed others may be added at the end.
        folds: numbers of the folds to train now; the run is judged by whoever finishes the last of its folds, so that
            several processes, each with ``resume``, can share a run. All folds by default.
        epochs_from: a finished run of the same recipe, with the same noise, rooms and streams, and a start if this has
            one: ``"all"`` takes its classes, and the number of epochs that it chose.
        init: trained model to start from, as :func:`serzoo.load` takes it; its emotion head is new if classes differ.
            Of a run with the same folds, each fold starts from its own.
        streams: root folders by corpus of each stream beside ``corpora_roots``; see :mod:`serzoo.training.streams`.
        transductive: let the stream ``target``, of which no label is read, hold the tested speakers, too; every output
            says so. Else it holds none of them (inductive).
        noise: root folder of each noise corpus; recordings of their training splits take the place of coloured noise.
        rooms: folder of measured impulse responses; clips are played in these rooms.
        overrides: config values by dotted key.
        allow_speaker_leak: go on with speakers, files or recordings that stand on both sides of a fold, and stamp
            every output.
        resume: go on with a run that was cut off.
        partial: accept incomplete copies of the corpora.
        verbose: as of ``keras.Model.fit``.

    Returns:
        The folder of the run.

    Raises:
        RunError: if the folder exists, or holds another run than the one to resume; if the disk is full or the folder
            read-only, the loss not finite or the memory of the device too small.
        SpeakerLeakError: if ``init`` has seen a test speaker, or a file or a bit-identical recording stands on both
            sides of a fold.
        CorpusError: if the corpora do not fit the protocol.

    Example:
        >>> train("cnn_ablstm", {"emodb": "EmoDB"}, protocol="emodb4-loso", out="runs/a")  # doctest: +SKIP
    """
    out, seeds = Path(out), distinct(seeds)
    if folds is not None and protocol == ALL:
        raise RunError("Protocol 'all' has no folds to choose from. Leave folds out.")
    config = configs.load(name, overrides)
    config = config.model_copy(update={"weights": (), "reported": ()})
    epochs, judged_by = config.training.epochs, protocol
    if protocol == ALL:
        judged_by, epochs = _chosen_by(epochs_from, config)
    elif epochs_from is not None:
        raise RunError("epochs_from is for protocol 'all' only: a protocol chooses its epochs by itself.")
    rules = corpora.protocol(judged_by)
    material = gather(config, rules, corpora_roots, streams=streams, noise=noise, rooms=rooms, partial=partial)
    table, others = material.table, material.others
    all_folds = [rules.everyone(table)] if protocol == ALL else rules.folds(table)
    now = chosen(all_folds, folds)
    sources = sources_of(config, init, now, seeds, allow_speaker_leak) if init else {}
    check_noise(config, material.sounds)
    check_rooms(config, material.rooms)
    source = trained_on(table, all_folds)
    check_model(config, rules.classes, dict.fromkeys(sources.values()))
    check_labels(config, source, others)
    check_scales(config, [table, *others.values()])
    adaptation = adaptation_of(config, rules, all_folds, source, others, transductive)

    about = {
        "model": config.name,
        "protocol": protocol,
        "classes_of": judged_by,
        "epochs": epochs,
        "seeds": seeds,
        "init": str(init) if init else None,
        "overrides": dict(overrides or {}),
        "partial": partial,
        **material.fingerprints,
    }
    if protocol == ALL:
        _refuse_another_training(Path(epochs_from), about)
    if adaptation:
        about["adaptation"] = adaptation
    shared = Shared(config, material, about, verbose)
    if verbose:
        for reason, count in material.skipped.items():
            print(f"{config.name}: {count} left out, {reason}", file=sys.stderr, flush=True)
    with resumable(out):
        open_run(out, config, about, material.skipped, resume)
        temperature = temperature_of(epochs_from) if protocol == ALL else None
        heard = recordings_of(init, sources) if init else None
        shared_by = guard(out, [*others.values()], material.roots, all_folds, allow_speaker_leak, heard, main=table)
        for seed in seeds:
            for fold in now:
                folder = out / f"seed{seed}-{fold.name}"
                if not (folder / zoo.CARD).exists():
                    sweep(folder)
                    if verbose:
                        print(f"{config.name}: seed {seed}, {fold.name} ({protocol})", file=sys.stderr, flush=True)
                    source = sources.get((seed, fold.name))
                    inherited = shared_speakers(source.training_speakers, fold.test) if source else []
                    leak = shared_by[fold.name] + inherited
                    also = {key: value for key, value in (("leak", leak), ("temperature", temperature)) if value}
                    train_fold(shared, fold, seed, source, also, folder)
        every_seed = record_of(out)["seeds"]  # another process may have added some
        parts = [out / f"seed{seed}-{fold.name}" for seed in every_seed for fold in all_folds]
        if missing := [part.name for part in parts if not (part / zoo.CARD).exists()]:
            if verbose:
                print(f"{config.name}: not judged yet, {', '.join(missing)} not finished", file=sys.stderr, flush=True)
            return out
        replace_file(out / CURVES, curves_png(out))
        if protocol != ALL:
            _judge(out, parts, material.skipped)
    return out


def _judge(out: Path, parts: Sequence[Path], skipped: Mapping[str, int]):
    told = pd.concat([predictions.read(part) for part in parts], ignore_index=True)
    predictions.write(out / "predictions.csv", told)
    summary = summarize(told)
    replace_file(out / "report.json", to_json({**summary, "dropped": {**skipped, **summary["dropped"]}}))


def _chosen_by(run: str | Path | None, config) -> tuple[str, int]:
    """Protocol of a finished run of the same recipe, and the epochs that it chose: the median over its folds."""
    if run is None:
        raise RunError("Protocol 'all' has no validation speakers: name the run that chose the epochs (--epochs-from).")
    run = Path(run)
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob(f"*/{zoo.CARD}"))]
    if not (run / "report.json").exists() or not cards:
        raise RunError(f"{run} is not a finished run of a protocol.")
    there = configs.load(run / "config.yaml")
    if found := differences({"name": there.name} | recipe(there), {"name": config.name} | recipe(config)):
        raise RunError(f"{run} chose the epochs of another recipe: {'; '.join(found)}.")
    return cards[0]["protocol"], round(median(card["epochs"] for card in cards))


def _refuse_another_training(run: Path, about: Mapping):
    """Epochs and temperature are those of a training from such a start, that hears such noise, rooms and streams."""
    there, here = (
        {key: each.get(key) or {} for key in ("noise", "rooms", "streams")} | {"init": start_of(each["init"])}
        for each in (record_of(run), about)
    )
    if found := differences(there, here):
        raise RunError(f"{run} chose the epochs of a training that was given something else: {'; '.join(found)}.")
