"""ONNX: one file with the log-mel spectrogram inside, for ONNX Runtime on any system."""

import contextlib
import json
import logging
import os
from collections.abc import Mapping
from pathlib import Path

import numpy as np

from serzoo.errors import ExportError, first_line
from serzoo.export.about import LABELS, MODEL_CARD, labels, model_card, stem
from serzoo.export.exported import Exported
from serzoo.export.inference import OUTPUTS, call, inference_model
from serzoo.export.proof import Report, prove
from serzoo.export.versions import aside
from serzoo.models.classifier import Classifier
from serzoo.versions import require

TOLERANCE = 1e-4
OPSET = 17


def write(model: Classifier, folder: Path) -> Report:
    """Write ``folder/NAME.TAG.onnx``, after it was checked, reloaded, run and compared.

    Inputs are ``waveform`` (batch, samples) float32 and ``num_samples`` (batch,) int32, outputs ``emotion`` and
    ``embedding``. Labels and model card stand in the metadata of the file.

    Args:
        model: the classifier.
        folder: where the file shall stand; an older one of that name is replaced.

    Returns:
        A report.

    Raises:
        ExportError: if the packages of ``serzoo[onnx]`` are missing, ONNX cannot hold the model, the file answers
            otherwise than the model, or it cannot be written.
    """
    require("onnx", "onnx", "onnxruntime", "tf2onnx", error=ExportError)
    # ONNX has no Fourier transform that runtimes agree on; a file with one is written, and is invalid.
    network = inference_model(model, implementation="dft")
    with aside(folder) as place:
        path = place / f"{stem(model)}.onnx"
        _convert(network, path)
        _describe(path, {LABELS: json.dumps(labels(model)), MODEL_CARD: model_card(model)})
        report = prove(OnnxExport(path), model, TOLERANCE, path)
        os.replace(path, folder / path.name)
    return report._replace(path=folder / path.name)


class OnnxExport(Exported):
    """An ONNX file that :func:`write` made, run by ONNX Runtime on the CPU.

    Args:
        path: the file.
    """

    def __init__(self, path: Path):
        require("onnx", "onnxruntime", error=ExportError)
        import onnxruntime

        try:
            self._session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
            about = self._session.get_modelmeta().custom_metadata_map
            super().__init__(path, about[LABELS])
        except ExportError:
            raise
        except Exception as error:  # the runtime's own classes have no common base but this one
            raise ExportError(f"{path} is cut or is no ONNX file that serzoo wrote: {first_line(error)}.") from error

    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As of :class:`Exported`."""
        waveform = np.asarray(inputs["waveform"], "float32")
        num_samples = np.asarray(inputs["num_samples"], "int32")
        answers = self._session.run(list(OUTPUTS), {"waveform": waveform, "num_samples": num_samples})
        return dict(zip(OUTPUTS, answers, strict=True))


def _convert(network, path: Path) -> None:
    import tensorflow as tf
    import tf2onnx

    signature = [tf.TensorSpec([None, None], tf.float32, "waveform"), tf.TensorSpec([None], tf.int32, "num_samples")]
    function = tf.function(call(network), input_signature=signature, autograph=False)
    try:
        with _quiet():
            tf2onnx.convert.from_function(
                function,
                signature,
                opset=OPSET,
                custom_op_handlers={"Erfc": (_erfc, [])},
                output_path=str(path),
            )
    except OSError:
        raise
    except Exception as error:  # whatever the converter stumbles over
        raise ExportError(f"ONNX cannot hold {network.name}: {type(error).__name__}: {error}") from error


def _erfc(graph, node, name, args):
    """1 - erf(x): ONNX has no erfc, of which TensorFlow makes the GELU, and the converter would pass it on as it is."""
    (x,), outputs = node.input, node.output
    graph.remove_node(node.name)
    erf = graph.make_node("Erf", [x])
    one = graph.make_const(f"{name}/one", np.array(1.0, "float32"))
    graph.make_node("Sub", [one.output[0], erf.output[0]], name=name, outputs=outputs)


def _describe(path: Path, about: Mapping[str, str]) -> None:
    import onnx

    proto = onnx.load(str(path))
    outputs = sorted(proto.graph.output, key=lambda output: OUTPUTS.index(output.name))
    del proto.graph.output[:]
    proto.graph.output.extend(outputs)  # whoever takes the first gets the probabilities
    for value in (*proto.graph.input, *proto.graph.output):
        for axis, dim in zip(("batch", "samples"), value.type.tensor_type.shape.dim, strict=False):
            if not dim.dim_value:
                dim.dim_param = axis
    for key, value in about.items():
        proto.metadata_props.add(key=key, value=value)
    try:
        onnx.checker.check_model(proto, full_check=True)
    except onnx.checker.ValidationError as error:
        raise ExportError(f"onnx.checker refuses the file: {error}") from error
    onnx.save(proto, str(path))


@contextlib.contextmanager
def _quiet():
    """Keep the converter's notes about what it optimises away from the user: context manager."""
    logger = logging.getLogger("tf2onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
