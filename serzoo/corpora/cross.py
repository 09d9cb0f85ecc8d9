"""Protocols across corpora: train on some, test on others that the model never heard, with a class map.

Such a protocol stands in no list: its name says all of it, so that a run or a figure can be repeated from the name.
``cross-ravdess-to-emodb`` takes every emotion that both corpora officially have. What follows an ``@`` chooses classes,
and merges emotions into them: ``cross-crema_d+ravdess-to-emodb@anger,happiness,neutral=boredom+calm,sadness``.
``3fold-cross-ravdess-to-emodb`` tests the target's speakers in three groups, so that a model may adapt to the others.

Example:
    >>> parse("cross-ravdess-to-emodb").classes
    ('anger', 'disgust', 'fear', 'happiness', 'neutral', 'sadness')
"""

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from serzoo.corpora.corpus import EMOTIONS, CorpusInfo
from serzoo.corpora.folds import Assign, Speaker
from serzoo.corpora.protocols import Protocol
from serzoo.corpora.readers import info
from serzoo.errors import CorpusError, UnknownNameError, join, unknown_name

PATTERN = "cross-SOURCE-to-TARGET"
NAME = re.compile(r"(?:(?P<groups>[0-9]+)fold-)?cross-(?P<sources>[^@]+?)-to-(?P<targets>[^@]+?)(?:@(?P<classes>.+))?")
_EVERY = 5


def cross(
    sources: Sequence[str],
    targets: Sequence[str],
    classes: Iterable[str] | None = None,
    class_map: Mapping[str, str] | None = None,
    groups: int | None = None,
) -> Protocol:
    """Make the protocol that trains on some corpora and tests on others.

    One fold: every speaker of the targets is tested. With ``groups``, a fold for each group of them, whose others take
    no part in it: a model may adapt to them without labels and be judged by speakers that it never heard. Every fifth
    speaker of each source validates; of a source with two to four speakers the last one does, and one speaker alone
    trains.

    Args:
        sources: corpora to train and to validate on.
        targets: corpora to test on.
        classes: emotion classes; by default those that every source and every target officially has, once mapped.
        class_map: emotion to class, for emotions that are merged into another one.
        groups: number of groups, 2 to 20: speaker ``i`` of each target falls into group ``i % groups``; None for one
            fold.

    Returns:
        The protocol; ``serzoo.corpora.protocol`` makes it again from its name.

    Raises:
        CorpusError: if a corpus is on both sides, or twice; if fewer than two classes are shared, or a corpus does not
            have one of them; if ``class_map`` merges into what is no class; if ``groups`` is out of its range.
        UnknownNameError: for a corpus or an emotion that does not exist.

    Example:
        >>> cross(["ravdess"], ["emodb"], ["anger", "neutral"], {"calm": "neutral"}).name
        'cross-ravdess-to-emodb@anger,neutral=calm'
    """
    sources, targets, class_map = sorted(sources), sorted(targets), dict(class_map or {})
    if groups is not None and not 2 <= groups <= 20:
        raise CorpusError(f"A target is tested in 2 to 20 groups of speakers. Received: {groups}.")
    infos = _infos([*sources, *targets])
    _refuse_shared_speakers(sources, targets, infos)
    held = {
        corpus: {class_map.get(emotion, emotion) for emotion in official.emotions}
        for corpus, official in infos.items()
        if official.emotions
    }
    chosen = _classes(classes, class_map, infos, held)
    name = f"cross-{'+'.join(sources)}-to-{'+'.join(targets)}"
    if classes is not None or class_map:
        name += "@" + ",".join(map(_with_merged(class_map), chosen))
    tested = f"all of {join(targets)}" + (f", in {groups} groups of speakers" if groups else "")
    return Protocol(
        name=f"{groups}fold-{name}" if groups else name,
        source=f"train on {join(sources)}, every fifth speaker of it validates, test on {tested}",
        corpora=(*sources, *targets),
        classes=tuple(chosen),
        assign=_assign(sources, targets, groups or 1),
        class_map=class_map,
        one_split=True,
        sources=tuple(sources),
    )


def parse(name: str) -> Protocol:
    """Make a protocol across corpora from its name; see :func:`cross`.

    Args:
        name: ``cross-SOURCE[+SOURCE]-to-TARGET[+TARGET]``, and after an ``@`` classes joined by commas, each with the
            emotions to merge into it: ``neutral=boredom+calm``; before it all ``3fold-`` for three groups.

    Raises:
        UnknownNameError: if the name has another form, or a corpus or emotion does not exist.
        CorpusError: as :func:`cross`.
    """
    match = NAME.fullmatch(name)
    if match is None:
        raise UnknownNameError(
            f"A protocol across corpora is called {PATTERN}, or {PATTERN}@CLASS,CLASS=EMOTION+EMOTION; several corpora "
            f"are joined by +. Received: {name!r}."
        )
    corpora = [match[side].split("+") for side in ("sources", "targets")]
    groups = int(match["groups"]) if match["groups"] else None
    classes, class_map = parse_classes(match["classes"], name) if match["classes"] else (None, None)
    return cross(*corpora, classes, class_map, groups)


