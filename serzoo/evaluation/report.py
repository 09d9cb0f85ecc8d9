"""The files of an evaluation, among them report.html: one page that asks for nothing from elsewhere."""

import base64
import io
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import audio
from serzoo.errors import AudioError, MissingFileError, RunError
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.adaptation import tested_were_heard
from serzoo.evaluation.calibration import NUM_BINS
from serzoo.evaluation.figures import decimal, interval
from serzoo.evaluation.plots import summary_png
from serzoo.files import json_ready, replace_file, to_json

MAX_CLIPS = 24
CLIP_S = 8.0
# of an audit's conditions, "gain -30 dB" is no ratio to a noise
_SNR = re.compile(r"(?!gain )(?:(?P<name>.+?),? at (?P<a>-?[\d.]+) dB|(?P<other>.+?) (?P<b>-?[\d.]+) dB)")
_COLOURS = (
    "rgb(var(--main))",
    "var(--after)",
    "var(--men)",
    "var(--women)",
    "#7a6cc4",
    "#8a8f2d",
    "#c04f5d",
    "#5c8aa8",
)


def write_report(
    folder: Path,
    report: dict[str, Any],
    predictions: pd.DataFrame,
    main: pd.DataFrame,
    roots: Mapping[str, str | os.PathLike],
    num_clips: int = 12,
) -> None:
    """Write the files of an evaluation.

    Args:
        folder: exists; each file is replaced as a whole.
        report: what :func:`serzoo.evaluation.evaluate` gives; ``failed`` gets the recordings that cannot be played.
        predictions: all answers.
        main: those of the condition that the figures are for.
        roots: folder of each corpus, for the recordings of the worst confusions.
        num_clips: how many of these the page holds, 0 to 24.

    Raises:
        RunError: if the disk is full or the folder read-only.
    """
    stamp = "; ".join(report["notes"])
    worst = worst_confusions(main, min(num_clips, MAX_CLIPS) or 12)
    if num_clips > 0:
        worst, unheard = _with_sounds(worst, roots)
        report["failed"] = [*report["failed"], *unheard]
    try:
        files = {
            "predictions.csv": tables.to_csv(predictions),
            "confusion.png": summary_png(report, f"{report['model']} on {_on(report)}", stamp),
            "report.html": page(report, worst).encode(),
            "report.json": to_json(report),
        }
        # The report goes first and comes last: where it stands, the files beside it belong to it.
        (folder / "report.json").unlink(missing_ok=True)
        for name, data in files.items():
            replace_file(folder / name, data)
    except OSError as error:
        raise RunError(f"The report could not be written to {folder}: {error.strerror}.") from error


def page(report: Mapping[str, Any], worst: list[dict[str, Any]] = ()) -> str:
    """Render the page.

    Args:
        report: what :func:`serzoo.evaluation.evaluate` gives.
        worst: of :func:`worst_confusions`; ``sound``, if there is one, is a data URL.

    Returns:
        HTML that asks for nothing from elsewhere.

    Example:
        >>> page(report).startswith("<!doctype html>")  # doctest: +SKIP
        True
    """
    import jinja2

    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).with_name("templates")),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"percent": _percent, "interval": _interval, "points": _points, "decimal": decimal}
    report = json_ready(report)  # NaN is None
    beside = [{**each, "note": _note(each)} for each in report["published"]]
    curves, single = _curves(report["conditions"])
    genders = report["recall_by_gender"]
    return environment.get_template("report.html.j2").render(
        report=report,
        css=jinja2.utils.markupsafe.Markup(Path(__file__).with_name("templates").joinpath("report.css").read_text()),
        on=_on(report),
        sizes=_sizes(report),
        beside_ua=[each for each in beside if each["figure"] == "ua"],
        beside_wa=[each for each in beside if each["figure"] == "wa"],
        matrix=_matrix(report["confusion"]),
        genders=[("female", "c-women"), ("male", "c-men")] if {"female", "male"} <= set(genders) else [],
        temperature=_temperature(report["calibration"]["temperature"]),
        curves=curves,
        ratios=sorted({point["snr_db"] for curve in curves for point in curve["points"]}),
        clean=next((each["ua"] for each in report["conditions"] if each["condition"] == "clean"), None),
        single_conditions=single,
        worst=worst,
        some_heard=tested_were_heard(report["notes"]),
        has_sound=any(each.get("sound") for each in worst),
        facts=_facts(report),
    )


