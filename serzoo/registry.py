"""The models that exist: each name beside the dotted name of its builder, so that listing them imports none.

A builder is a function ``build(*, heads, frontend, spec_augment, seed, name, ...)`` in ``serzoo/models/``; what else it
takes is the section ``model`` of ``zoo_configs/NAME.yaml``.
"""

import fnmatch
import importlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from serzoo import yaml_text
from serzoo.errors import ConfigError, MissingFileError, unknown_name

BUILDERS: dict[str, str] = {
    "asp_mtl_cascade": "serzoo.models.asp_mtl_cascade:build",
    "asp_mtl_gender": "serzoo.models.asp_mtl_gender:build",
    "asp_mtl_noise": "serzoo.models.asp_mtl_noise:build",
    "aae_mtl": "serzoo.models.aae_mtl:build",
    "acrnn": "serzoo.models.acrnn:build",
    "acrnn_small": "serzoo.models.acrnn:build",
    "bert_mtl": "serzoo.models.bert_mtl:build",
    "bidann": "serzoo.models.bidann:build",
    "cnn_ablstm": "serzoo.models.cnn_ablstm:build",
    "cnn_ablstm_mtl": "serzoo.models.cnn_ablstm:build",
    "cnn_lstm": "serzoo.models.cnn_lstm:build",
    "cnn_lstm_mtl": "serzoo.models.cnn_lstm:build",
    "dstl": "serzoo.models.dstl:build",
    "mtl_aug": "serzoo.models.mtl_aug:build",
}
_ENDINGS = (".keras", ".onnx", ".tflite", ".csv", ".csv.gz")  # of models, exports and tables of predictions


def names() -> list[str]:
    """Names of the registered models, sorted.

    Example:
        >>> "cnn_ablstm_mtl" in names()
        True
    """
    return sorted(BUILDERS)


def list_models(pattern: str = "*", *, pretrained: bool = False, licence: str | None = None) -> list[str]:
    """Names of models, or of the weights that ship with them.

    Args:
        pattern: shell pattern, such as ``"*mtl*"``; it is matched against the name, and against ``name.tag`` of its
            weights.
        pretrained: list weights, as ``name.tag``, instead of bare names.
        licence: ``"commercial"`` for weights that may be used for any purpose, or the SPDX name of a licence, such as
            ``"CC-BY-NC-SA-4.0"``; a bare name is listed if some of its weights have it.

    Returns:
        Sorted names.

    Example:
        >>> list_models("cnn_*_mtl")
        ['cnn_ablstm_mtl', 'cnn_lstm_mtl']
    """
    found = []
    for name in names():
        kept = matching(name, raw_entries(name)["weights"], pattern, licence)
        if pretrained:
            found += [f"{name}.{entry['tag']}" for entry in kept]
        elif kept or (licence is None and fnmatch.fnmatchcase(name, pattern)):
            found.append(name)
    return sorted(found)


def matching(name: str, weights: list[dict[str, Any]], pattern: str, licence: str | None) -> list[dict[str, Any]]:
    """Those entries of the section ``weights`` of a model that :func:`list_models` means by a pattern and a licence."""
    every = fnmatch.fnmatchcase(name, pattern)
    kept = [entry for entry in weights if every or fnmatch.fnmatchcase(f"{name}.{entry['tag']}", pattern)]
    return [entry for entry in kept if _licensed(entry, licence)]


def raw_entries(name: str) -> dict[str, list[dict[str, Any]]]:
    """The sections ``weights`` and ``reported`` of a model's YAML, read fast: without pydantic, and so unchecked.

    Raises:
        UnknownNameError: if no model has this name.
        ConfigError: if the file holds no such sections; :func:`serzoo.config.load` tells more.
    """
    path = config_path(name)
    label = yaml_text.label_of(path)
    data = yaml_text.parse(yaml_text.read(path), label)
    sections = {key: data.get(key) if isinstance(data, dict) else None for key in ("weights", "reported")}
    for key, entries in sections.items():
        if not isinstance(entries, list) or not all(isinstance(entry, dict) and "tag" in entry for entry in entries):
            raise ConfigError(f"{label}: {key} must be a list of mappings with a tag.")
    return sections


def builder(name: str) -> Callable:
    """Import the builder of a model.

    Args:
        name: registered name, without a tag.

    Returns:
        The function that the registry names; its module is imported now.

    Raises:
        UnknownNameError: if no model has this name; the message holds the nearest ones.
    """
    module, _, function = BUILDERS[check_name(name)].partition(":")
    return getattr(importlib.import_module(module), function)


def training_graph(name: str) -> Callable | None:
    """Import what wraps a model while it trains: the function ``training_graph`` beside its builder; None without one.

    Args:
        name: registered name, without a tag.

    Raises:
        UnknownNameError: if no model has this name.
    """
    return getattr(importlib.import_module(builder(name).__module__), "training_graph", None)


def layer_depths(name: str) -> Callable | None:
    """Import what tells how deep the layers of a model lie: the function ``layer_depths`` beside its builder, or None.

    Args:
        name: registered name, without a tag.

    Raises:
        UnknownNameError: if no model has this name.
    """
    return getattr(importlib.import_module(builder(name).__module__), "layer_depths", None)


def check_name(name: str) -> str:
    """Return ``name`` if a model has it.

    Raises:
        UnknownNameError: if none has; the message holds the nearest ones.
    """
    if name not in BUILDERS:
        raise unknown_name("model", name, BUILDERS, see="serzoo list")
    return name


def is_path(source: str | os.PathLike) -> bool:
    """Whether a user means a file or folder, rather than the name of a model.

    Args:
        source: a :class:`~pathlib.Path`, or a text. A text with ``/`` or the ending of a model's file is a path, and so
            is any other that names an existing file and no model.

    Example:
        >>> is_path("./cnn_ablstm"), is_path("cnn_ablstm.onnx"), is_path("cnn_ablstm"), is_path("cnn_ablstm.ravdess8")
        (True, True, False, False)
    """
    if not isinstance(source, str) or "/" in source or os.sep in source or source.endswith(_ENDINGS):
        return True
    return source.partition(".")[0] not in BUILDERS and Path(source).exists()


def config_path(name: str) -> Path:
    """Path of the YAML file of a registered model, ``zoo_configs/NAME.yaml``.

    Raises:
        UnknownNameError: if no model has this name.
    """
    return configs_folder() / f"{check_name(name)}.yaml"


def configs_folder() -> Path:
    """Folder of the YAML files: inside the package in a wheel, beside it in a checkout or an editable install.

    Raises:
        MissingFileError: if the installation has lost it.
    """
    package = Path(__file__).resolve().parent
    places = (package / "zoo_configs", package.parent / "zoo_configs")
    for place in places:
        if place.is_dir():
            return place
    raise MissingFileError(f"serzoo needs its folder zoo_configs; it is in neither of: {', '.join(map(str, places))}.")


def weights_folder() -> Path:
    """Folder of the weights that ship with the package, ``serzoo/weights``; it may be absent in a bare checkout."""
    return Path(__file__).resolve().parent / "weights"


def _licensed(entry: dict[str, Any], licence: str | None) -> bool:
    if licence is None:
        return True
    return bool(entry.get("commercial")) if licence == "commercial" else entry.get("licence") == licence
