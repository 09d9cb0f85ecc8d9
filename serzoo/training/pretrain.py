"""Pre-training without labels: a model learns to draw what is hidden from it, on any speech."""

import sys
import time
from collections.abc import Mapping
from pathlib import Path

import numpy as np
import pandas as pd

from serzoo import audio, building, corpora, pipeline, zoo
from serzoo import config as configs
from serzoo.corpora.folds import check_speakers
from serzoo.corpora.forms import without
from serzoo.errors import AudioError, ConfigError, CorpusError, RunError
from serzoo.evaluation.leaks import FOLDER
from serzoo.files import replace_file, to_json
from serzoo.schema import Objective, Pretraining
from serzoo.training import fit as fitting
from serzoo.training import provenance
from serzoo.training.fold import distinct
from serzoo.training.folder import open_run, resumable, save_weights, sweep
from serzoo.training.guard import guard

UNKNOWN = "unknown"  # stands for the speakers of a folder of sound files
OBJECTIVE = "masked_prediction"


def pretrain(
    name: str,
    corpora_roots: Mapping[str, str | Path] | None = None,
    *,
    out: str | Path,
    audio_folder: str | Path | None = None,
    protocol: str | None = None,
    seed: int = 0,
    overrides: Mapping | None = None,
    resume: bool = False,
    partial: bool = False,
    verbose: str | int = "auto",
) -> Path:
    """Pre-train a model by masked prediction on unlabelled speech; no label is read.

    Args:
        name: registered model whose YAML has a section ``pretraining``, or path of such a file.
        corpora_roots: root folder of each corpus to hear.
        out: folder of the run; must not exist unless ``resume``. ``serzoo.train(..., init=out)`` starts from it.
        audio_folder: folder of sound files to hear, at any depth. Nobody knows who speaks there: that no test speaker
            does is for you to know.
        protocol: name of a protocol: one model for each of its folds, which hears neither the fold's test speakers nor
            those that it chooses by. None for a single model that hears everyone, for tests on other people.
        seed: seed of weights, draws and masks.
        overrides: config values by dotted key.
        resume: go on with a run that was cut off.
        partial: accept incomplete copies of the corpora.
        verbose: as of ``keras.Model.fit``.

    Returns:
        The folder of the run.

    Raises:
        ConfigError: if the model cannot be pre-trained, its augmentation needs rooms or recordings of noise, or the
            schedule of training is set in place of that of pre-training.
        RunError: if there is no sound to hear, or the seed is negative; otherwise as :func:`serzoo.train`.
        CorpusError: if the corpora do not fit the protocol.
        SpeakerLeakError: if a recording of a test speaker of the protocol is heard under another name.

    Example:
        >>> pretrain("bert_mtl", {"ravdess": "RAVDESS"}, out="runs/heard")  # doctest: +SKIP
    """
    out, roots, overrides = Path(out), dict(corpora_roots or {}), dict(overrides or {})
    (seed,) = distinct([seed])
    config = configs.load(name, overrides)
    config = config.model_copy(update={"weights": (), "reported": ()})
    if config.pretraining is None:
        raise ConfigError(
            f"{config.name} cannot be pre-trained: its YAML has no section pretraining, as bert_mtl's has."
        )
    unused = ("room_probability", "noise_alone_probability")
    if wanted := [key for key in unused if getattr(config.augmentation, key)]:
        raise ConfigError(
            f"Pre-training plays no clip in rooms and no noise alone: augmentation.{wanted[0]} must be 0. Received: "
            f"{getattr(config.augmentation, wanted[0])}."
        )
    for key in Pretraining.model_fields:
        if f"training.{key}" in overrides and f"pretraining.{key}" not in overrides:
            raise ConfigError(
                f"Pre-training has a schedule of its own: training.{key} is not read. Set pretraining.{key}."
            )
    if not roots and audio_folder is None:
        raise RunError("Pre-training needs sound: corpora (--corpus NAME=ROOT) or a folder (--audio FOLDER).")
    parts, skipped = [], {}
    if roots:
        parts.append(corpora.read_many(roots, partial=partial))
        skipped |= parts[0].attrs["skipped"]
        roots = corpora.folders(roots)
    if audio_folder is not None:
        files, too_bad = _files(Path(audio_folder))
        parts.append(files)
        skipped |= too_bad
        roots[FOLDER] = Path(audio_folder)
    folds, classes = _folds(parts[0], protocol, corpora_roots or {})
    table = pd.concat(parts, ignore_index=True)

    about = {
        "model": config.name,
        "pretraining": configs.to_dict(config.pretraining),
        "protocol": protocol,
        "seeds": [seed],
        "corpora": corpora.fingerprints(table, roots, []),
        "overrides": overrides,
        "order": {"corpora": list(roots)},
        "partial": partial,
    }
    if verbose:
        for reason, count in skipped.items():
            print(f"{config.name}: {count} left out, {reason}", file=sys.stderr, flush=True)
    with resumable(out):
        open_run(out, config, about, skipped, resume)
        guard(out, [table], roots, folds)
        for fold in folds:
            folder = out / f"seed{seed}-{fold.name}"
            if not (folder / zoo.CARD).exists():
                sweep(folder)
                if verbose:
                    print(f"{config.name}: pre-training, seed {seed}, {fold.name}", file=sys.stderr, flush=True)
                _pretrain_fold(config, table, roots, fold, classes, seed, folder, verbose)
    return out


