"""A folder of folders of one's own: the class of a noise is the folder that it lies in.

Below folders ``train``, ``validation`` and ``test`` the recordings have that split: ``train/street/a.wav``; without
them, ``street/a.wav``, no split is known. Recordings in the root itself have its name as class. No class has the name
of a split.
"""

from pathlib import Path

from serzoo.corpora.corpus import Scan, find_files
from serzoo.errors import CorpusError

LAYOUT = "sound files in folders by class, such as street/a.wav or train/street/a.wav"
_SPLITS = ("train", "validation", "test")


def scan(root: Path) -> Scan:
    """Read the folder names below a root.

    Args:
        root: existing folder.

    Returns:
        The recordings; nothing is skipped.

    Raises:
        CorpusError: if a recording lies in a folder of a split, and in no folder by class there.

    Example:
        >>> scan(Path("recordings")).rows[0]["noise"]  # doctest: +SKIP
        'street'
    """
    rows = []
    for file in find_files(root, max_depth=3):
        folders = file.split("/")[:-1]
        if folders and folders[-1] in _SPLITS:
            raise CorpusError(
                "A recording must lie in a folder named after its class, and that may lie in one of a split, as in "
                f"train/street/a.wav. Received: {file}."
            )
        row = {"file": file, "noise": folders[-1] if folders else root.absolute().name}
        if len(folders) > 1 and folders[0] in _SPLITS:
            row["split"] = folders[0]
        rows.append(row)
    return Scan(rows, {})
