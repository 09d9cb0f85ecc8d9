"""Miniature corpora in the official layouts, of empty files."""

from itertools import product

# Written down here and not taken from the package.
EMODB_SPEAKERS = ("03", "08", "09", "10", "11", "12", "13", "14", "15", "16")
EMODB_TEXTS = ("a01", "a02", "a04", "a05", "a07", "b01", "b02", "b03", "b09", "b10")


def touch(root, files):
    """Create empty files below a folder."""
    for file in files:
        path = root / file
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return root


def ravdess_files(actors=range(1, 25), channel="01"):
    """List the official names of the speech recordings: 60 an actor, no strong neutral."""
    names = []
    for actor, emotion, intensity, statement, repetition in product(actors, range(1, 9), (1, 2), (1, 2), (1, 2)):
        if (emotion, intensity) != (1, 2):
            fields = f"{emotion:02d}-{intensity:02d}-{statement:02d}-{repetition:02d}-{actor:02d}"
            names.append(f"Actor_{actor:02d}/03-{channel}-{fields}.wav")
    return names
