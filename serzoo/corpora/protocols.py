"""Protocols: named, speaker-independent ways to train, choose and judge.

A protocol says which corpora and classes take part, and makes folds of their speakers.

Example:
    >>> import pandas as pd
    >>> from serzoo.corpora.folds import leave_one_speaker_out
    >>> rows = [("mine", speaker, emotion) for speaker in "abc" for emotion in ("anger", "fear")]
    >>> table = pd.DataFrame(rows, columns=["corpus", "speaker", "emotion"])
    >>> Protocol("mine2", "leave one out", ("mine",), ("anger", "fear"), leave_one_speaker_out).folds(table)[0].test
    (('mine', 'a'),)
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from serzoo.corpora.folds import Assign, Fold, Speaker, all_speakers, check_folds, check_speakers, refuse_duplicates
from serzoo.corpora.forms import in_one_form
from serzoo.errors import CorpusError, join

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
        where: column of the table to the values that take part, such as a style of speaking.
        one_split: whether only some speakers are ever tested, as in a single split.
        sources: corpora whose speakers may train; all of them if empty.
    """

    name: str
    source: str
    corpora: tuple[str, ...]
    classes: tuple[str, ...]
    assign: Assign = field(repr=False)
    class_map: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    one_split: bool = False
    sources: tuple[str, ...] = ()

    def apply(self, table: "pd.DataFrame") -> tuple["pd.DataFrame", dict[str, int]]:
        """Keep the rows that take part and map their emotions to classes.

        Of corpora that are forms of each other, each utterance is kept in one of them (:mod:`serzoo.corpora.forms`).

        Args:
            table: from :func:`serzoo.corpora.read` or :func:`serzoo.corpora.read_many`.

        Returns:
            The kept rows in their order, numbered from 0, and the number of dropped rows by reason.

        Raises:
            CorpusError: if a corpus, column or speaker is missing, a row stands twice, or nothing is kept.
        """
        self._refuse_bad_table(table)
        columns = ["corpus", "emotion", *self.where]
        reasons = [self._reason_to_drop(*row) for row in zip(*(table[column] for column in columns), strict=True)]
        kept = table.loc[[reason is None for reason in reasons]].reset_index(drop=True)
        if kept.empty:
            raise CorpusError(
                f"No row is left for protocol {self.name}. Its classes: {', '.join(self.classes)}. "
                f"Received the emotions: {join(sorted(set(table['emotion'].dropna())))}."
            )
        kept = kept.assign(emotion=[self.class_map.get(emotion, emotion) for emotion in kept["emotion"]])
        dropped = Counter(reason for reason in reasons if reason is not None)
        alone = in_one_form(kept)
        if not all(alone):
            dropped["the same utterance is kept in another form"] = alone.count(False)
            kept = kept.loc[alone].reset_index(drop=True)
        return kept, dict(dropped)

    def folds(self, table: "pd.DataFrame", *, trains: bool = True) -> list[Fold]:
        """Make the folds for a table.

        Args:
            table: as for :meth:`apply`, before or after it.
            trains: whether somebody will train on them, and so needs examples of every class.

        Returns:
            Speaker-disjoint folds, numbered from 0; over them each speaker is tested exactly once, but where the
            protocol is one split.

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
            train, left_out = self._who_trains([who for who in speakers if who not in {*validation, *test}])
            folds.append(Fold(index, train, tuple(sorted(validation)), tuple(sorted(test)), left_out))
        check_folds(folds, [speaker for fold in folds for speaker in fold.test] if self.one_split else speakers)
        if trains:
            self._refuse_empty_classes(folds, kept)
        return folds

    def everyone(self, table: "pd.DataFrame") -> Fold:
        """Make the fold that trains on everyone who may, for weights that are made to be used and not to be judged.

        Args:
            table: from :meth:`apply`.
        """
        train, left_out = self._who_trains(all_speakers(table).train)
        return Fold(None, train, (), (), left_out)

    def _who_trains(self, speakers: Sequence[Speaker]) -> tuple[tuple[Speaker, ...], tuple[Speaker, ...]]:
        """Those of the speakers who may train, and those who may not."""
        sources = self.sources or self.corpora
        train = tuple(speaker for speaker in speakers if speaker[0] in sources)
        return train, tuple(speaker for speaker in speakers if speaker[0] not in sources)

    def _reason_to_drop(self, corpus: str, emotion: object, *values: object) -> str | None:
        if corpus not in self.corpora:
            return f"corpus {corpus} takes no part in {self.name}"
        for (column, allowed), value in zip(self.where.items(), values, strict=True):
            if value not in allowed:
                return f"{column} {value} takes no part in {self.name}"
        if not isinstance(emotion, str):
            return "no emotion label"
        if self.class_map.get(emotion, emotion) not in self.classes:
            return f"{emotion} is not a class of {self.name}"
        return None

    def _refuse_bad_table(self, table: "pd.DataFrame") -> None:
        columns = [column for column in ("corpus", "speaker", "emotion", *self.where) if column not in table]
        if columns:
            raise CorpusError(f"The table lacks the columns {join(columns)}. Received: {join(table.columns)}.")
        missing = [corpus for corpus in self.corpora if corpus not in set(table["corpus"])]
        if missing:
            came = join(sorted(set(table["corpus"]))) or "an empty table"
            raise CorpusError(f"Protocol {self.name} needs the corpus {join(missing)}. Received: {came}.")
        check_speakers(table, f"Protocol {self.name}")
        refuse_duplicates(table)

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
