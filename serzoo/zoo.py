"""From a name to a model: registry, config and weights become a classifier."""

import hashlib
import json
import zipfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from serzoo import config as configs
from serzoo import registry
from serzoo.errors import ConfigError, MissingFileError, SerzooError, WeightsError, unknown_name
from serzoo.models.classifier import Classifier

GENDERS = ("female", "male")
CARD = "card.json"  # of one trained fold of a run: written last, so that it marks the fold as done
FINAL_WEIGHTS = "final.weights.h5"
DEFAULT = object()


def load(source: str | Path, *, weights: Any = DEFAULT, classes: Sequence[str] | None = None) -> Classifier:
    """Load a model.

    Args:
        source: a name (``"cnn_ablstm_mtl"``), a name and tag (``"cnn_ablstm_mtl.ravdess8"``), the folder of a run or of
            one of its folds, or a ``.keras`` file.
        weights: tag of the weights; None for fresh ones.
        classes: new emotion classes: the trunk keeps its weights and the heads are new, to be fine-tuned.

    Returns:
        A classifier.

    Raises:
        UnknownNameError: if no model or weights have this name.
        WeightsError: if the weights were cut or changed, or are not those of this model.
        MissingFileError: if there is no such file or folder.

    Example:
        >>> import serzoo
        >>> serzoo.load("cnn_ablstm", weights=None, classes=["happy", "sad"]).classes
        ['happy', 'sad']
    """
    text = str(source)
    if text.endswith(".keras"):
        model = _open_keras(Path(source))
    elif isinstance(source, Path) or "/" in text or Path(text).is_dir():
        model = _open_run(Path(source))
    else:
        model = _open_name(text, weights)
    return with_classes(model, classes) if classes is not None else model


def build(config, heads: Mapping[str, Sequence[str]], card: Mapping | None = None, seed: int | None = None) -> Classifier:
    """Build a model with fresh weights from its config.

    Args:
        config: as from :func:`serzoo.config.load`.
        heads: class names of each task.
        card: provenance to travel in the model.
        seed: seed of the weights, the masks and the dropout.

    Returns:
        A classifier.

    Raises:
        ConfigError: if the section ``model`` does not fit the builder.
    """
    import keras

    if seed is not None:
        keras.utils.set_random_seed(seed)
    augmentation = config.augmentation
    masks = {key: getattr(augmentation, key) for key in ("num_time_masks", "max_time_frames", "num_mel_masks", "max_mels")}
    try:
        model = registry.builder(config.name)(
            heads={task: list(heads[task]) for task in heads},
            frontend=config.frontend.model_dump(),
            spec_augment=masks,
            seed=seed,
            name=config.name,
            **config.model,
        )
    except TypeError as error:
        raise ConfigError(f"{config.name}: model does not fit its builder: {error}.") from error
    model.card = {"model": config.name, **(card or {})}
    return model


def heads_of(config, classes: Sequence[str]) -> dict[str, list[str]]:
    """Class names of every head of a config, given those of the emotion head."""
    known = {"emotion": list(classes), "gender": list(GENDERS)}
    if unknown := [task for task in config.heads if task not in known]:
        raise ConfigError(f"{config.name}: heads must be among {', '.join(known)}. Received: {', '.join(unknown)}.")
    return {task: known[task] for task in config.heads}


def with_classes(model: Classifier, classes: Sequence[str]) -> Classifier:
    """Copy a model with a new emotion head; everything else keeps its weights.

    Args:
        model: a registered model.
        classes: names of the new classes.

    Returns:
        A classifier whose emotion head has fresh weights.
    """
    classes = list(classes)
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(isinstance(c, str) and c for c in classes):
        raise WeightsError(f"classes must be two or more different names. Received: {classes}.")
    settings = configs.load(model.card["model"])
    fresh = build(settings, {**model.heads, "emotion": classes}, {**model.card, "tag": None})
    copy_weights(model, fresh)
    return fresh


def copy_weights(source: Classifier, target: Classifier) -> None:
    """Give a model the weights of another one of the same architecture; heads whose classes differ stay as they are.

    Args:
        source: model to copy from.
        target: model to copy to.

    Raises:
        WeightsError: if the trunks differ.
    """
    same = {layer.name: layer for layer in source.layers}
    for layer in target.layers:
        if layer.name in target.heads and source.heads.get(layer.name) != target.heads[layer.name]:
            continue
        try:
            layer.set_weights(same[layer.name].get_weights())
        except (KeyError, ValueError) as error:
            raise WeightsError(
                f"{target.name} cannot start from {source.name}: their layers {layer.name!r} differ."
            ) from error


