"""How do models hold under noise? UA by ratio, under known types of noise and under types that no training had.

Every model is judged on the same clips with the same noise, by the weights of the fold that never heard the speaker;
differences are paired over clips, intervals are over speakers. A model that was trained with a recording of the test is
refused.
"""

import hashlib
import json
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import corpora as readers
from serzoo import metrics
from serzoo.errors import CorpusError, join, unknown_name
from serzoo.evaluation import noise_report, predictions
from serzoo.evaluation.audit.conditions import check_ratios
from serzoo.evaluation.audit.subjects import Subject, open_subjects, read_tables, refuse_copies
from serzoo.evaluation.noise_pool import KNOWN, OTHER, Mixed, Pool, Roots, check_unheard, known_pool, other_pool
from serzoo.evaluation.summary import compare, summarize
from serzoo.files import json_ready, replace_file, to_json, writable
from serzoo.noises import CLEAN

SNRS_DB = (20.0, 10.0, 5.0, 0.0, -5.0)
MEAN = "mean"
RECOGNISED_DB = 10.0  # noise recognition is summed up over ratios up to this one


def noise_curve(
    sources: Sequence[str | os.PathLike],
    corpora: Roots,
    noise: Roots,
    out: str | os.PathLike | None = None,
    *,
    other_noise: Roots | None = None,
    babble: Roots | None = None,
    denoise: Sequence[str] = (),
    against: str | Sequence[str] | None = None,
    snrs_db: Sequence[float] = SNRS_DB,
    resamples: int = 10_000,
    seed: int = 0,
    partial: bool = False,
    resume: bool = False,
) -> dict[str, Any]:
    """Judge models clean and under noise of falling ratio.

    Args:
        sources: runs or shipped weights, as :func:`serzoo.audit` takes them.
        corpora: corpus names and their root folders.
        noise: noise corpora whose types training may know; the recordings of their test splits are mixed in.
        out: folder for ``noise_curve.csv``, ``.png``, ``.md`` and ``.json``, and the predictions of each model, written
            as soon as it is judged; None writes nothing.
        other_noise: noise corpora of types that no training had.
        babble: speech corpora that babble is summed from; none that a model was trained on.
        denoise: names of denoisers; the first model is judged behind each of them, too.
        against: names of the models that the others are paired with; the first one if None.
        snrs_db: ratios over the active samples in dB.
        resamples: number of bootstrap draws over speakers.
        seed: of the noise and of the draws.
        partial: accept incomplete copies of the corpora.
        resume: take from ``out`` the predictions that the same weights gave there of the same clips and noise.

    Returns:
        ``rows``: one dict for each model, pool and ratio, ``mean`` over the ratios included: ``model, noise, snr_db,
        ua, ci_low, ci_high``, ``differences`` with their intervals by the name of the other model, ``unpaired`` clips
        of the two that are left out of them, ``ua_female, ua_male``, ``n``, ``num_speakers``, ``chance``,
        ``parameters`` of the path to the emotion; ``recognition``: for models that recognise noise the UA by segment
        at each ratio.

    Raises:
        CorpusError: if a ratio is no number, the models have different classes, one heard the noise or can judge no
            row, or a corpus cannot be read.
        SpeakerLeakError: if a model was trained on recordings of a corpus under other names.
        UnknownNameError: for a model, corpus or denoiser that does not exist.
        RunError: if ``out`` cannot be written to.

    Example:
        >>> noise_curve(["runs/a", "runs/b"], {"ravdess": "R"}, {"esc10": "E"}, "curve")  # doctest: +SKIP
    """
    snrs_db = _checked(snrs_db)
    subjects = open_subjects(sources)
    if told := [subject.name for subject in subjects if not subject.encoders]:
        raise CorpusError(f"A noise curve needs models that can listen. Received predictions alone: {join(told)}.")
    first = subjects[0]
    subjects += [
        Subject(f"{first.name} + {name}", None, first.encoders, first.whole, first.tasks, denoise=name)
        for name in denoise
    ]
    names = [subject.name for subject in subjects]
    against = [against] if isinstance(against, str) else list(against or names[:1])
    if unknown := [name for name in against if name not in names]:
        raise unknown_name("model to compare with", unknown[0], names)
    for subject in subjects[1:]:
        if set(subject.classes) != set(subjects[0].classes):
            told = "; ".join(f"{each.name}: {join(each.classes, 20)}" for each in (subjects[0], subject))
            raise CorpusError(f"The models of a noise curve must have the same classes. Received: {told}.")
    table = read_tables(corpora, partial)
    roots = readers.folders(corpora)
    refuse_copies(subjects, table, roots)
    trained_on = {corpus for subject in subjects for corpus in subject.model(subject.encoders[0]).training_speakers}
    pools = [known_pool(noise), other_pool(other_noise or {}, babble or {}, trained_on, seed)]
    pools = [pool for pool in pools if pool]
    for subject in subjects:
        for source in subject.weights:
            check_unheard(subject.name, subject.model(source).card, pools)
    folder = None if out is None else writable(Path(out), "noise curve")

    told, recognition, parameters = {}, {}, {}
    heard = {"corpora": readers.fingerprints(table, roots), "pools": {pool.name: pool.digests() for pool in pools}}
    heard |= {"snrs_db": snrs_db, "seed": seed}
    for subject in subjects:
        kept = None if folder is None else _Kept(folder, subject, heard)
        answers = kept.read() if kept and resume else None
        if answers is None:
            answers = _listen(subject, table, roots, pools, snrs_db, seed)
            if kept:
                kept.write(*answers)
        parameters[subject.name] = emotion_parameters(subject.model(subject.encoders[0]))
        told[subject.name], counts = answers
        if counts:
            recognition[subject.name] = _recognition(counts, snrs_db)
    options = {"resamples": resamples, "seed": seed}
    rows = [
        {**row, "parameters": parameters[name]}
        for name in names
        for row in _rows(name, told[name], {other: told[other] for other in against if other != name}, options)
    ]
    found = {"against": against, "rows": rows, "recognition": recognition, **options}
    found["pools"] = {pool.name: {"types": pool.types, "files": pool.files} for pool in pools}
    if folder is not None:
        _write(folder, found)
    return found


