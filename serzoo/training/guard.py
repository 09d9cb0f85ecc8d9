"""What a run listens to, listed before it trains, so that no file and no recording stands on both sides of a fold."""

import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from serzoo import pipeline
from serzoo.corpora import Fold
from serzoo.errors import CorpusError, SerzooError
from serzoo.evaluation import leaks
from serzoo.files import RECORDINGS

_KEY = ["corpus", "file", "start", "end"]


def guard(
    out: Path,
    tables: Sequence[pd.DataFrame],
    roots: Mapping[str, str | Path],
    folds: Sequence[Fold],
    allowed: bool = False,
    heard: pd.DataFrame | None = None,
    main: pd.DataFrame | None = None,
) -> dict[str, list[str]]:
    """Decode every row once, write the list of recordings, and look for what folds share.

    Args:
        out: folder of the run; a list that lies there already is taken as it is, if it has these rows.
        tables: rows of the corpora and of all streams.
        roots: folder of each corpus.
        folds: those to train.
        allowed: whether to go on with what is shared.
        heard: recordings that were trained on before, by the weights that the run starts from.
        main: rows of the protocol's corpora, where ``tables`` holds the streams beside them alone: speakers whom a fold
            leaves out are not compared in it, unless they stand in ``tables`` or ``heard``, too.

    Returns:
        What stands on both sides, by the name of the fold; empty lists where nothing does.

    Raises:
        SpeakerLeakError: if a file or recording does, and it is not allowed.
        AudioError: if recordings cannot be read; with the first reason, and the names of all.
    """
    rows = pd.concat([*([] if main is None else [main]), *tables], ignore_index=True)
    rows = rows.drop_duplicates(_KEY, ignore_index=True)
    path = out / RECORDINGS
    before = [] if heard is None else [heard]
    beside = {pair for each in (*tables, *before) for pair in zip(each["corpus"], each["speaker"], strict=True)}
    try:
        listed = _listed_before(path, pd.concat([rows[_KEY], *(each[_KEY] for each in before)]))
        if listed is None:
            listed = leaks.recordings(rows, pipeline.Clips(rows, roots, cache_bytes=0))
            listed = pd.concat([listed, *before], ignore_index=True).drop_duplicates(ignore_index=True)
            leaks.write_recordings(path, listed)
        shared = {fold.name: leaks.shared_in(listed, fold, set(fold.left_out) - beside) for fold in folds}
        every = [f"{name}: {each}" for name, found in shared.items() for each in found]
        what = f"{len(every)} files or recordings stand on both sides of a fold"
        leaks.refuse(what, every, allowed, "Take them out of the corpora")
    except SerzooError:
        if not any(out.glob("*/*")):  # a run that never was
            shutil.rmtree(out, ignore_errors=True)
        raise
    return shared


def _listed_before(path: Path, rows: pd.DataFrame) -> pd.DataFrame | None:
    if not path.is_file():
        return None
    try:
        listed = leaks.read_recordings(path)
    except CorpusError:
        return None
    before, now = (set(map(tuple, each[_KEY].fillna(-1.0).to_numpy().tolist())) for each in (listed, rows))
    return listed if now <= before else None