def parse_classes(text: str, name: str) -> tuple[list[str], dict[str, str]]:
    """Read the classes of a protocol from what follows the ``@`` of its name.

    Args:
        text: such as ``"anger,neutral=boredom+calm"``.
        name: of the protocol, for the error message.

    Returns:
        The classes, and emotion to class for the emotions that are merged.

    Raises:
        CorpusError: if an emotion is merged into two classes.

    Example:
        >>> parse_classes("anger,neutral=calm", "mine")
        (['anger', 'neutral'], {'calm': 'neutral'})
    """
    classes, merged = [], []
    for item in text.split(","):
        label, equals, emotions = item.partition("=")
        classes.append(label)
        merged += [(emotion, label) for emotion in emotions.split("+")] if equals else []
    if twice := [emotion for emotion, count in Counter(emotion for emotion, _ in merged).items() if count > 1]:
        raise CorpusError(f"Protocol {name} merges an emotion into two classes: {join(sorted(twice))}.")
    return classes, dict(merged)


def check_merged(classes: Sequence[str], class_map: Mapping[str, str]) -> None:
    """Refuse to merge an emotion that is a class itself, or into something that is none.

    Raises:
        CorpusError: if an emotion is merged so.
    """
    for emotion, label in class_map.items():
        if label not in classes or emotion in classes:
            raise CorpusError(f"An emotion is merged into a class and is none itself. Received: {label}={emotion}.")


def _infos(corpora: Sequence[str]) -> dict[str, CorpusInfo]:
    if twice := [corpus for corpus, count in Counter(corpora).items() if count > 1]:
        raise CorpusError(
            f"A model cannot be tested on what it was trained on: each corpus may be named once, as source or as "
            f"target. Received twice: {join(twice)}."
        )
    return {corpus: info(corpus) for corpus in corpora}


def _refuse_shared_speakers(sources: Sequence[str], targets: Sequence[str], infos: Mapping[str, CorpusInfo]) -> None:
    """Refuse two forms of one corpus, such as emodb and emodb_first2s, on the two sides."""
    for source in sources:
        for target in targets:
            one, other = infos[source], infos[target]
            if one.speakers and (one.reference, one.speakers) == (other.reference, other.speakers):
                raise CorpusError(
                    f"{source} and {target} hold the same speakers: a model that trains on one knows both."
                )


def _classes(
    classes: Iterable[str] | None,
    class_map: Mapping[str, str],
    infos: Mapping[str, CorpusInfo],
    held: Mapping[str, set[str]],
) -> list[str]:
    if classes is None:
        if untold := [corpus for corpus in infos if corpus not in held]:
            raise CorpusError(
                f"The emotions of {join(untold)} are not known beforehand: name classes, as in {PATTERN}@anger,fear."
            )
        classes = set.intersection(*held.values())
    listed = list(classes)
    for emotion in (*listed, *class_map):
        if emotion not in EMOTIONS:
            raise unknown_name("emotion", emotion, EMOTIONS)
    chosen = sorted(set(listed))
    if len(chosen) < 2 or len(chosen) < len(listed):
        has = "; ".join(f"{corpus} has {join(sorted(emotions), 20)}" for corpus, emotions in held.items())
        raise CorpusError(
            f"Training on some corpora and testing on others needs two or more different classes that all of them "
            f"share. Received: {join(listed) or 'none'}. {has}. Emotions can be merged: @CLASS=EMOTION."
        )
    check_merged(chosen, class_map)
    for corpus, emotions in held.items():
        if absent := sorted(set(chosen) - emotions):
            raise CorpusError(f"{corpus} has no {join(absent)}. Received the classes {join(chosen, 20)}.")
    return chosen


def _with_merged(class_map: Mapping[str, str]):
    def written(label: str) -> str:
        merged = sorted(emotion for emotion, into in class_map.items() if into == label)
        return f"{label}={'+'.join(merged)}" if merged else label

    return written


def _assign(sources: Sequence[str], targets: Sequence[str], groups: int) -> Assign:
    def assign(speakers: list[Speaker]) -> list[tuple[list[Speaker], list[Speaker]]]:
        members = {corpus: [s for s in speakers if s[0] == corpus] for corpus in (*sources, *targets)}
        if empty := [corpus for corpus, own in members.items() if not own]:
            raise CorpusError(f"No utterance of {join(empty)} has one of its classes.")
        validation = [
            speaker
            for corpus in sources
            for speaker in members[corpus][_EVERY - 1 :: _EVERY] or members[corpus][1:][-1:]
        ]
        if not validation:
            raise CorpusError("A source needs two speakers or more, to train and to validate on. Received one speaker.")
        tested = [[s for corpus in targets for s in members[corpus][group::groups]] for group in range(groups)]
        if not all(tested):
            most = max(len(members[corpus]) for corpus in targets)
            raise CorpusError(f"{groups} groups need as many speakers of a target. Received: {most}.")
        return [(validation, group) for group in tested]

    return assign
