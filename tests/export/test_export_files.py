"""Opening exports, refusing broken ones, and what int8 does to the weights that ship."""

import shutil

import keras
import numpy as np
import pytest
import small
import soundfile
import tensorflow as tf

import serzoo
from serzoo import audio, zoo
from serzoo.errors import ExportError, MissingFileError, UnknownNameError
from serzoo.export import about, export, is_export, litert, onnx, open_export, speech
from serzoo.export.inference import OUTPUTS

onnxruntime = pytest.importorskip("onnxruntime")
for package in ("onnx", "tf2onnx", "ai_edge_litert", "ai_edge_quantizer"):
    pytest.importorskip(package)


@pytest.fixture(scope="module")
def files(small_model, tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    return {"onnx": onnx.write(small_model, folder).path, "litert": litert.write(small_model, folder, clip_s=0.5).path}


def test_the_runtime_follows_from_the_file(files, base, small_model, clips):
    assert [type(open_export(path)).__name__ for path in (*files.values(), base, base / "1")] == [
        *("OnnxExport", "LiteRTExport", "SavedModelExport", "SavedModelExport")
    ]
    for path in (files["onnx"], base):
        opened = open_export(path)
        np.testing.assert_allclose(opened.embed(clips["anger"]), small_model.embed(clips["anger"]), atol=1e-4)
        wanted = small_model.segments(clips["anger"], window_s=0.7, hop_s=0.3)
        got = opened.segments(clips["anger"], window_s=0.7, hop_s=0.3)
        assert [(each["start"], each["end"], each["label"]) for each in got] == [
            (each["start"], each["end"], each["label"]) for each in wanted
        ]


def test_what_is_an_export(files, base, tmp_path, monkeypatch):
    assert all(map(is_export, (*files.values(), base, base / "1", str(base))))
    assert not any(
        map(is_export, ("cnn_ablstm_mtl", "cnn_ablstm_mtl.emodb4", "model.keras", tmp_path, tmp_path / "no"))
    )
    (tmp_path / "cnn_ablstm" / "1").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert is_export("./cnn_ablstm") and not is_export("cnn_ablstm")


@pytest.mark.parametrize("name", ["run.json", "card.json"])
def test_the_folder_of_a_run_is_and_takes_no_export(name, small_model, tmp_path):
    (tmp_path / name).touch()
    with pytest.raises(ExportError, match="needs a folder of its own. Received: .*, that of a training run"):
        export(small_model, tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == [name]
    (tmp_path / "1").mkdir()
    assert not is_export(tmp_path)


def test_an_export_warns_of_its_licence_as_its_weights_do(small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(zoo, "_warned", set())
    monkeypatch.setattr(small_model, "card", {"licence": "CC-BY-NC-SA-4.0", "commercial": False})
    path = onnx.write(small_model, tmp_path).path
    with pytest.warns(UserWarning, match="onnx: weights under CC-BY-NC-SA-4.0, not for commercial use") as told:
        open_export(path)
    assert told[0].filename == __file__


def test_another_backend_is_refused_before_anything_is_made(small_model, tmp_path, monkeypatch):
    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(ExportError, match="Exports need KERAS_BACKEND=tensorflow. Received: jax"):
        export(small_model, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("form", "options"),
    [("savedmodel", {"hop_s": 0.0}), ("savedmodel", {"window_s": "1"}), ("litert", {"clip_s": "3"})],
)
def test_times_out_of_range_are_refused_before_anything_is_made(small_model, form, options, tmp_path):
    ((name, value),) = options.items()
    with pytest.raises(ExportError, match=f"{name} must be .* seconds. Received: {value!r}"):
        export(small_model, tmp_path / "out", form, **options)
    assert not (tmp_path / "out").exists()


def test_batch_and_time_of_onnx_are_dynamic(files, small_model):
    opened = open_export(files["onnx"])
    clip = speech.clips()[1]
    for lengths in ([1600], [48000], [5000, 1601, 9000], [300, 7777]):
        clips = [clip[:length] for length in lengths]
        np.testing.assert_allclose(opened.probabilities(clips), small_model.probabilities(clips), atol=1e-4)


def test_the_first_output_of_onnx_is_the_emotion(files):
    assert [output.name for output in onnxruntime.InferenceSession(files["onnx"]).get_outputs()] == list(OUTPUTS)


def test_labels_and_card_travel_in_onnx(files, small_model):
    about = onnxruntime.InferenceSession(files["onnx"]).get_modelmeta().custom_metadata_map
    assert set(about) == {"labels.json", "model_card.txt"} and "anger, neutral, sadness" in about["model_card.txt"]


def test_litert_judges_longer_clips_in_pieces(files, small_model):
    """A clip of 0.5 s is one piece; of 1.25 s, three, weighted by length; a rest under 0.1 s is left out."""
    opened = open_export(files["litert"])
    clip = speech.clips()[0][:20000]
    parts = small_model.probabilities([clip[:8000], clip[8000:16000], clip[16000:20000]])
    wanted = np.average(parts, axis=0, weights=[2, 2, 1])
    np.testing.assert_allclose(opened.probabilities([clip])[0], wanted, atol=1e-3)
    without = opened.probabilities([clip[:16000]])
    np.testing.assert_array_equal(opened.probabilities([clip[: 16000 + 1599]]), without)


@pytest.mark.parametrize("form", ["onnx", "litert"])
@pytest.mark.parametrize("share", [0.0, 0.3, 0.9, 0.999])
def test_a_cut_file_is_one_clear_error(files, form, share, tmp_path):
    data = files[form].read_bytes()
    path = tmp_path / files[form].name
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(ExportError, match="is cut or is no .* file that serzoo wrote"):
        open_export(path)


@pytest.mark.parametrize("lost", ["saved_model.pb", "variables", "assets", "half of the graph", "half of the weights"])
def test_a_cut_saved_model_is_one_clear_error(base, lost, tmp_path):
    folder = tmp_path / "1"
    shutil.copytree(base / "1", folder)
    if lost.startswith("half"):
        path = folder / "saved_model.pb" if "graph" in lost else next((folder / "variables").glob("*.data*"))
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    elif (folder / lost).is_dir():
        shutil.rmtree(folder / lost)
    else:
        (folder / lost).unlink()
    with pytest.raises(ExportError, match="is cut or is no SavedModel that serzoo wrote"):
        open_export(folder)


def test_other_things_are_refused(tmp_path, small_model):
    with pytest.raises(MissingFileError, match="There is no file or folder"):
        open_export(tmp_path / "no.onnx")
    (tmp_path / "a.bin").write_bytes(b"x")
    with pytest.raises(ExportError, match="An export is a SavedModel folder"):
        open_export(tmp_path / "a.bin")
    with pytest.raises(UnknownNameError, match="Unknown option of litert 'quantise'. Did you mean 'quantize'?"):
        serzoo.export.write(None, tmp_path, "litert", quantise="int8")
    with pytest.raises(UnknownNameError, match="Unknown format 'onxx'. Did you mean 'onnx'?"):
        export(small_model, tmp_path, "onxx")
    with pytest.raises(UnknownNameError, match="Unknown quantize 'int4'"):
        export(small_model, tmp_path, "litert", quantize="int4")
    with pytest.raises(ExportError, match="clip_s must be 0.1 to 21600 seconds. Received: 0.01"):
        export(small_model, tmp_path, "litert", clip_s=0.01)


def test_an_export_that_lies_is_refused(small_model, tmp_path, monkeypatch):
    """The file is compared with the model: here with one whose weights have changed meanwhile."""
    other = small.model("cnn_ablstm_mtl", seed=9)
    monkeypatch.setattr(onnx, "inference_model", lambda model, **options: _inference(other, **options))
    with pytest.raises(ExportError, match="must answer as the model does, to 0.0001 .*Received: a difference of"):
        onnx.write(small_model, tmp_path)
    assert list(tmp_path.iterdir()) == []


_inference = onnx.inference_model


def test_a_disk_that_fills_up_while_tensorflow_writes(small_model, tmp_path, monkeypatch):
    def full(*arguments, **options):
        raise tf.errors.ResourceExhaustedError(None, None, "No space left on device")

    monkeypatch.setattr(tf.saved_model, "save", full)
    with pytest.raises(ExportError, match="could not be written to .*: No space left on device"):
        export(small_model, tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_missing_package_is_named(small_model, tmp_path, monkeypatch):
    import sys

    monkeypatch.setitem(sys.modules, "tf2onnx", None)
    with pytest.raises(ExportError, match=r'needs pip install "serzoo\[onnx\]": .*tf2onnx'):
        onnx.write(small_model, tmp_path)
    (tmp_path / "a.onnx").touch()
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    with pytest.raises(ExportError, match=r'needs pip install "serzoo\[onnx\]": .*onnxruntime'):
        open_export(tmp_path / "a.onnx")
    monkeypatch.setitem(sys.modules, "ai_edge_quantizer", None)
    with pytest.raises(ExportError, match=r'needs pip install "serzoo\[litert\]": .*ai_edge_quantizer'):
        litert.write(small_model, tmp_path, quantize="int8")


@pytest.mark.parametrize(("quantize", "tolerance"), [("float16", 5e-3), ("int8", 5e-2)])
def test_rounded_weights(small_model, quantize, tolerance, tmp_path):
    report = litert.write(small_model, tmp_path, clip_s=0.5, quantize=quantize)
    assert report.path.name == f"cnn_ablstm_mtl.{quantize}.tflite" and report.difference <= tolerance
    clips = [clip[:8000] for clip in speech.clips()]
    got = open_export(report.path).probabilities(clips)
    np.testing.assert_allclose(got, small_model.probabilities(clips), atol=tolerance)


@pytest.fixture(scope="module")
def shipped(tmp_path_factory):
    """The default weights, and their int8 file."""
    model = serzoo.load("cnn_ablstm_mtl")
    return model, litert.write(model, tmp_path_factory.mktemp("int8"), quantize="int8")


def test_a_denoiser_stands_in_name_and_card():
    model = serzoo.load("cnn_ablstm.ravdess8", denoise="wavelet_shrinkage")
    assert about.stem(model) == "cnn_ablstm.ravdess8.wavelet_shrinkage"
    assert "  behind    wavelet_shrinkage" in about.model_card(model)


def test_the_card_names_continuous_heads_that_stay_behind(small_model, monkeypatch):
    assert "left out" not in about.model_card(small_model)
    monkeypatch.setattr(small_model, "heads", {**small_model.heads, "arousal": ["low 1.0", "high 5.0"]})
    assert "  left out  arousal: an export answers emotion alone" in about.model_card(small_model)


def test_a_fold_of_a_run_stands_in_the_name(small_model, monkeypatch):
    monkeypatch.setattr(small_model, "card", {"seed": 1, "fold": 2})
    assert about.stem(small_model) == "cnn_ablstm_mtl.seed1-fold2"
    monkeypatch.setattr(small_model, "card", {"tag": "ravdess8-fold2", "seed": 1, "fold": 2})
    assert about.stem(small_model) == "cnn_ablstm_mtl.ravdess8-fold2"


def test_the_card_of_shipped_weights_tells_of_the_emotion_alone(shipped):
    card = about.model_card(shipped[0])
    assert "emotion   " in card and "Recipe" in card and "gender    female, male" not in card


def test_int8_is_small_and_names_its_weights(shipped):
    model, report = shipped
    assert report.path.name == f"cnn_ablstm_mtl.{model.tag}.int8.tflite"
    assert report.size_bytes < 1_000_000


def test_int8_gives_the_same_top_label(shipped, shared_data):
    """On 95 % of real clips: here 60 of RAVDESS, of which every one is another sentence, actor or emotion."""
    model, report = shipped
    opened = open_export(report.path)
    paths = sorted((shared_data / "RAVDESS").rglob("*.*a*"))
    paths = [path for path in paths if path.suffix in (".wav", ".flac", ".ogg", ".mp3")][::24][:60]
    assert len(paths) == 60
    clips = [audio.read(path)[:48000] for path in paths]
    wanted = np.concatenate([model.probabilities(clips[i : i + 20]) for i in (0, 20, 40)])
    assert np.mean(opened.probabilities(clips).argmax(-1) == wanted.argmax(-1)) >= 0.95


def test_int8_gives_the_same_top_label_on_the_clips_of_the_repository(shipped, clips):
    model, report = shipped
    opened = open_export(report.path)
    for path in clips.values():
        samples = soundfile.read(path, dtype="float32")[0][:48000]
        assert opened.classify(samples, 16000)[0]["label"] == model.classify(samples, 16000)[0]["label"]
