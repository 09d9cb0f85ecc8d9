"""Reading, overriding and writing a model's YAML file.

The YAML is untrusted input: it is read with a safe loader that refuses tags, aliases and doubled keys, and checked
against :mod:`serzoo.schema`. Every key stands in the file; nothing is inherited or interpolated.
"""

import difflib
import os
import re
import typing
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from serzoo import registry, yaml_text
from serzoo.errors import ConfigError
from serzoo.files import replace_file
from serzoo.schema import Config

_FIXED = ("name", "weights", "reported")
_MAPPING = "a mapping of keys to values"
_FLOAT_WITHOUT_POINT = re.compile(r"^([-+]?\d+)[eE]([-+]?)(\d+)$|^([-+]?\d+\.\d*)[eE](\d+)$")


def load(name: str | os.PathLike, overrides: Mapping[str, Any] | None = None) -> Config:
    """Read the configuration of a model.

    Args:
        name: registered name, or path of a YAML file (a :class:`~pathlib.Path`, or a text with ``/`` or ``.yaml``).
        overrides: values by dotted key, such as ``{"training.epochs": 5}``; they are checked like the file's own.

    Returns:
        The checked, frozen configuration.

    Raises:
        UnknownNameError: if no model has this name.
        MissingFileError: if the file is not there.
        ConfigError: if a key is unknown, missing or of the wrong type, or the file is no plain YAML.

    Example:
        >>> load("cnn_ablstm_mtl", {"training.epochs": 5}).training.epochs
        5
    """
    is_path = not isinstance(name, str) or name.endswith((".yaml", ".yml")) or "/" in name or os.sep in name
    path = Path(name) if is_path else registry.config_path(name)
    label = yaml_text.label_of(path)
    text = yaml_text.read(path)
    config = parse(text, label)
    if not is_path and config.name != name:
        raise ConfigError(f"{label}: name must be {name!r}, the name of the file. Received: {config.name!r}.")
    return override(config, overrides) if overrides else config


def parse(text: str, label: str = "config") -> Config:
    """Check the text of a YAML file; ``label`` opens the error messages.

    Raises:
        ConfigError: as for :func:`load`.
    """
    data = yaml_text.parse(text, label)
    if not isinstance(data, dict):
        raise ConfigError(f"{label}: the file must be a mapping of keys to values. Received: {_shown(data)}.")
    return _validate(data, label)


def override(config: Config, overrides: Mapping[str, Any], label: str = "overrides") -> Config:
    """A copy of ``config`` with some values replaced.

    Args:
        config: the configuration to start from.
        overrides: values by dotted key. ``name``, ``weights`` and ``reported`` cannot be replaced.
        label: opens the error messages.

    Raises:
        ConfigError: if a key does not exist or a value is not allowed there.

    Example:
        >>> override(load("cnn_ablstm"), {"heads.emotion.label_smoothing": 0.0}).heads["emotion"].label_smoothing
        0.0
    """
    data = to_dict(config)
    for dotted, value in overrides.items():
        *parents, last = str(dotted).split(".")
        if (parents or [last])[0] in _FIXED:
            raise ConfigError(f"{label}: {dotted} cannot be overridden.")
        place = data
        for parent in parents:
            place = place.get(parent) if isinstance(place, dict) else None
        if not isinstance(place, dict) or last not in place:
            keys = _dotted_keys(data)
            alike = [key for key in keys if key.rpartition(".")[2] == last]
            nearest = difflib.get_close_matches(str(dotted), alike or keys, n=2, cutoff=0.0 if alike else 0.6)
            guess = f"Did you mean {' or '.join(map(repr, nearest))}?" if nearest else "See serzoo show NAME."
            raise ConfigError(f"{label}: unknown key {dotted}. {guess}")
        if parents[:1] == ["model"]:
            _check_kind(f"{label}: {dotted}", place[last], value)
        place[last] = value
    return _validate(data, label)


def _check_kind(where: str, old: Any, new: Any) -> None:
    """Refuse a value of another kind than the one before: of the section ``model`` only its builder knows more."""
    kinds = {bool: "true or false", int: "a whole number", float: "a number", str: "a text", list: "a list"}
    kind = type(old)
    came = list if isinstance(new, tuple) else type(new)
    if kind in kinds and new is not None and came is not kind and (kind, came) != (float, int):
        raise ConfigError(f"{where} must be {kinds[kind]}, such as {old!r}. Received: {new!r}.")


def parse_overrides(items: Iterable[str]) -> dict[str, Any]:
    """Values by dotted key from texts such as ``training.epochs=5``, typed as YAML types them.

    Raises:
        ConfigError: if a text is not ``key=value`` with a plain YAML value.

    Example:
        >>> parse_overrides(["training.epochs=5", "model.conv_filters=[16, 32]"])
        {'training.epochs': 5, 'model.conv_filters': [16, 32]}
    """
    overrides = {}
    for item in items:
        key, equals, value = item.partition("=")
        if not equals or not key.strip():
            raise ConfigError(f"--set takes KEY=VALUE, such as training.epochs=5. Received: {item!r}.")
        overrides[key.strip()] = yaml_text.parse(value, f"--set {key.strip()}")
    return overrides


def to_dict(config: BaseModel) -> dict[str, Any]:
    """A configuration, or a section of one, as dicts, lists and scalars that YAML and JSON can hold."""
    return _lists(config.model_dump(mode="python"))


