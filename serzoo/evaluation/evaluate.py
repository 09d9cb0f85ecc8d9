"""Judge a trained model on corpora."""

import os
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import corpora as readers
from serzoo.errors import AudioError, CorpusError, MissingFileError, RunError, SpeakerLeakError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.plots import summary_png
from serzoo.evaluation.summary import summarize
from serzoo.files import replace_file, to_json

LEAK_STAMP = "speakers shared: not comparable"

Predict = Callable[[Any, pd.DataFrame, Mapping[str, str | os.PathLike]], Mapping[str, np.ndarray]]


def evaluate(
    model: Any,
    corpora: Mapping[str, str | os.PathLike],
    out: str | os.PathLike | None = None,
    *,
    allow_speaker_leak: bool = False,
    protocol: str | None = None,
    fold: int | None = None,
    partial: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
    predict: Predict | None = None,
) -> dict[str, Any]:
    """Judge a model on whole corpora: figures with their intervals, predictions and a confusion matrix.

    Args:
        model: a classifier, or what :func:`serzoo.load` takes.
        corpora: corpus names and their root folders.
        out: folder for ``report.json``, ``predictions.csv`` and ``confusion.png``; None writes nothing.
        allow_speaker_leak: go on with speakers that the model was trained on, and stamp every output.
        protocol: name of a protocol whose classes and class map to apply; None judges every row whose emotion is among
            the model's classes.
        fold: judge the test speakers of this fold of the protocol only.
        partial: accept an incomplete copy of a corpus.
        resamples: number of bootstrap draws.
        seed: of the draws.
        predict: takes model, table and roots and gives ``{"emotion": (rows, classes)}``; None is
            :func:`serzoo.pipeline.predict_table`.

    Returns:
        What :func:`serzoo.evaluation.summarize` gives, and ``model, licence, corpora, protocol, fold``; ``dropped``
        with the rows that have no class of the model; ``failed``: ``[{"corpus", "file", "reason"}]`` of unreadable
        recordings, the rest being judged without them; ``shared_speakers``.

    Raises:
        SpeakerLeakError: if the model was trained on speakers of these corpora.
        CorpusError: if a corpus cannot be read or nothing is left to judge.
        UnknownNameError: for a corpus or protocol that does not exist.
        RunError: if ``out`` cannot be written to.

    Example:
        >>> evaluate("cnn_ablstm_mtl.emodb4", {"ravdess": "RAVDESS"}, "reports/a")["ua"]  # doctest: +SKIP
        {'value': 0.41, 'ci_low': 0.38, 'ci_high': 0.44}
    """
    if isinstance(model, (str, os.PathLike)):
        from serzoo import zoo

        model = zoo.load(model)
    if predict is None:
        from serzoo.pipeline import predict_table as predict
    table, dropped = _rows(readers.read_many(corpora, partial=partial), list(model.classes), protocol, fold)
    shared = _shared_speakers(model, table)
    if shared and not allow_speaker_leak:
        raise SpeakerLeakError(
            f"The model was trained on {len(shared)} of the speakers to judge it by: {_join(shared)}. Figures on "
            "them say nothing about other people. Choose another corpus or fold weights, or allow the leak "
            "(--allow-speaker-leak) and have every output stamped."
        )
    stamp = LEAK_STAMP if shared else None
    folder = None if out is None else _writable(Path(out))
    table, probabilities, failed = _answers(model, table, corpora, predict)
    card = getattr(model, "card", None) or {}
    predictions = tables.from_table(
        table, probabilities, list(model.classes), seed=card.get("seed") or 0, fold=fold, note=stamp
    )
    summary = summarize(predictions, resamples, seed)
    report = {
        "model": _full_name(model),
        "licence": getattr(model, "licence", None),
        "corpora": sorted(corpora),
        "protocol": protocol,
        "fold": fold,
        **summary,
        "dropped": _added(dropped, summary["dropped"], {"recording cannot be read": sum(f["rows"] for f in failed)}),
        "failed": [{key: failure[key] for key in ("corpus", "file", "reason")} for failure in failed],
        "shared_speakers": shared,
    }
    if folder is not None:
        _write(folder, report, predictions, stamp)
    return report


def _rows(
    table: pd.DataFrame, classes: list[str], protocol: str | None, fold: int | None
) -> tuple[pd.DataFrame, dict[str, int]]:
    """Keep the rows to judge; count the others by reason."""
    dropped: dict[str, int] = {}
    if protocol is None and fold is not None:
        raise CorpusError(f"A fold belongs to a protocol: name one. Received: fold {fold} without a protocol.")
    if protocol is not None:
        chosen = readers.protocol(protocol)
        table, dropped = chosen.apply(table)
        if fold is not None:
            folds = chosen.folds(table)
            if not 0 <= fold < len(folds):
                raise CorpusError(f"Protocol {protocol} has the folds 0 to {len(folds) - 1}. Received: {fold}.")
            judged = folds[fold].split(table)[2]
            dropped = _added(dropped, {f"speaker is not tested in fold {fold}": len(table) - len(judged)})
            table = judged
    known = table["emotion"].isin(classes)
    reasons = [
        f"{emotion} is not a class of the model" if isinstance(emotion, str) else "no emotion label"
        for emotion in table["emotion"][~known]
    ]
    dropped = _added(dropped, {reason: reasons.count(reason) for reason in sorted(set(reasons))})
    if not known.any():
        raise CorpusError(f"No row is left to judge. Classes of the model: {_join(classes)}. Dropped: {dropped}.")
    return table[known].reset_index(drop=True), dropped


