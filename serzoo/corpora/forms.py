"""Corpora that hold the persons and the utterances of another one in another form, such as its first two seconds.

Whoever trains on several forms hears each utterance in one of them, and each person stands on one side of a fold.

Example:
    >>> person(("emodb_first2s", "03"))
    ('emodb', '03')
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from serzoo.corpora.corpus import stem_of

if TYPE_CHECKING:
    import pandas as pd

FORM_OF = {"emodb_first2s": "emodb"}


def person(speaker: tuple[str, str]) -> tuple[str, str]:
    """Tell who a ``(corpus, speaker)`` is: the same in every form of a corpus."""
    corpus, name = speaker
    return FORM_OF.get(corpus, corpus), name


def persons(table: "pd.DataFrame") -> "pd.MultiIndex":
    """Tell who speaks in each row, as :func:`person` does: what intervals are drawn over.

    Example:
        >>> import pandas as pd
        >>> persons(pd.DataFrame({"corpus": ["emodb", "emodb_first2s"], "speaker": "03"})).nunique()
        1
    """
    import pandas as pd

    return pd.MultiIndex.from_arrays([table["corpus"].replace(FORM_OF), table["speaker"]], names=["corpus", "speaker"])


def heard(speakers: Mapping[str, Sequence[str]], pairs: Iterable[tuple[str, str]]) -> list[bool]:
    """Tell of whom a model has heard the voice, in whatever form of a corpus.

    Args:
        speakers: training speakers by corpus, as they travel with the weights.
        pairs: corpus and name of each speaker to ask about.

    Example:
        >>> heard({"emodb_first2s": ["03"]}, [("emodb", "03"), ("emodb", "08")])
        [True, False]
    """
    known = {person((corpus, str(name))) for corpus, names in speakers.items() for name in names}
    return [person((corpus, str(name))) in known for corpus, name in pairs]


def without(table: "pd.DataFrame", speakers: Iterable[tuple[str, str]]) -> "pd.DataFrame":
    """Rows of other persons than these speakers, in whatever form of a corpus."""
    persons = set(map(person, speakers))
    return table.loc[[person(pair) not in persons for pair in zip(table["corpus"], table["speaker"], strict=True)]]


def in_one_form(table: "pd.DataFrame") -> list[bool]:
    """Choose one form of each utterance.

    An utterance that is there in one form alone comes in that one. The others, in the order of their speakers,
    emotions and names, come in each form in turn: so of any speaker and emotion there are as many in each form, but
    for one, and no form stands for an emotion by choice.

    Args:
        table: with the columns ``corpus``, ``file``, ``speaker`` and ``emotion``; a file is named after its utterance.

    Returns:
        For each row whether it stays.

    Example:
        >>> import pandas as pd
        >>> rows = [(corpus, f"{n}.wav", "03", "fear") for n in "ab" for corpus in ("emodb", "emodb_first2s")]
        >>> in_one_form(pd.DataFrame(rows, columns=["corpus", "file", "speaker", "emotion"]))
        [True, False, False, True]
    """
    corpora = set(table["corpus"])
    if len(corpora) == len({FORM_OF.get(corpus, corpus) for corpus in corpora}):
        return [True] * len(table)
    forms: dict[tuple, set[str]] = {}
    utterances = []
    for corpus, file, speaker, emotion in zip(
        *(table[name] for name in ("corpus", "file", "speaker", "emotion")), strict=True
    ):
        utterance = (*person((corpus, speaker)), emotion, stem_of(file))
        utterances.append(utterance)
        forms.setdefault(utterance, set()).add(corpus)
    doubled = sorted(utterance for utterance, found in forms.items() if len(found) > 1)
    chosen = {each: sorted(forms[each])[turn % len(forms[each])] for turn, each in enumerate(doubled)}
    return [chosen.get(each, corpus) == corpus for each, corpus in zip(utterances, table["corpus"], strict=True)]
