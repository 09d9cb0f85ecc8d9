"""What a model's YAML file holds: strict, frozen pydantic models, one a section.

The ``description`` of a type is the second half of its error message: ``frontend.hop_ms must be DESCRIPTION.``
Reading, overriding and writing stand in :mod:`serzoo.config`. Times are in ms or s, frequencies in Hz, levels in dB.
"""

from collections import Counter
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, model_validator


def _as_tuple(value: Any) -> Any:
    # YAML knows lists only; a frozen model must not hold one.
    return tuple(value) if isinstance(value, list) else value


def _ordered(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] > pair[1]:
        raise ValueError("the first value is greater than the second")
    return pair


def _above_zero(pair: tuple[float, float]) -> tuple[float, float]:
    if pair[0] <= 0:
        raise ValueError("a value is not above 0")
    return pair


PositiveInt = Annotated[int, Field(gt=0, description="an int > 0")]
NonNegativeInt = Annotated[int, Field(ge=0, description="an int >= 0")]
PositiveFloat = Annotated[float, Field(gt=0, description="a float > 0")]
NonNegativeFloat = Annotated[float, Field(ge=0, description="a float >= 0")]
AnyFloat = Annotated[float, Field(description="a float")]
Fraction = Annotated[float, Field(ge=0, le=1, description="a float from 0 to 1")]
Range = Annotated[
    tuple[float, float],
    BeforeValidator(_as_tuple),
    AfterValidator(_ordered),
    Field(description="a pair [low, high] of floats with low <= high"),
]
PositiveRange = Annotated[
    tuple[float, float],
    BeforeValidator(_as_tuple),
    AfterValidator(_ordered),
    AfterValidator(_above_zero),
    Field(description="a pair [low, high] of floats with 0 < low <= high"),
]
Text = Annotated[str, Field(min_length=1, description="a text that is not empty")]
Texts = Annotated[tuple[str, ...], BeforeValidator(_as_tuple), Field(description="a list of texts")]
Name = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]*$", description="a name of a-z, 0-9, _ and -")]
# A bare file name: a path in an untrusted YAML could point at any file of the machine.
WeightsFile = Annotated[
    str, Field(pattern=r"^\w[\w.-]*\.weights\.h5$", description="a bare file name that ends with .weights.h5")
]
PredictionsFile = Annotated[
    # @ + , = stand in the names of protocols across corpora
    str, Field(pattern=r"^\w[\w.@+,=-]*\.csv(\.gz)?$", description="a bare file name that ends with .csv or .csv.gz")
]
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", description="64 hexadecimal digits")]


def _one_of(*allowed: Any) -> Any:
    return Field(description=f"one of {', '.join(map(str, allowed))}")


