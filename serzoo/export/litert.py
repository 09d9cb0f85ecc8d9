"""LiteRT (formerly TensorFlow Lite): one file of built-in operations for phones and small boards.

A clip has a fixed length there, because LiteRT's own operations know no recurrence over a length that changes; shorter
clips are padded, longer ones judged in pieces. ``int8`` rounds the weights alone (dynamic range): the front end, whose
constants are no weights and whose powers span ten decades, stays in float32.
"""

import contextlib
import io
import json
import os
import re
import zipfile
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np

from serzoo.audio import MIN_DURATION_S, SAMPLE_RATE_HZ
from serzoo.errors import ExportError, unknown_name
from serzoo.export.about import LABELS, MODEL_CARD, labels, model_card, stem
from serzoo.export.exported import Exported
from serzoo.export.inference import OUTPUTS, call, inference_model
from serzoo.export.proof import Report, prove
from serzoo.export.versions import aside
from serzoo.listener import check_seconds
from serzoo.models.classifier import Classifier
from serzoo.versions import require

# Greatest difference of a probability, by rounding of the weights.
TOLERANCES = {None: 1e-3, "float16": 5e-3, "int8": 5e-2}


def write(model: Classifier, folder: Path, *, quantize: str | None = None, clip_s: float = 3.0) -> Report:
    """Write ``folder/NAME.TAG.tflite``, or ``NAME.TAG.int8.tflite``, after it was reloaded, run and compared.

    Inputs are ``waveform`` (1, samples) float32 and ``num_samples`` (1,) int32, outputs ``emotion`` and ``embedding``.
    Labels and model card are appended as a ZIP archive, where LiteRT's own tools look for such files.

    Args:
        model: the classifier.
        folder: where the file shall stand; an older one of that name is replaced.
        quantize: rounding of the weights: None (float32), ``"float16"`` or ``"int8"``.
        clip_s: length of a clip in seconds.

    Returns:
        A report.

    Raises:
        ExportError: if the packages of ``serzoo[litert]`` are missing, LiteRT's own operations cannot hold the model,
            the file answers otherwise than the model, it cannot be written, or ``clip_s`` is out of range.
        UnknownNameError: if there is no such rounding.
    """
    if quantize not in TOLERANCES:
        raise unknown_name("quantize", str(quantize), [name for name in TOLERANCES if name])
    check_seconds("clip_s", clip_s, MIN_DURATION_S, ExportError)
    require("litert", "ai_edge_litert", *(["ai_edge_quantizer"] if quantize == "int8" else []), error=ExportError)
    network = inference_model(model, implementation="dft")
    name = f"{stem(model)}.{quantize}.tflite" if quantize else f"{stem(model)}.tflite"
    with aside(folder) as place:
        data = _converted(network, place / "saved_model", round(clip_s * SAMPLE_RATE_HZ), quantize == "float16")
        path = place / name
        path.write_bytes(_rounded(data, network) if quantize == "int8" else data)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr(LABELS, json.dumps(labels(model, clip_s=clip_s)))
            archive.writestr(MODEL_CARD, model_card(model))
        report = prove(LiteRTExport(path), model, TOLERANCES[quantize], path, max_s=clip_s)
        os.replace(path, folder / name)
    return report._replace(path=folder / name)


class LiteRTExport(Exported):
    """A LiteRT file that :func:`write` made, run by ai-edge-litert.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        require("litert", "ai_edge_litert", error=ExportError)
        from ai_edge_litert.interpreter import Interpreter

        try:
            with zipfile.ZipFile(path) as archive:
                text = archive.read(LABELS)
            super().__init__(path, text)
            self._interpreter = Interpreter(model_path=str(path))
            self._run = self._interpreter.get_signature_runner()
            self._clip = int(self._run.get_input_details()["waveform"]["shape"][1])
        except (zipfile.BadZipFile, OSError, ValueError, KeyError, RuntimeError) as error:
            raise ExportError(f"{path} is cut or is no LiteRT file that serzoo wrote: {error}") from error

    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As of :class:`Exported`."""
        rows = [self._judged(row[:n]) for row, n in zip(inputs["waveform"], inputs["num_samples"], strict=True)]
        return {key: np.stack([row[key] for row in rows]) for key in OUTPUTS}

    def _judged(self, clip: np.ndarray) -> dict[str, np.ndarray]:
        """Mean over pieces of the fixed length, weighted by their length; a rest of less than 0.1 s is left out."""
        total, weight = dict.fromkeys(OUTPUTS, 0.0), 0
        for start in range(0, len(clip), self._clip):
            piece = clip[start : start + self._clip]
            if start and len(piece) < MIN_DURATION_S * SAMPLE_RATE_HZ:
                break
            waveform = np.zeros((1, self._clip), "float32")
            waveform[0, : len(piece)] = piece
            answer = self._run(waveform=waveform, num_samples=np.array([len(piece)], "int32"))
            total = {key: total[key] + len(piece) * answer[key][0] for key in OUTPUTS}
            weight += len(piece)
        return {key: (value / weight).astype("float32") for key, value in total.items()}


def _converted(network: keras.Model, folder: Path, num_samples: int, float16: bool) -> bytes:
    import tensorflow as tf

    module = tf.Module()
    module.weights = [variable.value for variable in network.variables]
    signature = [tf.TensorSpec([1, num_samples], tf.float32, "waveform"), tf.TensorSpec([1], tf.int32, "num_samples")]
    function = tf.function(call(network), input_signature=signature, autograph=False)
    # By way of a SavedModel: what is converted from a function fails when it is run.
    tf.saved_model.save(module, str(folder), signatures={"serving_default": function})
    converter = tf.lite.TFLiteConverter.from_saved_model(str(folder), signature_keys=["serving_default"])
    converter.target_spec.supported_ops = [tf.lite.OpsSet.TFLITE_BUILTINS]
    if float16:
        converter.optimizations = [tf.lite.Optimize.DEFAULT]
        converter.target_spec.supported_types = [tf.float16]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return converter.convert()
    except Exception as error:  # ConverterError derives from this alone
        reason = next((line for line in str(error).splitlines() if "error:" in line or "Flex" in line), str(error))
        raise ExportError(f"LiteRT's own operations cannot hold {network.name}: {reason.strip()}") from error


def _rounded(data: bytes, network: keras.Model) -> bytes:
    """Round the weights of a float32 file to 8 bits, with a scale for each channel, and leave constants as they are."""
    from ai_edge_quantizer import qtyping, quantizer

    every = qtyping.TFLOperationName.ALL_SUPPORTED
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):  # bars and sizes
        rounding = quantizer.Quantizer(data)
        rounding.add_dynamic_config(".*", every, num_bits=8)
        for layer in network.layers:
            if type(layer).__module__.startswith("serzoo.layers") and not layer.weights:
                rounding.update_quantization_recipe(
                    rf".*/{re.escape(layer.name)}(_\d+)?/.*", every, algorithm_key="no_quantize"
                )
        return bytes(rounding.quantize().quantized_model)
