"""MELD, the Multimodal EmotionLines Dataset: the sound of its videos.

Utterances of the series Friends in seven emotions; 13,708 of them, in three official parts, of which two have no usable
video. The official archive ``MELD.Raw`` holds a table for each part and a folder of videos for each: ``train_splits``,
``dev_splits_complete`` and ``output_repeated_splits_test``, or these folders in ``train``, ``dev`` and ``test``. Sound
files of the same names beside the videos, or instead of them, are taken first; else ffmpeg is needed.

A file name such as ``dia0_utt3.mp4`` reads: dialogue, utterance. The test folder also holds copies of videos, named
``final_videos_testdia0_utt3.mp4``, which are left out.

Poria, Hazarika, Majumder, Naik, Cambria, Mihalcea (2019), MELD: a multimodal multi-party dataset for emotion
recognition in conversations, ACL. https://doi.org/10.18653/v1/P19-1050
"""

import csv
import io
import re
from pathlib import Path

from serzoo.corpora.corpus import AUDIO_SUFFIXES, CorpusInfo, Scan, find_files, read_text, split_copies
from serzoo.corpora.video import sound_first
from serzoo.errors import CorpusError

_EMOTIONS = {
    "anger": "anger",
    "disgust": "disgust",
    "fear": "fear",
    "joy": "happiness",
    "neutral": "neutral",
    "sadness": "sadness",
    "surprise": "surprise",
}
_PARTS = {
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
# The main cast; the dataset does not tell anyone's gender.
_GENDERS = {
    "Chandler": "male",
    "Joey": "male",
    "Monica": "female",
    "Phoebe": "female",
    "Rachel": "female",
    "Ross": "male",
}
_COLUMNS = ("Utterance", "Speaker", "Emotion", "Dialogue_ID", "Utterance_ID")
_BAD = {("train", "dia125_utt3"), ("dev", "dia110_utt7")}
_FOLDER = re.compile(rf"(?:MELD[^/]*/){{0,2}}(?:(?:train|dev|test)/)?({'|'.join(_PARTS.values())})", re.IGNORECASE)
_FILE_NAME = re.compile(r"dia\d+_utt\d+", re.IGNORECASE)

INFO = CorpusInfo(
    name="meld",
    title="Multimodal EmotionLines Dataset (MELD), sound",
    reference="Poria et al. (2019), ACL, https://doi.org/10.18653/v1/P19-1050",
    url="https://affective-meld.github.io/",
    licence="GPL-3.0 for the labels; the recordings are from television",
    layout="train_sent_emo.csv, dev_sent_emo.csv, test_sent_emo.csv and 13706 files such as train_splits/dia0_utt0.mp4",
    emotions={
        "anger": 1607,
        "disgust": 361,
        "fear": 358,
        "happiness": 2308,
        "neutral": 6434,
        "sadness": 1002,
        "surprise": 1636,
    },
    speakers={},
    videos=True,
    notes=(
        "13708 utterances officially; the videos of train dia125_utt3 and dev dia110_utt7 are damaged or missing",
        "the official parts share speakers: they are a column, not a protocol",
        "the gender is known for the six main characters only; other names, such as Waiter, stand for several people",
        "laughter of an audience and music stand under the speech",
    ),
)


def scan(root: Path) -> Scan:
    """Read the official tables, and the names of the files below a root.

    Args:
        root: existing folder of the official archive, whole or partial.

    Returns:
        The utterances and the skipped files. ``session`` is the dialogue, such as ``"train dia0"``; ``text`` what is
        said; ``split`` the official part; ``gender`` is missing but for the six main characters.

    Raises:
        CorpusError: if a table lacks a column or a row is cut.

    Example:
        >>> scan(Path("MELD.Raw")).rows[0]["speaker"]  # doctest: +SKIP
        'Phoebe'
    """
    labels = _labels(root)
    skipped: dict[str, list[str]] = {}
    found = {}
    for file in find_files(root, max_depth=4, suffixes=(*AUDIO_SUFFIXES, ".mp4")) if labels else []:
        folder, _, name = file.rpartition("/")
        match = _FOLDER.fullmatch(folder)
        if not match:
            continue
        part = next(part for part, name_of in _PARTS.items() if name_of == match[1].lower())
        key = (part, name.rpartition(".")[0].lower())
        if not _FILE_NAME.fullmatch(key[1]):
            skipped.setdefault("not a MELD file name", []).append(file)
        elif key in _BAD:
            skipped.setdefault("known to be damaged", []).append(file)
        elif key not in labels:
            skipped.setdefault("a recording without a label", []).append(file)
        else:
            found[file] = key
    kept, copies = split_copies(sound_first(found), found.get)
    if copies:
        skipped["another copy of the same utterance"] = copies
    missing = sorted(" ".join(key) for key in set(labels) - set(found.values()) - _BAD)
    if missing and kept:
        skipped["a label without a recording"] = missing
    return Scan([{"corpus": INFO.name, "file": file} | labels[found[file]] for file in kept], skipped)


def _labels(root: Path) -> dict[tuple[str, str], dict[str, str]]:
    """Read the tables that are there: ``(part, dia0_utt3)`` to the columns of a row."""
    labels = {}
    for file in find_files(root, max_depth=3, suffixes=tuple(f"{part}_sent_emo.csv" for part in _PARTS)):
        part = file.rpartition("/")[2].lower().partition("_")[0]
        reader = csv.DictReader(io.StringIO(read_text(root / file), newline=""))
        lacking = [column for column in _COLUMNS if column not in (reader.fieldnames or ())]
        if lacking:
            raise CorpusError(
                f"The table {file} lacks the columns {', '.join(lacking)}. "
                f"Received: {', '.join(reader.fieldnames or [])}."
            )
        for line in reader:
            if None in line.values():
                raise CorpusError(
                    f"Line {reader.line_num} of {file} must have {len(reader.fieldnames)} fields: it is cut."
                )
            emotion = _EMOTIONS.get(line["Emotion"].strip().lower())
            dialogue, speaker = f"dia{line['Dialogue_ID']}", line["Speaker"].strip()
            row = {"emotion": emotion, "gender": _GENDERS.get(speaker), "speaker": speaker}
            row |= {"session": f"{part} {dialogue}", "text": line["Utterance"].strip(), "split": part}
            labels[part, f"{dialogue}_utt{line['Utterance_ID']}"] = {k: v for k, v in row.items() if v is not None}
    return labels
