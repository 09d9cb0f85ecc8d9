"""AVEC: recordings with continuous traces of arousal and valence, in two layouts.

RECOLA, as in AVEC 2016: ``recordings_audio/train_1.wav`` and ``ratings_gold_standard/arousal/train_1.arff`` (and
``valence``), one value each 40 ms. SEWA, as in AVEC 2019: ``audio/Train_DE_01.wav`` and ``labels/Train_DE_01.csv``, one
row each 100 ms, with the columns ``arousal`` and ``valence``, separated by semicolons. Labels of the test parts are not
public, so they are left out. Both traces run from -1 to 1.

Neither corpus has classes. This reader cuts each recording into stretches of ``stretch_s`` seconds, takes the mean of
both traces over each, and names its place in the plane of arousal and valence:

- nearer to the origin than ``neutral_radius``: neutral;
- else by quadrant: anger (arousal > 0, valence < 0), happiness (both >= 0), sadness (both < 0), calm (the fourth).

That is serzoo's convention, after Russell (1980), A circumplex model of affect, and no one else's label: the means
stand in columns of their own. Raters react late; ``delay_s`` moves the traces earlier by that much.

Valstar et al. (2016), AVEC 2016, https://doi.org/10.1145/2988257.2988258. Ringeval et al. (2019), AVEC 2019,
https://doi.org/10.1145/3347320.3357688. Russell (1980), https://doi.org/10.1037/h0077714
"""

import csv
import io
import math
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serzoo.corpora.corpus import CorpusInfo, Scan, find_files, read_text, split_copies, stem_of
from serzoo.errors import CorpusError

_NAME = re.compile(r"(train|dev|devel|test)_(?:(DE|HU|CN)_)?(\d+)", re.IGNORECASE)
_SPLITS = {"train": "train", "dev": "dev", "devel": "dev", "test": "test"}
_FOLDERS = ("recordings_audio", "audio")
_RECOLA = "ratings_gold_standard/{dimension}/{name}.arff"
_SEWA = "labels/{name}.csv"
_DIMENSIONS = ("arousal", "valence")
_MIN_SHARE = 0.5  # a last stretch shorter than this share of a whole one is left out

INFO = CorpusInfo(
    name="avec",
    title="AVEC 2016 (RECOLA) or AVEC 2019 (SEWA), continuous arousal and valence",
    reference="Valstar et al. (2016), AVEC 2016, https://doi.org/10.1145/2988257.2988258; Ringeval et al. (2019), "
    "AVEC 2019, https://doi.org/10.1145/3347320.3357688",
    url="https://diuf.unifr.ch/main/diva/recola/ and https://db.sewaproject.eu",
    licence="free for research, on request",
    layout="recordings_audio/train_1.wav with ratings_gold_standard/arousal/train_1.arff and valence (RECOLA), or "
    "audio/Train_DE_01.wav with labels/Train_DE_01.csv (SEWA)",
    emotions={},
    speakers={},
    notes=(
        "the classes are quadrants of mean arousal and valence: serzoo's convention, not the corpus'",
        "in SEWA the partner of the video chat may be heard too; the official turns are not used",
        "recordings are taken as speakers; the gender is not told",
        "official numbers of labelled recordings: RECOLA 9 train and 9 dev; SEWA 34 train and 14 dev in German, the "
        "same in Hungarian; they are not checked",
    ),
)


def scan(root: Path, stretch_s: float = 4.0, neutral_radius: float = 0.1, delay_s: float = 0.0) -> Scan:
    """Read the traces below a root and cut the recordings into stretches.

    Args:
        root: existing folder of either layout.
        stretch_s: duration of a stretch, in seconds, 0.1 or more.
        neutral_radius: distance from the origin below which a stretch is neutral, 0 or more.
        delay_s: how late the raters are, in seconds, 0 or more.

    Returns:
        One row for each stretch, with ``start`` and ``end``, and the skipped files. ``speaker`` and ``session`` are
        the recording; ``gender`` and ``text`` are missing; ``arousal`` and ``valence`` are means from -1 to 1;
        ``split`` is ``"train"`` or ``"dev"``; ``language`` is ``"de"`` or ``"hu"`` in SEWA.

    Raises:
        CorpusError: if an option is out of range or a trace cannot be read.

    Example:
        >>> scan(Path("AVEC2016"), stretch_s=3.0).rows[0]["emotion"]  # doctest: +SKIP
        'neutral'
    """
    for name, value, low in (
        ("stretch_s", stretch_s, 0.1),
        ("neutral_radius", neutral_radius, 0),
        ("delay_s", delay_s, 0),
    ):
        if not isinstance(value, int | float) or not low <= value < math.inf:
            raise CorpusError(f"{name} of avec must be a number of {low} or more. Received: {value!r}.")
    skipped: dict[str, list[str]] = {}
    names = {}
    for file in find_files(root, max_depth=1):
        if file.rpartition("/")[0].lower() not in _FOLDERS:
            continue
        match = _NAME.fullmatch(stem_of(file))
        if not match:
            skipped.setdefault("not an AVEC file name", []).append(file)
        elif not any((root / path).is_file() for path in _label_files(stem_of(file))):
            skipped.setdefault("a recording without a label", []).append(file)
        else:
            names[file] = match
    files, copies = split_copies(names)
    if copies:
        skipped["another copy of the same utterance"] = copies
    rows = []
    for file in files:
        split, language, _ = names[file].groups()
        row = {"corpus": INFO.name, "file": file, "speaker": stem_of(file), "session": stem_of(file)}
        row |= {"split": _SPLITS[split.lower()]} | ({"language": language.lower()} if language else {})
        trace = _trace(root, stem_of(file))
        rows += [row | stretch for stretch in _stretches(trace, stretch_s, neutral_radius, delay_s)]
    return Scan(rows, skipped)


