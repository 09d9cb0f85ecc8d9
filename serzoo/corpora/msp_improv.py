"""MSP-IMPROV: its sound.

Twelve actors, a woman and a man in each of six sessions, improvise scenes that lead to given sentences; 8,438 turns,
44.1 kHz. A root holds the label file, named ``Evalution.txt`` in the release (``Evaluation.txt`` is accepted too), and
the folders ``session1`` to ``session6``, alone or in a folder ``Audio``.

A file such as ``session1/S01A/T/MSP-IMPROV-S01A-F01-T-FM03.wav`` reads: sentence 01, target emotion A (anger; H
happiness, N neutral, S sadness), speaker F01 (the woman of session 1), part T, turn. The parts are S (the target
sentence, improvised), R (the target sentence, read), T (the other turns of the scenes) and P (natural, between the
scenes). The label file names the video instead, ``UTD-IMPROV-...avi``, with the emotion that most evaluators heard, and
the means of arousal, valence, dominance and naturalness; below it stand the judgements of each evaluator. Where no
emotion has a majority it is X: such turns are rows without an emotion.

Busso et al. (2017), MSP-IMPROV: an acted corpus of dyadic interactions to study emotion perception, IEEE Transactions
on Affective Computing 8(1). https://doi.org/10.1109/TAFFC.2016.2515617
"""

import re
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, read_text, scan_names, stem_of

_EMOTIONS = {"A": "anger", "H": "happiness", "N": "neutral", "O": "other", "S": "sadness", "X": None}
_VOTES = {"angry": "anger", "happy": "happiness", "neutral": "neutral", "other": "other", "sad": "sadness"}
_STYLES = {"S": "target improvised", "R": "target read", "T": "other improvised", "P": "natural"}
_SPEAKERS = {f"{sex}0{n}": {"F": "female", "M": "male"}[sex] for n in range(1, 7) for sex in "FM"}
_DIMENSIONS = {"A": "arousal", "V": "valence", "D": "dominance", "N": "naturalness"}
_LABEL_FILES = ("Evalution.txt", "Evaluation.txt")
_NAME = re.compile(r"(?:UTD|MSP)-IMPROV-(S(\d\d)([AHNS])-([FM]0[1-6])-([PRST])-[A-Z]{1,2}\d+)", re.IGNORECASE)
_LINE = re.compile(r"((?:UTD|MSP)-IMPROV-\S+?)(?:\.avi|\.wav)?\s*;\s*([A-Z])\s*;(.*)")
_VALUE = re.compile(r"([AVDN])\s*:\s*([\d.]+|NaN)")

INFO = CorpusInfo(
    name="msp_improv",
    title="MSP-IMPROV, sound",
    reference="Busso et al. (2017), IEEE Trans. Affective Computing 8(1), https://doi.org/10.1109/TAFFC.2016.2515617",
    url="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
    licence="free for research, on request",
    layout="Evalution.txt and 8438 files such as session1/S01A/T/MSP-IMPROV-S01A-F01-T-FM03.wav",
    emotions={"anger": 792, "happiness": 2644, "neutral": 3477, "other": 85, "sadness": 885},
    speakers=_SPEAKERS,
    unlabelled=555,
    notes=(
        "555 turns have no majority among their evaluators: they are rows without an emotion",
        "official parts: 652 target improvised, 620 target read, 4381 other improvised, 2785 natural",
        "that the fourth part of a name is the one who speaks is how others read it; the release notes were not seen",
        "official numbers by speaker were not found: speakers are counted, not checked",
    ),
)


def scan(root: Path) -> Scan:
    """Read the label file, and the names of the recordings, below a root.

    Args:
        root: existing folder that holds ``Evalution.txt`` and the folders of the sessions, or ``Audio`` with them.

    Returns:
        The turns and the skipped files. ``session`` is ``"1"`` to ``"6"``; ``text`` is missing; ``style`` is ``"target
        improvised"``, ``"target read"``, ``"other improvised"`` or ``"natural"``; ``target`` the emotion of the scene;
        ``arousal``, ``valence``, ``dominance`` and ``naturalness`` run from 1 to 5; ``votes`` counts what the
        evaluators chose, such as ``"anger 2, neutral 1"``.

    Example:
        >>> scan(Path("MSP-IMPROV")).rows[0]["style"]  # doctest: +SKIP
        'natural'
    """
    path = next((root / name for name in _LABEL_FILES if (root / name).is_file()), None)
    labels = _labels(path) if path else {}
    files = find_files(root, max_depth=4) if labels else []
    rows, skipped = scan_names(INFO.name, files, lambda file: _row(file, labels))
    missing = sorted(set(labels) - {_NAME.fullmatch(stem_of(row["file"]))[1].upper() for row in rows})
    if missing and rows:
        skipped["a label without a recording"] = missing
    return Scan(rows, skipped)


def _row(file: str, labels: Mapping[str, dict[str, Any]]) -> dict[str, Any] | str:
    match = _NAME.fullmatch(stem_of(file))
    if not match:
        return "not an MSP-IMPROV file name"
    turn, _, target, speaker, part = (group.upper() for group in match.groups())
    if turn not in labels:
        return "a recording without a label"
    row = {"gender": _SPEAKERS[speaker], "speaker": speaker, "session": speaker[-1]}
    return row | {"style": _STYLES[part], "target": _EMOTIONS[target]} | labels[turn]


def _labels(path: Path) -> dict[str, dict[str, Any]]:
    """Read the label file: turn, without its prefix, to the columns of its row."""
    labels: dict[str, dict[str, Any]] = {}
    row, judges, votes = None, set(), Counter()
    for line in read_text(path).splitlines():
        match = _LINE.match(line.strip())
        fields = [field.strip() for field in line.split(";")]
        if match:
            row, judges, votes = None, set(), Counter()
            name = _NAME.fullmatch(match[1])
            if name and match[2] in _EMOTIONS:
                row = labels[name[1].upper()] = _values(match[3])
                if _EMOTIONS[match[2]]:
                    row["emotion"] = _EMOTIONS[match[2]]
        elif row is not None and len(fields) > 2 and fields[1].lower() in _VOTES and fields[0] not in judges:
            judges.add(fields[0])  # some judgements stand twice
            votes[_VOTES[fields[1].lower()]] += 1
            row["votes"] = ", ".join(f"{emotion} {votes[emotion]}" for emotion in sorted(votes))
    return labels


def _values(text: str) -> dict[str, float]:
    return {_DIMENSIONS[key]: float(value) for key, value in _VALUE.findall(text) if value != "NaN"}
