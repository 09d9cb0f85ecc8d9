"""ESC-10: the ten clearest classes of ESC-50, 400 clips of 5 s, free for any use.

Read from its own archive, a folder of 44.1 kHz Ogg for each class, or out of a root of ESC-50. Classes have the names
of ESC-50. Its five folds share no source recording: folds 1 to 3 train here, 4 validates, 5 tests.

A path such as ``001 - Dog bark/1-100032-A.ogg`` reads: class, fold, Freesound clip, take.

Piczak (2015), ESC: Dataset for environmental sound classification, ACM Multimedia.
https://doi.org/10.1145/2733373.2806390
"""

import re
from pathlib import Path

from serzoo.corpora.corpus import Scan, find_files
from serzoo.corpora.noise import esc50

LAYOUT = "clips such as '001 - Dog bark/1-100032-A.ogg', or a root of ESC-50"
CLASSES = {
    "001": "dog",
    "002": "rain",
    "003": "sea_waves",
    "004": "crying_baby",
    "005": "clock_tick",
    "006": "sneezing",
    "007": "helicopter",
    "008": "chainsaw",
    "009": "rooster",
    "010": "crackling_fire",
}
_FILE = re.compile(r"(0\d\d) - [^/]+/([1-5])-(\d+)-[A-Z]\.\w+")


def scan(root: Path) -> Scan:
    """Read the folder and file names below a root.

    Args:
        root: existing folder that holds the folders of the classes, or a root of ESC-50.

    Returns:
        The clips and the skipped files.

    Example:
        >>> scan(Path("ESC-10")).rows[0]["noise"]  # doctest: +SKIP
        'dog'
    """
    rows, skipped = esc50.scan(root)
    if rows:
        others = [row["file"] for row in rows if not row["in_esc10"]]
        own = [{key: value for key, value in row.items() if key != "in_esc10"} for row in rows if row["in_esc10"]]
        return Scan(own, skipped | ({"not a clip of ESC-10": others} if others else {}))
    for file in find_files(root, max_depth=1):
        match = _FILE.fullmatch(file)
        if match and match[1] in CLASSES:
            fold = int(match[2])
            row = {"file": file, "noise": CLASSES[match[1]], "fold": fold, "split": esc50.SPLIT_OF_FOLD[fold]}
            rows.append(row | {"source": match[3], "licence": "CC-BY-3.0"})
        else:
            skipped.setdefault("not an ESC-10 file name", []).append(file)
    return Scan(rows, skipped)
