"""Train a model by a protocol: every seed and fold, kept in a run folder that can be resumed.

A run holds ``config.yaml`` (resolved), ``run.json`` (what was run, on what, with what), ``predictions.csv`` and
``report.json`` (of all test speakers), ``training.png`` (the logs as a picture), and for each seed and fold a folder
``seedS-foldF`` with ``log.csv``, the state to resume from, ``final.weights.h5``, ``predictions.csv`` and, written last,
``card.json``.
"""

import json
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import keras
import pandas as pd

from serzoo import config as configs
from serzoo import corpora, noises, pipeline, scales, zoo
from serzoo.corpora import Fold
from serzoo.errors import RunError, SerzooError
from serzoo.evaluation import LEAK_STAMP, predictions, summarize
from serzoo.files import replace_file, to_json
from serzoo.plan import AUGMENTATION, augmentation_types
from serzoo.training import fit as fitting
from serzoo.training import provenance
from serzoo.training.calibrate import calibrate, temperature_of
from serzoo.training.checks import check_labels, check_noise, check_target
from serzoo.training.curves import curves_png
from serzoo.training.folder import open_run, save_weights
from serzoo.training.guard import guard
from serzoo.training.init import heard_by, sources_of
from serzoo.training.recipe import differences, recipe
from serzoo.training.streams import joined_roots, label_classes, labels_of, streams_of, with_streams

ALL = "all"
CURVES = "training.png"


