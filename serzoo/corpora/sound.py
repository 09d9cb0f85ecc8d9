"""What decoding the files of a corpus finds: empty, unreadable, silent, clipped and bit-identical ones."""

import hashlib
import os
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from serzoo.corpora.corpus import stem_of
from serzoo.errors import SerzooError

_SILENT_PEAK = 1e-4  # -80 dB below full scale
# Three samples in a row: the crest of a loud tone of more than 40 Hz has fewer at 16 kHz.
_CLIPPED_PEAK, _CLIPPED_RUN = 0.9999, 3
_SHOWN = 5


@dataclass(frozen=True)
class Sound:
    """What decoding the files of a corpus found.

    Args:
        num_files: number of files looked at.
        duration_s: what could be decoded, in seconds.
        same_duration_s: the duration that ten files or more all share, or ``None``.
        empty: files of 0 bytes.
        unreadable: file to reason.
        excerpts: those that their files do not have, one line for each.
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
    excerpts: list[str] = field(default_factory=list)
    silent: list[str] = field(default_factory=list)
    clipped: list[str] = field(default_factory=list)
    duplicates: list[tuple[str, ...]] = field(default_factory=list)
    known_duplicates: list[tuple[str, ...]] = field(default_factory=list)

    @property
    def problems(self) -> list[str]:
        """One line for each bad file."""
        problems = [f"empty: {file}" for file in self.empty]
        problems += [f"unreadable: {file}: {reason}" for file, reason in self.unreadable.items()]
        problems += [f"no such excerpt: {excerpt}" for excerpt in self.excerpts]
        problems += [f"silent: {file}" for file in self.silent]
        problems += [f"bit-identical: {' = '.join(group)}" for group in self.duplicates]
        if self.same_duration_s is not None:
            problems.append(f"all files last {self.same_duration_s:.3f} s: cut or padded, not the official recordings")
        return problems

    def lines(self) -> Iterator[str]:
        """Lines of a report, without the problems."""
        yield f"sound: {self.num_files} files, {self.duration_s / 60:.1f} minutes decoded"
        if self.clipped:
            yield f"clipped, kept as it is: {len(self.clipped)} ({some(self.clipped)})"
        for group in self.known_duplicates:
            yield f"bit-identical in the official release too: {' = '.join(group)}"


def listen(
    root: Path,
    files: Sequence[str],
    *,
    known_duplicates: Iterable[Collection[str]] = (),
    file_duration_s: float | None = None,
    excerpts: Iterable[tuple[str, float, float]] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Sound:
    """Decode files, to find empty, unreadable, silent and bit-identical ones.

    Args:
        root: folder that the files are relative to.
        files: posix paths.
        known_duplicates: groups of file names, without suffix, that are bit-identical in the official release.
        file_duration_s: what every official file lasts, where they are all cut to one duration, in seconds.
        excerpts: file, start and end in seconds of each row that is a part of its file; the end may be infinite.
        progress: called with the number of files decoded so far and of all files.

    Returns:
        What was found.
    """
    empty = [file for file in files if (root / file).is_file() and (root / file).stat().st_size == 0]
    heard = []
    # Decoding and resampling release the interpreter lock; a few threads keep the memory small.
    with ThreadPoolExecutor(min(4, os.cpu_count() or 1)) as pool:
        listened = pool.map(lambda file: _hear(root, file), [file for file in files if file not in set(empty)])
        for done, one in enumerate(listened, start=1):
            heard.append(one)
            if progress:
                progress(done + len(empty), len(files))
    good = [one for one in heard if one.error is None]
    durations = {one.duration_s for one in good}
    audible = [one for one in good if one.peak >= _SILENT_PEAK]
    all_last_the_same = len(good) >= 10 and len(durations) == 1 and durations != {file_duration_s}
    known, unknown = [], []
    for group in _groups(audible):
        is_known = any({stem_of(file) for file in group} <= pair for pair in known_duplicates)
        (known if is_known else unknown).append(group)
    return Sound(
        num_files=len(files),
        duration_s=sum(one.duration_s for one in good),
        same_duration_s=durations.pop() if all_last_the_same else None,
        empty=empty,
        unreadable={one.file: one.error for one in heard if one.error is not None},
        excerpts=list(_not_there(excerpts, {one.file: one.duration_s for one in good})),
        silent=[one.file for one in good if one.peak < _SILENT_PEAK],
        clipped=[one.file for one in good if one.is_clipped],
        duplicates=unknown,
        known_duplicates=known,
    )


def some(files: Sequence[str]) -> str:
    """Name the first of many files."""
    return ", ".join(files[:_SHOWN]) + (", ..." if len(files) > _SHOWN else "")


class _Heard(NamedTuple):
    file: str
    error: str | None
    duration_s: float = 0.0
    peak: float = 0.0
    is_clipped: bool = False
    digest: bytes = b""


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


def _not_there(excerpts: Iterable[tuple[str, float, float]], durations_s: dict[str, float]) -> Iterator[str]:
    from serzoo.audio import MIN_DURATION_S, SHORTEST_S

    for file, start, end in excerpts:
        if file not in durations_s:
            continue
        duration_s = durations_s[file]
        beyond = duration_s + MIN_DURATION_S < end < float("inf")  # corpora round
        if beyond or min(end, duration_s) - start < SHORTEST_S:
            yield f"{file} lasts {duration_s:.3f} s, of which {start:g} to {end:g} s are asked for"


def _groups(heard: list[_Heard]) -> Iterator[tuple[str, ...]]:
    files_of: dict[bytes, list[str]] = {}
    for one in heard:
        files_of.setdefault(one.digest, []).append(one.file)
    return (tuple(files) for files in files_of.values() if len(files) > 1)