def emotion_parameters(model: Any) -> int:
    """Count the weights that the emotion of a model depends on; what other tasks alone use does not count."""
    import keras

    return keras.Model(model.input, model.output["emotion"]).count_params()


def _listen(
    subject: Subject, table: pd.DataFrame, roots: Roots, pools: Sequence[Pool], snrs_db: Sequence[float], seed: int
) -> tuple[dict[tuple, pd.DataFrame], dict[str, np.ndarray]]:
    """Predictions by (pool, ratio), and by condition the confusions of known noise by segment."""
    from serzoo import layers, pipeline

    told: dict[tuple, list[pd.DataFrame]] = {}
    counts: dict[str, np.ndarray] = {}
    for model, rows in subject.parts(table):
        rows = rows.reset_index(drop=True)
        held = pipeline.Clips(rows, roots)
        for pool in (None, *pools):
            keys = [(None, None)] if pool is None else [(pool.name, snr_db) for snr_db in snrs_db]
            answers = pipeline.predict(model, held if pool is None else Mixed(held, rows, pool, snrs_db, seed))
            truth = []
            segment = layers.noise_segment_samples(model)
            if segment and (pool is None or pool.name == KNOWN):
                kinds = [CLEAN if pool is None else pool.draw(row, seed)[0] for row in rows.itertuples()]
                truth = _segments(list(model.heads["noise"]), segment, held, kinds)
            for i, key in enumerate(keys):
                name = _condition(*key)
                told.setdefault(key, []).append(_predictions(model, rows, answers["emotion"][i :: len(keys)], name))
                if truth:
                    counts[name] = counts.get(name, 0) + _confusion(truth, answers["noise"][i :: len(keys)])
    return {key: pd.concat(parts, ignore_index=True) for key, parts in told.items()}, counts


def _condition(pool: str | None, snr_db: float | None) -> str:
    return CLEAN if pool is None else f"{pool} {snr_db:g} dB"


class _Kept:
    """The answers of one model in the folder of the curve: a table, and beside it what they were made from."""

    def __init__(self, folder: Path, subject: Subject, heard: Mapping[str, Any]):
        weights = hashlib.sha256()
        for source in subject.weights:
            for values in subject.model(source).get_weights():
                weights.update(values.tobytes())
        self._made_from = json_ready({"model": subject.name, "weights": weights.hexdigest(), **heard})
        self._ratios = heard["snrs_db"]
        name = "".join(letter if letter.isalnum() or letter in "-_." else "_" for letter in subject.name)
        self._table, self._about = folder / f"{name}.csv.gz", folder / f"{name}.made_from.json"

    def write(self, told: Mapping[tuple, pd.DataFrame], counts: Mapping[str, np.ndarray]) -> None:
        predictions.write(self._table, pd.concat(told.values(), ignore_index=True))
        written = {name: each.tolist() for name, each in counts.items()}
        replace_file(self._about, to_json({"made_from": self._made_from, "noise_confusions": written}))

    def read(self) -> tuple[dict[tuple, pd.DataFrame], dict[str, np.ndarray]] | None:
        """What was written, or None if nothing was or it was made from something else."""
        if not self._about.is_file():
            return None
        about = json.loads(self._about.read_text(encoding="utf-8"))
        if about["made_from"] != self._made_from:
            return None
        keys = {_condition(pool, ratio): (pool, ratio) for pool in (KNOWN, OTHER) for ratio in self._ratios}
        told = {
            keys.get(condition, (None, None)): part.reset_index(drop=True)
            for condition, part in predictions.read(self._table).groupby("condition", sort=False)
        }
        return told, {name: np.array(each) for name, each in about["noise_confusions"].items()}


def _predictions(model: Any, rows: pd.DataFrame, answers: np.ndarray, condition: str) -> pd.DataFrame:
    card = model.card
    fixed = {"seed": card.get("seed") or 0, "fold": card.get("fold"), "condition": condition}
    return predictions.from_table(rows, answers, list(model.classes), **fixed)