def worst_confusions(predictions: pd.DataFrame, limit: int = 12, of_a_kind: int = 2) -> list[dict[str, Any]]:
    """List the wrong answers that were given with the most confidence.

    Args:
        predictions: a valid table of one condition.
        limit: how many at most.
        of_a_kind: how many at most with the same truth and answer.

    Returns:
        ``{"corpus", "file", "start", "end", "speaker", "truth", "answer", "p_answer", "p_truth", "where"}``, the surest
        first; an utterance comes once, whatever the number of seeds.

    Example:
        >>> keys = {"corpus": "toy", "file": "a.wav", "start": np.nan, "end": np.nan, "speaker": "1"}
        >>> rows = pd.DataFrame([{**keys, "truth": "anger", "p_anger": 0.2, "p_fear": 0.8}])
        >>> [(each["truth"], each["answer"], each["p_answer"]) for each in worst_confusions(rows)]
        [('anger', 'fear', 0.8)]
    """
    labels = tables.classes(predictions)
    rows = predictions[predictions["truth"].isin(labels)].reset_index(drop=True)
    probabilities, truth = tables.arrays(rows)
    every, answer = np.arange(len(rows)), probabilities.argmax(axis=1)
    p_answer, p_truth = probabilities[every, answer], probabilities[every, truth]
    order = np.lexsort((rows["file"], truth, -p_answer))
    found, kinds, seen = [], {}, set()
    for i in order.tolist():
        kind, utterance = (truth[i], answer[i]), (rows["corpus"][i], rows["file"][i], str(rows["start"][i]))
        if truth[i] == answer[i] or utterance in seen or kinds.get(kind, 0) >= of_a_kind:
            continue
        seen.add(utterance)
        kinds[kind] = kinds.get(kind, 0) + 1
        start, end = float(rows["start"][i]), float(rows["end"][i])
        found.append(
            {
                **{name: rows[name][i] for name in ("corpus", "file", "speaker", "truth")},
                **{"start": start, "end": end, "answer": labels[answer[i]]},
                **{"p_answer": float(p_answer[i]), "p_truth": float(p_truth[i])},
                "where": _where(start, end),
            }
        )
        if len(found) == limit:
            break
    return found


def _where(start: float, end: float) -> str:
    if np.isnan(start):
        return ""
    return f" from {start:.1f} s" if np.isnan(end) else f" from {start:.1f} to {end:.1f} s"


def _with_sounds(
    rows: list[dict[str, Any]], roots: Mapping[str, str | os.PathLike]
) -> tuple[list[dict[str, Any]], list[dict[str, str]]]:
    """Rows with their recordings, and ``{"corpus", "file", "reason"}`` of those that cannot be read."""
    found, failed = [], {}
    for row in rows:
        try:
            found.append({**row, "sound": _sound(row, roots)})
        except (AudioError, MissingFileError, OSError) as error:
            found.append(row)
            failed[row["corpus"], row["file"]] = {"corpus": row["corpus"], "file": row["file"], "reason": str(error)}
    return found, list(failed.values())


def _sound(row: Mapping[str, Any], roots: Mapping[str, str | os.PathLike]) -> str:
    """At most 8 s of a recording as a data URL: mono, 16 kHz, MP3 where libsndfile writes it, else FLAC."""
    import soundfile

    waveform = audio.read(Path(roots[row["corpus"]]) / row["file"], start_s=row["start"], end_s=row["end"])
    waveform = np.clip(waveform[: int(CLIP_S * audio.SAMPLE_RATE_HZ)], -1.0, 1.0)
    form, kind = ("MP3", "audio/mpeg") if "MP3" in soundfile.available_formats() else ("FLAC", "audio/flac")
    packed = io.BytesIO()
    soundfile.write(packed, waveform, audio.SAMPLE_RATE_HZ, format=form)
    return f"data:{kind};base64,{base64.b64encode(packed.getvalue()).decode()}"


