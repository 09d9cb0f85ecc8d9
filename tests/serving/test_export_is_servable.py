"""The proof that TensorFlow Serving, which no package index holds, would serve an export: layer by layer."""

import base64
import json
import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
import tensorflow as tf
import yaml
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import prediction_log_pb2

from serzoo import audio, serving
from serzoo.export.serving_kit import FOLDER, write_kit
from serzoo.listener import padded
from tests.serving.loopback import Loopback, read_batching, read_models
from tests.serving.toy_export import CLASSES

SIGNATURES = ["padded", "segments", "serving_default", "wav_bytes"]


@pytest.fixture(scope="module")
def server(base):
    """The export as the serving kit serves it."""
    kit = base / FOLDER
    models = {name: path.replace("/models/ser", str(base)) for name, path in read_models(kit / "models.config").items()}
    with Loopback(models, read_batching(kit / "batching.config")) as server:
        yield server


@pytest.fixture(scope="module")
def meta_graph(base):
    saved = saved_model_pb2.SavedModel()
    saved.ParseFromString((base / "1" / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0]


def warmup(base: Path) -> list:
    records = tf.data.TFRecordDataset(str(base / "1" / "assets.extra" / "tf_serving_warmup_requests"))
    logs = [prediction_log_pb2.PredictionLog.FromString(each) for each in records.as_numpy_iterator()]
    return [log.predict_log.request for log in logs]


# --- TensorFlow's own loaders ---------------------------------------------------------------------------------------


def test_the_cpp_loader_loads_and_runs_every_signature(base, meta_graph, model, clips, tmp_path):
    clip = audio.read(clips["anger"])
    np.save(tmp_path / "waveform.npy", np.stack([clip, np.resize(clip[::-1], len(clip))]))
    np.save(tmp_path / "num_samples.npy", np.array([len(clip), 9000], "int32"))
    wav = base64.b64encode(clips["anger"].read_bytes()).decode()
    values = {
        "waveform": str(tmp_path / "waveform.npy"),
        "num_samples": str(tmp_path / "num_samples.npy"),
        "audio": [wav, base64.b64encode(b"no recording").decode()],
    }
    requests = []
    for name in SIGNATURES:
        signature = meta_graph.signature_def[name]
        feeds = {signature.inputs[key].name: values[key] for key in signature.inputs}
        fetches = {key: signature.outputs[key].name for key in ("emotion", "status")}
        requests.append({"folder": str(base / "1"), "feeds": feeds, "fetches": fetches})
    (tmp_path / "request.json").write_text(json.dumps(requests))

    libraries = Path(tf.__file__).parent
    script = Path(__file__).with_name("cpp_loader.py")
    command = [sys.executable, str(script), str(libraries), str(tmp_path / "request.json"), str(tmp_path / "out.npz")]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout.strip()) == (0, "[]"), done.stderr

    answers = {name: {} for name in SIGNATURES}
    for key, array in np.load(tmp_path / "out.npz").items():
        number, _, output = key.partition("/")
        answers[SIGNATURES[int(number)]][output] = array
    wanted = model.probabilities([clip, np.resize(clip[::-1], len(clip))[:9000]])
    np.testing.assert_allclose(answers["padded"]["emotion"], wanted, atol=1e-5)
    np.testing.assert_allclose(answers["serving_default"]["emotion"][0], wanted[0], atol=1e-5)
    np.testing.assert_allclose(answers["wav_bytes"]["emotion"][0], wanted[0], atol=1e-5)
    assert np.isnan(answers["wav_bytes"]["emotion"][1]).all()
    assert answers["wav_bytes"]["status"][0] == "ok" != answers["wav_bytes"]["status"][1]
    np.testing.assert_allclose(answers["segments"]["emotion"][:, 0], wanted, atol=1e-5)