def _segments(
    classes: Sequence[str], segment_samples: int, clips: Sequence[np.ndarray], kinds: Sequence[str]
) -> list[np.ndarray | None]:
    """Class of the noise of each segment, by clip; None for noise of a type that the model does not know."""
    from serzoo import layers
    from serzoo.listener import padded

    found = []
    for i, kind in enumerate(kinds):
        if kind not in classes:
            found.append(None)
            continue
        clean = padded([clips[i]])
        mixed = np.array([classes.index(kind)], "int32")
        heard = clean["waveform"], clean["num_samples"]
        told = layers.segment_noise_classes(*heard, mixed, len(classes), segment_samples)
        found.append(np.asarray(told)[0])
    return found


def _confusion(truth: Sequence[np.ndarray | None], answers: np.ndarray) -> np.ndarray:
    """Confusion of noise by segment, ``(classes, classes)``."""
    counts = np.zeros((answers.shape[-1],) * 2, int)
    for classes, told in zip(truth, answers, strict=True):
        if classes is not None:
            valid = int((told.sum(axis=-1) > 0.5).sum())
            np.add.at(counts, (classes[:valid], told[:valid].argmax(axis=-1)), 1)
    return counts


def _recognition(counts: Mapping[str, np.ndarray], snrs_db: Sequence[float]) -> dict[str, float]:
    """UA by segment at each ratio, with the clips without noise beside it, and over the ratios up to 10 dB."""
    both = {snr_db: counts[_condition(KNOWN, snr_db)] + counts[CLEAN] for snr_db in snrs_db}
    low = [snr_db for snr_db in snrs_db if snr_db <= RECOGNISED_DB]
    found = {f"{snr_db:g} dB": float(metrics.ua(each)) for snr_db, each in both.items()}
    if low:
        total = sum(both[snr_db] for snr_db in low)
        found[f"{min(low):g} to {max(low):g} dB"] = float(metrics.ua(total))
    return found


def _rows(name: str, told: Mapping[tuple, pd.DataFrame], others: Mapping[str, Mapping], options: Mapping) -> list[dict]:
    """Figures of one model under each condition, and over all ratios of a pool."""
    found = []
    for pool in dict.fromkeys(pool for pool, _ in told):
        ratios = [snr_db for each, snr_db in told if each == pool]
        for ratio in [*ratios, MEAN] if len(ratios) > 1 else ratios:
            chosen = ratios if ratio == MEAN else [ratio]
            summary = summarize(_joined(told, pool, chosen), **options)
            genders = {f"ua_{gender}": each["value"] for gender, each in summary["ua_by_gender"].items()}
            row = {"model": name, "noise": pool or CLEAN, "snr_db": ratio, "ua": summary["ua"]["value"]}
            row |= {key: summary["ua"][key] for key in ("ci_low", "ci_high")}
            pairs = {
                other: compare(_joined(told, pool, chosen), _joined(theirs, pool, chosen), **options)
                for other, theirs in others.items()
            }
            row["differences"] = {other: each["ua"] for other, each in pairs.items()}
            row["unpaired"] = {other: sum(each["unpaired"].values()) // len(chosen) for other, each in pairs.items()}
            size = {"n": summary["n"] // len(chosen), "num_speakers": summary["num_speakers"]}
            found.append(row | genders | size | {"chance": summary["chance"]})
    return found


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as the table holds it: columns ``minus_MODEL, minus_MODEL_ci_low, minus_MODEL_ci_high``."""
    ends = {"": "value", "_ci_low": "ci_low", "_ci_high": "ci_high"}
    differences = row["differences"].items()
    flat = {f"minus_{other}{end}": each[key] for other, each in differences for end, key in ends.items()}
    return {key: value for key, value in row.items() if key not in ("differences", "unpaired")} | flat


def _joined(told: Mapping[tuple, pd.DataFrame], pool: str | None, ratios: Sequence) -> pd.DataFrame:
    """Put conditions side by side as if each were a clip of its own: each has the same clips, so UA is their mean.

    Each clip is judged by one network, and that of another model may have another seed: pairs do not ask for it.
    """
    parts = [told[pool, ratio].assign(file=told[pool, ratio]["file"] + f" {ratio}", seed=0) for ratio in ratios]
    return pd.concat(parts, ignore_index=True).drop(columns="condition")


def _checked(snrs_db: Sequence[float]) -> list[float]:
    snrs_db = [snrs_db] if isinstance(snrs_db, (str, float, int)) else list(snrs_db)
    check_ratios(snrs_db)
    if not snrs_db or len(set(snrs_db)) < len(snrs_db):
        raise CorpusError(f"snrs_db must be one or more different ratios in dB. Received: {snrs_db}.")
    return [float(snr_db) for snr_db in snrs_db]


def _write(folder: Path, found: Mapping[str, Any]) -> None:
    replace_file(folder / "noise_curve.json", to_json(found))
    replace_file(folder / "noise_curve.csv", pd.DataFrame(map(_flat, found["rows"])).to_csv(index=False).encode())
    replace_file(folder / "noise_curve.md", noise_report.markdown_of(found).encode())
    replace_file(folder / "noise_curve.png", noise_report.png_of(found))
