"""The front end that the models share: waveform, denoised or not, to standardised log-mel with its time derivatives."""

from collections.abc import Mapping

from serzoo.errors import unknown_name
from serzoo.layers.deltas import Deltas
from serzoo.layers.log_mel import LogMel
from serzoo.layers.spec_augment import SpecAugment
from serzoo.layers.spectral_subtraction import SpectralSubtraction
from serzoo.layers.standardize import Standardize
from serzoo.layers.wavelet_shrinkage import WaveletShrinkage

DENOISERS = {
    "spectral_subtraction": (SpectralSubtraction, {}),
    "wavelet_shrinkage": (WaveletShrinkage, {"threshold": "bayes"}),
    "wavelet_shrinkage_universal": (WaveletShrinkage, {"threshold": "universal"}),
}
_STANDARDIZE = {
    "utterance": {"mode": "utterance", "axes": "time"},
    "utterance_active": {"mode": "utterance", "axes": "time", "active_db": 30.0},
    "utterance_all": {"mode": "utterance", "axes": "all"},
    "utterance_all_active": {"mode": "utterance", "axes": "all", "active_db": 30.0},
    "global": {"mode": "global"},
}
_ALL_FRAMES = {"axes": "time", "active_db": None}


def front_end(
    waveform,
    num_samples,
    *,
    delta_width: int,
    standardize: str,
    denoise: str | None = None,
    sample_rate_hz: int = 16000,
    implementation: str = "fft",
    spec_augment: Mapping | None = None,
    seed: int | None = None,
    **log_mel,
):
    """Chain a denoiser, LogMel, Deltas, Standardize and SpecAugment.

    Args:
        waveform: symbolic input, shape ``(batch, samples)``.
        num_samples: symbolic input, shape ``(batch,)``.
        delta_width: width of :class:`serzoo.layers.Deltas` in frames to either side.
        standardize: ``"utterance"`` (each mel band of each clip), ``"utterance_active"`` (the same, counting only
            frames within 30 dB of the loudest), ``"utterance_all"`` (each clip over all bands, which keeps its
            spectral tilt), ``"utterance_all_active"`` (the same of those frames) or ``"global"`` (statistics of the
            training set, kept as weights).
        denoise: what the waveform passes first, in training and afterwards: ``"spectral_subtraction"``,
            ``"wavelet_shrinkage"`` (BayesShrink), ``"wavelet_shrinkage_universal"``, or None. It has no weights.
        sample_rate_hz: sample rate of the waveform in Hz.
        implementation: ``"fft"``, or ``"dft"`` for formats that know no Fourier transform.
        spec_augment: arguments of :class:`serzoo.layers.SpecAugment`; None for no masks.
        seed: seed of the masks.
        **log_mel: further arguments of :class:`serzoo.layers.LogMel`.

    Returns:
        Features of shape ``(batch, frames, mels, 3)`` and their valid lengths ``(batch,)``.

    Raises:
        UnknownNameError: if ``standardize`` or ``denoise`` is none of these.
    """
    if standardize not in _STANDARDIZE:
        raise unknown_name("standardize", standardize, _STANDARDIZE)
    if denoise is not None:
        if denoise not in DENOISERS:
            raise unknown_name("denoise", denoise, DENOISERS)
        layer, arguments = DENOISERS[denoise]
        if layer is SpectralSubtraction:
            arguments = {**arguments, "sample_rate_hz": sample_rate_hz, "implementation": implementation}
        waveform = layer(**arguments, name="denoise")(waveform, num_samples)
    log_mel = {**log_mel, "sample_rate_hz": sample_rate_hz, "implementation": implementation}
    x, n = LogMel(**log_mel, name="log_mel")(waveform, num_samples)
    x = Deltas(delta_width, name="deltas")(x, n)
    x = Standardize(**_STANDARDIZE[standardize], name="standardize")(x, n)
    if spec_augment:
        x = SpecAugment(**spec_augment, seed=seed, name="spec_augment")(x, n)
    return x, n


def front_end_settings(model) -> dict:
    """Read from its layers what :func:`front_end` was given for a model, but for a denoiser and masks.

    Args:
        model: a Keras model; what its layers do not tell is left out.

    Returns:
        Values by the name of the argument, those of the layer LogMel among them.
    """
    settings = {}
    for layer in model.layers:
        if isinstance(layer, LogMel):
            settings |= layer.get_config()
        elif isinstance(layer, Deltas):
            settings["delta_width"] = layer.width
        elif isinstance(layer, Standardize) and layer.name == "standardize":
            there = {"mode": layer.mode, "axes": layer.axes, "active_db": layer.active_db}
            if names := [name for name, given in _STANDARDIZE.items() if _ALL_FRAMES | given == there]:
                settings["standardize"] = names[0]
    return settings
