"""From a name to a model: registry, config and weights become a classifier."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

from serzoo import config as configs
from serzoo import registry
from serzoo.building import build, heads_of, with_classes
from serzoo.errors import MissingFileError, RunError, WeightsError, first_line, unknown_name
from serzoo.files import CARD
from serzoo.listener import Listener
from serzoo.models.classifier import Classifier

FINAL_WEIGHTS = "final.weights.h5"
DEFAULT = "default"


def load(
    source: str | os.PathLike,
    *,
    weights: str | None = DEFAULT,
    classes: Sequence[str] | None = None,
    denoise: str | None = None,
) -> Classifier:
    """Load a model.

    Args:
        source: a name (``"cnn_ablstm_mtl"``), a name and tag (``"cnn_ablstm_mtl.ravdess8"``), the folder of a run with
            one trained fold, the folder of a fold, or a ``.keras`` file. Where a registered name is also that of a
            folder, ``"./NAME"`` is the folder.
        weights: tag of the weights of a registered model; None for fresh ones.
        classes: new emotion classes: their head is fresh, to be fine-tuned, and all else keeps its weights.
        denoise: put a denoiser before the model, as ``frontend.denoise`` of a config names it, though its weights were
            trained without; ``model.card["denoise"]`` and every report say so. None takes the model as it is.

    Returns:
        A classifier.

    Raises:
        UnknownNameError: if no model or weights have this name.
        ConfigError: if there is no such denoiser.
        WeightsError: if the weights were cut or changed, or are not those of this model.
        MissingFileError: if there is no such file or folder.
        RunError: if the folder is not one of a trained fold.

    Example:
        >>> import serzoo
        >>> serzoo.load("cnn_ablstm", weights=None, classes=["happy", "sad"]).classes
        ['happy', 'sad']
    """
    text = os.fspath(source)
    if registry.is_path(source):
        if weights != DEFAULT:
            raise WeightsError(f"weights is for registered names; {text} has its own. Received: weights={weights!r}.")
        if text.endswith(".keras") and denoise is not None:
            raise WeightsError(f"denoise is for names and runs; {text} is a whole graph. Received: {denoise!r}.")
        model = _open_keras(Path(source)) if text.endswith(".keras") else _open_run(Path(source), denoise)
    else:
        model = _open_name(text, weights, denoise)
    warn_of(model, text)
    return model if classes is None else with_classes(model, classes)


def warn_of(model: Listener, source: str) -> None:
    """Warn, once, of weights that have had no labels yet, or are not for commercial use.

    Args:
        model: as it was opened, from whatever format.
        source: what it was opened from, for the message.
    """
    if model.card.get("pretrained"):
        _warn_once(source, "pre-trained without labels; its heads know nothing before a training starts from it.")
    if model.card.get("commercial") is False:
        _warn_once(source, f"weights under {model.licence}, not for commercial use.", of=model.name)


def open_weights(settings, entry, denoise: str | None = None) -> Classifier:
    """Build a model and fill it with shipped weights, whose sha256 must be the one in the YAML.

    Args:
        settings: config of the model.
        entry: one of its ``weights``.
        denoise: as of :func:`load`.

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
        "fold": entry.fold,
        "seed": entry.seed,
        "epochs": entry.epochs,
        "temperature": entry.temperature,
        "corpora": {corpus: list(speakers) for corpus, speakers in entry.corpora.items()},
        **({"adaptation": entry.adaptation} if entry.adaptation else {}),
        **({"noise": configs.to_dict(entry)["noise_heard"]} if entry.noise_heard else {}),
        **({"rooms": list(entry.rooms)} if entry.rooms else {}),
    }
    model = _build_behind(denoise, settings, heads_of(settings, entry.classes, entry.noise), card)
    load_weights(model, path)
    return model


def load_weights(model: Classifier, path: Path) -> None:
    """Fill a model from a ``.weights.h5`` file, in float16 or float32.

    Raises:
        WeightsError: if the file is not one, or belongs to another model.
    """
    import h5py

    sizes = {}
    try:
        with h5py.File(path) as file:
            file.visititems(lambda name, item: sizes.update({name: getattr(item, "size", 0)}))
        # Keras ignores arrays that it has no place for, such as those of a task that this model has not.
        held = sum(size for name, size in sizes.items() if not name.startswith("optimizer/"))
        if held != model.count_params():
            raise WeightsError(f"{path} must hold {model.count_params()} values for {model.name}. Received: {held}.")
        model.load_weights(path)
    except WeightsError:
        raise
    except _UNREADABLE as error:
        raise WeightsError(f"{path} does not hold the weights of {model.name}: {first_line(error)}.") from error


