"""Train a model by a protocol: every seed and fold, kept in a run folder that can be resumed.

A run holds ``config.yaml`` (resolved), ``run.json`` (what was run, on what, with what), ``predictions.csv`` and
``report.json`` (of all test speakers), and for each seed and fold a folder ``seedS-foldF`` with ``log.csv``, the
state to resume from, ``final.weights.h5``, ``predictions.csv`` and, written last, ``card.json``.
"""

import hashlib
import importlib.metadata
import json
import platform
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from statistics import median

import keras
import pandas as pd

from serzoo import __version__, corpora, pipeline, zoo
from serzoo import config as configs
from serzoo.errors import RunError, SpeakerLeakError
from serzoo.evaluation import predictions, summarize
from serzoo.files import replace_file, to_json
from serzoo.training import fit as fitting

ALL = "all"


def train(
    name: str,
    corpora_roots: Mapping[str, str | Path],
    *,
    protocol: str,
    out: str | Path,
    seeds: Sequence[int] = (0,),
    epochs_from: str | Path | None = None,
    init: str | None = None,
    overrides: Mapping | None = None,
    resume: bool = False,
    verbose: str | int = "auto",
) -> Path:
    """Train a model on every fold of a protocol and predict its test speakers.

    Args:
        name: registered model, or path of a YAML file.
        corpora_roots: root folder of each corpus.
        protocol: name of a protocol; ``"all"`` trains on every speaker, for weights to ship.
        out: folder of the run; must not exist unless ``resume``.
        seeds: seeds to train with.
        epochs_from: a finished run of a protocol: ``"all"`` takes its classes, and the number of epochs that it chose.
        init: trained model to start from, as :func:`serzoo.load` takes it; its emotion head is new if classes differ.
        overrides: config values by dotted key.
        resume: go on with a run that was cut off.
        verbose: as of ``keras.Model.fit``.

    Returns:
        The folder of the run.

    Raises:
        RunError: if the folder exists, or holds another run than the one to resume.
        SpeakerLeakError: if ``init`` has seen a test speaker.
        CorpusError: if the corpora do not fit the protocol.
    """
    out = Path(out)
    config = configs.load(name, overrides)
    config = config.model_copy(update={"weights": (), "reported": ()})
    epochs, judged_by = config.training.epochs, protocol
    if protocol == ALL:
        judged_by, epochs = _chosen_by(epochs_from)
    elif epochs_from is not None:
        raise RunError("epochs_from is for protocol 'all' only: a protocol chooses its epochs by itself.")
    rules = corpora.protocol(judged_by)
    table, dropped = rules.apply(corpora.read_many(corpora_roots))
    folds = [corpora.all_speakers(table)] if protocol == ALL else rules.folds(table)

    about = {
        "model": config.name,
        "protocol": protocol,
        "classes_of": judged_by,
        "epochs": epochs,
        "seeds": list(seeds),
        "init": str(init) if init else None,
        "corpora": {corpus: _fingerprint(rows, corpora_roots[corpus]) for corpus, rows in table.groupby("corpus")},
        "overrides": dict(overrides or {}),
    }
    _open(out, config, about | {"dropped": dropped}, resume)
    for seed in seeds:
        for fold in folds:
            folder = out / f"seed{seed}-{fold.name}"
            if not (folder / zoo.CARD).exists():
                print(f"{config.name}: seed {seed}, {fold.name} ({protocol})", flush=True)
                _train_fold(config, table, corpora_roots, fold, seed, epochs, about, folder, verbose)
    if protocol != ALL:
        _judge(out, seeds, folds)
    return out


def _train_fold(config, table, roots, fold, seed, epochs, about, folder: Path, verbose):
    started = time.monotonic()
    rows_train, rows_validation, rows_test = fold.split(table)
    heads = zoo.heads_of(config, corpora.protocol(about["classes_of"]).classes)
    with fitting.precision(config.training.precision):
        model = _model(config, heads, about["init"], fold, seed)
        clips = pipeline.Clips(rows_train, roots)
        if config.frontend.standardize == "global" and about["init"] is None:
            fitting.adapt(model, clips)
        validation = None
        if len(rows_validation):
            validation = (pipeline.Clips(rows_validation, roots), pipeline.labels(rows_validation, heads))
        log = fitting.fit(
            model,
            config,
            clips,
            pipeline.labels(rows_train, heads),
            epochs=epochs,
            seed=seed,
            folder=folder,
            validation=validation,
            verbose=verbose,
        )
    if len(log) < epochs:
        raise RunError(f"{folder}: the loss was no longer finite after epoch {len(log)}. Try a lower learning rate.")
    licences = {corpora.info(corpus).licence for corpus, _ in fold.train}
    card = {
        "heads": heads,
        "licence": " AND ".join(sorted(licences)),
        "commercial": not any("NC" in licence for licence in licences),
        "protocol": about["protocol"],
        "fold": fold.index,
        "seed": seed,
        "epochs": _epochs_kept(log, config.training.keep),
        "corpora": _by_corpus([*fold.train, *fold.validation]),
        "seconds": round(time.monotonic() - started),
    }
    # trained in mixed precision or not, a model is judged and shipped in float32
    final = zoo.build(config, heads, card)
    final.set_weights(model.get_weights())
    partial = folder / f"partial.{zoo.FINAL_WEIGHTS}"
    final.save_weights(partial)
    partial.replace(folder / zoo.FINAL_WEIGHTS)
    if len(rows_test):
        answers = pipeline.predict_table(final, rows_test, roots)["emotion"]
        told = predictions.from_table(rows_test, answers, heads["emotion"], seed=seed, fold=fold.index)
        predictions.write(folder / "predictions.csv", told)
    replace_file(folder / zoo.CARD, to_json({"model": config.name} | card))
    (folder / fitting.STATE).unlink(missing_ok=True)
    keras.backend.clear_session()


