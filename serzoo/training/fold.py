"""One fold of a run: train a network, choose by its validation speakers, and judge it by its test speakers."""

import operator
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from serzoo import building, corpora, noises, pipeline, scales, zoo
from serzoo.corpora import Fold
from serzoo.errors import RunError
from serzoo.evaluation import LEAK_STAMP, predictions
from serzoo.evaluation.adaptation import TRANSDUCTIVE, note_of
from serzoo.files import replace_file, to_json
from serzoo.plan import AUGMENTATION, augmentation_types
from serzoo.training import fit as fitting
from serzoo.training import provenance
from serzoo.training.calibrate import calibrate
from serzoo.training.folder import save_weights
from serzoo.training.material import Material
from serzoo.training.streams import TARGET, label_classes, labels_of, with_streams


def chosen(folds: Sequence[Fold], numbers: Sequence[int] | None) -> Sequence[Fold]:
    """Choose folds by their numbers; None for all of them.

    Raises:
        RunError: if there is no such fold, or none is chosen.
    """
    if numbers is None:
        return folds
    if not numbers or not set(numbers) <= set(range(len(folds))):
        raise RunError(f"folds must be one or more of 0 to {len(folds) - 1}. Received: {list(numbers)}.")
    return [folds[number] for number in dict.fromkeys(numbers)]


def distinct(seeds: Sequence[int]) -> list[int]:
    """Check seeds and leave out those that come twice.

    Raises:
        RunError: if there are none, or one is negative or so large that no generator takes it and those derived of it.
    """
    seeds = list(dict.fromkeys(map(operator.index, seeds)))
    if not seeds or min(seeds) < 0 or max(seeds) >= 2**31:
        raise RunError(f"seeds must be one or more integers >= 0 and below 2**31. Received: {seeds}.")
    return seeds


class Shared(NamedTuple):
    """What all folds of a run have in common."""

    config: Any
    material: Material
    about: Mapping  # as run.json tells it
    verbose: str | int


class Fitted(NamedTuple):
    """What :func:`fit_fold` made."""

    model: Any
    heads: Mapping[str, list[str]]  # class names
    rows: pd.DataFrame  # what it was trained on
    log: list[dict]  # as of serzoo.training.fit.fit


def fit_fold(shared: Shared, fold: Fold, seed: int, folder: Path, source=None) -> Fitted:
    """Train one network, epoch by epoch, and ask it about its validation speakers; no label of a test speaker is read.

    Args:
        shared: of the run.
        fold: who trains and who validates.
        seed: of the network and its training.
        folder: where log and state are kept.
        source: trained model to start from, or None.

    Returns:
        The network with its final weights.

    Raises:
        RunError: as of :func:`serzoo.training.fit.fit`.
    """
    config, material, about, verbose = shared
    sounds, roots = material.sounds, material.roots
    rows_train, rows_validation, _ = fold.split(material.table)
    rows_train = with_streams(rows_train, material.others, fold, transductive=about.get("adaptation") == TRANSDUCTIVE)
    noise = {"noise": sounds.classes} if sounds else {}
    heads = building.heads_of(config, corpora.protocol(about["classes_of"]).classes, **noise)
    learnt = labels_of(rows_train)
    drawn = noise | ({AUGMENTATION: types} if (types := augmentation_types(config)) else {})
    labels = heads | drawn
    labels |= label_classes(learnt, config, known=labels)
    with fitting.precision(config.training.precision):
        model = building.build(config, heads, seed=seed)
        clips = pipeline.Clips(rows_train, roots)
        if source is not None:
            building.copy_weights(source, model)
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
            rooms=material.rooms,
            epochs=about["epochs"],
            total_epochs=config.training.epochs,  # "all" stops where the folds did, on the same schedule
            seed=seed,
            folder=folder,
            validation=validation,
            verbose=verbose,
        )
    return Fitted(model, heads, rows_train, log)


def train_fold(shared: Shared, fold: Fold, seed: int, source, also: Mapping, folder: Path) -> None:
    """Train one network, predict its test speakers, and write ``folder``; ``also`` goes into its card, written last."""
    config, material, about, _ = shared
    roots = material.roots
    started = time.monotonic()
    model, heads, rows_train, log = fit_fold(shared, fold, seed, folder, source)
    _, rows_validation, rows_test = fold.split(material.table)
    card = _card(rows_train, fold, source, material) | {
        "heads": heads,
        "protocol": about["protocol"],
        "fold": fold.index,
        "seed": seed,
        "epochs": _epochs_kept(log, config.training.keep),
        "seconds": round(time.monotonic() - started),
        **also,
    }
    if adaptation := about.get("adaptation"):
        card["adaptation"] = note_of(adaptation, set(material.others[TARGET]["corpus"]))
    # Whatever it was trained in, a model is judged as it ships: it computes in float32, with weights kept in float16.
    with fitting.precision("float32"):
        final = building.build(config, heads, card)
    final.set_weights([weight.astype("float16").astype("float32") for weight in model.get_weights()])
    save_weights(final, folder / zoo.FINAL_WEIGHTS)
    if len(rows_test):
        answers = pipeline.predict_table(final, rows_test, roots)
        values = scales.values_of(answers, heads)
        notes = [LEAK_STAMP] * ("leak" in card) + ([card["adaptation"]] if "adaptation" in card else [])
        told = predictions.from_table(
            rows_test,
            answers["emotion"],
            heads["emotion"],
            seed=seed,
            fold=fold.index,
            values=values,
            note="; ".join(notes) or None,
        )
        predictions.write(folder / "predictions.csv", told)
    if len(rows_validation):
        card["temperature"] = calibrate(final, rows_validation, roots, folder)
    replace_file(folder / zoo.CARD, to_json({"model": config.name} | card))
    (folder / fitting.STATE).unlink(missing_ok=True)
    fitting.clear_session()


def _card(rows_train, fold, source, material) -> dict:
    """Licence, speakers, noise and rooms of the weights; they inherit those of the weights that they started from."""
    heard = {*zip(rows_train["corpus"], rows_train["speaker"], strict=True), *fold.validation}
    licences = {corpora.info(corpus).licence for corpus, _ in heard}.union(material.licences)
    noise, rooms = material.sounds.heard if material.sounds else {}, set(material.rooms or ())
    speakers: dict[str, set[str]] = {}
    if source is not None:
        noise, rooms = noises.joined(source.card.get("noise", {}), noise), rooms.union(source.card.get("rooms", ()))
        licences |= {licence for licence in (source.licence or "").split(" AND ") if licence}
        speakers |= {corpus: set(names) for corpus, names in source.training_speakers.items()}
    for corpus, speaker in heard:
        speakers.setdefault(corpus, set()).add(speaker)
    return {
        "licence": " AND ".join(sorted(licences)),
        "commercial": provenance.allows_commercial_use(licences),
        "corpora": {corpus: sorted(names) for corpus, names in sorted(speakers.items())},
        # so that no test may use what the training heard
        **({"noise": noise} if noise else {}),
        **({"rooms": sorted(rooms)} if rooms else {}),
    }


def _epochs_kept(log: Sequence[Mapping], keep: str) -> int:
    if keep == "best" and "val_ua" in log[-1]:
        return max(log, key=lambda row: row["val_ua"])["epoch"]
    return log[-1]["epoch"]
