"""Judge a model, the weights of all folds of a protocol, or predictions made elsewhere, on corpora."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import __version__
from serzoo import corpora as readers
from serzoo.corpora.folds import refuse_duplicates
from serzoo.errors import CorpusError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.answers import Asked, added, given, tested
from serzoo.evaluation.calibration import calibration, scaled
from serzoo.evaluation.judged import Judged, judged
from serzoo.evaluation.published import published
from serzoo.evaluation.summary import summarize
from serzoo.files import writable
from serzoo.noises import CLEAN

NUM_CLIPS = 12


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
    clips: int = NUM_CLIPS,
) -> dict[str, Any]:
    """Judge on whole corpora: figures with intervals, calibration, predictions, and a page to look at.

    Args:
        model: a classifier or an export of one; what :func:`serzoo.load` takes; ``"NAME.TAG-folds"`` or the folder of a
            run for the weights of all folds of a protocol, each of which judges the test speakers of its own fold; a
            file of predictions for the same rows.
        corpora: corpus names and their roots.
        out: folder for ``report.json``, ``report.html``, ``predictions.csv``, ``confusion.png``; None writes nothing.
        allow_speaker_leak: go on with speakers, files or recordings that the model was trained on, and stamp every
            output.
        protocol: name of a protocol whose classes and class map to apply, and whose test speakers to judge; None is
            that of the folds, or else judges every row whose emotion is among the model's classes.
        fold: judge the test speakers of this fold of the protocol only.
        partial: accept an incomplete copy of a corpus.
        resamples: number of bootstrap draws.
        seed: of the draws.
        clips: how many recordings of the worst confusions the page holds, to be played; 0 for a page without sound of
            the corpus, to be passed on.

    Returns:
        What :func:`serzoo.evaluation.summarize` gives, and ``model, licence, parameters, corpora, protocol, fold``;
        ``condition`` that these figures are for, the clean one where there is one; None if the predictions name none;
        ``dropped``: rows by reason; ``failed``: ``[{"corpus", "file", "reason"}]`` of unreadable recordings, the rest
        being judged, or played on the page, without them; ``shared_speakers`` and ``shared_recordings``, and
        ``speakers_compared``: whether there was a model to compare them with; ``audio_s``; ``calibration``:
        ``{"before", "after", "temperature", "fitted_on"}``, the first two of
        :func:`serzoo.evaluation.calibration.calibration`; ``conditions``: figures by condition, if the predictions hold
        several; ``published``: of :func:`serzoo.evaluation.published.published`.

    Raises:
        SpeakerLeakError: if the model was trained on speakers, files or recordings of these corpora.
        CorpusError: if a corpus cannot be read, a row stands twice, predictions are for other rows than the corpora's,
            or nothing is left to judge.
        UnknownNameError: for a corpus, protocol, model or tag that does not exist.
        RunError: if ``out`` cannot be written to.

    Example:
        >>> evaluate("cnn_ablstm_mtl.ravdess8-folds", {"ravdess": "RAVDESS"}, "reports/a")["ua"]  # doctest: +SKIP
        {'value': 0.665, 'ci_low': 0.623, 'ci_high': 0.708}
    """
    found = judged(model)
    protocol = _protocol_of(found, protocol, fold)
    roots = readers.folders(corpora)
    table = readers.read_many(corpora, partial=partial)
    skipped = table.attrs["skipped"]
    refuse_duplicates(table)
    table, dropped, folds = _take_part(table, protocol, fold)
    if found.predictions is not None:
        asked, answers = None, given(found, table, tested(table, folds, fold))
    else:
        asked = Asked(found, table, roots, folds=folds, fold=fold, allow_leak=allow_speaker_leak)
    # Speakers were compared: a folder is made only for what may be judged, and tried before hours of work.
    folder = None if out is None else writable(Path(out), "report")
    if asked is not None:
        answers = asked.listen()
    main, conditions = _by_condition(answers.predictions, resamples, seed)
    summary = summarize(main, resamples, seed)
    report = {
        "model": answers.name or found.name,
        "licence": answers.licence,
        "parameters": answers.parameters,
        "corpora": sorted(corpora),
        "protocol": protocol,
        "fold": fold,
        "condition": main["condition"].iloc[0] if "condition" in main else None,
        **summary,
        "dropped": added(skipped, dropped, answers.dropped, summary["dropped"]),
        "failed": answers.failed,
        "speakers_compared": asked is not None,
        "shared_speakers": answers.shared_speakers,
        "shared_recordings": answers.shared_recordings,
        "audio_s": round(answers.audio_s, 1),
        "calibration": _calibration(main, answers.temperatures, answers.fitted_on),
        "conditions": conditions,
        "published": published(protocol),
        "serzoo_version": __version__,
    }
    if folder is not None:
        from serzoo.evaluation.report import write_report

        write_report(folder, report, answers.predictions, main, roots, num_clips=clips)
    return report


def _calibration(main: pd.DataFrame, temperatures: Mapping, fitted_on: str | None) -> dict[str, Any]:
    labels = tables.classes(main)
    main = main[main["truth"].isin(labels)]
    result = {"before": calibration(main), "after": None, "temperature": None, "fitted_on": fitted_on}
    folds = [None if pd.isna(fold) else fold for fold in main["fold"]]
    found = [temperatures.get(pair) for pair in zip(main["seed"], folds, strict=True)]
    if temperatures and None not in found:
        result["after"] = calibration(scaled(main, np.array(found)))
        result["temperature"] = sorted(temperatures.values())
    return result


def _protocol_of(found: Judged, protocol: str | None, fold: int | None) -> str | None:
    if found.protocol is not None and protocol not in (None, found.protocol):
        raise CorpusError(f"The folds of {found.name} are those of {found.protocol}. Received: --protocol {protocol}.")
    protocol = protocol or found.protocol
    if protocol is None and fold is not None:
        raise CorpusError(f"A fold belongs to a protocol: name one. Received: fold {fold} without a protocol.")
    return protocol


def _take_part(table: pd.DataFrame, protocol: str | None, fold: int | None):
    """Rows that take part, the others by reason, and the folds of the protocol."""
    if protocol is None:
        nobody = table["speaker"].isna()
        if nobody.all():
            raise CorpusError(
                f"Judging a model needs to know who speaks. Received {len(table)} rows without a speaker."
            )
        return table[~nobody].reset_index(drop=True), added({"no speaker": int(nobody.sum())}), None
    chosen = readers.protocol(protocol)
    table, dropped = chosen.apply(table)
    folds = chosen.folds(table, trains=False)
    if fold is not None and not 0 <= fold < len(folds):
        raise CorpusError(f"Protocol {protocol} has the folds 0 to {len(folds) - 1}. Received: {fold}.")
    left = int((~tested(table, folds, fold)).sum())
    reason = "speaker is tested in no fold" if fold is None else f"speaker is not tested in fold {fold}"
    return table, added(dropped, {reason: left}), folds


def _by_condition(predictions: pd.DataFrame, resamples: int, seed: int) -> tuple[pd.DataFrame, list[dict[str, Any]]]:
    """Predictions of the condition to judge by, which is the clean one, and the figures of each condition."""
    names = list(dict.fromkeys(predictions["condition"])) if "condition" in predictions else []
    if len(names) < 2:
        return predictions, []
    rows = {name: predictions[predictions["condition"] == name] for name in names}
    figures = [
        {"condition": name, **{key: summary[key] for key in ("ua", "wa", "macro_f1", "n")}}
        for name, summary in ((name, summarize(part, resamples, seed)) for name, part in rows.items())
    ]
    return rows[CLEAN if CLEAN in names else names[0]], figures