class Section(BaseModel):
    """A part of the file: no unknown key, no conversion of types, no change afterwards."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Reference(Section):
    """The paper, and where this model differs from it."""

    title: Text
    doi: Text | None = Field(description="a text that is not empty, or null")
    deviations: Texts


class Frontend(Section):
    """From the waveform to normalised log-mel channels."""

    # audio.read yields this rate and no other.
    sample_rate_hz: Literal[16000] = Field(description="16000, the rate of every waveform in serzoo")
    window: Literal["hamming", "hann"] = _one_of("hamming", "hann")
    window_ms: PositiveFloat
    hop_ms: PositiveFloat
    fft_size: PositiveInt
    num_mels: PositiveInt
    min_hz: NonNegativeFloat
    max_hz: PositiveFloat
    mel_scale: Literal["htk", "slaney", "linear"] = _one_of("htk", "slaney", "linear")
    floor: PositiveFloat
    delta_width: PositiveInt
    standardize: Literal["utterance", "utterance_active", "utterance_all", "utterance_all_active", "global"] = _one_of(
        "utterance", "utterance_active", "utterance_all", "utterance_all_active", "global"
    )
    # With a default, so that files and runs from before there were denoisers stay valid.
    denoise: Literal["spectral_subtraction", "wavelet_shrinkage", "wavelet_shrinkage_universal"] | None = Field(
        None, description="null, spectral_subtraction, wavelet_shrinkage or wavelet_shrinkage_universal"
    )

    @model_validator(mode="after")
    def _check(self) -> "Frontend":
        if not self.min_hz < self.max_hz <= self.sample_rate_hz / 2:
            raise ValueError(f"needs min_hz < max_hz <= {self.sample_rate_hz / 2}: {self.min_hz}, {self.max_hz}")
        if self.fft_size < self.window_ms * self.sample_rate_hz / 1000:
            raise ValueError(f"needs fft_size >= the samples of a window of {self.window_ms} ms: {self.fft_size}")
        return self


class Head(Section):
    """One task: its share in the loss. With a ``scale``, from the lowest to the highest value, it is continuous."""

    loss_weight: NonNegativeFloat
    label_smoothing: Fraction = Field(0.0, description="a float from 0 to 1")
    scale: Range | None = Field(None, description="a pair [low, high] of floats with low < high, or null")

    @model_validator(mode="after")
    def _check(self) -> "Head":
        if self.scale is not None and (not self.scale[0] < self.scale[1] or self.label_smoothing):
            raise ValueError(f"needs a scale that rises, and no label_smoothing: {self.scale}, {self.label_smoothing}")
        return self


class Objective(Section):
    """What only training computes beside the heads, such as an adversary: its label, and its share in the loss."""

    label: Text | None = Field(description="the name of a label, or null: then the output is the loss itself")
    loss_weight: NonNegativeFloat
    label_smoothing: Fraction = Field(0.0, description="a float from 0 to 1")


class Augmentation(Section):
    """What training does to a clip; ``[1.0, 1.0]`` and probability 0.0 switch a step off."""

    crop_s: Annotated[float, Field(ge=0.1, description="a float >= 0.1")]
    gain_db: Range
    speed: PositiveRange
    noise_snr_db: Range
    noise_probability: Fraction
    # With recorded noise, the two above are of it, and so is the share of clips in which nobody speaks at all.
    noise_alone_probability: Fraction = Field(0.0, description="a float from 0 to 1")
    # Share of the clips that are played in a measured room, and the longest silence put at either end of a clip.
    room_probability: Fraction = Field(0.0, description="a float from 0 to 1")
    silence_s: NonNegativeFloat = 0.0
    mixup_alpha: PositiveFloat
    mixup_probability: Fraction
    num_time_masks: NonNegativeInt
    max_time_frames: NonNegativeInt
    num_mel_masks: NonNegativeInt
    max_mels: NonNegativeInt


class Training(Section):
    """The schedule. ``steps_per_epoch: null`` means one pass over the clips."""

    sampling: Literal["balanced", "uniform"] = _one_of("balanced", "uniform")
    epochs: PositiveInt
    steps_per_epoch: Annotated[int, Field(gt=0)] | None = Field(description="an int > 0, or null")
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup_epochs: NonNegativeFloat
    weight_decay: NonNegativeFloat
    clip_norm: Annotated[float, Field(gt=0)] | None = Field(description="a float > 0, or null")
    ema_momentum: Annotated[float, Field(gt=0, lt=1)] | None = Field(description="a float between 0 and 1, or null")
    precision: Literal["auto", "float32", "mixed_bfloat16", "mixed_float16"] = _one_of(
        "auto", "float32", "mixed_bfloat16", "mixed_float16"
    )
    keep: Literal["last", "best"] = _one_of("last", "best")
    # Of a model with blocks: a block learns at so much of the rate of the one above it.
    layer_decay: Annotated[float, Field(gt=0, le=1)] = Field(1.0, description="a float above 0, 1 at most")


class Pretraining(Section):
    """The schedule of masked prediction without labels, and the share of steps to hide."""

    epochs: PositiveInt
    steps_per_epoch: PositiveInt
    batch_size: PositiveInt
    learning_rate: PositiveFloat
    warmup_epochs: NonNegativeFloat
    mask_share: Annotated[float, Field(gt=0, lt=1, description="a float between 0 and 1")]


class NoiseHeard(Section):
    """What training heard of a noise corpus; of one without splits it heard all."""

    types: Texts
    split: Text | None = Field(description="a text that is not empty, or null")


class Weights(Section):
    """One file of weights: what it is, what it was trained on, and how it was made."""

    tag: Name
    file: WeightsFile
    sha256: Sha256
    classes: Texts
    noise: Texts = Field((), description="a list of texts, the classes of the head 'noise' if there is one")
    noise_heard: dict[str, NoiseHeard] = Field({}, description="a mapping of noise corpus to its types and split")
    rooms: Texts = Field((), description="a list of texts, the measured rooms that training heard")
    corpora: dict[str, Texts] = Field(description="a mapping of corpus to the list of its training speakers (quoted)")
    licence: Text
    commercial: bool = Field(description="true or false")
    protocol: Text
    fold: Annotated[int, Field(ge=0)] | None = Field(None, description="an int >= 0, or null")
    seed: NonNegativeInt
    epochs: PositiveInt
    temperature: Annotated[float, Field(gt=0)] | None = Field(None, description="a float > 0, or null")
    # Of weights that heard clips without labels: whether those of tested speakers were among them.
    adaptation: Text | None = Field(None, description="a text that is not empty, or null")
    command: Text
    serzoo_version: Text
    overrides: dict[str, Any] = Field({}, description="a mapping of dotted keys to values")


class Interval(Section):
    """A figure and its 95 % interval."""

    value: AnyFloat
    ci_low: AnyFloat
    ci_high: AnyFloat


class Spread(Section):
    """Mean and deviation over folds; one fold alone has none."""

    mean: AnyFloat
    std: Annotated[float, Field(ge=0)] | None = Field(description="a float >= 0, or null")


class Reported(Section):
    """One published figure, with all that must stand beside it; ``folds`` and ``seeds`` are counts."""

    protocol: Text
    tag: Name
    file: PredictionsFile
    ua: Interval
    wa: Interval
    macro_f1: Interval
    fold_ua: Spread
    n: PositiveInt
    speakers: PositiveInt
    folds: PositiveInt
    seeds: PositiveInt
    chance: Fraction
    parameters: PositiveInt
    notes: Texts = Field((), description="a list of texts, what must stand beside the figure")
    command: Text


class Config(Section):
    """A whole file. ``model`` is free here: it holds the builder's keyword arguments, which the builder checks."""

    name: Name
    summary: Text
    reference: Reference
    limits: Texts = Field((), description="a list of texts, what is known to limit this model beside what limits all")
    frontend: Frontend
    model: dict[str, Any] = Field(description="a mapping of the builder's arguments")
    heads: dict[str, Head] = Field(description="a mapping of head names to loss_weight and label_smoothing")
    objectives: dict[str, Objective] = Field({}, description="a mapping of names to label and loss_weight")
    streams: dict[str, PositiveFloat] = Field({}, description="a mapping of stream names to their share of a batch")
    augmentation: Augmentation
    pretraining: Pretraining | None = Field(None, description="a mapping of keys to values, or null")
    training: Training
    weights: Annotated[tuple[Weights, ...], BeforeValidator(_as_tuple)] = Field(description="a list of weights")
    reported: Annotated[tuple[Reported, ...], BeforeValidator(_as_tuple)] = Field(description="a list of figures")

    @model_validator(mode="after")
    def _check(self) -> "Config":
        if "emotion" not in self.heads:
            raise ValueError(f"heads needs the head 'emotion': {list(self.heads)}")
        if both := sorted(set(self.heads) & set(self.objectives)):
            raise ValueError(f"has the same names in heads and objectives: {both}")
        if self.streams and "emotion" not in self.streams:
            raise ValueError(f"streams needs the stream 'emotion': {list(self.streams)}")
        if len(self.streams) > self.training.batch_size:
            raise ValueError(f"streams needs batches of a clip of each or more: {list(self.streams)}")
        doubled = [tag for tag, count in Counter(entry.tag for entry in self.weights).items() if count > 1]
        if doubled:
            raise ValueError(f"weights needs a tag of its own for each entry: {doubled}")
        return self

    @property
    def labels(self) -> dict[str, str | None]:
        """The label that each head and objective is scored by; None where the output is the loss itself."""
        return {head: head for head in self.heads} | {name: each.label for name, each in self.objectives.items()}

    @property
    def default_weights(self) -> Weights | None:
        """The entry that the bare name loads: the first without a fold; None where no such weights ship."""
        return next((entry for entry in self.weights if entry.fold is None), None)
