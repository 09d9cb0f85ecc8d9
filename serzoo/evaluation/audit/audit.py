"""All parts of an audit in one call, and the folder that keeps them."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import pandas as pd

from serzoo import corpora as readers
from serzoo.errors import CorpusError, RunError, SerzooError, unknown_name
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.audit import pictures, report
from serzoo.evaluation.audit.cross_corpus import cross_corpus
from serzoo.evaluation.audit.gender import gender_gap
from serzoo.evaluation.audit.leakage import leakage
from serzoo.evaluation.audit.robustness import robustness
from serzoo.evaluation.audit.subjects import (
    Roots,
    Subject,
    judge,
    open_subjects,
    read_tables,
    refuse_copies,
    sample_parts,
)
from serzoo.evaluation.audit.transfer import control_of, transfer
from serzoo.files import replace_file, to_json, writable

PARTS = ("gender", "leakage", "transfer", "robustness", "cross_corpus")
RECORD = "audit.json"


class _Given(NamedTuple):
    """What was asked, as every part takes it."""

    subjects: list[Subject]
    table: pd.DataFrame | None
    roots: Roots
    noise: Roots
    rooms: str | os.PathLike | None
    options: dict[str, int]
    clips: dict[str, int | None]
    told: dict[str, pd.DataFrame]
    answers: dict[str, pd.DataFrame]  # of the subjects that came without predictions, by name


def audit(
    sources: str | os.PathLike | Sequence[str | os.PathLike],
    corpora: Roots | None = None,
    out: str | os.PathLike | None = None,
    *,
    parts: Sequence[str] | None = None,
    noise: Roots | None = None,
    rooms: str | os.PathLike | None = None,
    clips: int | None = 400,
    partial: bool = False,
    resamples: int = 10_000,
    seed: int = 0,
) -> dict[str, Any]:
    """Ask of models what a reviewer would: gender gap, leakage, transfer, robustness, other corpora.

    ``gender`` and ``transfer`` need predictions only; the rest hears the corpora, through the weights of folds that
    never heard the speaker.

    Args:
        sources: runs or shipped weights, see :func:`serzoo.evaluation.audit.open_subjects`. ``transfer`` measures each
            against the first that learned emotion alone.
        corpora: corpus names and their root folders.
        out: folder for ``audit.json``, ``audit.md``, a picture of each part and the predictions under each condition;
            None writes nothing.
        parts: some of ``gender, leakage, transfer, robustness, cross_corpus``; by default all that can be done with
            what was given, the others being named under ``skipped``.
        noise: noise corpora and their roots, for robustness and the noise probe.
        rooms: folder of measured impulse responses, for robustness.
        clips: how many clips at most are judged under a condition, or heard for a probe, evenly over the speakers; None
            for all.
        partial: accept incomplete copies of the corpora.
        resamples: number of bootstrap draws over speakers.
        seed: of draws, choices and probes.

    Returns:
        For each part its results, by model where it is about one; ``models``, ``skipped``, ``verdicts`` (sentences) and
        ``clips, resamples, seed``.

    Raises:
        UnknownNameError: for a model, corpus or part that does not exist.
        CorpusError: if a part that was asked for is not possible, or a corpus cannot be read.
        SpeakerLeakError: if a model was trained on recordings of a corpus under other names.
        MissingFileError: if a run or corpus is missing.
        RunError: if a folder is no finished run, or ``out`` cannot be written to.

    Example:
        >>> audit(["runs/stl", "runs/mtl"])["verdicts"]  # doctest: +SKIP
    """
    for part in parts or ():
        if part not in PARTS:
            raise unknown_name("part of an audit", part, PARTS)
    if clips is not None and clips < 1:
        raise CorpusError(f"clips must be a number >= 1, or None for all. Received: {clips}.")
    folder = None if out is None else writable(Path(out), "audit")
    subjects = open_subjects(sources)
    given = _Given(
        subjects,
        read_tables(corpora, partial),
        readers.folders(corpora or {}),
        noise or {},
        rooms,
        {"resamples": resamples, "seed": seed},
        {"clips": clips},
        {},
        {},
    )
    asked = set(PARTS if parts is None else parts)
    if given.table is not None and (asked & _HEARING or any(subject.predictions is None for subject in subjects)):
        refuse_copies(subjects, given.table, given.roots)
    found: dict[str, Any] = {
        "models": {subject.name: _about(subject) for subject in subjects},
        "corpora": sorted(given.roots),
        **given.options,
        **given.clips,
    }
    skipped: dict[str, str] = {}
    for part, run in _RUN.items():
        if parts is not None and part not in parts:
            continue
        if reason := _LACKING[part](given):
            if parts is not None:
                raise CorpusError(f"The part {part} of the audit is not possible: {reason}.")
            skipped[part] = reason
            continue
        try:
            results, reasons = run(given)
        except SerzooError as error:
            if parts is not None:
                raise
            results, reasons = {}, {}
            skipped[part] = str(error)
        if reasons and parts is not None and not results:
            raise CorpusError(" ".join(reasons.values()))
        skipped |= {f"{part} of {name}": reason for name, reason in reasons.items()}
        if results:
            found[part] = results
    found |= {"skipped": skipped, "verdicts": report.verdicts(found)}
    if folder is not None:
        _write(folder, found, given.told)
    return found


# --- each part, over the models that it can be done for ---------------------------------------------------------------

Results = tuple[dict[str, Any], dict[str, str]]


def _each(given: _Given, run: Callable[[Subject], dict[str, Any]]) -> Results:
    """Run a part on each model; with several, one that it is impossible for does not stop the others."""
    results, reasons = {}, {}
    for subject in given.subjects:
        try:
            results[subject.name] = run(subject)
        except SerzooError as error:
            reasons[subject.name] = str(error)
    return results, reasons


def _gender(given: _Given) -> Results:
    return _each(given, lambda subject: gender_gap(_predictions(subject, given), given.table, **given.options))


def _leakage(given: _Given) -> Results:
    options = {"noise": given.noise, **given.clips, **given.options}
    return _each(given, lambda subject: leakage(subject, given.table, given.roots, **options))


def _transfer(given: _Given) -> Results:
    control = control_of(given.subjects)
    single = _predictions(control, given)

    def run(subject: Subject) -> dict[str, Any]:
        names = (subject.name, control.name)
        told = transfer(_predictions(subject, given), single, names=names, **given.options)
        return {"control": control.name, **told}

    return _each(given._replace(subjects=[each for each in given.subjects if each is not control]), run)


def _robustness(given: _Given) -> Results:
    def run(subject: Subject) -> dict[str, Any]:
        options = {"noise": given.noise, "rooms": given.rooms, **given.clips, **given.options}
        result, given.told[subject.name] = robustness(subject, given.table, given.roots, **options)
        return result

    return _each(given, run)


def _cross_corpus(given: _Given) -> Results:
    return cross_corpus(given.subjects, given.table, given.roots, **given.clips, **given.options), {}


_RUN: dict[str, Callable[[_Given], Results]] = {
    "gender": _gender,
    "leakage": _leakage,
    "transfer": _transfer,
    "robustness": _robustness,
    "cross_corpus": _cross_corpus,
}


def _hears(given: _Given) -> str | None:
    if given.table is None:
        return "it hears the corpora, and none was given (--corpus)"
    if not any(subject.encoders for subject in given.subjects):
        return "it needs weights, and only predictions were given"
    return None


def _lacks_predictions(given: _Given) -> str | None:
    silent = [subject.name for subject in given.subjects if subject.predictions is None]
    return (
        None if given.table is not None or not silent else f"{', '.join(silent)} came without predictions or a corpus"
    )


_HEARING = {"leakage", "robustness", "cross_corpus"}  # parts that hear the corpora themselves
_LACKING: dict[str, Callable[[_Given], str | None]] = {
    "gender": _lacks_predictions,
    "leakage": _hears,
    "transfer": lambda given: (
        "it compares two models or more, and one was given" if len(given.subjects) < 2 else _lacks_predictions(given)
    ),
    "robustness": _hears,
    "cross_corpus": lambda given: _hears(given) or ("one corpus only was given" if len(given.roots) < 2 else None),
}


def _predictions(subject: Subject, given: _Given) -> pd.DataFrame:
    """Answers on unheard speakers: those of the run, or of the weights now."""
    if subject.predictions is not None:
        return subject.predictions
    if subject.name not in given.answers:
        from serzoo import pipeline

        told = []
        for model, rows in sample_parts(subject.parts(given.table), given.clips["clips"], given.options["seed"]):
            rows = rows.reset_index(drop=True)
            told.append(judge(model, rows, pipeline.Clips(rows, given.roots, cache_bytes=0)))
        given.answers[subject.name] = pd.concat(told, ignore_index=True)
    return given.answers[subject.name]


def _about(subject: Subject) -> dict[str, Any]:
    told = subject.predictions
    return {
        "tasks": list(subject.tasks),
        "encoders": [str(source) for source in subject.encoders],
        "seeds": sorted(told["seed"].unique().tolist()) if told is not None else [],
        "notes": sorted(told["note"].dropna().unique().tolist()) if told is not None and "note" in told else [],
    }


def _write(folder: Path, found: Mapping[str, Any], told: Mapping[str, pd.DataFrame]) -> None:
    try:
        (folder / RECORD).unlink(missing_ok=True)  # it comes last: where it stands, the files beside it belong to it
        for name, table in told.items():
            tables.write(folder / f"robustness.{name.replace('/', '-')}.csv.gz", table)
        for name, picture in pictures.of_audit(found).items():
            replace_file(folder / f"{name}.png", picture)
        replace_file(folder / "audit.md", report.markdown_of(found).encode())
        replace_file(folder / RECORD, to_json(dict(found)))
    except OSError as error:
        raise RunError(f"The audit could not be written to {folder}: {error.strerror}.") from error