def _pretrain_fold(config, table, roots, fold, classes, seed, folder: Path, verbose):
    started = time.monotonic()
    rows = without(table, (*fold.validation, *fold.test)).reset_index(drop=True)
    heads = building.heads_of(config, classes)
    masked = _masked(config)
    with fitting.precision(config.training.precision):
        model = building.build(masked, heads, seed=seed)
        clips = pipeline.Clips(rows, roots)
        if config.frontend.standardize == "global":
            fitting.adapt(model, clips)
        log = fitting.fit(
            model,
            masked,
            clips,
            {"emotion": np.zeros((len(rows), 1), "float32")},
            epochs=masked.training.epochs,
            seed=seed,
            folder=folder,
            verbose=verbose,
        )
    known = rows[rows["corpus"] != FOLDER]
    licences = {corpora.info(corpus).licence for corpus in set(known["corpus"])}
    licences |= {corpora.OWN_LICENCE} if len(known) < len(rows) else set()
    card = {
        "heads": heads,
        "pretrained": True,
        "protocol": None,
        "fold": fold.index,
        "seed": seed,
        "epochs": log[-1]["epoch"],
        "seconds": round(time.monotonic() - started),
        "licence": " AND ".join(sorted(licences)),
        "commercial": provenance.allows_commercial_use(licences),
        "corpora": {corpus: sorted(set(each["speaker"])) for corpus, each in rows.groupby("corpus")},
    }
    save_weights(model, folder / zoo.FINAL_WEIGHTS)
    replace_file(folder / zoo.CARD, to_json({"model": config.name} | card))
    (folder / fitting.STATE).unlink(missing_ok=True)
    fitting.clear_session()


def _masked(config):
    """The config of pre-training: its own schedule and share of hidden steps, one objective and no head."""
    schedule = configs.to_dict(config.pretraining)
    share = schedule.pop("mask_share")
    plain = {"sampling": "uniform", "keep": "last", "layer_decay": 1.0}
    training = config.training.model_copy(update={**schedule, **plain})
    # What is to be drawn is the one clip, with its noise: no other may be mixed into it, and nothing else be hidden.
    off = {"mixup_probability": 0.0, "num_time_masks": 0, "num_mel_masks": 0}
    return config.model_copy(
        update={
            "model": {**config.model, "mask_share": share},
            "heads": {},
            "objectives": {OBJECTIVE: Objective(label=None, loss_weight=1.0)},
            "streams": {},
            "augmentation": config.augmentation.model_copy(update=off),
            "training": training,
        }
    )


def _folds(table: pd.DataFrame, protocol: str | None, roots: Mapping) -> tuple[list, tuple[str, ...]]:
    """Folds to pre-train for, and the classes of heads that only training will teach."""
    check_speakers(table, "Pre-training")
    if protocol is None:
        return [corpora.all_speakers(table)], corpora.protocol("ravdess8-5fold").classes
    rules = corpora.protocol(protocol)
    if missing := sorted(set(rules.corpora) - set(roots)):
        raise CorpusError(f"Protocol {protocol} needs the corpora {', '.join(rules.corpora)}. Missing: {missing[0]}.")
    judged, _ = rules.apply(table[table["corpus"].isin(rules.corpora)])
    return rules.folds(judged), rules.classes


def _files(folder: Path) -> tuple[pd.DataFrame, dict[str, int]]:
    """A table of the sound files of a folder; those that cannot be heard are counted."""
    found = audio.find(folder)
    if not found:
        raise RunError(f"{folder} holds no sound file: pre-training needs some, such as .wav, .flac, .ogg or .mp3.")
    kept = []
    for path in found:
        try:
            # its end, too: the header of a FLAC file that was cut promises all of it
            audio.read(path, start_s=max(0.0, audio.info(path).duration_s - 2 * audio.MIN_DURATION_S))
            kept.append(path.relative_to(folder).as_posix())
        except AudioError:
            continue
    if not kept:
        raise RunError(f"{folder} holds {len(found)} sound files, and none that can be heard for 0.1 s.")
    rows = pd.DataFrame({"corpus": FOLDER, "file": kept, "start": np.nan, "end": np.nan, "speaker": UNKNOWN})
    too_bad = len(found) - len(kept)
    return rows, {"sound files that cannot be heard for 0.1 s": too_bad} if too_bad else {}
