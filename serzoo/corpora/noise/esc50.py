"""ESC-50: 2,000 clips of 5 s, 50 classes of environmental sounds, cut from Freesound.

The official archive holds ``meta/esc50.csv`` and ``audio/``; 44.1 kHz WAV. Its five folds share no source recording:
folds 1 to 3 train here, 4 validates, 5 tests.

Piczak (2015), ESC: Dataset for environmental sound classification, ACM Multimedia.
https://doi.org/10.1145/2733373.2806390
"""

import csv
import io
from pathlib import Path

from serzoo.corpora.corpus import NO_SUCH_FILE, Scan, read_text
from serzoo.errors import CorpusError

LAYOUT = "meta/esc50.csv and clips such as audio/1-100032-A-0.wav"
SPLIT_OF_FOLD = {1: "train", 2: "train", 3: "train", 4: "validation", 5: "test"}
_NEEDED = {"filename", "fold", "category", "esc10", "src_file"}


def scan(root: Path) -> Scan:
    """Read the list of clips below a root, and which of them are there.

    Args:
        root: existing folder that holds ``meta/esc50.csv`` and ``audio``.

    Returns:
        The clips and the skipped files. ``noise`` is the category; ``in_esc10`` tells the clips of the smaller ESC-10,
        which alone are free for any use.

    Raises:
        CorpusError: if the list lacks a column, or has another fold.

    Example:
        >>> scan(Path("ESC-50-master")).rows[0]["noise"]  # doctest: +SKIP
        'dog'
    """
    path = root / "meta" / "esc50.csv"
    if not path.is_file():
        return Scan([], {})
    lines = csv.DictReader(io.StringIO(read_text(path), newline=""))
    lacking = sorted(_NEEDED.difference(lines.fieldnames or ()))
    if lacking:
        raise CorpusError(f"meta/esc50.csv lacks the columns {', '.join(lacking)}. Received: {lines.fieldnames}.")
    rows, missing = [], []
    for line in sorted(lines, key=lambda line: line["filename"]):
        if line["fold"] not in ("1", "2", "3", "4", "5"):
            raise CorpusError(f"A fold in meta/esc50.csv must be 1 to 5. Received: {line['fold']!r}.")
        file, fold, in_esc10 = f"audio/{line['filename']}", int(line["fold"]), line["esc10"] == "True"
        if not (root / file).is_file():
            missing.append(file)
            continue
        row = {"file": file, "noise": line["category"], "fold": fold, "split": SPLIT_OF_FOLD[fold]}
        row |= {"source": line["src_file"], "licence": "CC-BY-3.0" if in_esc10 else "CC-BY-NC-3.0"}
        rows.append(row | {"in_esc10": in_esc10})
    return Scan(rows, {NO_SUCH_FILE: missing} if missing else {})
