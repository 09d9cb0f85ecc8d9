"""IEMOCAP, the Interactive Emotional Dyadic Motion Capture database: its sound.

Ten actors, a woman and a man in each of five sessions, improvise scenes and play scripts; 10,039 turns, 16 kHz. A root
holds ``Session1`` to ``Session5``, or a folder ``IEMOCAP_full_release`` with them. The labels stand in
``SessionN/dialog/EmoEvaluation/*.txt``, the turns in ``SessionN/sentences/wav/DIALOGUE/TURN.wav``. Where a copy has no
``sentences``, the turns are stretches of ``SessionN/dialog/wav/DIALOGUE.wav``, in which both speakers are heard.

A turn such as ``Ses01F_impro02_M003`` reads: session 1, the woman wears the markers, improvisation 2 (or
``script01_2``), the man speaks. A label line reads ``[start - end]<tab>turn<tab>emotion<tab>[valence, activation,
dominance]``, and below it stand the judgements of each evaluator (``C-E2``) and of the actors themselves (``C-F1``,
``C-M1``). Where no emotion has a majority it is ``xxx``: such turns are rows without an emotion.

Busso et al. (2008), IEMOCAP: interactive emotional dyadic motion capture database, Language Resources and Evaluation
42. https://doi.org/10.1007/s10579-008-9076-6
"""

import re
from collections import Counter
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, read_text, split_copies, stem_of

_EMOTIONS = {
    "ang": "anger",
    "dis": "disgust",
    "exc": "excitement",
    "fea": "fear",
    "fru": "frustration",
    "hap": "happiness",
    "neu": "neutral",
    "oth": "other",
    "sad": "sadness",
    "sur": "surprise",
    "xxx": None,
}
# As the evaluators write them; a judgement may name several.
_VOTES = {
    "anger": "anger",
    "disgust": "disgust",
    "excited": "excitement",
    "fear": "fear",
    "frustration": "frustration",
    "happiness": "happiness",
    "neutral state": "neutral",
    "neutral": "neutral",
    "other": "other",
    "sadness": "sadness",
    "surprise": "surprise",
}
_SPEAKERS = {f"Ses0{n}{sex}": {"F": "female", "M": "male"}[sex] for n in range(1, 6) for sex in "FM"}
_TURN = re.compile(r"(Ses0([1-5])[FM]_(impro|script)\w+)_([FM])\w*\d+")
_LINE = re.compile(
    r"\[\s*([\d.]+)\s*-\s*([\d.]+)\s*\]\s+(\S+)\s+([a-z]{3})\s+\[\s*([\d.]+),\s*([\d.]+),\s*([\d.]+)\s*\]"
)
_VOTE = re.compile(r"C-E\d+:([^()]*)")
_WORDS = re.compile(r"(\S+)\s+\[[^\]]*\]:\s*(.*)")
_SUFFIXES = (".wav", ".flac")

INFO = CorpusInfo(
    name="iemocap",
    title="Interactive Emotional Dyadic Motion Capture database (IEMOCAP), sound",
    reference="Busso et al. (2008), Language Resources and Evaluation 42, https://doi.org/10.1007/s10579-008-9076-6",
    url="https://sail.usc.edu/iemocap/",
    licence="free for research, on request",
    layout="Session1 to Session5 with dialog/EmoEvaluation/*.txt and 10039 files such as "
    "sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav",
    emotions={
        "anger": 1103,
        "disgust": 2,
        "excitement": 1041,
        "fear": 40,
        "frustration": 1849,
        "happiness": 595,
        "neutral": 1708,
        "other": 3,
        "sadness": 1084,
        "surprise": 107,
    },
    speakers=_SPEAKERS,
    unlabelled=2507,
    notes=(
        "2507 turns have no majority among their evaluators: they are rows without an emotion",
        "where the sentences are missing, turns are cut out of the dialogues, in which both speakers are heard",
        "official numbers by speaker were not found: speakers are counted, not checked",
    ),
)


