"""The trained models that a run starts from."""

import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path

import pandas as pd

from serzoo import zoo
from serzoo.corpora import Fold
from serzoo.errors import RunError, SpeakerLeakError, join
from serzoo.evaluation.leaks import beside, listed_recordings, shared_speakers
from serzoo.layers.front_end import front_end_settings


def sources_of(config, init: str, folds: Sequence[Fold], seeds: Sequence[int], allowed: bool = False) -> dict:
    """Load what each fold of each seed starts from; of weights from another front end there is a warning.

    Args:
        config: that of the run to come.
        init: trained or pre-trained model, as :func:`serzoo.load` takes it; or a run with the same folds: then each
            fold starts from its own, of its own seed if there is one.
        folds: folds of the run to come.
        seeds: seeds of the run to come.
        allowed: whether to go on with weights that have heard a test speaker.

    Returns:
        Classifiers by seed and name of the fold.

    Raises:
        RunError: if the run has not finished one of the folds.
        SpeakerLeakError: if a fold would start from weights that have heard one of its test speakers.
    """
    loaded: dict[str, zoo.Classifier] = {}
    sources = {}
    for seed in seeds:
        for fold in folds:
            place = _place(init, fold, seed)
            if place not in loaded:
                loaded[place] = zoo.load(place)
                _warn_of_another_front_end(config, init, loaded[place])
            source = sources[seed, fold.name] = loaded[place]
            if (shared := shared_speakers(source.training_speakers, fold.test)) and not allowed:
                raise SpeakerLeakError(f"{place} was trained on test speakers of {fold.name}: {join(shared)}.")
    return sources


def recordings_of(init: str, sources: Mapping) -> pd.DataFrame | None:
    """List the recordings that the models of :func:`sources_of` have heard, as far as they are known.

    Returns:
        Rows as of :func:`serzoo.evaluation.leaks.recordings`; None if none is known.
    """
    speakers = [source.training_speakers for source in set(sources.values())]
    found = [listed for each in speakers if len(listed := listed_recordings(each, beside(init)))]
    return pd.concat(found, ignore_index=True).drop_duplicates(ignore_index=True) if found else None


def _warn_of_another_front_end(config, init: str, source: zoo.Classifier) -> None:
    here = config.frontend.model_dump()
    there = front_end_settings(source)
    if found := [f"frontend.{key}={there[key]}" for key in here if there.get(key, here[key]) != here[key]]:
        told = f"{init} was trained on another front end. To train on the same one: --set {' --set '.join(found)}."
        warnings.warn(told, stacklevel=2)


def _place(init: str, fold: Fold, seed: int) -> str:
    run = Path(init)
    own = [run / f"seed{seed}-{fold.name}", *sorted(run.glob(f"seed*-{fold.name}"))]
    if done := [place for place in own if (place / zoo.CARD).is_file()]:
        return str(done[0])
    if any(place.is_dir() for place in own):
        raise RunError(f"{init} has not finished {fold.name}: let it go on with --resume, then start from it.")
    return init
