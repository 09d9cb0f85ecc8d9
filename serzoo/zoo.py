"""From a name to a model: registry, config and weights become a classifier."""

import hashlib
import json
import os
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from zipfile import BadZipFile

from serzoo import config as configs
from serzoo import registry, scales
from serzoo.corpora.noise import esc10
from serzoo.errors import ConfigError, MissingFileError, RunError, WeightsError, unknown_name
from serzoo.models.classifier import Classifier
from serzoo.noises import CLEAN, NOISE_ALONE

GENDERS = ("female", "male")
NOISE = (*sorted(esc10.CLASSES.values()), CLEAN, NOISE_ALONE)
CARD = "card.json"  # of one trained fold of a run: written last, so that it marks the fold as done
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
    if text.endswith(".keras") or _is_folder(source):
        if weights != DEFAULT:
            raise WeightsError(f"weights is for registered names; {text} has its own. Received: weights={weights!r}.")
        if text.endswith(".keras") and denoise is not None:
            raise WeightsError(f"denoise is for names and runs; {text} is a whole graph. Received: {denoise!r}.")
        model = _open_keras(Path(source)) if text.endswith(".keras") else _open_run(Path(source), denoise)
    else:
        model = _open_name(text, weights, denoise)
    if model.card.get("pretrained"):
        _warn_once(text, "pre-trained without labels; its heads know nothing before a training starts from it.")
    if model.card.get("commercial") is False:
        _warn_once(text, f"weights under {model.licence}, not for commercial use.", of=model.name)
    return model if classes is None else with_classes(model, classes)


def build(
    config, heads: Mapping[str, Sequence[str]], card: Mapping | None = None, seed: int | None = None
) -> Classifier:
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
    limits = ("num_time_masks", "max_time_frames", "num_mel_masks", "max_mels")
    builder = registry.builder(config.name)
    try:
        model = builder(
            heads={task: list(heads[task]) for task in heads},
            frontend=config.frontend.model_dump(),
            spec_augment={key: getattr(augmentation, key) for key in limits},
            seed=seed,
            name=config.name,
            **config.model,
        )
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{config.name}: model does not fit its builder: {_first_line(error)}") from error
    if config.frontend.denoise and "denoise" not in {layer.name for layer in model.layers}:
        raise ConfigError(f"{config.name} has no place for a denoiser. Received: {config.frontend.denoise!r}.")
    model.card = {"model": config.name, **(card or {})}
    return model


def heads_of(config, classes: Sequence[str], noise: Sequence[str] = ()) -> dict[str, list[str]]:
    """Class names of every head of a config.

    Args:
        config: as from :func:`serzoo.config.load`.
        classes: those of the head ``"emotion"``.
        noise: those of the head ``"noise"``; by default the types of ESC-10, clean speech and noise alone.

    Raises:
        ConfigError: if the config has another head.
    """
    if "speaker" in config.heads:
        raise ConfigError(
            f"{config.name}: a head 'speaker' would meet speakers that it never heard. Tell speakers apart in training "
            "alone: objectives, with the label speaker, whose classes are the training speakers of the fold."
        )
    fixed = {"emotion": list(classes), "gender": list(GENDERS), "noise": list(noise or NOISE)}
    with_scale = {task: scales.ends(head.scale) for task, head in config.heads.items() if head.scale}
    known = fixed | {task: with_scale[task] for task in scales.DIMENSIONS if task in with_scale}
    if unknown := [task for task in config.heads if task not in known or (task in fixed and task in with_scale)]:
        raise ConfigError(
            f"{config.name}: heads must be among {', '.join(fixed)}, or with a scale among "
            f"{', '.join(scales.DIMENSIONS)}. Received: {', '.join(unknown)}."
        )
    return {task: known[task] for task in config.heads}


def with_classes(model: Classifier, classes: Sequence[str]) -> Classifier:
    """Put a new emotion head on a model.

    Args:
        model: a classifier whose layer ``"emotion"`` has an argument ``units``.
        classes: names of the new classes.

    Returns:
        A classifier whose emotion head has fresh weights; all other layers, and their weights, are those of ``model``.

    Raises:
        WeightsError: if ``classes`` are not two or more different names.
    """
    classes = [classes] if isinstance(classes, str) else list(classes)
    if len(classes) < 2 or len(set(classes)) != len(classes) or not all(isinstance(c, str) and c for c in classes):
        raise WeightsError(f"classes must be two or more different names. Received: {classes}.")
    old = model.get_layer("emotion")
    # From the graph, not from a config: what was trained may differ from what the YAML says today.
    head = type(old).from_config({**old.get_config(), "units": len(classes)})
    reads = old.input if isinstance(old.input, list) else [old.input]
    return Classifier(
        inputs=model.input,
        outputs={**model.output, "emotion": head(*reads)},
        heads={**model.heads, "emotion": classes},
        sample_rate_hz=model.sample_rate_hz,
        card={**model.card, "tag": None},
        name=model.name,
    )


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
        raise WeightsError(f"{path} does not hold the weights of {model.name}: {_first_line(error)}") from error


def _is_folder(source: str | os.PathLike) -> bool:
    text = os.fspath(source)
    if not isinstance(source, str) or "/" in text or os.sep in text:
        return True
    return text.partition(".")[0] not in registry.BUILDERS and Path(text).is_dir()


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
        raise WeightsError(f"No trained weights ship with {name}; load({name!r}, weights=None) gives fresh ones.")
    return open_weights(settings, entry, denoise)


def _open_run(path: Path, denoise: str | None) -> Classifier:
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}.")
    if not (path / CARD).is_file():
        trained = sorted(card.parent for card in path.glob(f"*/{CARD}"))
        if len(trained) != 1:
            found = f"{len(trained)}, such as {trained[0]}" if trained else "none"
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
        raise WeightsError(f"{path} is not a model that Keras can read: {_first_line(error)}") from error
    if not isinstance(model, Classifier) or "emotion" not in model.heads:
        raise WeightsError(f"{path} must hold a serzoo classifier. Received: {type(model).__name__}.")
    return model


def _default_classes(settings) -> Sequence[str]:
    """Classes of a model with fresh weights: those of its default weights, else the eight of RAVDESS."""
    from serzoo import corpora

    return settings.default_weights.classes if settings.default_weights else corpora.protocol("ravdess8-5fold").classes


# What Keras, h5py and zipfile raise for files that are cut, changed or of another model. BadZipFile is an Exception.
_UNREADABLE = (ValueError, TypeError, OSError, LookupError, AttributeError, RuntimeError, ImportError, BadZipFile)


def _first_line(error: Exception) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)


_warned: set[tuple[str, str]] = set()


def _warn_once(source: str, sentence: str, of: str | None = None) -> None:
    """Warn of a source, or of the first of many ``of`` which the same is true, such as the folds of a run."""
    if (what := (of or source, sentence)) not in _warned:
        _warned.add(what)
        warnings.warn(f"{source}: {sentence}", stacklevel=3)
