"""What is audited: the runs and shipped weights, their predictions, and which of their encoders heard whom."""

import os
import re
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serzoo import config as configs
from serzoo import corpora as readers
from serzoo import registry
from serzoo.corpora import forms
from serzoo.errors import CorpusError, MissingFileError, RunError, SpeakerLeakError, join, unknown_name
from serzoo.evaluation import leaks
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.published import published_predictions
from serzoo.files import CARD

Roots = Mapping[str, str | os.PathLike]


class Subject:
    """One audited model.

    Args:
        name: what it is called in the report.
        predictions: answers of its folds on their test speakers; None where there are none.
        encoders: what :func:`serzoo.load` takes for the weights of each fold, all of one seed.
        whole: the weights for other people's speech: those trained on every speaker where there are any.
        tasks: what it was trained for, ``("emotion", "gender")``; empty where that is not known.
        denoise: name of a denoiser that it was not trained with and is judged behind.
    """

    def __init__(
        self,
        name: str,
        predictions: pd.DataFrame | None = None,
        encoders: Sequence[str | Path] = (),
        whole: str | Path | None = None,
        tasks: Sequence[str] = (),
        denoise: str | None = None,
    ):
        self.name, self.predictions, self.tasks = name, predictions, tuple(tasks)
        self.encoders, self.whole, self._denoise = tuple(encoders), whole, denoise
        self._models: dict[str, Any] = {}

    def model(self, source: str | Path) -> Any:
        """Load one of the encoders, once."""
        if str(source) not in self._models:
            from serzoo import zoo

            with warnings.catch_warnings():  # the report states the licence
                warnings.filterwarnings("ignore", message=".*not for commercial use")
                self._models[str(source)] = zoo.load(source, denoise=self._denoise)
        return self._models[str(source)]

    @property
    def weights(self) -> list[str | Path]:
        """What may answer: the encoders, and the weights for other people's speech."""
        return list(dict.fromkeys([*self.encoders, *([] if self.whole is None else [self.whole])]))

    @property
    def classes(self) -> list[str]:
        """Emotions that it tells."""
        if self.predictions is not None:
            return tables.classes(self.predictions)
        return list(self.model(self.encoders[0]).classes)

    def parts(self, table: pd.DataFrame) -> list[tuple[Any, pd.DataFrame]]:
        """Share the rows among the encoders, so that each is judged once, by one that never heard its speaker.

        Args:
            table: of corpora.

        Returns:
            Pairs of model and rows, in the corpora that it was trained on; where all of their speakers were heard, in
            the other corpora, by the weights for other people's speech. Rows without one of the classes are left out.

        Raises:
            CorpusError: if there is no such pair.
        """
        if not self.weights:
            raise CorpusError(f"{self.name} came without weights: it cannot be asked.")
        found, taken = [], np.zeros(len(table), bool)
        for source in self.encoders:
            model = self.model(source)
            rows = ~heard(model, table) & ~taken & table["corpus"].isin(model.training_speakers).to_numpy()
            taken |= rows
            if rows.any():
                found.append((model, table[rows]))
        if not found and self.whole is not None:
            model = self.model(self.whole)
            found.append((model, table[~heard(model, table)]))
        classed = [(model, _classed(model, rows)) for model, rows in found]
        if not (kept := [(model, rows) for model, rows in classed if len(rows)]):
            unheard = any(len(rows) for _, rows in found)
            why = "of the unheard speakers none has one of its classes" if unheard else "it has heard every speaker"
            raise CorpusError(f"{self.name} cannot be judged by these corpora: {why}.")
        return kept


def heard(model: Any, table: pd.DataFrame) -> np.ndarray:
    """Tell for each row whether the model was trained on its speaker, ``(rows,)`` bool."""
    pairs = zip(table["corpus"], table["speaker"], strict=True)
    return np.array(forms.heard(model.training_speakers, pairs), bool)


def refuse_copies(subjects: Sequence[Subject], table: pd.DataFrame, roots: Roots) -> None:
    """Refuse a corpus that a model was not trained on, as it seems, with recordings that it was trained on.

    Of the corpora that it was trained on its unheard speakers judge it: their recordings were compared in training.

    Args:
        subjects: the models.
        table: of corpora.
        roots: their folders.

    Raises:
        SpeakerLeakError: if there are any.
        AudioError: if recordings cannot be read.
    """
    models = [(subject, source, subject.model(source)) for subject in subjects for source in subject.weights]
    others = {corpus for *_, model in models for corpus in set(table["corpus"]) - set(model.training_speakers)}
    rows = table[table["corpus"].isin(others)].reset_index(drop=True)
    if rows.empty:
        return
    from serzoo import pipeline

    judged = leaks.recordings(rows, pipeline.Clips(rows, roots, cache_bytes=0))
    for subject, source, model in models:
        trained = leaks.listed_recordings(model.training_speakers, leaks.beside(source))
        strange = ~judged["corpus"].isin(model.training_speakers) & ~heard(model, judged)
        if shared := leaks.shared_recordings(trained, judged[strange]):
            raise SpeakerLeakError(
                f"{subject.name} was trained on {len(shared)} of the recordings to judge it by: {join(shared)}. Take "
                "them out of the corpora."
            )


