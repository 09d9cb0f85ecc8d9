"""AFEW 6.0, Acted Facial Expressions in the Wild: the sound of its videos.

Short scenes from films in seven emotions, the data of EmotiW 2016; 1,156 of them with public labels, 773 to train and
383 to validate. A root holds ``Train`` and ``Val``, also called ``Train_AFEW`` and ``Val_AFEW``, with a folder of
videos for each emotion: ``Train_AFEW/Angry/000046280.avi``. The labels of the test part are not public, so it is left
out. Sound files of the same names beside the videos, or instead of them, are taken first; else ffmpeg is needed.

Dhall, Goecke, Joshi, Hoey, Gedeon (2016), EmotiW 2016: video and group-level emotion recognition challenges, ICMI.
https://doi.org/10.1145/2993148.2997638
"""

import re
from pathlib import Path

from serzoo.corpora.corpus import AUDIO_SUFFIXES, CorpusInfo, Scan, find_files, split_copies
from serzoo.corpora.video import FOLDER, SUFFIXES, sound_first

_EMOTIONS = {
    "angry": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happiness",
    "neutral": "neutral",
    "sad": "sadness",
    "surprise": "surprise",
}
_FILE = re.compile(rf"(?:AFEW[^/]*/)?(Train|Val)(?:_AFEW)?/({'|'.join(_EMOTIONS)})/([^/]+)", re.IGNORECASE)

INFO = CorpusInfo(
    name="afew",
    title="Acted Facial Expressions in the Wild (AFEW) 6.0, sound",
    reference="Dhall et al. (2016), ICMI, https://doi.org/10.1145/2993148.2997638",
    url="https://cs.anu.edu.au/few/AFEW.html",
    licence="free for research, on request",
    layout="1156 videos such as Train_AFEW/Angry/000046280.avi and Val_AFEW/Fear/000149120.avi",
    emotions={
        "anger": 197,
        "disgust": 114,
        "fear": 127,
        "happiness": 213,
        "neutral": 207,
        "sadness": 178,
        "surprise": 120,
    },
    speakers={},
    videos=True,
    notes=(
        "speakers are not named: no protocol with training, validation and test speakers is possible",
        "the numbers are a third party's table of EmotiW 2016; the official papers were not read",
        "music and noise of the films stand under the speech, and some scenes hold no speech",
    ),
)


def scan(root: Path) -> Scan:
    """Read the folder and file names below a root.

    Args:
        root: existing folder that holds ``Train_AFEW`` and ``Val_AFEW``, or ``Train`` and ``Val``.

    Returns:
        The scenes and the skipped files. ``gender``, ``speaker``, ``session`` and ``text`` are missing; ``split`` is
        ``"train"`` or ``"val"``.

    Example:
        >>> scan(Path("AFEW")).rows[0]["split"]  # doctest: +SKIP
        'train'
    """
    found, skipped = {}, {}
    for file in find_files(root, max_depth=3, suffixes=(*AUDIO_SUFFIXES, *SUFFIXES)):
        if file.startswith(f"{FOLDER}/"):
            continue
        match = _FILE.fullmatch(file.rpartition(".")[0])
        if match:
            found[file] = tuple(group.lower() for group in match.groups())
        else:
            skipped.setdefault("outside the official folders", []).append(file)
    kept, copies = split_copies(sound_first(found), found.get)
    if copies:
        skipped["another copy of the same utterance"] = copies
    rows = []
    for file in kept:
        split, emotion, _ = found[file]
        rows.append({"corpus": INFO.name, "file": file, "emotion": _EMOTIONS[emotion], "split": split})
    return Scan(rows, skipped)
