"""Whether two runs, or a run and a YAML file, are the same recipe, and if not, where they differ."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from serzoo import config as configs
from serzoo import registry

SECTIONS = ("frontend", "model", "heads", "objectives", "streams", "augmentation", "training")


def recipe(config) -> dict[str, Any]:
    """What makes the weights of a model: its config without names, references and results."""
    data = configs.to_dict(config)
    return {section: data[section] for section in SECTIONS}


def settings_of(overrides: Mapping[str, Any]) -> list[str]:
    """Write overrides as ``--set`` and :func:`serzoo.config.parse_overrides` take them.

    Example:
        >>> settings_of({"augmentation.speed": [0.9, 1.1], "training.learning_rate": 1e-5})
        ['augmentation.speed=[0.9, 1.1]', 'training.learning_rate=1.0e-05']
    """
    # JSON would write 1e-05, which YAML reads as a text
    texts = {key: yaml.safe_dump(each, default_flow_style=True, width=float("inf")) for key, each in overrides.items()}
    return [f"{key}={text.removesuffix(chr(10)).removesuffix('...').strip()}" for key, text in texts.items()]


def start_of(init: str | None) -> str | None:
    """Name what a run starts from, but for a path, which means nothing elsewhere.

    Example:
        >>> start_of("cnn_ablstm_mtl.ravdess8"), start_of("runs/a"), start_of(None)
        ('cnn_ablstm_mtl.ravdess8', 'RUN-OF-INIT', None)
    """
    is_name = bool(init) and Path(init).name == init and init.partition(".")[0] in registry.BUILDERS
    return init if is_name or not init else "RUN-OF-INIT"


def differences(there: Mapping, here: Mapping, limit: int = 5) -> list[str]:
    """Name the values that differ between two nested mappings, at most ``limit`` of them.

    Args:
        there: what stands in a file.
        here: what is asked for.
        limit: the longest list to return; a last entry then counts the rest.

    Returns:
        Sentences without a full stop; none if the mappings are equal.

    Example:
        >>> differences({"training": {"epochs": 40}}, {"training": {"epochs": 50}})
        ['training.epochs is 40 there and 50 here']
    """
    there, here = _flat(there), _flat(here)
    found = [
        f"{key} is {there.get(key, 'missing')} there and {here.get(key, 'missing')} here"
        for key in dict.fromkeys([*there, *here])
        if there.get(key) != here.get(key)
    ]
    return found if len(found) <= limit else [*found[:limit], f"{len(found) - limit} more values differ"]


def _flat(data: Mapping, above: str = "") -> dict[str, Any]:
    flat = {}
    for key, value in data.items():
        flat |= _flat(value, f"{above}{key}.") if isinstance(value, Mapping) else {f"{above}{key}": value}
    return flat
