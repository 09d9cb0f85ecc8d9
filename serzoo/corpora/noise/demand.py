"""DEMAND: 18 environments of six kinds, five minutes each, recorded by 16 microphones at once; 16 or 48 kHz WAV.

Every environment is an archive of its own, ``DKITCHEN_16k.zip``, with a folder of 16 files: ``DKITCHEN/ch01.wav``. They
are one and the same noise, so the first microphone alone is read. There are no official folds.

Thiemann, Ito, Vincent (2013), The Diverse Environments Multi-channel Acoustic Noise Database (DEMAND), POMA 19.
https://doi.org/10.1121/1.4799597
"""

import re
from pathlib import Path

from serzoo.corpora.corpus import Scan, find_files, split_copies

LAYOUT = "files such as DKITCHEN/ch01.wav"
_ENVIRONMENTS = {
    "domestic": ("kitchen", "living", "washing"),
    "nature": ("field", "park", "river"),
    "office": ("hallway", "meeting", "office"),
    "public": ("cafeter", "resto", "station"),
    "street": ("cafe", "psquare", "traffic"),
    "transportation": ("bus", "car", "metro"),
}
_KIND = {f"{kind[0]}{place}".upper(): kind for kind, places in _ENVIRONMENTS.items() for place in places}
_FILE = re.compile(rf"({'|'.join(_KIND)})(?:_(?:16|48)k)?/(?:[^/]+/)?ch(0\d|1[0-6])\.\w+", re.IGNORECASE)


def scan(root: Path) -> Scan:
    """Read the folder and file names below a root.

    Args:
        root: existing folder that holds the folders of the environments.

    Returns:
        One row for each environment, and the skipped files. ``noise`` is the environment without the letter of its
        kind, in small letters, such as ``"kitchen"``; ``kind`` is ``"domestic"``, ``"nature"``, ``"office"``,
        ``"public"``, ``"street"`` or ``"transportation"``; ``source`` is the official name.

    Example:
        >>> scan(Path("DEMAND")).rows[0]["noise"]  # doctest: +SKIP
        'kitchen'
    """
    firsts, skipped = {}, {}
    for file in find_files(root, max_depth=2):
        match = _FILE.fullmatch(file)
        if not match:
            skipped.setdefault("not a DEMAND file name", []).append(file)
        elif match[2] != "01":
            skipped.setdefault("another microphone of the same recording", []).append(file)
        else:
            firsts[file] = match[1].upper()
    files, copies = split_copies(firsts, firsts.get)
    if copies:
        skipped["another copy of the same recording"] = copies
    rows = []
    for file in files:
        name = firsts[file]
        # The table of Zenodo and the document in the archives name different licences; the document is quoted.
        row = {"file": file, "noise": name[1:].lower(), "source": name, "licence": "CC-BY-SA-3.0"}
        rows.append(row | {"kind": _KIND[name]})
    return Scan(rows, skipped)
