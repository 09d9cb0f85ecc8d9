"""What travels in every export beside the network: labels for programs, a card for people."""

from typing import Any

from serzoo import __version__, cards, registry, scales
from serzoo.models.classifier import Classifier, plain

LABELS = "labels.json"
MODEL_CARD = "model_card.txt"


def labels(model: Classifier, **more: Any) -> dict[str, Any]:
    """What a client must know of an exported model, as plain data.

    Args:
        model: the classifier.
        **more: further entries, such as the length of a segment.

    Returns:
        ``name``, ``classes``, ``sample_rate_hz``, ``card``, ``serzoo_version`` and ``more``.
    """
    return {
        "name": model.name,
        "classes": model.classes,
        "sample_rate_hz": model.sample_rate_hz,
        "card": plain(model.card),
        "serzoo_version": __version__,
        **more,
    }


def stem(model: Classifier) -> str:
    """What a file of the model is called.

    Returns:
        ``NAME.TAG``, or ``NAME.seedS-foldF`` for a fold of one's own, and the denoiser that was put before it.
    """
    parts = [model.full_name]
    if not model.tag and model.card.get("fold") is not None:
        parts.append("-".join(f"{key}{model.card[key]}" for key in ("seed", "fold") if key in model.card))
    return ".".join([*parts, *filter(None, [model.card.get("denoise")])])


def model_card(model: Classifier) -> str:
    """The text that goes with an export: what these weights are, and the card of what serzoo ships under this name.

    The latter tells of weights of one's own only what is true of them too: not the figures and classes of others.

    Args:
        model: the classifier.

    Returns:
        Text for people.
    """
    card = plain(model.card)
    heard = ", ".join(f"{corpus} ({len(speakers)} speakers)" for corpus, speakers in card.get("corpora", {}).items())
    left_out = [task for task, classes in model.heads.items() if scales.scale_of(classes)]
    use = {True: ": any use", False: ": no commercial use"}.get(card.get("commercial"), "")
    lines = [
        model.full_name if model.tag else f"{model.name}, weights that do not ship with serzoo",
        f"  licence   {model.licence or 'unknown'}{use}",
        f"  classes   {', '.join(model.classes)}",
        f"  trained   on {heard or 'nothing that is recorded'}",
        *([f"  target    {card['adaptation']}"] if card.get("adaptation") else []),
        f"  input     mono at {model.sample_rate_hz} Hz",
        *([f"  behind    {card['denoise']}"] if card.get("denoise") else []),
        *([f"  left out  {', '.join(left_out)}: an export answers emotion alone"] if left_out else []),
    ]
    if model.name not in registry.names():
        shipped = ""
    elif model.tag:
        shipped = cards.model_card(model.full_name, heads=["emotion"])
    else:
        shipped = cards.architecture_card(model.name)
    return "\n".join(lines) + "\n\n" + shipped
