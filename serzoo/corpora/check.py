"""Compare a copy of a corpus with the official numbers, and look for bad recordings in it."""

import hashlib
import os
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from serzoo.corpora.corpus import CorpusInfo, stem_of
from serzoo.corpora.video import with_sound
from serzoo.errors import SerzooError

_SILENT_PEAK = 1e-4  # -80 dB below full scale
# Three samples in a row: the crest of a loud tone of more than 40 Hz has fewer at 16 kHz.
_CLIPPED_PEAK, _CLIPPED_RUN = 0.9999, 3
_SHOWN = 5


class Count(NamedTuple):
    """Number of utterances found, and the official one or ``None`` where none is published."""

    found: int
    official: int | None


@dataclass(frozen=True)
class Report:
    """What :func:`check` found.

    Args:
        info: the official numbers.
        root: the folder that was checked.
        emotions: count for each emotion.
        genders: count for each gender.
        speakers: count for each speaker.
        skipped: recordings that are not in the table, by reason.
        absent: emotions that the copy leaves out as a whole, where the corpus allows it.
        sound: what decoding found, or ``None`` if it was not asked for.
    """

    info: CorpusInfo
    root: str
    emotions: Mapping[str, Count]
    genders: Mapping[str, Count]
    speakers: Mapping[str, Count]
    skipped: Mapping[str, list[str]]
    absent: tuple[str, ...]
    sound: "Sound | None"

    @property
    def problems(self) -> list[str]:
        """One line for each kind of difference and each bad file; notes and skipped files are no problem."""
        problems = []
        for kind, counts in (("emotion", self.emotions), ("gender", self.genders), ("speaker", self.speakers)):
            wrong = [
                f"{name} {n.found} of {n.official}" for name, n in counts.items() if n.official not in (None, n.found)
            ]
            if wrong:
                problems.append(f"files by {kind}: {', '.join(wrong)}")
        return problems + (self.sound.problems if self.sound else [])

    @property
    def ok(self) -> bool:
        """Whether the copy is what it should be."""
        return not self.problems

    def text(self) -> str:
        """Render the report for a terminal."""
        return "\n".join(_lines(self))

    def __str__(self):
        return self.text()


