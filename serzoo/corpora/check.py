"""Compare a copy of a corpus with the official numbers."""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from serzoo.corpora.corpus import NO_SUCH_FILE, CorpusInfo
from serzoo.corpora.findings import Findings
from serzoo.corpora.noise import noise_names
from serzoo.corpora.noise.check import NoiseReport, check_noise
from serzoo.corpora.readers import info
from serzoo.corpora.reading import folder, scan
from serzoo.corpora.sound import Sound, listen, some
from serzoo.corpora.video import with_sound
from serzoo.errors import CorpusError


class Count(NamedTuple):
    """Number of utterances found, and the official one or ``None`` where none is published."""

    found: int
    official: int | None


@dataclass(frozen=True)
class Report(Findings):
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
    sound: Sound | None

    @property
    def problems(self) -> list[str]:
        """One line for each kind of difference and each bad file; notes and files skipped by choice are no problem."""
        problems = []
        for kind, counts in (("emotion", self.emotions), ("gender", self.genders), ("speaker", self.speakers)):
            wrong = [
                f"{name} {n.found} of {n.official}" for name, n in counts.items() if n.official not in (None, n.found)
            ]
            if wrong:
                problems.append(f"files by {kind}: {', '.join(wrong)}")
        if missing := self.skipped.get(NO_SUCH_FILE):
            problems.append(f"{NO_SUCH_FILE}: {len(missing)} ({some(missing)})")
        return problems + super().problems

    def _lines(self) -> Iterator[str]:
        info, num_found = self.info, sum(count.found for count in self.emotions.values())
        yield f"{info.name}: {info.title}"
        yield f"{info.reference}; licence {info.licence}"
        yield (
            f"{self.root}: {num_found} of {info.num_files} files"
            if info.num_files
            else f"{self.root}: {num_found} rows"
        )
        for title, counts in (("emotion", self.emotions), ("gender", self.genders), ("speaker", self.speakers)):
            yield ""
            yield f"{title:<14}{'found':>8}{'official':>10}"
            for name, (found, official) in counts.items():
                mark = "" if official in (None, found) else "  differs"
                yield f"{name:<14}{found:>8}{'-' if official is None else official:>10}{mark}"
        yield ""
        for reason, files in self.skipped.items():
            yield f"skipped, {reason}: {len(files)} ({some(files)})"
        if self.absent:
            yield f"absent as a whole: {', '.join(self.absent)}"
        yield from self._sound_lines()
        yield from (f"note: {note}" for note in info.notes)

    def _all_is_well(self) -> str:
        if not self.info.num_files:  # nobody knows what complete would be
            nameless = self.speakers.get("unknown")
            hint = f", but training and judging need speakers, and {nameless.found} rows have none" if nameless else ""
            return f"ok: every row can be read{hint}"
        whole = len(self.emotions)
        return f"ok: complete in {whole} of {whole + len(self.absent)} emotions" if self.absent else "ok: complete"


def check(
    name: str,
    root: str | PathLike,
    *,
    sound: bool = True,
    progress: Callable[[int, int], None] | None = None,
    **options: Any,
) -> "Report | NoiseReport":
    """Compare a copy of a corpus with the official numbers; count the recordings of a noise corpus.

    Args:
        name: as of :func:`serzoo.corpora.read`, or of :func:`serzoo.corpora.read_noise`.
        root: folder in the official layout, complete or not; for a table its file.
        sound: whether to decode every file, to find empty, unreadable, silent and bit-identical ones.
        progress: called with the number of files decoded so far and of all files.
        **options: as of :func:`serzoo.corpora.read`; a noise corpus takes none.

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
    if name.partition(":")[0] in noise_names():
        if options:
            raise CorpusError(f"The corpus {name} takes no options. Received: {', '.join(options)}.")
        return check_noise(name, root, sound=sound, progress=progress)
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
    return Report(
        info=official,
        root=str(root),
        emotions=_counts(found, emotions),
        genders=_counts(Counter(row.get("gender", "unknown") for row in rows), genders),
        speakers=_counts(Counter(row.get("speaker", "unknown") for row in rows), speakers, official.speakers),
        skipped=skipped,
        absent=tuple(absent),
        sound=_sound(official, base, rows, progress) if sound else None,
    )


def _sound(official: CorpusInfo, base: Path, rows: list[dict], progress: Callable | None) -> Sound:
    return listen(
        base,
        sorted({row["file"] for row in rows}),
        known_duplicates=official.known_duplicates,
        file_duration_s=official.file_duration_s,
        excerpts=[
            (row["file"], row.get("start", 0.0), row.get("end", float("inf")))
            for row in rows
            if "start" in row or "end" in row
        ],
        progress=progress,
    )


def _counts(found: Counter, official: Mapping[str, int], also: Mapping[str, str] | None = None) -> dict[str, Count]:
    # Where nothing is published no count can be wrong; where something is, a name outside it is wrong.
    other = 0 if official else None
    return {name: Count(found[name], official.get(name, other)) for name in sorted({*official, *found, *(also or {})})}
