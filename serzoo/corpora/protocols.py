"""Protocols: named, speaker-independent ways to train, choose and judge.

A protocol says which corpora and classes take part, and makes folds of their speakers.

Example:
    >>> import pandas as pd
    >>> rows = [("emodb", s, e) for s in ("03", "08", "09") for e in ("anger", "happiness", "neutral", "sadness")]
    >>> table = pd.DataFrame(rows, columns=["corpus", "speaker", "emotion"])
    >>> protocol("emodb4-loso").folds(table)[0].test
    (('emodb', '03'),)
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serzoo.corpora.folds import Assign, Fold, Speaker, all_speakers, fixed, guard, join, leave_one_speaker_out
from serzoo.errors import CorpusError, unknown_name

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Protocol:
    """A named way to judge a model.

    Args:
        name: as in ``--protocol``.
        source: where the folds come from.
        corpora: names of the corpora that take part; all are needed.
        classes: emotion classes, in alphabetical order: the order of a model's outputs.
        assign: the speakers that take part, sorted, to ``[(validation, test), ...]``, one pair for each fold.
        class_map: emotion of the table to class, for the emotions that are merged into another one.
    """

    name: str
    source: str
    corpora: tuple[str, ...]
    classes: tuple[str, ...]
    assign: Assign = field(repr=False)
    class_map: Mapping[str, str] = field(default_factory=dict)

    def apply(self, table: "pd.DataFrame") -> tuple["pd.DataFrame", dict[str, int]]:
        """Keep the rows that take part and map their emotions to classes.

        Args:
            table: from :func:`serzoo.corpora.read` or :func:`serzoo.corpora.read_many`.

        Returns:
            The kept rows in their order, numbered from 0, and the number of dropped rows by reason.

        Raises:
            CorpusError: if a corpus, column or speaker is missing, a row stands twice, or nothing is kept.
        """
        self._refuse_bad_table(table)
        reasons = [self._reason_to_drop(c, e) for c, e in zip(table["corpus"], table["emotion"], strict=True)]
        kept = table.loc[[reason is None for reason in reasons]].reset_index(drop=True)
        if kept.empty:
            raise CorpusError(
                f"No row is left for protocol {self.name}. Its classes: {', '.join(self.classes)}. "
                f"Received the emotions: {join(sorted(set(table['emotion'].dropna())))}."
            )
        kept = kept.assign(emotion=[self.class_map.get(emotion, emotion) for emotion in kept["emotion"]])
        return kept, dict(Counter(reason for reason in reasons if reason is not None))

    def folds(self, table: "pd.DataFrame") -> list[Fold]:
        """Make the folds for a table.

        Args:
            table: as for :meth:`apply`, before or after it.

        Returns:
            Speaker-disjoint folds, numbered from 0; over them each speaker is tested exactly once.

        Raises:
            CorpusError: if the speakers of the table do not allow the protocol, or a class has no training example.
            SpeakerLeakError: if the protocol itself lets a speaker stand on both sides.
        """
        kept, _ = self.apply(table)
        speakers = all_speakers(kept).train
        try:
            assigned = self.assign(list(speakers))
        except CorpusError as error:
            raise CorpusError(f"Protocol {self.name} is impossible on this table. {error}") from None
        folds = []
        for index, (validation, test) in enumerate(assigned):
            train = tuple(speaker for speaker in speakers if speaker not in {*validation, *test})
            folds.append(Fold(index, train, tuple(sorted(validation)), tuple(sorted(test))))
        guard(folds, speakers)
        self._refuse_empty_classes(folds, kept)
        return folds

    def _reason_to_drop(self, corpus: str, emotion: object) -> str | None:
        if corpus not in self.corpora:
            return f"corpus {corpus} takes no part in {self.name}"
        if not isinstance(emotion, str):
            return "no emotion label"
        if self.class_map.get(emotion, emotion) not in self.classes:
            return f"{emotion} is not a class of {self.name}"
        return None

    def _refuse_bad_table(self, table: "pd.DataFrame") -> None:
        columns = [column for column in ("corpus", "speaker", "emotion") if column not in table]
        if columns:
            raise CorpusError(f"The table lacks the columns {join(columns)}. Received: {join(table.columns)}.")
        missing = [corpus for corpus in self.corpora if corpus not in set(table["corpus"])]
        if missing:
            came = join(sorted(set(table["corpus"]))) or "an empty table"
            raise CorpusError(f"Protocol {self.name} needs the corpus {join(missing)}. Received: {came}.")
        if table["speaker"].isna().any():
            raise CorpusError(
                f"Protocol {self.name} needs the speaker of every row. Received {table['speaker'].isna().sum()} rows "
                "without one."
            )
        key = ["corpus", "file", "start", "end"]
        if set(key) <= set(table.columns) and table.duplicated(key).any():
            twice = table[table.duplicated(key)].iloc[0]
            raise CorpusError(
                f"Every utterance may stand once in a table. Received {table.duplicated(key).sum()} duplicate rows, "
                f"the first {twice['corpus']}: {twice['file']}."
            )

    def _refuse_empty_classes(self, folds: list[Fold], kept: "pd.DataFrame") -> None:
        classes_of: dict[Speaker, set[str]] = {}
        for corpus, speaker, emotion in zip(kept["corpus"], kept["speaker"], kept["emotion"], strict=True):
            classes_of.setdefault((corpus, speaker), set()).add(emotion)
        for fold in folds:
            empty = sorted(set(self.classes).difference(*(classes_of[speaker] for speaker in fold.train)))
            if empty:
                raise CorpusError(
                    f"Protocol {self.name}, {fold.name}: no training example of {', '.join(empty)} is left. "
                    f"Training speakers: {join(fold.train)}."
                )


def protocol(name: str) -> Protocol:
    """Return a protocol by name.

    Args:
        name: one of :func:`protocol_names`.

    Raises:
        UnknownNameError: if there is no such protocol.

    Example:
        >>> protocol("emodb4-loso").classes
        ('anger', 'happiness', 'neutral', 'sadness')
    """
    if name not in _PROTOCOLS:
        raise unknown_name("protocol", name, _PROTOCOLS)
    return _PROTOCOLS[name]


def protocol_names() -> list[str]:
    """List the protocols.

    Example:
        >>> protocol_names()
        ['emodb4-loso', 'ravdess8-5fold']
    """
    return sorted(_PROTOCOLS)


_RAVDESS_5FOLD = (
    (("03", "06"), ("02", "05", "14", "15", "16")),
    (("10", "11"), ("03", "06", "07", "13", "18")),
    (("08", "17"), ("10", "11", "12", "19", "20")),
    (("01", "14"), ("08", "17", "21", "23", "24")),
    (("02", "05"), ("01", "04", "09", "22")),
)

_PROTOCOLS = {
    made.name: made
    for made in (
        Protocol(
            name="emodb4-loso",
            source="leave one speaker out, 8 speakers to train, 1 to validate, 1 to test, as in Chen, He, Yang, Zhang "
            "(2018), https://doi.org/10.1109/LSP.2018.2860246; four of the seven emotions",
            corpora=("emodb",),
            classes=("anger", "happiness", "neutral", "sadness"),
            assign=leave_one_speaker_out,
        ),
        Protocol(
            name="ravdess8-5fold",
            source="the five actor folds of https://github.com/Mak-Sim/ResLSTM-SER",
            corpora=("ravdess",),
            classes=("anger", "calm", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"),
            assign=fixed("ravdess", _RAVDESS_5FOLD),
        ),
    )
}