def _on(report: Mapping[str, Any]) -> str:
    names = report["protocol"] or " + ".join(report["corpora"])
    fold = None if report["fold"] is None else f"fold {report['fold']}"
    return ", ".join(filter(None, (names, fold, report["condition"])))


def _sizes(report: Mapping[str, Any]) -> str:
    sizes = {"utterance": report["n"], "speaker": report["num_speakers"]}
    sizes |= {"fold": report["folds"], "seed": report["seeds"]}
    return ", ".join(f"{size:,} {thing}{'s' * (size != 1)}" for thing, size in sizes.items() if size)


def _note(each: Mapping[str, Any]) -> str:
    return "; ".join(filter(None, (each["source"], each["remark"])))


def _matrix(confusion: Mapping[str, Any]) -> list[dict[str, Any]]:
    lines = []
    for i, (label, counts) in enumerate(zip(confusion["labels"], confusion["counts"], strict=True)):
        total, cells = sum(counts), []
        for j, count in enumerate(counts):
            share = count / total if total else 0.0
            text = f"{100 * share:.0f}" if share >= 0.005 else "<1"
            cell = {"label": confusion["labels"][j], "count": count, "text": text, "right": i == j}
            cells.append({**cell, "shade": round(0.05 + 0.9 * share, 3), "dark": share > 0.45})
        lines.append({"label": label, "total": total, "cells": cells})
    return lines


def _curves(conditions: list[dict[str, Any]]) -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Conditions that differ in their ratio alone, as curves, and the others."""
    points: dict[str, list[dict[str, Any]]] = {}
    single = []
    for each in conditions:
        if match := _SNR.fullmatch(each["condition"]):
            name, ratio = match["name"] or match["other"], match["a"] or match["b"]
            points.setdefault(name, []).append({**each, "snr_db": float(ratio)})
        else:
            single.append(each)
    curves = []
    for name, found in points.items():
        if len(found) < 2:
            single += found
            continue
        colour = _COLOURS[len(curves) % len(_COLOURS)]
        curves.append({"name": name, "colour": colour, "points": sorted(found, key=lambda point: point["snr_db"])})
    return curves, single


def _temperature(values: list[float] | None) -> str:
    if not values:
        return ""
    low, high = f"{min(values):.2f}", f"{max(values):.2f}"
    return low if low == high else f"{low} to {high}"


def _facts(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    bootstrap = report["bootstrap"]
    facts = {
        "model": report["model"],
        "licence of the weights": report["licence"],
        "parameters": f"{report['parameters']:,}" if report["parameters"] else None,
        "corpora": ", ".join(report["corpora"]),
        "protocol": report["protocol"],
        "sound judged": f"{report['audio_s'] / 60:.1f} minutes" if report["audio_s"] else None,
        "intervals": f"{bootstrap['method']} bootstrap over speakers, {bootstrap['resamples']:,} draws, "
        f"seed {bootstrap['seed']}, {100 * bootstrap['level']:.0f} %",
        "calibration error": f"{NUM_BINS} bins of equal width, of the probability of the answer",
        "made with": f"serzoo {report['serzoo_version']}",
    }
    return [(key, value) for key, value in facts.items() if value]


def _points(value: float | None) -> str:
    return "–" if value is None else f"{100 * value:.1f}"


def _percent(entry: Mapping[str, Any]) -> str:
    return "–" if entry["value"] is None else f"{100 * entry['value']:.1f} %"


def _interval(entry: Mapping[str, Any]) -> str:
    return interval(entry) or "no interval"
