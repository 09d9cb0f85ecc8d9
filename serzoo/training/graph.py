"""What is trained: the augmentation in front of a model, the optimiser, and a loss for each head and objective."""

from collections.abc import Mapping, Sequence

import keras

from serzoo import layers, losses
from serzoo.audio import SAMPLE_RATE_HZ
from serzoo.errors import ConfigError
from serzoo.plan import AUGMENTATION, augmentation_types
from serzoo.training.layerwise import LayerwiseAdamW


def augmented(
    model: keras.Model, config, seed: int, recorded_noise: bool = False, in_rooms: bool = False
) -> keras.Model:
    """Wrap a model for training: the layers that vary the waveform, in front of it.

    Args:
        model: from ``{"waveform", "num_samples"}`` to outputs by name.
        config: the model's config.
        seed: seed of the layers.
        recorded_noise: whether recorded noise is mixed in, in the place of coloured noise.
        in_rooms: whether clips are played in measured rooms.

    Returns:
        Model with the same outputs and shared weights, and two inputs more: ``partner`` and ``weight`` of the mix, each
        ``(batch,)``. With recorded noise also ``noise`` ``(batch, samples)`` and ``noise_num_samples``, ``snr_db`` and
        ``noise_class``, each ``(batch,)``; an output by segment for the label ``noise`` is then its loss, ``(batch,)``.
        In rooms also ``room`` ``(batch, taps)`` and ``room_num_samples`` ``(batch,)``.
        Where types of augmentation are told apart, ``augmentation``, the type of each clip, ``(batch,)``.
    """
    augmentation = config.augmentation
    waveform = keras.Input((None,), name="waveform")
    num_samples = keras.Input((), dtype="int32", name="num_samples")
    partner = keras.Input((), dtype="int32", name="partner")
    weight = keras.Input((), name="weight")
    inputs = {"waveform": waveform, "num_samples": num_samples, "partner": partner, "weight": weight}
    chosen = _as_planned(augmentation_types(config), inputs)
    x, n = waveform, num_samples
    if tuple(augmentation.speed) != (1.0, 1.0):
        x, n = chosen("speed", layers.RandomSpeed(*augmentation.speed, seed=seed)(x, n), (x, n))
    if augmentation.mixup_probability:
        x, n = layers.Mixup()(x, n, partner, weight)
    if augmentation.silence_s:
        x, n = layers.RandomSilence(round(augmentation.silence_s * SAMPLE_RATE_HZ), seed=seed + 3)(x, n)
    if in_rooms:
        inputs["room"] = keras.Input((None,), name="room")
        inputs["room_num_samples"] = keras.Input((), dtype="int32", name="room_num_samples")
        x = layers.Reverberate()(x, n, inputs["room"], inputs["room_num_samples"])
    clean = x
    if recorded_noise:
        inputs["noise"] = keras.Input((None,), name="noise")
        inputs |= {name: keras.Input((), dtype="int32", name=name) for name in ("noise_num_samples", "noise_class")}
        inputs["snr_db"] = keras.Input((), name="snr_db")
        x = layers.MixAtSNR()(x, n, inputs["noise"], inputs["noise_num_samples"], inputs["snr_db"])
    elif augmentation.noise_probability:
        probability = augmentation.noise_probability if AUGMENTATION not in inputs else 1.0
        noisy = layers.RandomNoise(*augmentation.noise_snr_db, probability, seed=seed + 1)(x, n)
        (x,) = chosen("noise", (noisy,), (x,))
    if tuple(augmentation.gain_db) != (0.0, 0.0):
        x = layers.RandomGain(*augmentation.gain_db, seed=seed + 2)(x)
    outputs = model({"waveform": x, "num_samples": n})
    segment = layers.noise_segment_samples(model)
    if recorded_noise and segment:
        loss = layers.SegmentNoiseLoss(segment, config.heads["noise"].label_smoothing)
        outputs = {**outputs, "noise": loss(outputs["noise"], clean, n, inputs["noise_class"])}
    return keras.Model(inputs, outputs, name="training")


def _as_planned(types: Sequence[str], inputs: dict):
    """Make ``chosen(name, after, before)``: clips of type ``name`` get ``after``, others ``before``.

    Without types all get ``after``.

    Args:
        types: as of :func:`serzoo.plan.augmentation_types`.
        inputs: gets the input ``augmentation``, the type of each clip, if there are types.

    Returns:
        Function of the type, the tensors after the step and those before it.
    """
    if not types:
        return lambda name, after, before: after
    kind = inputs[AUGMENTATION] = keras.Input((), dtype="int32", name=AUGMENTATION)

    def chosen(name, after, before):
        of_type = keras.ops.equal(kind, types.index(name))
        masks = (of_type if len(each.shape) == 1 else of_type[:, None] for each in before)
        return tuple(keras.ops.where(*each) for each in zip(masks, after, before, strict=True))

    return chosen


def compiled(
    wrapper: keras.Model, config, total_epochs: int, steps_per_epoch: int, shares: Mapping[str, float] | None = None
) -> keras.Model:
    """Compile with AdamW, warm-up and cosine decay, and one weighted loss for each head and objective.

    ``shares`` are as of :class:`serzoo.training.layerwise.LayerwiseAdamW`.
    """
    training = config.training
    warmup = round(training.warmup_epochs * steps_per_epoch)
    schedule = keras.optimizers.schedules.CosineDecay(
        training.learning_rate / 100 if warmup else training.learning_rate,
        max(1, total_epochs * steps_per_epoch - warmup),
        warmup_target=training.learning_rate if warmup else None,
        warmup_steps=warmup,
    )
    optimizer = LayerwiseAdamW(
        schedule,
        shares=shares,
        weight_decay=training.weight_decay,
        global_clipnorm=training.clip_norm,
        use_ema=training.ema_momentum is not None,
        ema_momentum=training.ema_momentum or 0.99,
    )
    optimizer.exclude_from_weight_decay(var_names=["bias", "gamma", "beta"])
    scored = {**config.heads, **config.objectives}
    if set(wrapper.output) != set(scored):
        raise ConfigError(
            f"{config.name}: heads and objectives must be what the model puts out in training, "
            f"{', '.join(wrapper.output)}. Received: {', '.join(scored)}."
        )
    # Of the places that have the label: in a batch of several streams these are few.
    options = {"reduction": "mean_with_sample_weight"}
    wrapper.compile(
        optimizer=optimizer,
        loss={
            name: _Concordance()
            if name in config.heads and config.heads[name].scale
            else keras.losses.CategoricalCrossentropy(label_smoothing=scored[name].label_smoothing, **options)
            if label and len(wrapper.output[name].shape) > 1
            else _OutputIsTheLoss(**options)
            for name, label in config.labels.items()
        },
        loss_weights={name: each.loss_weight for name, each in scored.items()},
        weighted_metrics={
            name: [keras.metrics.CategoricalAccuracy(name="accuracy")]
            for name, each in config.objectives.items()
            if each.label
        },
    )
    return wrapper


class _OutputIsTheLoss(keras.losses.Loss):
    """What a network puts out as a loss, one value for each place of the batch."""

    def call(self, y_true, y_pred):
        return keras.ops.reshape(y_pred, (-1,))


class _Concordance(keras.losses.Loss):
    """The loss of a head with a scale: that of the whole batch, not of each clip, so the weights come in before."""

    def __call__(self, y_true, y_pred, sample_weight=None):
        return losses.concordance_loss(y_true[:, 1], y_pred[:, 1], sample_weight)  # the share of the upper end
