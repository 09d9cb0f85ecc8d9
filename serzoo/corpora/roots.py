"""A root that is scanned, or refused by what is wrong with it."""

from collections import Counter
from collections.abc import Callable
from os import PathLike
from pathlib import Path

from serzoo.corpora.corpus import CorpusInfo, Scan
from serzoo.corpora.readers import module_of, names
from serzoo.errors import CorpusError, join

# A folder never "looks like" these: one has no layout, the other has that of emodb.
_WITHOUT_A_LOOK = {"table", "emodb_first2s"}


def scan_root(
    name: str,
    root: str | PathLike,
    layout: str,
    scan: Callable[[Path], Scan],
    describe: Callable[[Path], str],
    *,
    may_be_file: bool = False,
) -> Scan:
    """Scan a root, of speech or of noise, that is there and holds its corpus.

    Args:
        name: what to call the corpus in errors.
        root: its folder.
        layout: the files that it must hold, in a few words.
        scan: function of the root.
        describe: function of a folder that holds something else; what it looks like.
        may_be_file: whether the root may be a file.

    Raises:
        CorpusError: if the root is missing, a file, empty or another corpus.
    """
    path, expected = Path(root), f"Expected {layout}."
    if not path.exists():
        raise CorpusError(f"There is no folder {str(root)!r} to read {name} from. {expected}")
    if not path.is_dir() and not may_be_file:
        raise CorpusError(f"The root of {name} must be a folder. {expected} Received the file {str(root)!r}.")
    try:
        found = scan(path)
        if not found.rows:
            holds = describe(path) if any(path.iterdir()) else "an empty folder"
            raise CorpusError(f"The folder {str(root)!r} is not a root of {name}. {expected} Found {holds}.")
    except OSError as error:
        raise CorpusError(f"The root {str(root)!r} of {name} cannot be read: {error}.") from error
    return found


def refuse_incomplete(official: CorpusInfo, root: str | PathLike, rows: list[dict]) -> None:
    """Refuse rows whose numbers are not the official ones.

    Raises:
        CorpusError: naming what is missing.
    """
    found = Counter(row.get("emotion", "no emotion") for row in rows)
    wanted = dict(official.emotions) | ({"no emotion": official.unlabelled} if official.unlabelled else {})
    if official.emotions_stand_alone:
        wanted = {emotion: count for emotion, count in wanted.items() if found[emotion]}
    wrong = [f"{emotion} {found[emotion]} of {count}" for emotion, count in wanted.items() if found[emotion] != count]
    if not wrong:
        return
    missing = sorted(set(official.speakers) - {row.get("speaker") for row in rows})
    without = f"; no file of speaker {join(missing, 6)}" if missing else ""
    raise CorpusError(
        f"The folder {str(root)!r} is not a whole copy of {official.name}: expected {sum(wanted.values())} files, "
        f"found {len(rows)} ({', '.join(wrong)}{without}). See serzoo check {official.name}, or read what is there "
        "with --partial, partial=True."
    )


def guess(name: str, path: Path) -> str:
    """Describe a folder that is not a root of ``name``."""
    others = {other: _count(other, path) for other in names() if other != name and other not in _WITHOUT_A_LOOK}
    likely = max(others, key=others.get)
    if others[likely]:
        return f"what looks like {likely!r} ({others[likely]} of its files)"
    entries = sorted(entry for entry in path.iterdir() if not entry.name.startswith("."))
    for entry in entries:
        if entry.is_dir() and _count(name, entry):
            return f"the folder {entry.name!r} in it, which looks like a root of {name}"
    shown = ", ".join(entry.name for entry in entries[:3]) or "hidden files only"
    return f"{shown}, ..." if len(entries) > 3 else shown


def _count(name: str, path: Path) -> int:
    try:
        return len(module_of(name).scan(path).rows)
    except CorpusError:
        return 0
