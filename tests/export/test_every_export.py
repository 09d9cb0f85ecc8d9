"""Every registered model in every format, written, opened again and compared."""

import functools
import zipfile

import numpy as np
import pytest
import small

from serzoo import config, registry
from serzoo.export import open_export, speech, write
from serzoo.export.about import MODEL_CARD

FORMATS = {"savedmodel": ({}, 1e-5), "onnx": ({}, 1e-4), "litert": ({"clip_s": 1.0}, 1e-3)}
NEEDS = {"onnx": ("onnx", "onnxruntime", "tf2onnx"), "litert": ("ai_edge_litert",)}


# An export has the head for the emotion alone, without which a model with a second task is the one without it.
NAMES = [name for name in registry.names() if f"{name}_mtl" not in registry.names()]


@pytest.fixture(scope="module")
def model_of():
    return functools.cache(small.model)


@pytest.mark.parametrize("form", FORMATS)
@pytest.mark.parametrize("name", NAMES)
def test_export(model_of, name, form, tmp_path):
    for package in NEEDS.get(form, ()):
        pytest.importorskip(package)
    options, tolerance = FORMATS[form]
    model = model_of(name)
    report = write(model, tmp_path, form, **options)
    assert report.difference <= tolerance and report.size_bytes > 10_000 and report.latency_ms > 0
    assert f"{report.size_bytes / 1e6:.2f} MB" in str(report) and "ms for 3 s" in str(report)
    opened = open_export(report.path)
    assert (opened.name, opened.classes, opened.licence) == (name, model.classes, "CC0-1.0")
    assert opened.training_speakers == {"emodb": ["03", "08"]}
    clips = [clip[:16000] for clip in speech.clips()[:2]] + [speech.clips()[2][:1601]]
    np.testing.assert_allclose(opened.probabilities(clips), model.probabilities(clips), atol=tolerance)
    assert [path.name for path in tmp_path.iterdir()] == [report.path.name]
    card = card_in(form, report.path)
    for word in (config.load(name).reference.title, "What differs from it", "no knowledge of what a person", "CC0-1.0"):
        assert word in card
    for word in ("Recipe", "Weights", "Figures", "RAVDESS", "hop_ms"):  # of other weights than these
        assert word not in card
    if form == "onnx":
        check_onnx(report.path)


def card_in(form, path):
    """The model card that travels in an export."""
    if form == "savedmodel":
        return (path / "assets" / MODEL_CARD).read_text(encoding="utf-8")
    if form == "litert":
        return zipfile.ZipFile(path).read(MODEL_CARD).decode()
    import onnx

    return {each.key: each.value for each in onnx.load(path).metadata_props}[MODEL_CARD]


def check_onnx(path):
    import onnx

    proto = onnx.load(path)
    onnx.checker.check_model(proto, full_check=True)
    assert max(each.version for each in proto.opset_import if not each.domain) >= 17
    shapes = {
        value.name: [dim.dim_param or dim.dim_value for dim in value.type.tensor_type.shape.dim]
        for value in (*proto.graph.input, *proto.graph.output)
    }
    assert shapes["waveform"] == ["batch", "samples"] and shapes["num_samples"] == ["batch"]
    assert shapes["emotion"] == ["batch", 3] and shapes["embedding"][0] == "batch"
    assert {each.domain for each in proto.graph.node} == {""}  # nothing that only one runtime knows
