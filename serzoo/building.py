"""From a config to a model: its builder, its heads, and what a new model takes from an old one."""

from collections.abc import Mapping, Sequence

from serzoo import registry, scales
from serzoo.corpora.noise import esc10
from serzoo.errors import ConfigError, WeightsError, first_line, join
from serzoo.models.classifier import Classifier
from serzoo.noises import CLEAN, NOISE_ALONE

GENDERS = ("female", "male")
NOISE = (*sorted(esc10.CLASSES.values()), CLEAN, NOISE_ALONE)


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
        ConfigError: if the section ``model`` or the heads do not fit the builder.
    """
    import keras

    if seed is not None:
        keras.utils.set_random_seed(seed)  # from which every layer with dropout draws a seed of its own
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
    except KeyError as error:
        raise ConfigError(f"{config.name} needs a head {error}. Received: {', '.join(heads)}.") from error
    except (TypeError, ValueError) as error:
        raise ConfigError(f"{config.name}: model does not fit its builder: {first_line(error)}.") from error
    if surplus := [task for task in heads if task not in model.output]:
        raise ConfigError(f"{config.name} has no place for the heads {', '.join(surplus)}.")
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
        card={**model.card, "tag": None, "temperature": None},  # both are those of the old head
        name=model.name,
    )


def copy_weights(source: Classifier, target: Classifier) -> None:
    """Give a model the weights of another one of the same architecture; heads whose classes differ stay as they are.

    Layers without weights, such as a denoiser, may differ.

    Args:
        source: model to copy from.
        target: model to copy to.

    Raises:
        WeightsError: if the trunks differ.
    """
    there, here = ({layer.name: layer for layer in model.layers if layer.weights} for model in (source, target))
    differing = {name for name in there.keys() ^ here.keys() if name not in {*source.heads, *target.heads}}
    for name in here.keys() & there.keys():
        if name in target.heads and source.heads.get(name) != target.heads[name]:
            continue
        try:
            here[name].set_weights(there[name].get_weights())
        except ValueError:
            differing.add(name)
    if differing:
        raise WeightsError(
            f"{target.name} cannot start from {source.name}: their layers {join(sorted(differing))} differ."
        )
