"""Recipes to search among: a YAML file with a list of them, or with the values to try of each key.

A list holds recipes, each a mapping of dotted keys to values, such as ``--set`` takes them::

    - {augmentation.speed: [0.8, 1.2]}
    - {model.dropout: 0.5, training.epochs: 80}

Of a mapping of dotted keys to lists of values, every combination is a recipe::

    model.dropout: [0.3, 0.5]
    training.weight_decay: [1.0e-2, 5.0e-2]
"""

import itertools
import math
import random
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serzoo import config as configs
from serzoo import yaml_text
from serzoo.errors import ConfigError, RunError
from serzoo.files import json_ready

Space = list[dict[str, Any]] | dict[str, list]


def checked(space: str | Path | Sequence | Mapping, optuna: bool = False, num_trials: int | None = None) -> Space:
    """Read a space and check its form.

    Args:
        space: the recipes, or the path of a YAML file with them.
        optuna: whether Optuna is to propose recipes.
        num_trials: how many of them to try, or None for all.

    Raises:
        ConfigError: if the space has another form or a value twice, or Optuna cannot work on it.
        MissingFileError: if there is no such file.
    """
    if isinstance(space, (str, Path)):
        space = yaml_text.parse(yaml_text.read(space), yaml_text.label_of(Path(space)))
    space = json_ready(space)  # a tuple is a list, as in what a search that goes on reads
    is_list = isinstance(space, list) and space and all(isinstance(recipe, dict) for recipe in space)
    is_mapping = isinstance(space, dict) and space and all(isinstance(each, list) and each for each in space.values())
    if not is_list and not is_mapping:
        raise ConfigError(
            "A space must be a list of recipes, such as [{model.dropout: 0.5}], or a mapping of keys to lists of "
            f"values, such as {{model.dropout: [0.3, 0.5]}}. Received: {str(space)[:80]}."
        )
    if optuna and (is_list or num_trials is None):
        came = "a list" if is_list else "no number of trials"
        raise ConfigError(
            f"Optuna needs a mapping of keys to lists of values, and a number of trials. Received: {came}."
        )
    for key, values in space.items() if is_mapping else ():
        if any(value in values[:place] for place, value in enumerate(values)):
            raise ConfigError(f"{key} must be given different values to try. Received: {values}.")
    if num_trials is not None and num_trials < 1:
        raise ConfigError(f"The number of trials must be 1 or more. Received: {num_trials}.")
    return space


def recipes(space: Space, base, num_trials: int | None = None, singly: bool = False) -> list[dict[str, Any]]:
    """List the recipes of a space.

    Args:
        space: as from :func:`checked`.
        base: config that they change.
        num_trials: of a list the first ones, of a mapping some drawn at random, always the same; None for all.
        singly: list each value of a mapping alone, in the place of their combinations.

    Returns:
        Different recipes; the first one changes nothing.

    Raises:
        ConfigError: if one does not fit the config.

    Example:
        >>> base = configs.load("cnn_ablstm")
        >>> recipes({"model.dropout": [0.3, 0.5]}, base)  # 0.3 is what the file has
        [{}, {'model.dropout': 0.5}]
    """
    if isinstance(space, list):
        listed = space[:num_trials]
    elif singly:
        listed = [{key: value} for key, values in space.items() for value in values]
    else:
        count = num_combinations(space)
        numbers = range(count) if num_trials is None else _drawn(count, num_trials)
        listed = [_combination(space, number) for number in numbers]
    found = {configs.dump(base): {}}
    for recipe in listed:
        found.setdefault(configs.dump(configs.override(base, recipe)), recipe)
    return list(found.values())


def num_combinations(space: Mapping[str, Sequence]) -> int:
    """Count the combinations of the values of each key."""
    return math.prod(map(len, space.values()))


def unchanged(space: Mapping[str, Sequence], base) -> dict[str, Any] | None:
    """Find the combination that changes nothing; None where every one does.

    Example:
        >>> unchanged({"model.dropout": [0.3, 0.5]}, configs.load("cnn_ablstm"))  # 0.3 is what the file has
        {'model.dropout': 0.3}
    """
    dump = configs.dump(base)
    kept = {
        key: [value for value in values if configs.dump(configs.override(base, {key: value})) == dump]
        for key, values in space.items()
    }
    return {key: values[0] for key, values in kept.items()} if all(kept.values()) else None


def proposed(space: Mapping[str, Sequence], tried: Sequence[tuple[Mapping, float]], seed: int) -> dict[str, Any]:
    """Let Optuna propose a combination that was not tried (TPE, a tree-structured Parzen estimator).

    Args:
        space: values by key.
        tried: combinations and how good they were, the greater the better; not all that there are.
        seed: of the proposal; the same seed and history give the same one.

    Raises:
        RunError: if Optuna is not installed.
    """
    try:
        import optuna
    except ImportError as error:
        raise RunError("Optuna is not here: pip install 'serzoo[search]', or search without it.") from error
    count = num_combinations(space)
    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kinds = {key: optuna.distributions.CategoricalDistribution(range(len(values))) for key, values in space.items()}
    study = optuna.create_study(direction="maximize", sampler=optuna.samplers.TPESampler(seed=seed))
    for recipe, value in tried:
        places = {key: values.index(recipe[key]) for key, values in space.items()}
        study.add_trial(optuna.trial.create_trial(params=places, distributions=kinds, value=value))
    asked = (study.ask(kinds).params for _ in range(20))
    combinations = ({key: values[places[key]] for key, values in space.items()} for places in asked)
    draw = random.Random(seed).randrange  # noqa: S311  where it proposes nothing but what was tried before
    others = (_combination(space, draw(count)) for _ in itertools.count())
    done = [recipe for recipe, _ in tried]
    return next(recipe for recipe in itertools.chain(combinations, others) if recipe not in done)


def _drawn(count: int, num_trials: int) -> list[int]:
    """Different numbers below ``count`` at random; whoever asks for more of them later keeps those that were drawn."""
    draw, numbers = random.Random(0).randrange, {}  # noqa: S311
    while len(numbers) < min(num_trials, count):
        numbers[draw(count)] = None
    return list(numbers)


def _combination(space: Mapping[str, Sequence], number: int) -> dict[str, Any]:
    """The combination of a number, the last key changing fastest."""
    recipe = {}
    for key, values in reversed(space.items()):
        number, place = divmod(number, len(values))
        recipe[key] = values[place]
    return {key: recipe[key] for key in space}