def _model(config, heads, init, fold, seed):
    model = zoo.build(config, heads, seed=seed)
    if init is None:
        return model
    source = zoo.load(init)
    seen = {(corpus, speaker) for corpus, speakers in source.training_speakers.items() for speaker in speakers}
    if shared := sorted(seen.intersection(fold.test)):
        names = ", ".join(" ".join(pair) for pair in shared[:10])
        raise SpeakerLeakError(f"{init} was trained on test speakers of {fold.name}: {names}.")
    zoo.copy_weights(source, model)
    return model


def _judge(out: Path, seeds, folds):
    parts = [predictions.read(out / f"seed{seed}-{fold.name}") for seed in seeds for fold in folds]
    told = pd.concat(parts, ignore_index=True)
    predictions.write(out / "predictions.csv", told)
    replace_file(out / "report.json", to_json(summarize(told)))


def _open(out: Path, config, about: Mapping, resume: bool):
    """Start a run folder, or check that an existing one is the same run."""
    record, text = out / "run.json", configs.dump(config)
    if not record.exists():
        if out.exists() and (not out.is_dir() or any(out.iterdir())):
            raise RunError(f"{out} exists and holds no run. Choose another folder.")
        replace_file(out / "config.yaml", text.encode())
        made_with = {"git_commit": _git_commit(), "versions": _versions(), "backend": keras.backend.backend()}
        replace_file(record, to_json(about | made_with))
        return
    if not resume:
        raise RunError(f"{out} holds a run. Add --resume to go on with it, or choose another folder.")
    before = json.loads(record.read_text(encoding="utf-8"))
    wanted = json.loads(to_json(about))
    differing = [key for key in wanted if key != "overrides" and before.get(key) != wanted[key]]
    if (out / "config.yaml").read_text(encoding="utf-8") != text:
        differing.append("config.yaml")
    if differing:
        raise RunError(f"{out} holds another run: {', '.join(differing)} differ. Choose another folder.")


def _chosen_by(run: str | Path | None) -> tuple[str, int]:
    """Protocol of a finished run, and the epochs that it chose: the median over its folds."""
    if run is None:
        raise RunError("Protocol 'all' has no validation speakers: name the run that chose the epochs (--epochs-from).")
    run = Path(run)
    cards = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(run.glob(f"*/{zoo.CARD}"))]
    if not (run / "report.json").exists() or not cards:
        raise RunError(f"{run} is not a finished run of a protocol.")
    return cards[0]["protocol"], round(median(card["epochs"] for card in cards))


def _epochs_kept(log: Sequence[Mapping], keep: str) -> int:
    if keep == "best" and "val_ua" in log[-1]:
        return max(log, key=lambda row: row["val_ua"])["epoch"]
    return log[-1]["epoch"]


def _by_corpus(speakers: Sequence[tuple[str, str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for corpus, speaker in sorted(speakers):
        found.setdefault(corpus, []).append(speaker)
    return found


def _fingerprint(rows: pd.DataFrame, root: str | Path) -> dict:
    """What was trained on: number of rows, and a hash over file names, sizes and labels."""
    digest = hashlib.sha256()
    for row in rows.sort_values(["file", "start"]).itertuples():
        digest.update(f"{row.file}|{(Path(root) / row.file).stat().st_size}|{row.start}|{row.end}".encode())
        digest.update(f"|{row.emotion}|{row.gender}|{row.speaker}\n".encode())
    return {"rows": len(rows), "sha256": digest.hexdigest()}


def _versions() -> dict[str, str]:
    found = {"serzoo": __version__, "python": platform.python_version()}
    for package in ("keras", "tensorflow", "jax", "numpy", "soundfile"):
        try:
            found[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            continue
    return found


def _git_commit() -> str | None:
    """Commit of the checkout that serzoo runs from, marked ``+`` if it was changed; None outside one."""
    here = Path(__file__).parent
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"], cwd=here, capture_output=True, text=True, check=True, timeout=10
        ).stdout.strip()
        changed = subprocess.run(
            ["git", "status", "--porcelain", "--", str(here.parent)],
            cwd=here,
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return commit + ("+" if changed else "")
