"""EMOVO, an Italian emotional speech database.

Six actors, three women and three men, speak fourteen Italian sentences in seven emotions; 588 utterances, 48 kHz. The
official archive holds a folder for each actor, ``f1`` to ``m3``, alone or in a folder ``EMOVO``.

A file name such as ``gio-f1-b1.wav`` reads: emotion (gioia: happiness), actor, sentence (b short, l long, n nonsense, d
question).

Costantini, Iaderola, Paoloni, Todisco (2014), EMOVO corpus: an Italian emotional speech database, LREC.
https://aclanthology.org/L14-1478/
"""

import re
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, scan_names, stem_of

# Initials of the Italian words: disgusto, gioia, neutro, paura, rabbia, sorpresa, tristezza.
_EMOTIONS = {
    "dis": "disgust",
    "gio": "happiness",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
_SPEAKERS = {speaker: "female" if speaker[0] == "f" else "male" for speaker in ("f1", "f2", "f3", "m1", "m2", "m3")}
_TEXTS = {
    "b1": "Gli operai si alzano presto.",
    "b2": "I vigili sono muniti di pistola.",
    "b3": "La cascata fa molto rumore.",
    "l1": "L'autunno prossimo Tony partirà per la Spagna: nella prima metà di ottobre.",
    "l2": "Ora prendo la felpa di là ed esco per fare una passeggiata.",
    "l3": "Un attimo dopo s'è incamminato... ed è inciampato.",
    "l4": "Vorrei il numero telefonico del Signor Piatti.",
    "n1": "La casa forte vuole col pane.",
    "n2": "La forza trova il passo e l'aglio rosso.",
    "n3": "Il gatto sta scorrendo nella pera.",
    "n4": "Insalata pastasciutta coscia d'agnello limoncello.",
    "n5": "Uno quarantatré dieci mille cinquantasette venti.",
    "d1": "Sabato sera cosa farà?",
    "d2": "Porti con te quella cosa?",
}
_PER_SPEAKER = {emotion: len(_TEXTS) for emotion in _EMOTIONS.values()}
_FILE_NAME = re.compile(r"([a-z]{3})-([fm]\d)-([a-z]\d)", re.IGNORECASE)
_FOLDER = re.compile(r"(EMOVO)?/?([fm]\d)?", re.IGNORECASE)

INFO = CorpusInfo(
    name="emovo",
    title="EMOVO, an Italian emotional speech database",
    reference="Costantini et al. (2014), LREC, https://aclanthology.org/L14-1478/",
    url="http://voice.fub.it/activities/corpora/emovo/index.html",
    licence="free for research",
    layout="588 files such as f1/gio-f1-b1.wav",
    emotions={emotion: count * len(_SPEAKERS) for emotion, count in _PER_SPEAKER.items()},
    speakers=_SPEAKERS,
    speaker_emotions={speaker: _PER_SPEAKER for speaker in _SPEAKERS},
    notes=(
        "all actors speak the same fourteen sentences: figures on it are text-dependent",
        "the official page was not read: the terms of use could not be verified",
    ),
)


def scan(root: Path) -> Scan:
    """Read the file names below a root.

    Args:
        root: existing folder that holds the folders of the actors, ``EMOVO`` with them, or all files directly.

    Returns:
        The utterances and the skipped files. ``session`` is missing; ``text`` is the Italian sentence.

    Example:
        >>> scan(Path("EMOVO")).rows[0]["emotion"]  # doctest: +SKIP
        'disgust'
    """
    return scan_names(INFO.name, find_files(root, max_depth=2), _row)


def _row(file: str) -> dict[str, Any] | str:
    match = _FILE_NAME.fullmatch(stem_of(file).lower())
    if not match or match[1] not in _EMOTIONS or match[2] not in _SPEAKERS or match[3] not in _TEXTS:
        return "not an EMOVO file name"
    if not _FOLDER.fullmatch(file.rpartition("/")[0]):
        return "outside the official folders"
    emotion, speaker, text = match.groups()
    return {"emotion": _EMOTIONS[emotion], "gender": _SPEAKERS[speaker], "speaker": speaker, "text": _TEXTS[text]}
