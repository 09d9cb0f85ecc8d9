"""Nothing may stand on both sides: no speaker, no file, no recording.

A recording is known by its samples as the model hears them (mono, 16 kHz, float32): a copy under another name or in
another lossless format is the same one, whatever speaker a table gives it. The recordings behind shipped weights are
listed in ``zoo_configs/recordings/CORPUS.csv.gz``, those behind a run in its own folder.
"""

import csv
import gzip
import hashlib
import io
import os
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import registry
from serzoo.corpora.forms import heard
from serzoo.errors import AudioError, CorpusError, SpeakerLeakError, join
from serzoo.files import CARD, RECORDINGS, replace_file

LEAK_STAMP = "speakers shared: not comparable"
COLUMNS = ("corpus", "file", "start", "end", "speaker", "digest")
FOLDER = "folder"  # stands for the corpus of sound files that no reader knows; in every run it may be another one


def digest(clip: np.ndarray) -> str:
    """Name a waveform by its samples.

    Args:
        clip: samples, ``(samples,)`` float32.

    Returns:
        16 hexadecimal digits.

    Example:
        >>> digest(np.zeros(4, "float32"))
        '374708fff7719dd5'
    """
    return hashlib.sha256(np.ascontiguousarray(clip, "<f4").tobytes()).hexdigest()[:16]


def recordings(table: pd.DataFrame, clips: Sequence[np.ndarray], num_workers: int = 4) -> pd.DataFrame:
    """List the recordings of a table.

    Args:
        table: rows with ``corpus, file, start, end, speaker``.
        clips: their waveforms, in the same order, such as :class:`serzoo.pipeline.Clips`.
        num_workers: threads that decode.

    Returns:
        The rows with :data:`COLUMNS`.

    Raises:
        AudioError: if recordings cannot be read; with the first reason, and the names of all.
    """
    unreadable = {}

    def digest_of(number: int) -> str:
        try:
            return digest(clips[number])
        except AudioError as error:
            unreadable[number] = str(error)
            return ""

    with ThreadPoolExecutor(num_workers) as pool:
        digests = list(pool.map(digest_of, range(len(table))))
    if unreadable:
        bad = sorted(unreadable)
        others = f" {len(bad)} recordings cannot be read: {join(table['file'].iloc[bad].tolist())}."
        raise AudioError(f"{unreadable[bad[0]]}{others if len(bad) > 1 else ''}")
    return table[list(COLUMNS[:-1])].assign(digest=digests).reset_index(drop=True)


def write_recordings(path: str | os.PathLike, listed: pd.DataFrame) -> None:
    """Write a list of recordings; the same list always gives the same bytes."""
    ordered = listed[list(COLUMNS)].drop_duplicates().sort_values([*COLUMNS], na_position="first")
    data = ordered.to_csv(index=False, lineterminator="\n", quoting=csv.QUOTE_MINIMAL).encode()
    replace_file(path, gzip.compress(data, compresslevel=9, mtime=0))


def read_recordings(path: str | os.PathLike) -> pd.DataFrame:
    """Read a list of recordings.

    Raises:
        CorpusError: if it is none.
    """
    try:
        text = gzip.decompress(Path(path).read_bytes()).decode()
        texts = {name: str for name in COLUMNS if name not in ("start", "end")}
        listed = pd.read_csv(io.StringIO(text), dtype=texts, keep_default_na=False, na_values={"start": "", "end": ""})
        return listed[list(COLUMNS)]
    except (OSError, EOFError, ValueError, KeyError) as error:
        raise CorpusError(f"{path} is no list of recordings: {error}.") from error


def publish_recordings(path: Path) -> list[Path]:
    """Add the recordings of a run to the lists that ship with serzoo, but those of a folder that no reader knows.

    Args:
        path: list of the run; a run of an older version has none.

    Returns:
        The lists that were changed, one for each corpus.
    """
    if not path.is_file():
        return []
    written = []
    listed = read_recordings(path)
    for corpus, rows in listed[listed["corpus"] != FOLDER].groupby("corpus"):
        shipped = _shipped(corpus)
        before = [read_recordings(shipped)] if shipped.is_file() else []
        # Copies of a corpus may differ in their samples, by the rate they are kept at: each is listed.
        write_recordings(shipped, pd.concat([*before, rows], ignore_index=True))
        written.append(shipped)
    return written


def beside(source: str | os.PathLike) -> Path | None:
    """Find the list of recordings that lies beside weights.

    Args:
        source: folder of a run or of one of its folds; of anything else there is none.
    """
    path = Path(source)
    path = (path.resolve().parent if (path / CARD).is_file() else path) / RECORDINGS
    return path if path.is_file() else None


