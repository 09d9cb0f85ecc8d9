"""Look at a copy of a noise corpus: what it holds, and bad recordings in it.

Noise corpora need not be complete, so there are no official numbers to compare with.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path

from serzoo.corpora.findings import Findings
from serzoo.corpora.noise import noise_layout, scan_noise
from serzoo.corpora.sound import Sound, listen, some


@dataclass(frozen=True)
class NoiseReport(Findings):
    """What :func:`check_noise` found.

    Args:
        name: name of the noise corpus.
        root: the folder that was checked.
        types: number of recordings of each type of noise.
        splits: number of recordings in each split; empty where the corpus has none.
        skipped: files that are not in the table, by reason.
        sound: what decoding found, or ``None`` if it was not asked for.
    """

    name: str
    root: str
    types: Mapping[str, int]
    splits: Mapping[str, int]
    skipped: Mapping[str, list[str]]
    sound: Sound | None

    def _lines(self) -> Iterator[str]:
        yield f"{self.name}: noise, {noise_layout(self.name)}"
        yield f"{self.root}: {sum(self.types.values())} recordings"
        for title, counts in (("type", self.types), ("split", self.splits)):
            if counts:
                yield ""
                yield f"{title:<20}{'found':>8}"
                yield from (f"{name:<20}{count:>8}" for name, count in sorted(counts.items()))
        yield ""
        yield from (f"skipped, {reason}: {len(files)} ({some(files)})" for reason, files in self.skipped.items())
        yield from self._sound_lines()


def check_noise(
    name: str, root: str | PathLike, *, sound: bool = True, progress: Callable[[int, int], None] | None = None
) -> NoiseReport:
    """Count the recordings of a noise corpus, and decode them.

    Args:
        name: as of :func:`serzoo.corpora.read_noise`.
        root: folder in the official layout.
        sound: whether to decode every file.
        progress: called with the number of files decoded so far and of all files.

    Returns:
        The report; ``print`` it, or ask for its ``ok`` and ``problems``.

    Raises:
        UnknownNameError: if there is no such noise corpus.
        CorpusError: if the root is missing, a file, empty or another corpus.

    Example:
        >>> check_noise("esc10", "ESC-10").types["rain"]  # doctest: +SKIP
        40
    """
    rows, skipped = scan_noise(name, root)
    found = listen(Path(root), sorted({row["file"] for row in rows}), progress=progress) if sound else None
    return NoiseReport(
        name=name,
        root=str(root),
        types=Counter(str(row.get("noise", "no type")) for row in rows),
        splits=Counter(str(row["split"]) for row in rows if row.get("split")),
        skipped=skipped,
        sound=found and replace(found, same_duration_s=None),  # clips of one length are usual here
    )