def dump(config: Config) -> str:
    """The YAML text of a configuration; :func:`parse` reads it back to an equal one."""
    return yaml_text.dump(to_dict(config))


def with_sections(path: str | os.PathLike, *, weights: Sequence[Mapping], reported: Sequence[Mapping]) -> str:
    """The text of a YAML file with its two last sections anew; that above them, comments included, stays as it is.

    Args:
        path: the file; ``weights:`` and ``reported:`` must be its last two keys.
        weights: the new entries, as dicts or :class:`~serzoo.schema.Weights`.
        reported: the new figures, as dicts or :class:`~serzoo.schema.Reported`.

    Returns:
        The new text; nothing is written.

    Raises:
        ConfigError: if it would not be a valid file.
    """
    path, label = Path(path), yaml_text.label_of(path)
    text = path.read_text(encoding="utf-8")
    tops = [match.group(1) for match in re.finditer(r"^(\w+)\s*:", text, re.MULTILINE)]
    if tops[-2:] != ["weights", "reported"]:
        raise ConfigError(f"{label}: the last two keys must be weights and reported. Received: {tops[-2:]}.")
    above = text[: re.search(r"^weights\s*:", text, re.MULTILINE).start()]
    sections = {"weights": list(map(_as_dict, weights)), "reported": list(map(_as_dict, reported))}
    text = above + yaml_text.dump(sections)
    parse(text, label)
    return text


def replace_sections(path: str | os.PathLike, **sections: Sequence[Mapping]) -> Config:
    """Write what :func:`with_sections` gives to its file: the configuration that it now holds."""
    replace_file(path, with_sections(path, **sections).encode())
    return load(path)


def _validate(data: dict, label: str) -> Config:
    try:
        return Config.model_validate(data)
    except ValidationError as error:
        # A mistyped key is unknown here and missing there: the first says more.
        errors = sorted(error.errors(include_url=False), key=lambda problem: problem["type"] == "missing")
        sentences = list(dict.fromkeys(_sentence(problem, data) for problem in errors))
    more = f" And {len(sentences) - 3} more problems." if len(sentences) > 3 else ""
    raise ConfigError(f"{label}: {' '.join(sentences[:3])}{more}")


def _sentence(problem: Mapping[str, Any], data: Any) -> str:
    loc = [str(part) for part in problem["loc"]]
    allowed, description, depth = _look_up(loc)
    key = ".".join(loc[:depth])
    if problem["type"] == "extra_forbidden":
        return _unknown_key(key, allowed)
    if problem["type"] == "missing":
        return f"{key} is missing; it must be {description}."
    if problem["type"] == "value_error" and description == _MAPPING:
        return f"{key} {problem['ctx']['error']}.".lstrip()
    value = data
    for part in problem["loc"][:depth]:
        value = value[part]
    hint = ""
    if isinstance(value, str) and (match := _FLOAT_WITHOUT_POINT.match(value)):
        digits, sign, exponent = (match[1] + ".0", match[2], match[3]) if match[1] else (match[4], "", match[5])
        hint = f" YAML reads this as a text: write {digits}e{sign or '+'}{exponent}."
    return f"{key} must be {description}. Received: {_shown(value)}.{hint}"


def _look_up(loc: Sequence[str]) -> tuple[list[str], str, int]:
    """Keys allowed beside the last part, what the value must be, and how many parts of ``loc`` are keys."""
    kind, description, allowed = Config, _MAPPING, list(Config.model_fields)
    for depth, part in enumerate(loc):
        if _is_section(kind):
            allowed = list(kind.model_fields)
            if part not in kind.model_fields:
                return allowed, _MAPPING, len(loc)
            field = kind.model_fields[part]
            kind, description = field.annotation, field.description or _MAPPING
        else:
            inner = [arg for arg in typing.get_args(kind) if arg is not Ellipsis]
            if typing.get_origin(kind) not in (dict, tuple) or not _is_section(inner[-1]):
                return allowed, description, depth
            kind, description = inner[-1], _MAPPING
    return allowed, description, len(loc)


def _is_section(kind: Any) -> bool:
    return isinstance(kind, type) and issubclass(kind, BaseModel)


def _unknown_key(dotted: str, allowed: Sequence[str]) -> str:
    nearest = difflib.get_close_matches(dotted.rpartition(".")[2], allowed, n=2)
    guess = f" Did you mean {' or '.join(map(repr, nearest))}?" if nearest else ""
    return f"Unknown key {dotted}.{guess} Allowed: {', '.join(allowed)}."


def _dotted_keys(data: Mapping[str, Any], above: str = "") -> list[str]:
    keys = []
    for key, value in data.items():
        nested = isinstance(value, dict) and value
        keys += _dotted_keys(value, f"{above}{key}.") if nested else [f"{above}{key}"]
    return keys


def _shown(value: Any) -> str:
    text = "nothing" if value is None else repr(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def _as_dict(entry: Any) -> dict[str, Any]:
    # what was never said, such as a field that older entries lack, is not written either
    return _lists(entry.model_dump(exclude_unset=True) if isinstance(entry, BaseModel) else dict(entry))


def _lists(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _lists(item) for key, item in value.items()}
    return [_lists(item) for item in value] if isinstance(value, list | tuple) else value