@dataclass(frozen=True)
class Sound:
    """What decoding the files of a corpus found.

    Args:
        num_files: number of files looked at.
        duration_s: what could be decoded, in seconds.
        same_duration_s: the duration that ten files or more all share, or ``None``.
        empty: files of 0 bytes.
        unreadable: file to reason.
        silent: files that never exceed -80 dB full scale.
        clipped: files with three samples in a row at full scale, at 16 kHz. They are no problem: a loud recording that
            is official as it is.
        duplicates: groups of files that decode to the same samples.
        known_duplicates: those groups that are part of the official release.
    """

    num_files: int
    duration_s: float
    same_duration_s: float | None = None
    empty: list[str] = field(default_factory=list)
    unreadable: dict[str, str] = field(default_factory=dict)
    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, ...]] = field(default_factory=list)
    known_duplicates: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One line for each bad file."""
        problems = [f"empty: {file}" for file in self.empty]
        problems += [f"unreadable: {file}: {reason}" for file, reason in self.unreadable.items()]
        problems += [f"silent: {file}" for file in self.silent]
        problems += [f"bit-identical: {' = '.join(group)}" for group in self.duplicates]
        if self.same_duration_s is not None:
            problems.append(f"all files last {self.same_duration_s:.3f} s: cut or padded, not the official recordings")
        return problems


def check(
    name: str,
    root: str | PathLike,
    *,
    sound: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> Report:
    """Compare a copy of a corpus with the official numbers.

    Args:
        name: as of :func:`serzoo.corpora.read`.
        root: folder in the official layout, complete or not; for a table its file.
        sound: whether to decode every file, to find empty, unreadable, silent and bit-identical ones.
        progress: called with the number of files decoded so far and of all files.
        **options: as of :func:`serzoo.corpora.read`.

    Returns:
        The report; ``print`` it, or ask for its ``ok`` and ``problems``.

    Raises:
        UnknownNameError: if there is no such corpus.
        CorpusError: if the root is missing, a file, empty or another corpus; if an option is not known; if sound is to
            be taken out of videos and ffmpeg is not there.

    Example:
        >>> check("ravdess", "RAVDESS").ok  # doctest: +SKIP
        True
    """
    from serzoo.corpora import folder, info, scan  # the package imports this file

    official = info(name)
    rows, skipped = scan(name, root, **options)
    base = folder(name, root, **options)
    if sound and official.videos:
        rows = with_sound(base, rows)
    found = Counter(row.get("emotion", "no emotion") for row in rows)
    absent = [emotion for emotion in official.emotions if official.emotions_stand_alone and not found[emotion]]
    emotions = {emotion: n for emotion, n in official.emotions.items() if emotion not in absent}
    emotions |= {"no emotion": official.unlabelled} if official.unlabelled else {}
    speakers = {
        speaker: sum(n for emotion, n in counts.items() if emotion in emotions)
        for speaker, counts in official.speaker_emotions.items()
    }
    genders: Counter[str] = Counter()
    for speaker, count in speakers.items():
        genders[official.speakers[speaker]] += count
    files = sorted({row["file"] for row in rows})
    return Report(
        info=official,
        root=str(root),
        emotions=_counts(found, emotions),
        genders=_counts(Counter(row.get("gender", "unknown") for row in rows), genders),
        speakers=_counts(Counter(row.get("speaker", "unknown") for row in rows), speakers, official.speakers),
        skipped=skipped,
        absent=tuple(absent),
        sound=_listen(official, base, files, progress or (lambda done, total: None)) if sound else None,
    )


def _counts(found: Counter, official: Mapping[str, int], also: Mapping[str, str] | None = None) -> dict[str, Count]:
    # Where nothing is published no count can be wrong; where something is, a name outside it is wrong.
    other = 0 if official else None
    return {name: Count(found[name], official.get(name, other)) for name in sorted({*official, *found, *(also or {})})}


def _all_last_the_same(official: CorpusInfo, durations: set[float], num_files: int) -> bool:
    return num_files >= 10 and len(durations) == 1 and durations != {official.file_duration_s}


class _Heard(NamedTuple):
    file: str
    error: str | None
    duration_s: float = 0.0
    peak: float = 0.0
    is_clipped: bool = False
    digest: bytes = b""


def _listen(official: CorpusInfo, root: Path, files: list[str], progress: Callable[[int, int], None]) -> Sound:
    empty = [file for file in files if (root / file).is_file() and (root / file).stat().st_size == 0]
    heard = []
    # Decoding and resampling release the interpreter lock; a few threads keep the memory small.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        listened = pool.map(lambda file: _hear(root, file), [file for file in files if file not in set(empty)])
        for done, one in enumerate(listened, start=1):
            heard.append(one)
            progress(done + len(empty), len(files))
    good = [one for one in heard if one.error is None]
    durations = {one.duration_s for one in good}
    audible = [one for one in good if one.peak >= _SILENT_PEAK]
    known, unknown = [], []
    for group in _groups(audible):
        is_known = any({stem_of(file) for file in group} <= pair for pair in official.known_duplicates)
        (known if is_known else unknown).append(group)
    return Sound(
        num_files=len(files),
        duration_s=sum(one.duration_s for one in good),
        same_duration_s=durations.pop() if _all_last_the_same(official, durations, len(good)) else None,
        empty=empty,
        unreadable={one.file: one.error for one in heard if one.error is not None},
        silent=[one.file for one in good if one.peak < _SILENT_PEAK],
        clipped=[one.file for one in good if one.is_clipped],
        duplicates=unknown,
        known_duplicates=known,
    )


def _hear(root: Path, file: str) -> _Heard:
    import numpy as np

    from serzoo import audio

    try:
        samples = audio.read(root / file)
    except (SerzooError, OSError) as error:
        return _Heard(file, str(error).replace(f"{root}{os.sep}", ""))
    level = np.abs(samples)
    hot = np.flatnonzero(level >= _CLIPPED_PEAK)
    last = _CLIPPED_RUN - 1
    return _Heard(
        file,
        error=None,
        duration_s=len(samples) / audio.SAMPLE_RATE_HZ,
        peak=float(level.max()),
        is_clipped=bool((hot[last:] - hot[: len(hot) - last] == last).any()) if len(hot) > last else False,
        digest=hashlib.sha256(samples.tobytes()).digest(),
    )


def _groups(heard: list[_Heard]) -> Iterator[tuple[str, ...]]:
    files_of: dict[bytes, list[str]] = {}
    for one in heard:
        files_of.setdefault(one.digest, []).append(one.file)
    return (tuple(files) for files in files_of.values() if len(files) > 1)


def _lines(report: Report) -> Iterator[str]:
    info, num_found = report.info, sum(count.found for count in report.emotions.values())
    yield f"{info.name}: {info.title}"
    yield f"{info.reference}; licence {info.licence}"
    yield (
        f"{report.root}: {num_found} of {info.num_files} files"
        if info.num_files
        else f"{report.root}: {num_found} rows"
    )
    for title, counts in (("emotion", report.emotions), ("gender", report.genders), ("speaker", report.speakers)):
        yield ""
        yield f"{title:<14}{'found':>8}{'official':>10}"
        for name, (found, official) in counts.items():
            mark = "" if official in (None, found) else "  differs"
            yield f"{name:<14}{found:>8}{'-' if official is None else official:>10}{mark}"
    yield ""
    for reason, files in report.skipped.items():
        yield f"skipped, {reason}: {len(files)} ({_some(files)})"
    if report.absent:
        yield f"absent as a whole: {', '.join(report.absent)}"
    if report.sound is None:
        yield "sound: not looked at"
    else:
        sound = report.sound
        yield f"sound: {sound.num_files} files, {sound.duration_s / 60:.1f} minutes decoded"
        if sound.clipped:
            yield f"clipped, kept as it is: {len(sound.clipped)} ({_some(sound.clipped)})"
        for group in sound.known_duplicates:
            yield f"bit-identical in the official release too: {' = '.join(group)}"
    yield from (f"note: {note}" for note in info.notes)
    problems = report.problems
    if not problems:
        whole = len(report.emotions)
        share = f"complete in {whole} of {whole + len(report.absent)} emotions" if report.absent else "complete"
        yield f"ok: {share}"
    else:
        yield f"{len(problems)} {'problem' if len(problems) == 1 else 'problems'}:"
        yield from (f"  {problem}" for problem in problems)


def _some(files: list[str]) -> str:
    return ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")
