"""What one epoch of training hears, drawn before anything is read.

Everything follows from seed and epoch: which clips, in which order, where each is cropped, which clip of the batch it
is mixed with, and the labels. :func:`serzoo.pipeline.dataset` and :class:`serzoo.pipeline.ArrayFeed` follow the same
plan, so every backend trains on the same batches.
"""

from collections.abc import Mapping

import numpy as np

from serzoo.scales import DIMENSIONS

AUGMENTATION = "augmentation"  # the label of what a clip went through, and the plan's column of it


def num_steps(num_clips: int, training) -> int:
    """Batches in an epoch: those that the config asks for, else enough for each clip once."""
    return training.steps_per_epoch or -(-num_clips // training.batch_size)


def plan_epoch(
    targets: Mapping[str, np.ndarray],
    epoch: int,
    seed: int,
    config,
    noises: np.ndarray | None = None,
    num_rooms: int = 0,
) -> dict:
    """Draw one epoch of training.

    Every batch has a fixed number of places for each stream, in the order of the config. Clips are mixed with clips of
    their stream in the batch, now and then with themselves. A stream draws in a balanced way by the label of its own
    name, where its clips have one; if that is continuous, each labelled clip equally often.

    Args:
        targets: one-hot labels by name, ``(clips, classes)`` each, as from :func:`serzoo.pipeline.labels`; a missing
            label is a row of zeros. All that heads and objectives need, and ``stream`` if the config has streams.
        epoch: number of the epoch; the same seed and epoch give the same plan.
        seed: seed of the run.
        config: the model's config: ``training``, ``augmentation`` and ``streams`` count.
        noises: one-hot classes of the noise recordings, ``(recordings, classes)``, the last two of them clean speech
            and noise alone; None for no recorded noise.
        num_rooms: number of measured rooms; 0 for none.

    Returns:
        Arrays with one row for each place, ``steps * batch_size`` of them: ``index`` of the clip, ``crop`` in [0, 1),
        ``partner`` (place in its batch) and ``weight`` of the mix, and for each head and objective of the config
        ``labels/NAME`` (soft) and ``weights/NAME`` (0 where the label is missing). With ``noises`` also those of
        :func:`plan_noise`; with rooms ``room_index``, 0 for no room; where the types of augmentation are told apart,
        ``augmentation``, the number of the type.
    """
    rng = np.random.default_rng([seed, epoch])
    training, augmentation = config.training, config.augmentation
    size = training.batch_size
    steps = num_steps(len(targets["emotion"]), training)
    quotas = places_of(config.streams, size)
    drawn = []
    for number, (stream, quota) in enumerate(quotas.items()):
        clips = np.flatnonzero(targets["stream"][:, number]) if config.streams else np.arange(len(targets["emotion"]))
        classes = targets[stream][clips] if stream in targets and training.sampling == "balanced" else None
        if classes is not None and stream in DIMENSIONS:
            classes = classes.any(axis=1, keepdims=True)  # its columns are shares of the two ends, no classes
        drawn.append(clips[_draw(rng, len(clips), classes, steps * quota)].reshape(steps, quota))
    index = np.concatenate(drawn, axis=1).reshape(-1)
    places = len(index)

    crop = rng.random(places).astype("float32")
    firsts = np.cumsum([0, *quotas.values()])[:-1]
    partner = np.concatenate(
        [first + rng.permutation(q) for _ in range(steps) for first, q in zip(firsts, quotas.values(), strict=True)]
    ).astype("int32")
    weight = np.ones(places, "float32")
    mixed = rng.random(places) < augmentation.mixup_probability
    if types := augmentation_types(config):
        # by itself, as the noise below
        kind = np.random.default_rng([seed, epoch, 2]).integers(len(types), size=places).astype("int32")
        mixed = kind == types.index("mixup") if "mixup" in types else np.zeros(places, bool)
    if mixed.any():
        weights = rng.beta(augmentation.mixup_alpha, augmentation.mixup_alpha, places)
        weight[mixed] = weights[mixed]

    plan = {"index": index.astype("int32"), "crop": crop, "partner": partner, "weight": weight}
    neighbour = index[partner + np.arange(places) // size * size]
    # the noise draws by itself: with or without it, the same clips come in the same order
    noise = {} if noises is None else plan_noise(noises, places, epoch, seed, augmentation)
    heard = noise["snr_db"] > -np.inf if noise else np.ones(places, bool)
    for name, label in config.labels.items():
        if label == AUGMENTATION:
            plan[AUGMENTATION] = kind
            plan[f"labels/{name}"] = np.eye(len(types), dtype="float32")[kind]
            plan[f"weights/{name}"] = heard.astype("float32")
            continue
        if label == "noise" and noise:
            plan[f"labels/{name}"] = np.eye(noises.shape[1], dtype="float32")[noise["noise_class"]]
            plan[f"weights/{name}"] = np.ones(places, "float32")
            continue
        if label is None:  # what the network puts out is the loss itself
            plan[f"labels/{name}"], plan[f"weights/{name}"] = (
                np.zeros((places, 1), "float32"),
                np.ones(places, "float32"),
            )
            continue
        values = targets[label]
        plan[f"labels/{name}"] = weight[:, None] * values[index] + (1 - weight[:, None]) * values[neighbour]
        # of a mix, what is missing on either side is missing
        known = values.any(axis=1)
        plan[f"weights/{name}"] = (heard & known[index] & (known[neighbour] | (weight == 1))).astype("float32")
    if num_rooms:
        plan["room_index"] = plan_rooms(num_rooms, places, epoch, seed, augmentation)
    return plan | noise


def augmentation_types(config) -> list[str]:
    """Name the types of augmentation that a model learns to tell apart: of each clip one is drawn, all equally often.

    Args:
        config: the model's config: an objective has the label ``augmentation``, or there are no types.

    Returns:
        ``"none"`` and what the section ``augmentation`` does to a waveform and can be told: ``"speed"``, ``"mixup"``
        and ``"noise"``.

    Example:
        >>> from serzoo import config
        >>> augmentation_types(config.load("mtl_aug")), augmentation_types(config.load("cnn_ablstm"))
        (['none', 'speed', 'mixup', 'noise'], [])
    """
    if AUGMENTATION not in config.labels.values():
        return []
    section = config.augmentation
    used = {
        "speed": tuple(section.speed) != (1.0, 1.0),
        "mixup": section.mixup_probability > 0,
        "noise": section.noise_probability > 0,
    }
    return ["none", *(name for name, is_used in used.items() if is_used)]


def plan_noise(noises: np.ndarray, places: int, epoch: int, seed: int, augmentation) -> dict[str, np.ndarray]:
    """Draw the noise of each place: the types equally often, the ratios in dB uniformly.

    Args:
        noises: as of :func:`plan_epoch`.
        places: number of places.
        epoch: number of the epoch.
        seed: seed of the run.
        augmentation: the section of the config: ``noise_probability``, ``noise_alone_probability``, ``noise_snr_db``.

    Returns:
        Arrays with one row for each place: ``noise_index`` of the recording, ``noise_crop`` in [0, 1), ``snr_db``
        (infinity: no noise; minus infinity: noise alone, where nothing but the noise has a label) and ``noise_class``.
    """
    rng = np.random.default_rng([seed, epoch, 1])
    index = _draw(rng, len(noises), noises, places)
    crop, chance = rng.random(places).astype("float32"), rng.random(places)
    snr_db = rng.uniform(*augmentation.noise_snr_db, places).astype("float32")
    clean_class, alone_class = noises.shape[1] - 2, noises.shape[1] - 1
    alone = chance < augmentation.noise_alone_probability
    clean = ~alone & (rng.random(places) >= augmentation.noise_probability)
    classes = np.select([alone, clean], [alone_class, clean_class], noises[index].argmax(axis=1))
    snr_db[alone], snr_db[clean] = -np.inf, np.inf
    return {
        "noise_index": index.astype("int32"),
        "noise_crop": crop,
        "snr_db": snr_db,
        "noise_class": classes.astype("int32"),
    }


def plan_rooms(num_rooms: int, places: int, epoch: int, seed: int, augmentation) -> np.ndarray:
    """Draw the room of each place, all equally often.

    Args:
        num_rooms: number of rooms.
        places: number of places.
        epoch: number of the epoch.
        seed: seed of the run.
        augmentation: the section of the config: ``room_probability``.

    Returns:
        Numbers of rooms, ``(places,)`` int32, from 1; 0 for no room.
    """
    rng = np.random.default_rng([seed, epoch, 3])
    room = rng.integers(1, num_rooms + 1, size=places)
    return np.where(rng.random(places) < augmentation.room_probability, room, 0).astype("int32")


def places_of(streams: Mapping[str, float], batch_size: int) -> dict[str, int]:
    """Places of a batch that each stream fills: its share, rounded, and at least one.

    Args:
        streams: share of each stream, of any sum; without any, the stream ``"emotion"`` has every place.
        batch_size: places in a batch, as many as streams or more.

    Example:
        >>> places_of({"emotion": 0.5, "gender": 0.25, "target": 0.25}, 32)
        {'emotion': 16, 'gender': 8, 'target': 8}
    """
    streams = streams or {"emotion": 1.0}
    total = sum(streams.values())
    exact = {name: share / total * batch_size for name, share in streams.items()}
    places = {name: max(1, int(share)) for name, share in exact.items()}
    while sum(places.values()) != batch_size:  # who is furthest from the exact share gives or gets a place
        step = 1 if sum(places.values()) < batch_size else -1
        able = [name for name in places if places[name] + step >= 1]
        places[max(able, key=lambda name: step * (exact[name] - places[name]))] += step
    return places


def _draw(rng, num_clips: int, classes: np.ndarray | None, places: int) -> np.ndarray:
    """Draw clips: the classes equally often, or each clip once before any of them twice."""
    members = [] if classes is None else [np.flatnonzero(column) for column in classes.T if column.any()]
    if members:
        chosen = [members[i] for i in rng.integers(len(members), size=places)]
        return np.array([rows[int(u * len(rows))] for rows, u in zip(chosen, rng.random(places), strict=True)])
    rounds = -(-places // num_clips)
    return np.concatenate([rng.permutation(num_clips) for _ in range(rounds)])[:places]