def test_saved_model_cli_runs_it(base, clips, tmp_path):
    clip = audio.read(clips["neutral"])[None]
    np.savez(tmp_path / "in.npz", **padded(list(clip)))
    inputs = f"waveform={tmp_path}/in.npz[waveform];num_samples={tmp_path}/in.npz[num_samples]"
    tool = Path(sys.executable).with_name("saved_model_cli")
    command = [str(tool), "run", "--dir", str(base / "1"), "--tag_set", "serve", "--signature_def", "padded"]
    command += ["--inputs", inputs, "--outdir", str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr[-2000:]
    emotion = np.load(tmp_path / "emotion.npy")
    assert emotion.shape == (1, 4)
    np.testing.assert_allclose(emotion.sum(), 1.0, atol=1e-5)


def test_warmup_requests_are_real_and_answered(base, server):
    requests = warmup(base)
    assert sorted(request.model_spec.signature_name for request in requests) == SIGNATURES
    for request in requests:
        arrays = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        with serving.Client(server.url("grpc", "ser"), timeout_s=60.0) as client:
            answer = client.predict(request.model_spec.signature_name, arrays)
        assert set(answer["status"]) == {"ok"}
        assert np.isfinite(answer["emotion"]).all()


# --- a server -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("way", ["rest", "grpc"])
def test_the_client_answers_as_the_model_does(way, server, model, clips):
    path = clips["sadness"]
    with serving.Client(server.url(way, "ser"), timeout_s=60.0) as client:
        wanted = model.classify(path)
        for answer in (client.classify(path), client.classify(path.read_bytes())):
            assert [each["label"] for each in answer] == [each["label"] for each in wanted]
            np.testing.assert_allclose(
                [each["score"] for each in answer], [each["score"] for each in wanted], atol=1e-5
            )
        found, expected = (judge.segments(path, window_s=1.0, hop_s=0.5) for judge in (client, model))
        np.testing.assert_allclose(
            [list(each.values())[:2] for each in found], [list(each.values())[:2] for each in expected]
        )
        np.testing.assert_allclose([each["score"] for each in found], [each["score"] for each in expected], atol=1e-5)
        np.testing.assert_allclose(client.embed(path), model.embed(path), atol=1e-4)


def test_ragged_requests_at_once_are_answered_as_alone(server, model, clips):
    clip = np.concatenate([audio.read(path) for path in clips.values()])
    lengths = np.random.default_rng(3).integers(2000, 60000, 16)
    waves = [clip[1000 * i : 1000 * i + length] for i, length in enumerate(lengths)]
    server.batch_sizes.clear()
    with serving.Client(server.url("grpc", "ser"), timeout_s=60.0) as client, ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda x: client.classify(x, 16000), waves))
    assert max(map(len, server.batch_sizes)) > 1, "no two requests were ever joined: nothing was tested"
    for answer, wanted in zip(answers, map(lambda x: model.classify(x, 16000), waves), strict=True):
        np.testing.assert_allclose(
            sorted(each["score"] for each in answer), sorted(each["score"] for each in wanted), atol=1e-5
        )


# --- the kit --------------------------------------------------------------------------------------------------------


def test_configs_of_the_kit(base):
    kit = base / FOLDER
    batching = read_batching(kit / "batching.config")
    assert batching["max_batch_size"] == serving.MAX_BATCH_SIZE == max(batching["allowed_batch_sizes"])
    assert batching["pad_variable_length_inputs"] is False
    assert set(read_models(kit / "models.config")) == {"ser", "ser-3s", "ser-6s", "ser-12s", "ser-30s"}
    service = yaml.safe_load((kit / "compose.yaml").read_text())["services"]["serving"]
    assert service["image"].startswith("tensorflow/serving:")
    assert "..:/models/ser:ro" in service["volumes"]
    mounted = [option.split("=/serving-kit/")[1] for option in service["command"] if "=/serving-kit/" in option]
    assert all((kit / file).is_file() for file in mounted) and len(mounted) == 2


def test_a_name_that_no_url_can_hold_becomes_ser(tmp_path):
    (tmp_path / "mein Modell").mkdir()
    kit = write_kit(tmp_path / "mein Modell")
    assert 'name: "ser-3s"' in (kit / "models.config").read_text()


def test_the_commands_of_the_readme_work(base, server, clips, tmp_path):
    text = (base / FOLDER / "README.md").read_text()
    (tmp_path / "clip.wav").write_bytes(clips["anger"].read_bytes())
    blocks = [block for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) if ":predict" in block]
    assert len(blocks) == 2
    for block in blocks:
        command = block.replace("http://localhost:8501", f"http://127.0.0.1:{server.rest_port}")
        done = subprocess.run(["bash", "-c", command], cwd=tmp_path, capture_output=True, text=True, timeout=60)
        outputs = json.loads(done.stdout)["outputs"]
        assert outputs["status"] == ["ok"] and sorted(outputs["classes"][0]) == CLASSES, done.stdout
    code = re.search(r"```python\n(.*?)```", text, re.DOTALL)[1]
    code = code.replace("grpc://localhost:8500", f"grpc://127.0.0.1:{server.grpc_port}")
    found = {}
    exec(code.replace("call.mp3", str(tmp_path / "clip.wav")), found)  # noqa: S102
    found["client"].close()