def _build_behind(denoise: str | None, settings, heads: Mapping[str, Sequence[str]], card: Mapping) -> Classifier:
    if denoise is not None:
        settings = configs.override(settings, {"frontend.denoise": denoise}, "denoise")
        card = {**card, "denoise": denoise}
    return build(settings, heads, card)


def _open_name(text: str, weights: str | None, denoise: str | None) -> Classifier:
    name, _, tag = text.partition(".")
    registry.check_name(name)
    if tag and weights != DEFAULT:
        raise WeightsError(f"Name the weights once: {text!r} has a tag. Received: weights={weights!r}.")
    settings = configs.load(name)
    if weights is None:
        return _build_behind(denoise, settings, heads_of(settings, _default_classes(settings)), {})
    if not tag and weights == DEFAULT:
        entry = settings.default_weights
    else:
        entries = {entry.tag: entry for entry in settings.weights}
        if (entry := entries.get(tag or weights)) is None:
            raise unknown_name(f"weights of {name}", tag or weights, entries, see=f"serzoo show {name}")
    if entry is None:
        raise WeightsError(
            f"No trained weights ship with {name}; load({name!r}, weights=None) gives fresh ones, serzoo train {name} "
            "trains them."
        )
    return open_weights(settings, entry, denoise)


def _open_run(path: Path, denoise: str | None) -> Classifier:
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}.")
    if path.is_file():
        raise RunError(
            f"{path} must be the name of a model, the folder of a run or a .keras file. An export is opened by "
            "serzoo.export.open_export, and taken by serzoo predict and serzoo evaluate."
        )
    if not (path / CARD).is_file():
        trained = sorted(card.parent for card in path.glob(f"*/{CARD}"))
        if len(trained) != 1:
            found = f"{len(trained)}, such as {trained[0]}" if trained else "none, such as in an export"
            raise RunError(f"{path} must be one trained fold, or a run with a single one. Received: {found}.")
        path = trained[0]
    path = path.resolve()  # "." has no parent
    try:
        card = json.loads((path / CARD).read_text(encoding="utf-8"))
        heads = {task: list(names) for task, names in card.pop("heads").items()}
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise RunError(f"{path / CARD} is not the card of a trained fold: {error!r}.") from error
    model = _build_behind(denoise, configs.load(path.parent / "config.yaml"), heads, card)
    load_weights(model, path / FINAL_WEIGHTS)
    return model


def _open_keras(path: Path) -> Classifier:
    import keras

    from serzoo import layers  # noqa: F401  registers the classes

    if not path.is_file():
        raise MissingFileError(f"There is no file {path}.")
    try:
        model = keras.saving.load_model(path, compile=False, safe_mode=True)
    except _UNREADABLE as error:
        raise WeightsError(f"{path} is not a model that Keras can read: {first_line(error)}.") from error
    if not isinstance(model, Classifier) or "emotion" not in model.heads:
        raise WeightsError(f"{path} must hold a serzoo classifier. Received: {type(model).__name__}.")
    return model


def _default_classes(settings) -> Sequence[str]:
    """Classes of a model with fresh weights: those of its default weights, else the eight of RAVDESS."""
    from serzoo import corpora

    return settings.default_weights.classes if settings.default_weights else corpora.protocol("ravdess8-5fold").classes


# What Keras, h5py and zipfile raise for files that are cut, changed or of another model. BadZipFile is an Exception.
_UNREADABLE = (ValueError, TypeError, OSError, LookupError, AttributeError, RuntimeError, ImportError, BadZipFile)


_warned: set[tuple[str, str]] = set()


def _warn_once(source: str, sentence: str, of: str | None = None) -> None:
    """Warn of a source, or of the first of many ``of`` which the same is true, such as the folds of a run."""
    if (what := (of or source, sentence)) not in _warned:
        _warned.add(what)
        warnings.warn(f"{source}: {sentence}", stacklevel=4)
