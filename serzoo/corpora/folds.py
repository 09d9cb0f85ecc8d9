"""Folds: which speakers train, which ones choose and which ones judge.

Every fold has training, validation and test speakers without overlap, and over the folds of a protocol each speaker is
tested exactly once, unless the protocol is one official split. Whatever breaks this is refused.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from serzoo.corpora.forms import person
from serzoo.errors import CorpusError, SpeakerLeakError, join

if TYPE_CHECKING:
    import pandas as pd

Speaker = tuple[str, str]  # (corpus, speaker)
Assign = Callable[[list[Speaker]], list[tuple[list[Speaker], list[Speaker]]]]


@dataclass(frozen=True)
class Fold:
    """Speakers to train on, to choose by and to test on, each a tuple of ``(corpus, speaker)`` pairs.

    ``index`` counts the folds of a protocol from 0, and is ``None`` where everyone is trained on. ``left_out`` takes no
    part in this fold, such as the speakers of a target corpus who are tested in another one.
    """

    index: int | None
    train: tuple[Speaker, ...]
    validation: tuple[Speaker, ...]
    test: tuple[Speaker, ...]
    left_out: tuple[Speaker, ...] = ()

    @property
    def name(self) -> str:
        """``"fold0"``, ``"fold1"``, ... or ``"all"``."""
        return "all" if self.index is None else f"fold{self.index}"

    def split(self, table: "pd.DataFrame") -> tuple["pd.DataFrame", "pd.DataFrame", "pd.DataFrame"]:
        """Split a table by speaker.

        Args:
            table: what :meth:`Protocol.apply` returned; its index and the order of its rows are kept.

        Returns:
            ``(train, validation, test)``; every row of ``table`` stands in exactly one of them, but those of speakers
            who are left out.

        Raises:
            SpeakerLeakError: if a speaker stands in two parts of the fold.
            CorpusError: if a row's speaker is in no part of it.
        """
        refuse_overlap(self)
        pairs = list(zip(table["corpus"], table["speaker"], strict=True))
        part_of = {pair: part for part in ("train", "validation", "test", "left_out") for pair in getattr(self, part)}
        unknown = sorted({pair for pair in pairs if pair not in part_of}, key=str)
        if unknown:
            raise CorpusError(f"Speakers of the table that are in no part of {self.name}: {join(unknown)}.")
        parts = [part_of[pair] for pair in pairs]
        return tuple(table.loc[[p == part for p in parts]] for part in ("train", "validation", "test"))


def check_speakers(table: "pd.DataFrame", what: str) -> None:
    """Refuse a table that does not say who speaks: whoever has no name could be one that is judged by.

    Args:
        table: with the column ``speaker``.
        what: needs them, such as ``"A fold"``, for the message.

    Raises:
        CorpusError: if a speaker is missing.
    """
    if missing := int(table["speaker"].isna().sum()):
        raise CorpusError(f"{what} needs the speaker of every row. Received {missing} rows without one.")


def refuse_duplicates(table: "pd.DataFrame") -> None:
    """Refuse a table with two rows of one file and start, which no prediction could tell apart.

    Args:
        table: with the columns ``corpus, file, start``; without one of them nothing is asked.

    Raises:
        CorpusError: if there are any.
    """
    key = ["corpus", "file", "start"]
    if set(key) <= set(table.columns) and len(twice := table[table.duplicated(key)]):
        raise CorpusError(
            f"Every file and start may stand once in a table. Received {len(twice)} duplicate rows, the first "
            f"{twice['corpus'].iloc[0]}: {twice['file'].iloc[0]}."
        )


def all_speakers(table: "pd.DataFrame") -> Fold:
    """Return the fold that trains on everyone, for weights that are made to be used and not to be judged.

    Args:
        table: with the columns ``corpus`` and ``speaker``.

    Raises:
        CorpusError: if a speaker is missing.

    Example:
        >>> import pandas as pd
        >>> all_speakers(pd.DataFrame({"corpus": ["emodb"], "speaker": ["03"]})).train
        (('emodb', '03'),)
    """
    check_speakers(table, "A fold")
    return Fold(None, tuple(sorted(set(zip(table["corpus"], table["speaker"], strict=True)))), (), ())


def check_folds(folds: Sequence[Fold], speakers: Iterable[Speaker]) -> None:
    """Refuse folds that share speakers, or do not test each speaker exactly once.

    Args:
        folds: the folds of one protocol.
        speakers: everyone who must be tested.

    Raises:
        SpeakerLeakError: if a speaker stands in two parts of a fold.
        CorpusError: if a speaker is tested never or twice, or a part of a fold is empty.
    """
    for fold in folds:
        refuse_overlap(fold)
        empty = [part for part in ("train", "validation", "test") if not getattr(fold, part)]
        if empty:
            raise CorpusError(f"{fold.name} has no {' and no '.join(empty)} speaker.")
    tested = Counter(speaker for fold in folds for speaker in fold.test)
    wrong = sorted(pair for pair in {*speakers, *tested} if tested[pair] != 1 or pair not in set(speakers))
    if wrong:
        raise CorpusError(f"Each speaker of the table must be tested exactly once. This fails for {join(wrong)}.")


def refuse_overlap(fold: Fold) -> None:
    """Raise :class:`SpeakerLeakError` if a speaker stands in two parts of a fold, in whatever form of a corpus."""
    parts = (fold.train, fold.validation, fold.test, fold.left_out)
    times = Counter(who for part in parts for who in set(map(person, part)))
    shared = sorted(speaker for speaker, count in times.items() if count > 1)
    if shared:
        raise SpeakerLeakError(f"{fold.name} shares speakers between its parts: {join(shared)}.")


def leave_one_speaker_out(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
    """Test each speaker in turn, and validate on the one that follows, the first following the last.

    Args:
        speakers: in the order of the folds.

    Returns:
        ``[(validation, test), ...]``, one for each person, who in several forms of a corpus is left out in all of them.

    Raises:
        CorpusError: if there are fewer than three.

    Example:
        >>> leave_one_speaker_out([("emodb", "03"), ("emodb", "08"), ("emodb", "09")])[0]
        ([('emodb', '08')], [('emodb', '03')])
    """
    persons = list(dict.fromkeys(map(person, speakers)))
    if len(persons) < 3:
        raise CorpusError(
            "Leaving one speaker out needs at least 3 speakers, to train on, to validate on and to test on. "
            f"Received {len(persons)}: {join(persons)}."
        )
    parts = [[speaker for speaker in speakers if person(speaker) == who] for who in persons]
    return _in_turn(parts)


def leave_one_group_out(group_of: Callable[[str], str]) -> Assign:
    """Make the ``assign`` of a protocol that tests each group of speakers in turn, such as those of a session.

    Args:
        group_of: name of a speaker to the name of its group.

    Returns:
        A function of the speakers of a table: one fold for each group, in the order of their names, validated on the
        group that follows, the first following the last. It raises :class:`CorpusError` if there are fewer than three
        groups.

    Example:
        >>> by_session = leave_one_group_out(lambda speaker: speaker[-1])
        >>> by_session([("msp_improv", s) for s in ("F01", "F02", "F03", "M01", "M02", "M03")])[0]
        ([('msp_improv', 'F02'), ('msp_improv', 'M02')], [('msp_improv', 'F01'), ('msp_improv', 'M01')])
    """

    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        groups: dict[str, list[Speaker]] = {}
        for speaker in speakers:
            groups.setdefault(group_of(speaker[1]), []).append(speaker)
        if len(groups) < 3:
            raise CorpusError(
                "Leaving one group of speakers out needs at least 3 groups, to train, to validate and to test on. "
                f"Received {len(groups)}: {join(sorted(groups))}."
            )
        return _in_turn([groups[name] for name in sorted(groups)])

    return assign


def leave_one_speaker_out_beside_partner(group_of: Callable[[str], str]) -> Assign:
    """Make the ``assign`` of a protocol that tests each speaker in turn, and validates on the partner in the dialogue.

    Both speakers of a dialogue are heard, a little, in the recordings of each: so the partner of a test speaker is
    never trained on.

    Args:
        group_of: name of a speaker to the name of its pair.

    Returns:
        A function of the speakers of a table, which raises :class:`CorpusError` unless each group is a pair and there
        are two of them or more.

    Example:
        >>> in_pairs = leave_one_speaker_out_beside_partner(lambda speaker: speaker[-1])
        >>> in_pairs([("toy", s) for s in ("F1", "M1", "F2", "M2")])[0]
        ([('toy', 'M1')], [('toy', 'F1')])
    """

    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        partners = {
            s: [other for other in speakers if other != s and group_of(other[1]) == group_of(s[1])] for s in speakers
        }
        alone = [speaker for speaker, others in partners.items() if len(others) != 1]
        if alone or len(speakers) < 4:
            raise CorpusError(
                "Validating on the partner needs pairs of speakers, two or more of them. "
                f"Received {len(speakers)} speakers, without one partner: {join(alone) or 'none'}."
            )
        return [(partners[speaker], [speaker]) for speaker in speakers]

    return assign


def fixed(corpus: str, parts: Sequence[tuple[Sequence[str], Sequence[str]]], also: Iterable[str] = ()) -> Assign:
    """Make the ``assign`` of a protocol whose speakers are published.

    Args:
        corpus: name of the corpus.
        parts: ``(validation, test)`` speakers of each fold.
        also: speakers that only train, where a protocol is one split.

    Returns:
        A function of the speakers of a table, which raises :class:`CorpusError` unless they are the published ones.
    """
    wanted = {(corpus, speaker) for pair in parts for part in pair for speaker in part}
    wanted |= {(corpus, speaker) for speaker in also}

    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        missing, unknown = sorted(wanted.difference(speakers)), sorted(set(speakers) - wanted)
        if missing:
            raise CorpusError(f"It needs {len(wanted)} speakers. Received {len(speakers)}, without {join(missing)}.")
        if unknown:
            raise CorpusError(f"It knows {len(wanted)} speakers. Received others: {join(unknown)}.")
        return [tuple([(corpus, speaker) for speaker in part] for part in pair) for pair in parts]

    return assign


def in_groups(number: int) -> Assign:
    """Make the ``assign`` of a protocol that tests groups of speakers in turn, and validates on the next group.

    Args:
        number: of groups; every ``number``-th speaker belongs to the same one.

    Returns:
        A function of the speakers of a table, which raises :class:`CorpusError` if there are fewer than groups.

    Example:
        >>> in_groups(3)([("x", name) for name in "abcd"])[0]
        ([('x', 'b')], [('x', 'a'), ('x', 'd')])
    """

    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        persons = sorted(set(map(person, speakers)))
        if len(persons) < number:
            raise CorpusError(f"It needs {number} speakers or more. Received {len(persons)}: {join(persons)}.")
        parts = [[s for s in speakers if person(s) in persons[group::number]] for group in range(number)]
        return _in_turn(parts)

    return assign


def side_by_side(assigns: Mapping[str, Assign]) -> Assign:
    """Make the ``assign`` of a protocol of several corpora from that of each: their folds are joined by number.

    Args:
        assigns: by corpus; its other forms (:mod:`serzoo.corpora.forms`) follow it.

    Returns:
        A function of the speakers of a table. What the parts raise, it raises.

    Example:
        >>> both = side_by_side({corpus: leave_one_speaker_out for corpus in ("emodb", "savee")})
        >>> names = [("emodb", "03"), ("emodb", "08"), ("emodb", "09"), ("emodb_first2s", "03")]
        >>> both([*names, ("savee", "DC"), ("savee", "JE"), ("savee", "JK")])[0]
        ([('emodb', '08'), ('savee', 'JE')], [('emodb', '03'), ('emodb_first2s', '03'), ('savee', 'DC')])
    """

    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        folds = []
        for corpus, own in assigns.items():
            persons = sorted({who for who in map(person, speakers) if who[0] == corpus})
            folds.append(own(persons))
        joined = []
        for pairs in zip(*folds, strict=True):  # (validation, test) of each corpus
            persons = [{who for part in parts for who in part} for parts in zip(*pairs, strict=True)]
            joined.append(tuple([s for s in speakers if person(s) in part] for part in persons))
        return joined

    return assign


def _in_turn(parts: list[list[Speaker]]) -> list[tuple[list[Speaker], list[Speaker]]]:
    """Test each part, and validate on the one that follows, the first following the last."""
    return list(zip([*parts[1:], parts[0]], parts, strict=True))
