"""An unlabelled target: clips that a model adapts to. No label of them is read; what is known of a corpus is official.

Training hears either the speakers of the target that are tested, too (transductive), or none of them (inductive).
"""

from collections.abc import Mapping, Sequence

import pandas as pd

from serzoo import corpora
from serzoo.corpora import Fold, Protocol
from serzoo.corpora.forms import person
from serzoo.errors import RunError
from serzoo.evaluation.adaptation import INDUCTIVE, TRANSDUCTIVE
from serzoo.training.streams import TARGET, files_of


def adaptation_of(
    config,
    rules: Protocol,
    folds: Sequence[Fold],
    source: pd.DataFrame,
    others: Mapping[str, pd.DataFrame],
    transductive: bool,
) -> str | None:
    """Check that there is a target to adapt to, and name the way.

    Args:
        config: the model's config.
        rules: the protocol.
        folds: those of the run.
        source: rows that the folds train on and choose by.
        others: rows of every other stream.
        transductive: whether training may hear the tested speakers of the target.

    Returns:
        ``"transductive"`` or ``"inductive"``; None without a target.

    Raises:
        RunError: if the target holds recordings of the source, or a corpus of it lacks one of the protocol's classes;
            if the tested speakers may be heard and the target has none of them, or may not and there are no others.
    """
    if TARGET not in others:
        if transductive:
            raise RunError(f"{config.name}: a transductive training needs a target, as in --target CORPUS=ROOT.")
        return None
    target = others[TARGET]
    _refuse_source(config, source, target)
    _refuse_other_classes(config, rules, target)
    speakers = {person(pair) for pair in zip(target["corpus"], target["speaker"], strict=True)}
    if transductive and not any(person(pair) in speakers for fold in folds for pair in fold.test):
        raise RunError(
            f"A transductive training hears tested speakers, and {rules.name} tests none of the target's, which are of "
            f"{', '.join(sorted(set(target['corpus'])))}. Leave --transductive out."
        )
    if not transductive and any(speakers <= set(map(person, (*fold.test, *fold.validation))) for fold in folds):
        groups = f": take 3fold-{rules.name}, or" if rules.sources and len(folds) == 1 else "; take"
        raise RunError(
            f"{rules.name} tests every speaker of the target at once, so that none is left to adapt to{groups} let "
            "training hear the tested speakers without their labels (--transductive)."
        )
    return TRANSDUCTIVE if transductive else INDUCTIVE


def _refuse_source(config, source: pd.DataFrame, target: pd.DataFrame) -> None:
    if files_of(source) & files_of(target):
        raise RunError(
            f"The target of {config.name} holds recordings of its source: adapting a corpus to itself teaches nothing. "
            "Give another corpus by --target."
        )


def _refuse_other_classes(config, rules: Protocol, target: pd.DataFrame) -> None:
    for corpus in sorted(set(target["corpus"])):
        held = {rules.class_map.get(emotion, emotion) for emotion in corpora.info(corpus).emotions}
        if held and (missing := sorted(set(rules.classes) - held)):
            raise RunError(
                f"The target {corpus} has no clips of {', '.join(missing)}, which {config.name} would look for "
                "there: take a protocol of classes that both corpora have. "
                f"The target's are: {', '.join(sorted(held))}."
            )
