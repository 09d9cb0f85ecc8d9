"""YAML as plain data: no tags, aliases, merged or doubled keys, and a bound on the size.

Kept apart from :mod:`serzoo.config` so that listing the models needs no pydantic.
"""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from serzoo.errors import ConfigError, MissingFileError

MAX_BYTES = 1_000_000
MAX_DEPTH = 20
_TOO_DEEP = f"nested more than {MAX_DEPTH} deep"


def read(path: str | os.PathLike) -> str:
    """The text of a YAML file.

    Raises:
        MissingFileError: if the file is not there or cannot be read.
        ConfigError: if it is no UTF-8 text, or larger than ``MAX_BYTES``.
    """
    path = Path(path)
    label = label_of(path)
    try:
        size = path.stat().st_size
        text = path.read_text(encoding="utf-8") if size <= MAX_BYTES else ""
    except UnicodeDecodeError:
        raise ConfigError(f"{label}: a configuration must be UTF-8 text.") from None
    except OSError as error:
        raise MissingFileError(f"Cannot read the configuration {label}: {error.strerror}.") from error
    if size > MAX_BYTES:
        raise ConfigError(f"{label}: a configuration has at most {MAX_BYTES} bytes. Received: {size} bytes.")
    return text


def parse(text: str, label: str) -> Any:
    """The value that a YAML text holds: dicts, lists and scalars; ``label`` opens the error messages.

    Raises:
        ConfigError: if the text is not valid YAML, or holds a tag, an anchor, an alias or a doubled key.

    Example:
        >>> parse("hop_ms: 10.0", "example")
        {'hop_ms': 10.0}
    """
    try:
        _refuse_tricks(text, label)
        return yaml.load(text, Loader=_Loader)
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        place = f"{label}, line {mark.line + 1}" if mark else label
        problem = getattr(error, "problem", None) or str(error).splitlines()[0]
        # libyaml of PyYAML 6.0.4 looks ahead, and has a greater limit of its own
        if "maximum nesting depth" in problem:
            problem = _TOO_DEEP
        raise ConfigError(f"{place}: not valid YAML: {problem}.") from error
    except ConfigError:
        raise
    except ValueError as error:  # such as the date 2026-13-99
        raise ConfigError(f"{label}: not valid YAML: {error}.") from error


def dump(data: Mapping[str, Any]) -> str:
    """The YAML text of plain data, in the order of its keys; leaves stand on one line."""
    return yaml.safe_dump(data, sort_keys=False, width=118, default_flow_style=None, allow_unicode=True)


def label_of(path: Path) -> str:
    """How messages name a file: ``zoo_configs/NAME.yaml`` for a shipped one, else its path."""
    return f"zoo_configs/{path.name}" if path.parent.name == "zoo_configs" else str(path)


class _Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):
    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict:
        seen = set()
        for key, _ in node.value:
            if not isinstance(key, yaml.ScalarNode) or key.value == "<<":
                raise yaml.constructor.ConstructorError(None, None, "keys must be plain texts", key.start_mark)
            if key.value in seen:
                raise yaml.constructor.ConstructorError(None, None, f"the key {key.value!r} is doubled", key.start_mark)
            seen.add(key.value)
        return super().construct_mapping(node, deep=deep)


def _refuse_tricks(text: str, label: str) -> None:
    # Aliases can make a few bytes stand for gigabytes, tags can name any type, and deep nesting exhausts the C stack
    # of the composer; the event parser has no recursion.
    depth = 0
    for event in yaml.parse(text, Loader=_Loader):
        place = f"{label}, line {event.start_mark.line + 1}"
        if getattr(event, "tag", None):
            tag = event.tag.replace("tag:yaml.org,2002:", "!!")
            raise ConfigError(f"{place}: tags are not allowed, only plain values. Received: {tag}.")
        if getattr(event, "anchor", None):
            raise ConfigError(f"{place}: anchors and aliases are not allowed. Received: {event.anchor}.")
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            raise ConfigError(f"{place}: not valid YAML: {_TOO_DEEP}.")
