"""What every corpus file builds on: its official numbers, and the walk over a folder of recordings.

A corpus is one file with two public names, ``INFO`` (a :class:`CorpusInfo`) and ``scan(root)`` (root folder to
:class:`Scan`), and one line in ``serzoo/corpora/readers.py``.
"""

from collections.abc import Callable, Hashable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from serzoo.files import below, check_names

EMOTIONS = (
    "anger",
    "boredom",
    "calm",
    "contempt",
    "disgust",
    "excitement",
    "fear",
    "frustration",
    "happiness",
    "neutral",
    "other",
    "sadness",
    "surprise",
)
COLUMNS = ("corpus", "file", "start", "end", "emotion", "gender", "speaker", "session", "text")
OWN_LICENCE = "as its owner says"  # of what nobody wrote one down for
NO_SUCH_FILE = "no such file"  # why a row of a list is skipped
AUDIO_SUFFIXES = (".wav", ".flac", ".ogg", ".oga", ".opus", ".mp3", ".aif", ".aiff", ".au", ".caf")


@dataclass(frozen=True)
class CorpusInfo:
    """What a corpus officially is, against which copies of it are checked.

    Args:
        name: short name, as in ``serzoo.corpora.read(name, root)``.
        title: full name.
        reference: the paper that presents it.
        url: its official page.
        licence: SPDX identifier or a short phrase.
        layout: the files that a root must hold, in a few words, for error messages.
        emotions: official number of utterances for each canonical emotion.
        speakers: gender (``"female"`` or ``"male"``) of each official speaker.
        speaker_emotions: official number of utterances by speaker and emotion; empty where none is published.
        emotions_stand_alone: whether a copy that leaves out whole emotions may be read, if the others are complete.
        unlabelled: official number of utterances without an emotion, such as those whose annotators disagree.
        known_duplicates: groups of file names, without suffix, that are bit-identical in the official release.
        file_duration_s: what every official file lasts, where they are all cut to one duration, in seconds.
        videos: whether the official files are videos, whose sound is taken out before it is read.
        notes: remarks that ``serzoo check`` prints.
    """

    name: str
    title: str
    reference: str
    url: str
    licence: str
    layout: str
    emotions: Mapping[str, int]
    speakers: Mapping[str, str]
    speaker_emotions: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    emotions_stand_alone: bool = False
    unlabelled: int = 0
    known_duplicates: tuple[frozenset[str], ...] = ()
    file_duration_s: float | None = None
    videos: bool = False
    notes: tuple[str, ...] = ()

    @property
    def num_files(self) -> int:
        """Official number of utterances; 0 where none is known."""
        return sum(self.emotions.values()) + self.unlabelled


class Scan(NamedTuple):
    """What a root holds.

    ``rows`` has one mapping of column to value for each utterance, ordered by file, in which missing values are left
    out. ``skipped`` has the recordings that are not in the table, by reason.
    """

    rows: list[dict[str, Any]]
    skipped: dict[str, list[str]]


def find_files(root: Path, max_depth: int, suffixes: Iterable[str] = AUDIO_SUFFIXES) -> list[str]:
    """List the files below a folder as :func:`serzoo.files.below` does.

    The depth is bounded so that a wrong root, such as a home folder, is told quickly.

    Args:
        root: an existing folder.
        max_depth: number of folder levels below ``root`` to enter.
        suffixes: file name endings to keep, lower case, with the dot; case is ignored.

    Returns:
        Posix paths relative to ``root``, sorted.

    Raises:
        OSError: if a folder cannot be listed.
        CorpusError: if the name of a file is not valid UTF-8.

    Example:
        >>> find_files(Path("RAVDESS"), max_depth=1)  # doctest: +SKIP
        ['Actor_01/03-01-01-01-01-01-01.wav', ...]
    """
    found = below(root, suffixes, max_depth=max_depth)
    check_names(root, found)
    return found


def scan_names(
    corpus: str,
    files: Iterable[str],
    read: Callable[[str], dict[str, Any] | str],
    key: Callable[[str], Hashable] | None = None,
) -> Scan:
    """Make a table of a corpus whose file names tell everything.

    Args:
        corpus: name of the corpus.
        files: posix paths of its recordings.
        read: path to the columns of its row, or to the reason why it is left out.
        key: as of :func:`split_copies`.

    Returns:
        The utterances, ordered by file, and the skipped files.

    Example:
        >>> scan_names("toy", ["a.wav", "b.wav"], lambda file: {"speaker": "1"} if file == "a.wav" else "not ours")
        Scan(rows=[{'corpus': 'toy', 'file': 'a.wav', 'speaker': '1'}], skipped={'not ours': ['b.wav']})
    """
    columns, skipped = {}, {}
    for file in files:
        found = read(file)
        if isinstance(found, str):
            skipped.setdefault(found, []).append(file)
        else:
            columns[file] = found
    kept, copies = split_copies(columns, key)
    if copies:
        skipped["another copy of the same utterance"] = copies
    return Scan([{"corpus": corpus, "file": file} | columns[file] for file in kept], skipped)


def split_copies(files: Iterable[str], key: Callable[[str], Hashable] | None = None) -> tuple[list[str], list[str]]:
    """Keep one file for each utterance where a root holds several under the same name.

    A copy nearer to the root wins, then a .wav (the official format). Mirrors of RAVDESS are known to hold everything
    twice, once in a folder of its own.

    Args:
        files: posix paths; two with the same key are copies.
        key: path to what names the utterance; by default the file name without folders and suffix, case ignored.

    Returns:
        ``(kept, others)``, each sorted.

    Example:
        >>> split_copies(["b/x.wav", "a/b/x.wav", "b/x.flac"])
        (['b/x.wav'], ['a/b/x.wav', 'b/x.flac'])
    """
    kept: dict[Hashable, str] = {}
    others = []
    for file in sorted(files, key=lambda f: (f.count("/"), not f.lower().endswith(".wav"), f)):
        utterance = key(file) if key else stem_of(file).lower()
        if utterance in kept:
            others.append(file)
        else:
            kept[utterance] = file
    return sorted(kept.values()), sorted(others)


def stem_of(file: str) -> str:
    """Return the name of a posix path without folders and suffix.

    Example:
        >>> stem_of("wav/03a01Fa.wav")
        '03a01Fa'
    """
    return file.rpartition("/")[2].rpartition(".")[0]


def read_text(path: Path, fallback: str = "cp1252") -> str:
    """Read a label file whose encoding is not said: UTF-16 by its mark, else UTF-8, else ``fallback``.

    Args:
        path: the file.
        fallback: encoding of files that are no UTF-8; bytes that it lacks become U+FFFD.

    Returns:
        The text, line ends as they are.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "a.txt"
        >>> _ = path.write_bytes(bytes([73, 146, 109]))
        >>> read_text(path)
        'I’m'
    """
    data = path.read_bytes()
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        return data.decode("utf-16", errors="replace")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        return data.decode(fallback, errors="replace")