def open_subjects(sources: Sequence[str | os.PathLike]) -> list[Subject]:
    """Find what belongs to each name.

    Args:
        sources: run folders, the folder of one fold, ``.csv`` files of predictions, ``.keras`` files, or names of
            weights: of ``NAME.TAG`` the folds ``NAME.TAG-foldK`` and the published predictions are used.

    Returns:
        One subject for each, in this order.

    Raises:
        UnknownNameError: if there are no such model or weights.
        MissingFileError: if there is no such folder or file.
        RunError: if a folder is not a finished run, or no source or the same one twice was given.
    """
    sources = [sources] if isinstance(sources, (str, os.PathLike)) else list(sources)
    given = [os.fspath(source).rstrip("/") for source in sources]
    if not given or len(set(given)) < len(given):
        raise RunError(f"An audit needs one or more different runs or weights. Received: {', '.join(given) or 'none'}.")
    found = [_open(text) for text in given]
    short = [subject.name for subject in found]
    for subject, text in zip(found, given, strict=True):
        if short.count(subject.name) > 1:
            subject.name = text
    return found


def sample(table: pd.DataFrame, clips: int | None, seed: int) -> pd.DataFrame:
    """Choose rows evenly over speakers and their emotions.

    Args:
        table: of corpora.
        clips: how many at most; None for all.
        seed: of the choice.

    Returns:
        The chosen rows, in their order.
    """
    if clips is None or len(table) <= clips:
        return table
    shuffled = table.iloc[np.random.RandomState(seed).permutation(len(table))]
    turn = shuffled.groupby(["corpus", "speaker", "emotion"], dropna=False).cumcount()
    # Within one turn over all speakers and emotions the speakers take turns, too.
    rank = turn.groupby([turn, shuffled["corpus"], shuffled["speaker"]]).cumcount()
    chosen = np.lexsort((np.arange(len(table)), rank.to_numpy(), turn.to_numpy()))[:clips]
    return table.loc[table.index.isin(shuffled.index[chosen])]


def sample_parts(parts: Sequence[tuple[Any, pd.DataFrame]], clips: int | None, seed: int) -> list[tuple]:
    """Choose rows over all parts of a subject together, as :func:`sample` does; a part without any is left out."""
    chosen = sample(pd.concat([rows for _, rows in parts]), clips, seed).index
    kept = [(model, rows[rows.index.isin(chosen)]) for model, rows in parts]
    return [(model, rows) for model, rows in kept if len(rows)]


def judge(model: Any, rows: pd.DataFrame, clips: Any, condition: str | None = None) -> pd.DataFrame:
    """Predict rows whose sound is given: a table of predictions."""
    from serzoo import pipeline

    answers = pipeline.predict(model, clips)["emotion"]
    seed, fold = model.card.get("seed") or 0, model.card.get("fold")
    return tables.from_table(rows, answers, list(model.classes), seed=seed, fold=fold, condition=condition)


def _classed(model: Any, table: pd.DataFrame) -> pd.DataFrame:
    """Keep the rows with a class of the model, merged as its protocol merges them."""
    protocol = model.card.get("protocol")
    if protocol and protocol != "all":
        merged = readers.protocol(protocol).class_map
        table = table.assign(emotion=[merged.get(emotion, emotion) for emotion in table["emotion"]])
    return table[table["emotion"].isin(model.classes)]


def _open(text: str) -> Subject:
    path = Path(text)
    name, _, tag = text.partition(".")
    if name in registry.BUILDERS and not registry.is_path(text):
        return _open_name(name, tag)
    if not path.exists():
        raise MissingFileError(f"There is no run, file or model called {text}. See serzoo list for the models.")
    if text.endswith((".csv", ".csv.gz")):
        return Subject(path.name.removesuffix(".gz").removesuffix(".csv"), tables.read(path))
    if path.is_file() or (path / CARD).is_file():
        return Subject(path.stem, encoders=[path], whole=path)
    return _open_run(path)


def _open_run(path: Path) -> Subject:
    folds = sorted(path.glob(f"seed*-*/{CARD}"), key=_numbers)
    if not folds or not (path / "config.yaml").is_file():
        raise RunError(f"{path} must be a run with trained folds, such as seed0-fold0. Received: none.")
    settings = configs.load(path / "config.yaml")
    first = [card.parent for card in folds if _numbers(card)[0] == _numbers(folds[0])[0]]
    told = tables.read(path) if (path / "predictions.csv").is_file() else None
    return Subject(path.resolve().name, told, first, first[0], _tasks(settings))


def _open_name(name: str, tag: str) -> Subject:
    settings = configs.load(name)
    weights = {entry.tag: entry for entry in settings.weights}
    if not tag and settings.default_weights:
        tag = settings.default_weights.tag
    tag = tag.removesuffix("-folds")  # as evaluate calls them
    folds = sorted((each for each in weights if re.fullmatch(rf"{re.escape(tag)}-fold\d+", each)), key=_numbers)
    if not tag or (tag not in weights and not folds):
        raise unknown_name(f"weights of {name}", tag, weights, see=f"serzoo show {name}")
    file = published_predictions(f"{name}.{tag}")
    told = tables.read(file) if file else None
    encoders = [f"{name}.{each}" for each in folds or [tag]]
    return Subject(
        f"{name}.{tag}", told, encoders, f"{name}.{tag}" if tag in weights else encoders[0], _tasks(settings)
    )


def _tasks(settings: Any) -> list[str]:
    return [*settings.heads, *getattr(settings, "objectives", {})]


def _numbers(path: str | Path) -> list[int]:
    name = path.parent.name if isinstance(path, Path) else path
    return [int(number) for number in re.findall(r"\d+", name)]


def read_tables(roots: Roots | None, partial: bool) -> pd.DataFrame | None:
    """Read the corpora; None where there are none."""
    if not roots:
        return None
    table = readers.read_many(roots, partial=partial)
    unknown = table["speaker"].isna()
    if unknown.all():
        raise CorpusError(f"An audit needs speakers. Received {len(table)} rows without one.")
    return table[~unknown].reset_index(drop=True)