def listed_recordings(speakers: Mapping[str, Sequence[str]], beside: Path | None = None) -> pd.DataFrame:
    """Find what weights have heard.

    Args:
        speakers: training speakers by corpus, as they travel with the weights.
        beside: the list of a run; without one those that ship with serzoo are asked.

    Returns:
        The recordings of these speakers with :data:`COLUMNS`; of a corpus that no list knows there are none.
    """
    paths = [_shipped(corpus) for corpus in speakers]
    if beside is not None:
        paths.append(Path(beside))
    lists = [read_recordings(path) for path in paths if path.is_file()]
    if not lists:
        return pd.DataFrame(columns=list(COLUMNS))
    listed = pd.concat(lists, ignore_index=True)
    known = {(corpus, str(speaker)) for corpus, who in speakers.items() for speaker in who}
    return listed[[pair in known for pair in zip(listed["corpus"], listed["speaker"], strict=True)]]


def shared_speakers(speakers: Mapping[str, Sequence[str]], pairs: Iterable[tuple[str, str]]) -> list[str]:
    """Name the speakers who are among training speakers, in whatever form of their corpus.

    Args:
        speakers: training speakers by corpus.
        pairs: corpus and name of each speaker to judge by.

    Example:
        >>> shared_speakers({"emodb": ["03"]}, [("emodb_first2s", "08"), ("emodb_first2s", "03")])
        ['emodb_first2s 03']
    """
    found = sorted({(corpus, str(name)) for corpus, name in pairs})
    return [" ".join(pair) for pair, known in zip(found, heard(speakers, found), strict=True) if known]


def shared_recordings(trained: pd.DataFrame, judged: pd.DataFrame, files: bool = True) -> list[str]:
    """Name the files and the bit-identical recordings that stand on both sides.

    Args:
        trained: recordings of training.
        judged: recordings to judge.
        files: whether two stretches of one file are one recording, too.

    Returns:
        A phrase for each: ``"emodb wav/a.wav"`` for a file, ``"mine b.wav = emodb wav/a.wav"`` for a copy.

    Example:
        >>> sides = [pd.DataFrame([[c, f, np.nan, np.nan, "1", "ab"]], columns=COLUMNS) for c, f in ("xa", "yb")]
        >>> shared_recordings(*sides)
        ['y b = x a']
    """
    trained_files = set(zip(trained["corpus"], trained["file"], strict=True)) if files else set()
    names = {row.digest: f"{row.corpus} {row.file}" for row in trained.itertuples()}
    found = []
    for row in judged.itertuples():
        if (row.corpus, row.file) in trained_files:
            found.append(f"{row.corpus} {row.file}")
        elif row.digest in names:
            found.append(f"{row.corpus} {row.file} = {names[row.digest]}")
    return sorted(set(found))


def shared_in(listed: pd.DataFrame, fold: Any, unheard: Iterable[tuple[str, str]] = ()) -> list[str]:
    """Name what stands on both sides of a fold: a file in training and test, a recording in any two parts.

    Validation speakers may share a file with a test speaker, as the two of a dialogue do, but no recording.

    Args:
        listed: recordings of all rows; those of speakers who neither validate nor test are trained on.
        fold: with the pairs of corpus and speaker ``validation`` and ``test``.
        unheard: pairs of corpus and speaker who take no part in the fold.

    Returns:
        Phrases as of :func:`shared_recordings`.
    """
    pairs = list(zip(listed["corpus"], listed["speaker"], strict=True))
    parts = [set(part) for part in (fold.validation, fold.test, unheard)]
    validation, test, apart = (np.array([pair in part for pair in pairs], bool) for part in parts)
    chosen, judged, train = listed[validation], listed[test], listed[~(validation | test | apart)]
    copies = [*shared_recordings(chosen, judged, files=False), *shared_recordings(train, chosen, files=False)]
    return sorted({*shared_recordings(train, judged), *copies})


def refuse(what: str, shared: Sequence[str], allowed: bool, how: str) -> None:
    """Stop where something is shared, unless it is allowed.

    Args:
        what: such as ``"3 of the speakers to judge it by"``.
        shared: names of what is shared.
        allowed: whether to go on.
        how: what to do instead.

    Raises:
        SpeakerLeakError: with the names.
    """
    if shared and not allowed:
        raise SpeakerLeakError(
            f"{what}: {join(shared)}. Figures on them say nothing about other people. {how}, or allow the leak "
            "(--allow-speaker-leak) and have every output stamped."
        )


def _shipped(corpus: str) -> Path:
    return registry.configs_folder() / "recordings" / f"{corpus.replace(':', '-')}.csv.gz"