def quadrant(arousal: float, valence: float, neutral_radius: float) -> str:
    """Name the place of a stretch in the plane of arousal and valence.

    Args:
        arousal: mean over the stretch, from -1 (calm) to 1 (excited).
        valence: mean over the stretch, from -1 (unpleasant) to 1 (pleasant).
        neutral_radius: distance from the origin below which it is neutral.

    Example:
        >>> quadrant(0.3, -0.2, neutral_radius=0.1)
        'anger'
    """
    if math.hypot(arousal, valence) < neutral_radius:
        return "neutral"
    if valence < 0:
        return "anger" if arousal > 0 else "sadness"
    return "happiness" if arousal >= 0 else "calm"


def _stretches(
    trace: list[tuple[float, float, float]], stretch_s: float, neutral_radius: float, delay_s: float
) -> Iterator[dict[str, Any]]:
    groups: dict[int, list[tuple[float, float, float]]] = {}
    for time, arousal, valence in trace:
        if time >= delay_s and math.isfinite(arousal + valence):
            # Rounded, so that 0.30000000000000004 / 0.1 falls where it belongs.
            groups.setdefault(math.floor(round((time - delay_s) / stretch_s, 9)), []).append((time, arousal, valence))
    step = trace[1][0] - trace[0][0] if len(trace) > 1 else 0.0
    for number, values in sorted(groups.items()):
        end = min((number + 1) * stretch_s, values[-1][0] - delay_s + step)
        if len(values) * step < _MIN_SHARE * stretch_s:
            continue
        arousal, valence = (sum(value[i] for value in values) / len(values) for i in (1, 2))
        row = {"start": round(number * stretch_s, 6), "end": round(end, 6)}
        yield row | {"emotion": quadrant(arousal, valence, neutral_radius), "arousal": arousal, "valence": valence}


def _label_files(name: str) -> list[str]:
    return [_RECOLA.format(dimension="arousal", name=name), _SEWA.format(name=name)]


def _trace(root: Path, name: str) -> list[tuple[float, float, float]]:
    """Read the traces of a recording: (time, arousal, valence), the time in seconds."""
    recola, sewa = _label_files(name)
    path = recola if (root / recola).is_file() else sewa
    try:
        if path == sewa:
            return _csv_trace(read_text(root / sewa))
        both = []
        for dimension in _DIMENSIONS:
            path = _RECOLA.format(dimension=dimension, name=name)
            both.append(_arff_trace(read_text(root / path)))
        if [time for time, _ in both[0]] != [time for time, _ in both[1]]:
            raise ValueError("arousal and valence have different times")
        return [(time, arousal, valence) for (time, arousal), (_, valence) in zip(*both, strict=True)]
    except (OSError, ValueError, KeyError, IndexError) as error:
        raise CorpusError(f"The trace {path} cannot be read: {error}.") from error


def _csv_trace(text: str) -> list[tuple[float, float, float]]:
    rows = list(csv.DictReader(io.StringIO(text, newline=""), restval="", delimiter=";"))
    names = {name.strip().lower(): name for name in (rows[0] if rows else {}) if name}
    wanted = [names.get(name) for name in ("timestamp", *_DIMENSIONS)]
    if None in wanted:
        raise ValueError(f"its columns must be name;timestamp;arousal;valence. Received: {', '.join(names)}")
    return [tuple(float(row[name]) for name in wanted) for row in rows]


def _arff_trace(text: str) -> list[tuple[float, float]]:
    """Read the time and the gold standard, by the names of the attributes."""
    header, mark, data = text.partition("@data") if "@data" in text else text.partition("@DATA")
    if not mark:
        raise ValueError("it has no line @data")
    names = [match[1].lower() for match in re.finditer(r"^@attribute\s+(\S+)", header, re.IGNORECASE | re.MULTILINE)]
    time, value = names.index("frametime"), names.index("goldstandard")
    lines = (line.split(",") for line in data.splitlines() if line.strip() and not line.startswith("%"))
    return [(float(fields[time]), float(fields[value])) for fields in lines]