def train(
    name: str,
    corpora_roots: Mapping[str, str | Path],
    *,
    protocol: str,
    out: str | Path,
    seeds: Sequence[int] = (0,),
    epochs_from: str | Path | None = None,
    init: str | None = None,
    streams: Mapping[str, Mapping[str, str | Path]] | None = None,
    noise: Mapping[str, str | Path] | None = None,
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
        seeds: seeds to train with.
        epochs_from: a finished run of the same recipe: ``"all"`` takes its classes, and the number of epochs that it
            chose.
        init: trained model to start from, as :func:`serzoo.load` takes it; its emotion head is new if classes differ.
            Of a run with the same folds, each fold starts from its own.
        streams: root folders by corpus of each stream beside ``corpora_roots``; see :mod:`serzoo.training.streams`.
        noise: root folder of each noise corpus; recordings of their training splits take the place of coloured noise.
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
    out, seeds = Path(out), list(dict.fromkeys(seeds))
    if not seeds or min(seeds) < 0:
        raise RunError(f"seeds must be one or more integers >= 0. Received: {seeds}.")
    config = configs.load(name, overrides)
    config = config.model_copy(update={"weights": (), "reported": ()})
    epochs, judged_by = config.training.epochs, protocol
    if protocol == ALL:
        judged_by, epochs = _chosen_by(epochs_from, config)
    elif epochs_from is not None:
        raise RunError("epochs_from is for protocol 'all' only: a protocol chooses its epochs by itself.")
    rules = corpora.protocol(judged_by)
    table = corpora.read_many(corpora_roots, partial=partial)
    others = streams_of(streams or {}, config, partial=partial)
    skipped = {reason: count for each in (table, *others.values()) for reason, count in each.attrs["skipped"].items()}
    table, dropped = rules.apply(table)
    folds = [corpora.all_speakers(table)] if protocol == ALL else rules.folds(table)
    sources = sources_of(init, folds, seeds, allow_speaker_leak) if init else {}
    sounds = noises.read(noise) if noise else None
    check_noise(config, sounds)
    check_labels(config, table, others)
    check_target(config, rules, table, others)
    roots = corpora.folders(joined_roots(corpora_roots, *(streams or {}).values()))

    about = {
        "model": config.name,
        "protocol": protocol,
        "classes_of": judged_by,
        "epochs": epochs,
        "seeds": seeds,
        "init": str(init) if init else None,
        "corpora": {corpus: provenance.fingerprint(rows, roots[corpus]) for corpus, rows in table.groupby("corpus")},
        "overrides": dict(overrides or {}),
    }
    if others:
        about["streams"] = {
            stream: {corpus: provenance.fingerprint(rows, roots[corpus]) for corpus, rows in each.groupby("corpus")}
            for stream, each in others.items()
        }
    about["noise"] = sounds and {
        corpus: provenance.fingerprint(rows, noise[corpus], ["noise"])
        for corpus, rows in sounds.table.groupby("corpus")
    }
    shared = _Shared(config, table, others, sounds, roots, about, verbose)
    try:
        open_run(out, config, about, skipped | dropped, resume)
        temperature = temperature_of(epochs_from) if protocol == ALL else None
        leaks = guard(out, [table, *others.values()], roots, folds, allow_speaker_leak)
        for seed in seeds:
            for fold in folds:
                folder = out / f"seed{seed}-{fold.name}"
                if not (folder / zoo.CARD).exists():
                    if verbose:
                        print(f"{config.name}: seed {seed}, {fold.name} ({protocol})", file=sys.stderr, flush=True)
                    source = sources.get((seed, fold.name))
                    leak = leaks[fold.name] + (heard_by(source, fold) if source else [])
                    also = {key: value for key, value in (("leak", leak), ("temperature", temperature)) if value}
                    _train_fold(shared, fold, seed, source, also, folder)
        replace_file(out / CURVES, curves_png(out))
        if protocol != ALL:
            _judge(out, seeds, folds)
    except SerzooError:
        raise
    except OSError as error:
        raise RunError(f"The run in {out} stopped: {error}. Once this is mended, --resume goes on with it.") from error
    return out


class _Shared(NamedTuple):
    """What all folds of a run have in common."""

    config: Any
    table: pd.DataFrame
    others: Mapping[str, pd.DataFrame]  # the streams beside the main one
    sounds: noises.Noises | None
    roots: Mapping[str, str | Path]
    about: Mapping
    verbose: str | int


def _train_fold(shared: _Shared, fold: Fold, seed: int, source, also: Mapping, folder: Path):
    """Train one network, predict its test speakers, and write ``folder``; ``also`` goes into its card, written last."""
    config, table, others, sounds, roots, about, verbose = shared
    started = time.monotonic()
    rows_train, rows_validation, rows_test = fold.split(table)
    rows_train = with_streams(rows_train, others, fold)
    noise = {"noise": sounds.classes} if sounds else {}
    heads = zoo.heads_of(config, corpora.protocol(about["classes_of"]).classes, **noise)
    learnt = labels_of(rows_train)
    drawn = noise | ({AUGMENTATION: types} if (types := augmentation_types(config)) else {})
    labels = heads | drawn
    labels |= label_classes(learnt, config, known=labels)
    with fitting.precision(config.training.precision):
        model = zoo.build(config, heads, seed=seed)
        clips = pipeline.Clips(rows_train, roots)
        if source is not None:
            zoo.copy_weights(source, model)
        elif config.frontend.standardize == "global":
            fitting.adapt(model, clips)
        validation = None
        if len(rows_validation):
            emotion = {"emotion": heads["emotion"]}
            validation = (pipeline.Clips(rows_validation, roots), pipeline.labels(rows_validation, emotion))
        log = fitting.fit(
            model,
            config,
            clips,
            pipeline.labels(learnt, {name: names for name, names in labels.items() if name not in drawn}),
            labels=labels,
            noise=sounds,
            epochs=about["epochs"],
            total_epochs=config.training.epochs,  # "all" stops where the folds did, on the same schedule
            seed=seed,
            folder=folder,
            validation=validation,
            verbose=verbose,
        )
    card = _card(rows_train, fold, source, sounds) | {
        "heads": heads,
        "protocol": about["protocol"],
        "fold": fold.index,
        "seed": seed,
        "epochs": _epochs_kept(log, config.training.keep),
        "seconds": round(time.monotonic() - started),
        **also,
    }
    if sounds:  # so that no test may use what the training heard
        card["noise"] = {
            corpus: {"types": sorted(set(rows["noise"])), "files": sorted(rows["file"])}
            for corpus, rows in sounds.table.groupby("corpus")
        }
    # Whatever it was trained in, a model is judged as it ships: it computes in float32, with weights kept in float16.
    final = zoo.build(config, heads, card)
    final.set_weights([weight.astype("float16").astype("float32") for weight in model.get_weights()])
    save_weights(final, folder / zoo.FINAL_WEIGHTS)
    if len(rows_test):
        answers = pipeline.predict_table(final, rows_test, roots)
        values = scales.values_of(answers, heads)
        note = LEAK_STAMP if "leak" in card else None
        told = predictions.from_table(
            rows_test, answers["emotion"], heads["emotion"], seed=seed, fold=fold.index, values=values, note=note
        )
        predictions.write(folder / "predictions.csv", told)
    if len(rows_validation):
        card["temperature"] = calibrate(final, rows_validation, roots, folder)
    replace_file(folder / zoo.CARD, to_json({"model": config.name} | card))
    (folder / fitting.STATE).unlink(missing_ok=True)
    keras.backend.clear_session()


def _card(rows_train, fold, source, sounds) -> dict:
    """Licence and speakers of the weights; they inherit those of the weights that they started from."""
    heard = {*zip(rows_train["corpus"], rows_train["speaker"], strict=True), *fold.validation}
    licences = {corpora.info(corpus).licence for corpus, _ in heard}
    licences |= set(sounds.table["licence"].dropna()) if sounds else set()
    speakers: dict[str, set[str]] = {}
    if source is not None:
        licences |= {licence for licence in (source.licence or "").split(" AND ") if licence}
        speakers |= {corpus: set(names) for corpus, names in source.training_speakers.items()}
    for corpus, speaker in heard:
        speakers.setdefault(corpus, set()).add(speaker)
    return {
        "licence": " AND ".join(sorted(licences)),
        "commercial": provenance.allows_commercial_use(licences),
        "corpora": {corpus: sorted(names) for corpus, names in sorted(speakers.items())},
    }


def _judge(out: Path, seeds, folds):
    parts = [predictions.read(out / f"seed{seed}-{fold.name}") for seed in seeds for fold in folds]
    told = pd.concat(parts, ignore_index=True)
    predictions.write(out / "predictions.csv", told)
    replace_file(out / "report.json", to_json(summarize(told)))


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


def _epochs_kept(log: Sequence[Mapping], keep: str) -> int:
    if keep == "best" and "val_ua" in log[-1]:
        return max(log, key=lambda row: row["val_ua"])["epoch"]
    return log[-1]["epoch"]
