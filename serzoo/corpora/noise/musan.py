"""MUSAN: music, speech and noise, 109 hours, 16 kHz WAV.

A root holds the folders ``music``, ``noise`` and ``speech``, each with a folder for every collection that it was taken
from: ``noise/free-sound/noise-free-sound-0000.wav``. The part is the class. There are no official folds.

Snyder, Chen, Povey (2015), MUSAN: A music, speech, and noise corpus, arXiv 1510.08484. https://www.openslr.org/17/
"""

import re
from pathlib import Path

from serzoo.corpora.corpus import Scan, find_files

LAYOUT = "files such as noise/free-sound/noise-free-sound-0000.wav"
# Some collections are shortened in the names of their files: music/fma-western-art/music-fma-wa-0000.wav.
_FILE = re.compile(r"(music|noise|speech)/([^/]+)/\1-[a-z-]+-\d+\.\w+")


def scan(root: Path) -> Scan:
    """Read the folder and file names below a root.

    Args:
        root: existing folder that holds ``music``, ``noise`` and ``speech``, or some of them.

    Returns:
        The recordings and the skipped files. ``collection`` is where a recording was taken from; ``licence`` names the
        file of the release that tells it.

    Example:
        >>> scan(Path("musan")).rows[0]["noise"]  # doctest: +SKIP
        'music'
    """
    rows, skipped = [], {}
    for file in find_files(root, max_depth=2):
        match = _FILE.fullmatch(file)
        if match:
            part, collection = match.groups()
            row = {"file": file, "noise": part, "licence": f"by recording: {part}/{collection}/LICENSE"}
            rows.append(row | {"collection": collection})
        else:
            skipped.setdefault("not a MUSAN file name", []).append(file)
    return Scan(rows, skipped)
