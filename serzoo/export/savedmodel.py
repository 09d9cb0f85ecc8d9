"""SavedModel for TensorFlow Serving: ``BASE/VERSION/`` with four signatures, warm-up requests, labels and a card."""

from collections.abc import Iterator, Mapping
from pathlib import Path

import numpy as np
import tensorflow as tf

from serzoo.errors import AudioError, ExportError, first_line
from serzoo.export import speech
from serzoo.export.about import LABELS, MODEL_CARD, labels, model_card
from serzoo.export.exported import Exported
from serzoo.export.fused import fused
from serzoo.export.inference import call, inference_model
from serzoo.export.opening import is_trained
from serzoo.export.proof import Report, compare, prove
from serzoo.export.scan import scan_graph
from serzoo.export.serving_kit import write_kit
from serzoo.export.signatures import signatures
from serzoo.export.versions import aside, publish_version, versions
from serzoo.export.warmup import write_warmup
from serzoo.export.wav import OK
from serzoo.files import to_json
from serzoo.listener import check_windows, padded
from serzoo.models.classifier import Classifier

TOLERANCE = 1e-5
TOLERANCE_EMBEDDING = 1e-4  # of its greatest value
TOLERANCE_PCM = 1e-4  # a clip rounded to 16 bits is compared with itself before the rounding


def write(
    model: Classifier, base: Path, *, window_s: float = 3.0, hop_s: float = 1.0, serving_kit: bool = False
) -> Report:
    """Write the next version of a SavedModel, after it was reloaded, run and compared.

    Args:
        model: the classifier.
        base: what TensorFlow Serving calls the base path.
        window_s: length of a window of the signature ``segments`` in seconds.
        hop_s: time between the starts of two windows in seconds.
        serving_kit: whether to write ``base/serving-kit`` beside it.

    Returns:
        A report, ``path`` in it being ``base/VERSION``.

    Raises:
        ExportError: if the graph could not run on any server, answers otherwise than the model, or cannot be written;
            or if ``base`` is the folder of a training run, or a time is out of its range.
    """
    check_windows(window_s, hop_s, ExportError)
    if is_trained(base):
        raise ExportError(f"The export needs a folder of its own. Received: {base}, that of a training run.")
    network = fused(inference_model(model))
    with aside(base) as place:
        folder, assets = place / "model", place / "assets"
        assets.mkdir()
        (assets / LABELS).write_bytes(to_json(labels(model, window_s=window_s, hop_s=hop_s)))
        (assets / MODEL_CARD).write_text(model_card(model), encoding="utf-8")
        requests = dict(_requests(speech.clips()[0]))
        try:
            _save(network, model.classes, folder, [assets / LABELS, assets / MODEL_CARD], window_s, hop_s)
            notes = [] if write_warmup(folder, model.name, requests.items()) else [_NO_WARMUP]
        except tf.errors.OpError as error:  # TensorFlow's own words for a full disk
            raise ExportError(f"The SavedModel could not be written to {base}: {error.message}") from error
        scan_graph(folder)
        exported = SavedModelExport(folder)
        _check_signatures(exported, model, requests, window_s, hop_s)
        report = prove(exported, model, TOLERANCE, folder, notes)
        report = report._replace(path=publish_version(folder, base))
        if serving_kit:
            kit = write_kit(base)
            report = report._replace(notes=(*report.notes, f"Serving kit: {kit}"))
        return report


class SavedModelExport(Exported):
    """A SavedModel that :func:`write` made.

    Args:
        path: folder of a version, or the base path, whose highest version is taken.
    """

    def __init__(self, path: Path):
        if not (path / "saved_model.pb").is_file() and (found := versions(path)):
            path = path / str(found[-1])
        try:
            # The object owns the variables: without it they are gone.
            self._loaded = tf.saved_model.load(str(path))
            self._signatures = dict(self._loaded.signatures)
            text = (path / "assets" / LABELS).read_bytes()
            super().__init__(path, text)
            self.run("padded", **padded([np.zeros(self.sample_rate_hz, "float32")]))
        except (tf.errors.OpError, OSError, ValueError, KeyError, IndexError, AttributeError) as error:
            raise ExportError(f"{path} is cut or is no SavedModel that serzoo wrote: {first_line(error)}.") from error

    def run(self, signature: str, **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Call one signature, as a server would.

        Args:
            signature: ``"serving_default"``, ``"padded"``, ``"wav_bytes"`` or ``"segments"``.
            **inputs: its inputs by name.

        Returns:
            Its outputs by name.
        """
        answer = self._signatures[signature](**{name: tf.constant(value) for name, value in inputs.items()})
        return {name: value.numpy() for name, value in answer.items()}

    def predict_on_batch(self, inputs: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        """As of :class:`Exported`."""
        answer = self.run("padded", **inputs)
        for status in answer["status"]:
            if status.decode() != OK:
                raise AudioError(status.decode())
        return {name: answer[name] for name in ("emotion", "embedding")}


def _save(network, classes, folder: Path, assets: list[Path], window_s: float, hop_s: float) -> None:
    module = tf.Module()
    # Not the model itself: Keras' own objects have no place in a server.
    module.weights = [variable.value for variable in network.variables]
    module.assets = [tf.saved_model.Asset(str(path)) for path in assets]
    functions = signatures(call(network), classes, window_s, hop_s)
    tf.saved_model.save(module, str(folder), signatures=functions)


def _requests(clip: np.ndarray) -> Iterator[tuple[str, dict[str, np.ndarray]]]:
    """Real requests for each signature, the same speech in each."""
    yield "serving_default", {"waveform": clip[None]}
    yield "padded", padded([clip])
    yield "segments", padded([clip])
    yield "wav_bytes", {"audio": np.array([_wav(clip)], object)}


def _wav(clip: np.ndarray) -> bytes:
    return tf.audio.encode_wav(clip[:, None], 16000).numpy()


def _check_signatures(
    exported: SavedModelExport, model: Classifier, requests: Mapping, window_s: float, hop_s: float
) -> None:
    """What :func:`prove` does not look at: the embedding, and that the other signatures answer as ``padded`` does."""
    wanted = exported.run("padded", **requests["padded"])
    clip = requests["padded"]["waveform"][0]
    embedding = model.embed(clip, 16000)
    # It has any scale, unlike a probability.
    compare("embedding", wanted["embedding"][0], embedding, TOLERANCE_EMBEDDING * max(1.0, np.abs(embedding).max()))
    for name, tolerance in (("serving_default", TOLERANCE), ("wav_bytes", TOLERANCE_PCM)):
        answer = exported.run(name, **requests[name])
        compare(name, answer["emotion"], wanted["emotion"], tolerance)
    segments = exported.run("segments", **requests["segments"])
    found = exported.segments(clip, 16000, window_s=window_s, hop_s=hop_s)
    if segments["num_segments"][0] != len(found):
        raise ExportError(f"segments must find {len(found)} windows. Received: {segments['num_segments'][0]}.")
    scores = segments["emotion"][0].max(axis=-1)
    compare("segments", scores, [each["score"] for each in found], TOLERANCE)


_NO_WARMUP = 'No warm-up requests: they need tensorflow-serving-api (pip install "serzoo[serving]").'