def _shared_speakers(model: Any, table: pd.DataFrame) -> list[str]:
    trained = getattr(model, "training_speakers", None) or {}
    known = {(corpus, str(speaker)) for corpus, speakers in trained.items() for speaker in speakers}
    judged = set(zip(table["corpus"], table["speaker"].astype(str), strict=True))
    return [f"{corpus} {speaker}" for corpus, speaker in sorted(known & judged)]


def _answers(
    model: Any, table: pd.DataFrame, roots: Mapping[str, str | os.PathLike], predict: Predict
) -> tuple[pd.DataFrame, np.ndarray, list[dict[str, Any]]]:
    """Predict all rows but those whose recording cannot be read."""
    from serzoo import audio

    # Headers first: they tell most bad files in no time. Only if decoding fails later is each file decoded alone.
    failed = _unreadable(table, roots, lambda path, _: audio.info(path))
    table = _without(table, failed)
    try:
        return table, np.asarray(predict(model, table, roots)["emotion"]), failed
    except (AudioError, MissingFileError, OSError):
        found = _unreadable(table, roots, lambda path, row: audio.read(path, start_s=row.start, end_s=row.end))
        if not found:
            raise
        table = _without(table, found)
        failed = sorted([*failed, *found], key=lambda failure: (failure["corpus"], failure["file"]))
        return table, np.asarray(predict(model, table, roots)["emotion"]), failed


def _unreadable(
    table: pd.DataFrame, roots: Mapping[str, str | os.PathLike], attempt: Callable[[Path, Any], Any]
) -> list[dict[str, Any]]:
    """Try every recording; one that fails in any of its rows is left out as a whole."""
    failed: dict[tuple[str, str], dict[str, Any]] = {}
    for row in table[["corpus", "file", "start", "end"]].itertuples(index=False):
        key = (row.corpus, row.file)
        if key in failed:
            continue
        try:
            attempt(Path(roots[row.corpus]) / row.file, row)
        except (AudioError, MissingFileError, OSError) as error:
            failed[key] = {"corpus": row.corpus, "file": row.file, "reason": str(error)}
    sizes = table.groupby(["corpus", "file"]).size()
    return [{**failure, "rows": int(sizes[key])} for key, failure in failed.items()]


def _without(table: pd.DataFrame, failed: list[dict[str, Any]]) -> pd.DataFrame:
    if not failed:
        return table
    bad = {(failure["corpus"], failure["file"]) for failure in failed}
    kept = [pair not in bad for pair in zip(table["corpus"], table["file"], strict=True)]
    if not any(kept):
        first = failed[0]
        raise CorpusError(f"None of the {len(failed)} recordings can be read. The first: {first['reason']}")
    return table[kept].reset_index(drop=True)


def _writable(folder: Path) -> Path:
    """Make the folder and try it before hours of work, not after."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        probe = folder / f".{os.getpid()}.partial"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise RunError(
            f"The report needs a folder that can be written to. Received {folder}: {error.strerror}."
        ) from error
    return folder


def _write(folder: Path, report: dict[str, Any], predictions: pd.DataFrame, stamp: str | None) -> None:
    title = f"{report['model']} on {report['protocol'] or ' + '.join(report['corpora'])}"
    if report["fold"] is not None:
        title += f", fold {report['fold']}"
    try:
        picture = summary_png(report, title, stamp or "")
        # The report goes first and comes last: where it stands, the files beside it belong to it.
        (folder / "report.json").unlink(missing_ok=True)
        tables.write(folder / "predictions.csv", predictions)
        replace_file(folder / "confusion.png", picture)
        replace_file(folder / "report.json", to_json(report))
    except OSError as error:
        raise RunError(f"The report could not be written to {folder}: {error.strerror}.") from error


def _full_name(model: Any) -> str:
    name, tag = getattr(model, "name", None), getattr(model, "tag", None)
    return f"{name}.{tag}" if tag else str(name or type(model).__name__)


def _added(*counts: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for part in counts:
        for reason, count in part.items():
            if count:
                total[reason] = total.get(reason, 0) + count
    return total


def _join(items: Iterable[str], limit: int = 30) -> str:
    items = list(items)
    return ", ".join(items[:limit]) + (f" and {len(items) - limit} more" if len(items) > limit else "")
