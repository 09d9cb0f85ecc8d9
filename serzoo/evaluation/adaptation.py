"""What a figure of a model that adapted to unlabelled clips rests on: whether it had heard the tested speakers."""

from collections.abc import Iterable

INDUCTIVE, TRANSDUCTIVE = "inductive", "transductive"


def note_of(mode: str, corpora: Iterable[str]) -> str:
    """Say what must stand beside every figure of an adapted model.

    Args:
        mode: :data:`TRANSDUCTIVE` if training heard the tested speakers, without their labels, else :data:`INDUCTIVE`.
        corpora: of the unlabelled clips.

    Example:
        >>> note_of("inductive", ["emodb"])
        'inductive: adapted to unlabelled clips of emodb, but to none of the tested speakers'
    """
    who = "but to none of the tested speakers" if mode == INDUCTIVE else "those of the tested speakers among them"
    return f"{mode}: adapted to unlabelled clips of {', '.join(sorted(corpora))}, {who}"


def tested_were_heard(notes: Iterable[str]) -> bool:
    """Tell from the notes of a figure whether training heard tested speakers.

    Args:
        notes: as in ``summarize(...)["notes"]``; any but that of an inductive adaptation says so.

    Example:
        >>> [tested_were_heard([note_of(mode, ["emodb"])]) for mode in ("inductive", "transductive")]
        [False, True]
    """
    return any(not note.startswith(f"{INDUCTIVE}:") for note in notes)
