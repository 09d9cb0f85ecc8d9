"""The answers that an evaluation judges: given in a file, or asked of one network after the other."""

import os
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from serzoo import scales
from serzoo.errors import CorpusError, join
from serzoo.evaluation import leaks
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.calibration import fit_temperature
from serzoo.evaluation.judged import Judged, Network, full_name


@dataclass
class Answers:
    """Predictions and what must be said beside them.

    Args:
        predictions: a valid table.
        dropped: rows that have no answer, by reason.
        failed: ``{"corpus", "file", "reason"}`` of recordings that cannot be read.
        shared_speakers: those that were also trained on.
        shared_recordings: those that were also trained on.
        temperatures: by seed and fold.
        fitted_on: whom the temperatures were fitted on.
        audio_s: seconds of sound behind the predictions.
        name: full name of the network, if there is one alone.
        licence: of the weights.
        parameters: number of weights of one network.
    """

    predictions: pd.DataFrame | None = None
    dropped: dict[str, int] = field(default_factory=dict)
    failed: list[dict[str, str]] = field(default_factory=list)
    shared_speakers: list[str] = field(default_factory=list)
    shared_recordings: list[str] = field(default_factory=list)
    temperatures: dict[tuple[int, int | None], float] = field(default_factory=dict)
    fitted_on: str | None = None
    audio_s: float = 0.0
    name: str | None = None
    licence: str | None = None
    parameters: int | None = None


def tested(table: pd.DataFrame, folds: Sequence[Any] | None, fold: int | None = None) -> np.ndarray:
    """Tell which rows a protocol tests.

    Args:
        table: rows of the corpora that take part.
        folds: those of the protocol; None where there is none: then every row is tested.
        fold: the only one to test; None for all.

    Returns:
        ``(rows,)`` bool.
    """
    if folds is None:
        return np.ones(len(table), bool)
    speakers = {speaker for each in (folds if fold is None else [folds[fold]]) for speaker in each.test}
    return np.array([pair in speakers for pair in zip(table["corpus"], table["speaker"], strict=True)], bool)


def given(found: Judged, table: pd.DataFrame, judged: np.ndarray) -> Answers:
    """Take predictions that were made elsewhere, if they are for the rows of a table.

    Args:
        found: with predictions.
        table: rows of the corpora that take part.
        judged: which of them are to be judged, as of :func:`tested`.

    Returns:
        The answers for these rows; those without one are counted.

    Raises:
        CorpusError: if a prediction is for another row, or disagrees about its emotion or speaker; or if there is none
            for a row to judge.
    """
    told, name = found.predictions, found.name
    place = _keys(table).get_indexer(_keys(told))
    if len(strange := told[place < 0]):
        first = f"{strange['corpus'].iloc[0]} {strange['file'].iloc[0]}"
        raise CorpusError(
            f"{name} must hold predictions for the rows of these corpora. Received {len(strange)} of {len(told)} for "
            f"others, the first for {first}."
        )
    for ours, theirs in (("truth", "emotion"), ("speaker", "speaker")):
        known = table[theirs].to_numpy(object)[place]
        differs = np.flatnonzero((told[ours].to_numpy(object) != known) & ~(told[ours].isna() & pd.isna(known)))
        if len(differs):
            row = told.iloc[differs[0]]
            raise CorpusError(
                f"{name} must agree with the corpora about the {theirs} of each row. Received {row[ours]!r} for "
                f"{row['file']}, where the corpus has {known[differs[0]]!r}; {len(differs)} such rows."
            )
    told = told[judged[place]].reset_index(drop=True)
    if told.empty:
        raise CorpusError(f"{name} must hold predictions for speakers that are tested. Received none.")
    return Answers(told, added({"no prediction": int(judged.sum()) - len(set(place[judged[place]].tolist()))}))


