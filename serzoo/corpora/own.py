"""Protocols for any corpus, one's own table above all: leave one speaker out, or groups of them.

Such a protocol stands in no list: its name says all of it. ``loso-table:mine@anger,neutral=calm`` leaves out each
speaker in turn; ``5fold-table:mine@anger,neutral`` each of five groups, for which every fifth speaker is taken.

Example:
    >>> parse("5fold-table:mine@anger,neutral=calm").classes
    ('anger', 'neutral')
"""

import re

from serzoo.corpora.corpus import EMOTIONS
from serzoo.corpora.cross import check_merged, parse_classes
from serzoo.corpora.folds import in_groups, leave_one_speaker_out
from serzoo.corpora.protocols import Protocol
from serzoo.corpora.readers import info
from serzoo.errors import CorpusError, UnknownNameError, join, unknown_name

PATTERN = "loso-CORPUS@CLASS,CLASS"
_NAME = re.compile(r"(?P<how>loso|[0-9]+fold)-(?P<corpora>[^@]+)@(?P<classes>.+)")


def parse(name: str) -> Protocol:
    """Make a protocol for any corpus from its name.

    Args:
        name: ``loso-CORPUS[+CORPUS]@CLASS,CLASS`` or ``Kfold-CORPUS[+CORPUS]@CLASS,CLASS``, K from 3 to 20; a class may
            be given the emotions to merge into it, ``neutral=boredom+calm``.

    Raises:
        UnknownNameError: if the name has another form, or a corpus or emotion does not exist.
        CorpusError: if there are not two classes, or K is out of its range.
    """
    match = _NAME.fullmatch(name)
    if match is None:
        raise UnknownNameError(
            f"A protocol for a corpus of your own is called {PATTERN}, or 5fold-CORPUS@CLASS,CLASS=EMOTION+EMOTION. "
            f"Received: {name!r}."
        )
    corpora = match["corpora"].split("+")
    for corpus in corpora:
        info(corpus)
    classes, class_map = parse_classes(match["classes"], name)
    for emotion in (*classes, *class_map):
        if emotion not in EMOTIONS:
            raise unknown_name("emotion", emotion, EMOTIONS)
    check_merged(classes, class_map)
    if len(set(classes)) < 2 or len(set(classes)) < len(classes):
        raise CorpusError(f"Protocol {name} needs two or more different classes. Received: {join(classes)}.")
    if match["how"] == "loso":
        return _protocol(name, "leave one speaker out, the next one validates", corpora, classes, class_map, None)
    groups = int(match["how"].removesuffix("fold"))
    if not 3 <= groups <= 20:
        raise CorpusError(f"Protocol {name} needs 3 to 20 folds: one to test, one to validate, the rest to train on.")
    source = f"leave one of {groups} groups of speakers out, the next one validates"
    return _protocol(name, source, corpora, classes, class_map, groups)


def _protocol(name, source, corpora, classes, class_map, groups: int | None) -> Protocol:
    return Protocol(
        name=name,
        source=source,
        corpora=tuple(corpora),
        classes=tuple(sorted(classes)),
        assign=in_groups(groups) if groups else leave_one_speaker_out,
        class_map=class_map,
    )