def scan(root: Path) -> Scan:
    """Read the label files, and the names of the recordings, below a root.

    Args:
        root: existing folder that holds ``Session1`` to ``Session5``, or ``IEMOCAP_full_release`` with them.

    Returns:
        The turns and the skipped files. ``session`` is ``"Ses01"`` to ``"Ses05"``; ``text`` the transcription;
        ``style`` ``"improvised"`` or ``"scripted"``; ``valence``, ``arousal`` and ``dominance`` run from 1 to 5;
        ``votes`` counts what the evaluators chose, such as ``"anger 2, neutral 1"``. ``start`` and ``end`` are there
        where the file is a whole dialogue.

    Example:
        >>> scan(Path("IEMOCAP_full_release")).rows[0]["style"]  # doctest: +SKIP
        'improvised'
    """
    rows: list[dict[str, Any]] = []
    skipped: dict[str, list[str]] = {}
    prefix = "IEMOCAP_full_release/" if (root / "IEMOCAP_full_release").is_dir() else ""
    for number in range(1, 6):
        session = f"{prefix}Session{number}"
        labels, texts = _labels(root, session), _texts(root, session)
        if not labels:
            continue
        sentences, copies = _recordings(root, f"{session}/sentences/wav", 1)
        dialogues, more = _recordings(root, f"{session}/dialog/wav", 0)
        _add(skipped, "another copy of the same utterance", copies + more)
        # One whole release has both; then the dialogues are no recordings of their own.
        _add(skipped, "a recording without a label", [file for turn, file in sentences.items() if turn not in labels])
        for turn, row in labels.items():
            file = sentences.get(turn)
            if file:
                row = {key: value for key, value in row.items() if key not in ("start", "end")}
            elif not sentences:
                file = dialogues.get(_TURN.fullmatch(turn)[1])
            if file:
                rows.append(
                    {"corpus": INFO.name, "file": file} | row | ({"text": texts[turn]} if turn in texts else {})
                )
            else:
                _add(skipped, "a label without a recording", [turn])
    return Scan(sorted(rows, key=lambda row: (row["file"], row.get("start", 0.0))), skipped)


def _labels(root: Path, session: str) -> dict[str, dict[str, Any]]:
    """Read the evaluation files of a session: turn to the columns of its row."""
    labels: dict[str, dict[str, Any]] = {}
    folder = root / session / "dialog" / "EmoEvaluation"
    for path in sorted(folder.glob("*.txt")) if folder.is_dir() else []:
        if path.name.startswith("."):
            continue
        turn, votes = None, Counter()
        for line in read_text(path).splitlines():
            match = _LINE.match(line)
            vote = _VOTE.match(line)
            if match:
                turn, votes = match[3], Counter()
                row = _row(*match.groups())
                if row:
                    labels[turn] = row
            elif vote and turn in labels:
                for word in vote[1].split(";"):
                    if word.strip().lower() in _VOTES:
                        votes[_VOTES[word.strip().lower()]] += 1
                labels[turn]["votes"] = ", ".join(f"{emotion} {votes[emotion]}" for emotion in sorted(votes))
    return labels


def _row(start: str, end: str, turn: str, emotion: str, *dimensions: str) -> dict[str, Any] | None:
    match = _TURN.fullmatch(turn)
    if not match or emotion not in _EMOTIONS:
        return None
    _, session, style, sex = match.groups()
    speaker = f"Ses0{session}{sex}"
    row = {"start": float(start), "end": float(end), "gender": _SPEAKERS[speaker], "speaker": speaker}
    row |= {"session": f"Ses0{session}", "style": {"impro": "improvised", "script": "scripted"}[style]}
    row |= dict(zip(("valence", "arousal", "dominance"), map(float, dimensions), strict=True))
    return row | ({"emotion": _EMOTIONS[emotion]} if _EMOTIONS[emotion] else {})


def _texts(root: Path, session: str) -> dict[str, str]:
    folder = root / session / "dialog" / "transcriptions"
    paths = sorted(folder.glob("*.txt")) if folder.is_dir() else []
    lines = (line for path in paths if not path.name.startswith(".") for line in read_text(path).splitlines())
    return {match[1]: match[2].strip() for match in map(_WORDS.match, lines) if match}


def _recordings(root: Path, folder: str, max_depth: int) -> tuple[dict[str, str], list[str]]:
    if not (root / folder).is_dir():
        return {}, []
    files, copies = split_copies(f"{folder}/{file}" for file in find_files(root / folder, max_depth, _SUFFIXES))
    return {stem_of(file): file for file in files}, copies


def _add(skipped: dict[str, list[str]], reason: str, files: list[str]) -> None:
    if files:
        skipped.setdefault(reason, []).extend(files)