class Asked:
    """Networks to be asked. Making it opens the first one and compares its speakers, which is soon done.

    Args:
        found: with networks.
        table: rows of the corpora that take part.
        roots: folder of each corpus.
        folds: those of the protocol, if there is one.
        fold: the only one to test.
        allow_leak: whether to go on with speakers and recordings that were trained on.

    Raises:
        SpeakerLeakError: if a network was trained on a speaker that it shall judge.
        CorpusError: if there is nothing to judge, or a label lies off the scale of its head.
    """

    def __init__(
        self,
        found: Judged,
        table: pd.DataFrame,
        roots: Mapping[str, str | os.PathLike],
        *,
        folds: Sequence[Any] | None,
        fold: int | None,
        allow_leak: bool,
    ):
        self._found, self._roots, self._folds, self._fold = found, roots, folds, fold
        self._allow_leak, self._stamped, self._failed = allow_leak, False, {}
        self._lost: set[tuple] = set()  # rows: of one file some stretches may be readable
        self._adaptations: set[str] = set()
        self._networks = [each for each in found.networks if fold is None or each.fold in (None, fold)]
        if not self._networks:
            raise CorpusError(f"{found.name} has no weights of fold {fold}.")
        self.answers = Answers()
        self._first = self._networks[0].open()
        if len(self._networks) == 1 and len(found.networks) == 1:
            self.answers.name = full_name(self._first)
        self._table = self._known(table, list(self._first.classes))
        for head, classes in self._first.heads.items():
            if scale := scales.scale_of(classes):
                scales.check(self._table, head, scale)
        self._refuse_speakers(self._first, self._networks[0])

    def listen(self) -> Answers:
        """Ask every network for the rows that it may judge.

        Raises:
            SpeakerLeakError: if a network was trained on a speaker, file or recording that it shall judge.
            CorpusError: if no recording can be read.
        """
        told = []
        for network in self._networks:
            model, self._first = self._first or network.open(), None
            self._refuse_speakers(model, network)
            told += self._ask(model, network)
        answers = self.answers
        answers.failed = [self._failed[key] for key in sorted(self._failed)]
        lost = len(self._lost)
        if not told:
            raise CorpusError(f"None of the {lost} recordings can be read. The first: {answers.failed[0]['reason']}")
        answers.dropped = added(answers.dropped, {"recording cannot be read": lost}, self._without_weights())
        predictions = pd.concat(told, ignore_index=True)
        leaky = answers.shared_speakers or answers.shared_recordings or self._stamped
        if notes := [*([leaks.LEAK_STAMP] if leaky else []), *sorted(self._adaptations)]:
            predictions["note"] = "; ".join(notes)
        answers.predictions = tables.validate(predictions)
        return answers

    def _without_weights(self) -> dict[str, int]:
        """Count the rows of folds that are not finished."""
        numbers = {network.fold for network in self._networks}
        if self._folds is None or self._fold is not None or None in numbers:
            return {}
        missing = [fold for fold in self._folds if fold.index not in numbers]
        rows = sum(int(tested(self._table, self._folds, fold.index).sum()) for fold in missing)
        return {f"no weights of {join([fold.name for fold in missing])}": rows} if missing else {}

    def _known(self, table: pd.DataFrame, classes: list[str]) -> pd.DataFrame:
        """Rows whose emotion is a class of the model; the others are counted where they would have been tested."""
        known = table["emotion"].isin(classes)
        judged = tested(table, self._folds, self._fold)
        reasons = [
            f"{emotion} is not a class of the model" if isinstance(emotion, str) else "no emotion label"
            for emotion in table["emotion"][judged & ~known]
        ]
        self.answers.dropped = {reason: reasons.count(reason) for reason in sorted(set(reasons))}
        if not (judged & known).any():
            raise CorpusError(
                f"No row is left to judge. Classes of the model: {', '.join(classes)}. Dropped: {self.answers.dropped}."
            )
        return table[known].reset_index(drop=True)

    def _rows(self, network: Network) -> tuple[pd.DataFrame, pd.DataFrame | None]:
        """Rows that a network judges, and those of its validation speakers."""
        fold = self._fold if network.fold is None else network.fold
        if fold is None:
            return self._table[tested(self._table, self._folds)].reset_index(drop=True), None
        _, validation, test = self._folds[fold].split(self._table)
        return test, validation

    def _refuse_speakers(self, model: Any, network: Network) -> None:
        rows, _ = self._rows(network)
        shared = leaks.shared_speakers(_training_speakers(model), zip(rows["corpus"], rows["speaker"], strict=True))
        leaks.refuse(
            f"The model was trained on {len(shared)} of the speakers to judge it by",
            shared,
            self._allow_leak,
            "Choose another corpus or fold weights",
        )
        self.answers.shared_speakers = sorted({*self.answers.shared_speakers, *shared})

    def _ask(self, model: Any, network: Network) -> list[pd.DataFrame]:
        from serzoo.evaluation.listening import predict_rows

        answers, (rows, validation) = self.answers, self._rows(network)
        card = getattr(model, "card", None) or {}
        seed = (card.get("seed") or 0) if network.seed is None else network.seed
        fold = self._fold if network.fold is None else network.fold
        heard = predict_rows(model, rows, self._roots, seed=seed, fold=fold)
        if not answers.shared_speakers:  # whose recordings would all be named again
            known = leaks.listed_recordings(_training_speakers(model), self._found.recordings)
            shared = leaks.shared_recordings(known, heard.recordings)
            leaks.refuse(
                f"The model was trained on {len(shared)} of the recordings to judge it by",
                shared,
                self._allow_leak,
                "Take them out of the corpus",
            )
            answers.shared_recordings = sorted({*answers.shared_recordings, *shared})
        self._stamped |= bool(card.get("leak"))
        self._adaptations |= {card["adaptation"]} if card.get("adaptation") else set()
        self._failed |= {(each["corpus"], each["file"], each["reason"]): each for each in heard.failed}
        self._lost |= set(_keys(rows)) - set(_keys(heard.recordings))
        answers.audio_s += heard.audio_s
        answers.licence = answers.licence or getattr(model, "licence", None)
        if answers.parameters is None and hasattr(model, "count_params"):
            answers.parameters = int(model.count_params())
        if (temperature := card.get("temperature")) is not None:
            answers.temperatures[seed, fold], answers.fitted_on = (
                float(temperature),
                "validation speakers of the training",
            )
        elif validation is not None and len(validation):
            # Weights that carry no temperature: their validation speakers are here to fit one.
            told = predict_rows(model, validation, self._roots, seed=seed, fold=fold).predictions
            if told is not None:
                answers.temperatures[seed, fold] = fit_temperature(told)
                answers.fitted_on = "validation speakers of each fold"
        return [] if heard.predictions is None else [heard.predictions]


def added(*counts: Mapping[str, int]) -> dict[str, int]:
    """Add up counts by reason; reasons without a row are left out.

    Example:
        >>> added({"no speaker": 2, "no prediction": 0}, {"no speaker": 1})
        {'no speaker': 3}
    """
    return dict(sum(map(Counter, counts), Counter()))


def _keys(rows: pd.DataFrame) -> pd.MultiIndex:
    start = pd.to_numeric(rows["start"]).round(tables.TIME_DECIMALS).fillna(-1.0)
    return pd.MultiIndex.from_arrays([rows["corpus"].astype(str), rows["file"].astype(str), start])


def _training_speakers(model: Any) -> Mapping[str, Sequence[str]]:
    return getattr(model, "training_speakers", None) or {}
