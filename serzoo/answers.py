"""What ``serzoo predict`` does with many recordings: find them, judge each, write the answers."""

import csv
import io
import json
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from serzoo import audio
from serzoo.errors import SerzooError

Failures = list[tuple[str, str]]


def find_recordings(paths: Iterable[Path]) -> tuple[list[Path], Failures]:
    """Replace folders by the audio files below them.

    Args:
        paths: files and folders; a file is taken whatever its name.

    Returns:
        Files, each once, in the order of ``paths``; and ``(path, reason)`` of what is not there or holds none.
    """
    files: dict[Path, None] = {}
    failures = []
    for path in paths:
        try:
            if not path.exists():
                failures.append((str(path), "no such file or folder."))
            elif path.is_file():
                files[path] = None
            elif not path.is_dir():  # reading a pipe could wait for ever
                failures.append((str(path), "neither a file nor a folder."))
            elif below := audio.find(path, foreign=True):
                files.update(dict.fromkeys(below))
            else:
                failures.append((str(path), "no audio file in this folder."))
        except (SerzooError, OSError) as error:
            failures.append((str(path), str(error)))
    return list(files), list(dict.fromkeys(failures))


def judge(
    model: Any, files: Sequence[Path], *, window_s: float | None = None, hop_s: float | None = None
) -> tuple[list[dict[str, Any]], Failures]:
    """Classify files one by one; a bad one does not stop the others.

    Args:
        model: a classifier with ``classify`` and ``segments``.
        files: recordings.
        window_s: length of a window in seconds; None judges each file as a whole.
        hop_s: time between windows in seconds.

    Returns:
        ``{"file": ..., "predictions": [{"label", "score"}, ...]}`` for each file, with ``"segments"`` instead where
        there is a window; and ``(path, reason)`` of the files that were refused.
    """
    found, failures = [], []
    for path in _progress(files):
        try:
            if window_s is None:
                found.append({"file": str(path), "predictions": model.classify(path)})
            else:
                found.append({"file": str(path), "segments": model.segments(path, window_s=window_s, hop_s=hop_s)})
        except (SerzooError, OSError) as error:
            failures.append((str(path), str(error)))
    return found, failures


def render(found: Sequence[dict[str, Any]], classes: Sequence[str], form: str, *, windowed: bool = False) -> str:
    """Write answers as text.

    Args:
        found: answers of :func:`judge`.
        classes: class names, the order of the columns.
        form: ``"table"``, ``"json"`` or ``"csv"``.
        windowed: whether the answers are segments.

    Returns:
        Text that ends with a line break; empty where a table would have no row.
    """
    if form == "json":
        return json.dumps([_rounded(answer) for answer in found], indent=2, ensure_ascii=False) + "\n"
    header = ["file", "start", "end", "label", "score"] if windowed else ["file", "label", "score"]
    rows = [row for answer in found for row in (_segment_rows(answer) if windowed else [_row(answer, classes)])]
    if not windowed:
        header += [f"p_{name}" for name in classes] if form == "csv" else list(classes)
    if form == "csv":
        text = io.StringIO()
        csv.writer(text, lineterminator="\n").writerows([header, *rows])
        return text.getvalue()
    if not rows:
        return ""
    widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
    lines = ("  ".join(map(str.ljust, line, widths)).rstrip() for line in [header, *rows])
    return "\n".join(lines) + "\n"


def _row(answer: dict[str, Any], classes: Sequence[str]) -> list[str]:
    best = answer["predictions"][0]
    scores = {each["label"]: each["score"] for each in answer["predictions"]}
    return [answer["file"], best["label"], f"{best['score']:.4f}", *(f"{scores[name]:.4f}" for name in classes)]


def _segment_rows(answer: dict[str, Any]) -> list[list[str]]:
    return [
        [answer["file"], f"{each['start']:.2f}", f"{each['end']:.2f}", each["label"], f"{each['score']:.4f}"]
        for each in answer["segments"]
    ]


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_rounded(item) for item in value]
    return value if isinstance(value, str) else round(float(value), 6)


def _progress(files: Sequence[Path]) -> Iterable[Path]:
    if len(files) < 2 or not sys.stderr.isatty():
        return files
    from rich.console import Console
    from rich.progress import track

    return track(files, description="Judging", console=Console(stderr=True), transient=True)