def _open_name(text: str, weights: Any) -> Classifier:
    name, _, tag = text.partition(".")
    registry.check_name(name)
    settings = configs.load(name)
    if weights is None:
        return build(settings, heads_of(settings, _default_classes(settings)))
    tag = tag or ("" if weights is DEFAULT else weights)
    entry = settings.default_weights if not tag else next((e for e in settings.weights if e.tag == tag), None)
    if entry is None:
        if not tag:
            raise WeightsError(f"No trained weights ship with {name} yet; load({name!r}, weights=None) gives fresh ones.")
        raise unknown_name(f"weights of {name}", tag, [e.tag for e in settings.weights], see=f"serzoo show {name}")
    return open_weights(settings, entry)


def open_weights(settings, entry) -> Classifier:
    """Build a model and fill it with shipped weights, whose sha256 must be the one in the YAML.

    Args:
        settings: config of the model.
        entry: one of its ``weights``.

    Returns:
        A classifier.
    """
    path = registry.weights_folder() / entry.file
    if not path.is_file():
        raise MissingFileError(f"The weights {path} are missing from this installation.")
    if (sha256 := hashlib.sha256(path.read_bytes()).hexdigest()) != entry.sha256:
        raise WeightsError(f"{path} was cut or changed: its sha256 must be {entry.sha256}. Received: {sha256}.")
    if entry.overrides:
        settings = configs.override(settings, entry.overrides)
    card = {
        "tag": entry.tag,
        "licence": entry.licence,
        "commercial": entry.commercial,
        "protocol": entry.protocol,
        "corpora": {corpus: list(speakers) for corpus, speakers in entry.corpora.items()},
    }
    model = build(settings, heads_of(settings, entry.classes), card)
    load_weights(model, path)
    if not entry.commercial:
        _say_once(f"{settings.name}.{entry.tag}: weights under {entry.licence}, not for commercial use.")
    return model


def load_weights(model: Classifier, path: Path) -> None:
    """Fill a model from a ``.weights.h5`` file, in float16 or float32.

    Raises:
        WeightsError: if the file is not one, or belongs to another model.
    """
    try:
        model.load_weights(path)
    except (ValueError, OSError, KeyError, AttributeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise WeightsError(f"{path} does not hold the weights of {model.name}: {reason}") from error


def _open_run(path: Path) -> Classifier:
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}.")
    if not (path / CARD).exists():
        trained = sorted(card.parent for card in path.glob(f"*/{CARD}"))
        if len(trained) != 1:
            found = ", ".join(map(str, trained)) or "none"
            raise MissingFileError(f"{path} must be one trained fold of a run, or a run with one. Received: {found}.")
        path = trained[0]
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        settings = configs.load(path.parent / "config.yaml")
        heads = card.pop("heads")
    except (json.JSONDecodeError, KeyError, AttributeError) as error:
        raise SerzooError(f"{path / CARD} is not the card of a trained fold: {error!r}.") from error
    model = build(settings, heads, card)
    load_weights(model, path / FINAL_WEIGHTS)
    return model


def _open_keras(path: Path) -> Classifier:
    import keras

    from serzoo import layers  # noqa: F401  registers the classes

    if not path.is_file():
        raise MissingFileError(f"There is no file {path}.")
    try:
        model = keras.saving.load_model(path, compile=False)
    except (ValueError, TypeError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise WeightsError(f"{path} is not a model that Keras can read: {str(error).strip().splitlines()[0]}") from error
    if not isinstance(model, Classifier):
        raise WeightsError(f"{path} must hold a serzoo classifier. Received: {type(model).__name__}.")
    return model


def _default_classes(settings) -> Sequence[str]:
    """Classes of a model with fresh weights: those of its default weights, else the eight of RAVDESS."""
    from serzoo import corpora

    return settings.default_weights.classes if settings.default_weights else corpora.protocol("ravdess8-5fold").classes


_said: set[str] = set()


def _say_once(sentence: str) -> None:
    import warnings

    if sentence not in _said:
        _said.add(sentence)
        warnings.warn(sentence, stacklevel=4)
