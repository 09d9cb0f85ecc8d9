"""What ``serzoo predict`` does with many recordings: find them, judge each, write the answers."""

import csv
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

from serzoo import audio
from serzoo.cli.terminal import columns
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
    model: Any,
    files: Sequence[Path],
    failures: Failures,
    *,
    window_s: float | None = None,
    hop_s: float | None = None,
    show_progress: bool = True,
) -> Iterator[dict[str, Any]]:
    """Classify files one by one; a bad one does not stop the others.

    Args:
        model: a classifier with ``classify`` and ``segments``.
        files: recordings.
        failures: ``(path, reason)`` of the files that are refused is added to this list.
        window_s: length of a window in seconds; None judges each file as a whole.
        hop_s: time between windows in seconds.
        show_progress: whether to show a bar, if stderr is a terminal.

    Yields:
        ``{"file": ..., "predictions": [{"label", "score"}, ...]}`` for each file, with ``"segments"`` instead where
        there is a window.
    """
    for path in _progress(files) if show_progress else files:
        try:
            if window_s is None:
                answer = {"file": str(path), "predictions": model.classify(path)}
            else:
                answer = {"file": str(path), "segments": model.segments(path, window_s=window_s, hop_s=hop_s)}
        except (SerzooError, OSError) as error:
            failures.append((str(path), str(error)))
        else:
            yield answer


def write(
    answers: Iterable[dict[str, Any]], classes: Sequence[str], form: str, out: TextIO, *, windowed: bool = False
) -> None:
    """Write answers as text: CSV one by one as they come, the other forms once there are no more.

    What was there before an interruption or an error is written, too.

    Args:
        answers: answers of :func:`judge`.
        classes: class names, the order of the columns.
        form: ``"table"``, ``"json"`` or ``"csv"``.
        out: where to write to; nothing is written where a table would have no row.
        windowed: whether the answers are segments.
    """
    header = ["file", "start", "end", "label", "score"] if windowed else ["file", "label", "score"]
    if not windowed:
        header += [f"p_{name}" for name in classes] if form == "csv" else classes
    if form == "csv":
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(header)
        for answer in answers:
            writer.writerows(_rows(answer, classes))
            out.flush()
        return
    found = []
    try:
        for answer in answers:
            found.append(answer)
    finally:
        if form == "json":
            out.write(json.dumps([_rounded(answer) for answer in found], indent=2, ensure_ascii=False) + "\n")
        elif rows := [[_printable(file), *row] for answer in found for file, *row in _rows(answer, classes)]:
            out.write(columns([header, *rows]))
        out.flush()


def _rows(answer: dict[str, Any], classes: Sequence[str]) -> list[list[str]]:
    if "segments" in answer:
        return [
            [answer["file"], f"{each['start']:.2f}", f"{each['end']:.2f}", each["label"], f"{each['score']:.4f}"]
            for each in answer["segments"]
        ]
    best = answer["predictions"][0]
    scores = {each["label"]: each["score"] for each in answer["predictions"]}
    return [[answer["file"], best["label"], f"{best['score']:.4f}", *(f"{scores[name]:.4f}" for name in classes)]]


def _printable(file: str) -> str:
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in file)


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
