"""The SavedModel: four signatures that answer as the Keras model does, row by row, whatever stands beside a row."""

import json

import numpy as np
import pytest
import soundfile
import tensorflow as tf

import serzoo
from serzoo import audio
from serzoo.errors import ExportError
from serzoo.export import export, speech
from serzoo.export.warmup import FILE
from serzoo.listener import padded

CLIPS = speech.clips()


def wav(clip):
    return tf.audio.encode_wav(clip[:, None], 16000).numpy()


def test_what_stands_in_the_folder(base, small_model):
    assert [path.name for path in base.iterdir()] == ["1"]
    assert {path.name for path in (base / "1").iterdir()} >= {"saved_model.pb", "variables", "assets", "assets.extra"}
    labels = json.loads((base / "1" / "assets" / "labels.json").read_text())
    assert labels["classes"] == small_model.classes and labels["name"] == small_model.name
    assert labels["card"]["corpora"] == {"emodb": ["03", "08"]}
    card = (base / "1" / "assets" / "model_card.txt").read_text()
    assert "CC0-1.0" in card and "anger, neutral, sadness" in card and "emodb (2 speakers)" in card
    assert "no knowledge of what a person feels" in card


def test_signatures_have_the_batch_first_everywhere(served):
    found = {
        name: (
            {key: (spec.dtype.name, len(spec.shape)) for key, spec in f.structured_input_signature[1].items()},
            {key: (spec.dtype.name, len(spec.shape)) for key, spec in f.structured_outputs.items()},
        )
        for name, f in served._signatures.items()
    }
    waveform, num_samples = {"waveform": ("float32", 2)}, {"num_samples": ("int32", 1)}
    about = {"classes": ("string", 2), "status": ("string", 1)}
    answer = {"emotion": ("float32", 2), "embedding": ("float32", 2), **about}
    windows = {
        "starts": ("float32", 2),
        "ends": ("float32", 2),
        "emotion": ("float32", 3),
        "num_segments": ("int32", 1),
    }
    assert found == {
        "serving_default": (waveform, answer),
        "padded": (waveform | num_samples, answer),
        "wav_bytes": ({"audio": ("string", 1)}, answer),
        "segments": (waveform | num_samples, windows | about),
    }
    for f in served._signatures.values():
        for spec in (*f.structured_input_signature[1].values(), *f.structured_outputs.values()):
            assert spec.shape[0] is None


@pytest.mark.parametrize("batch", [1, 64])
def test_parity_with_keras(served, small_model, batch):
    lengths = np.random.default_rng(batch).integers(1600, 12000, batch)
    clips = [np.resize(CLIPS[i % 4][3000:], n) for i, n in enumerate(lengths)]
    wanted = small_model.probabilities(clips)
    answer = served.run("padded", **padded(clips))
    np.testing.assert_allclose(answer["emotion"], wanted, atol=1e-5)
    assert set(answer["status"]) == {b"ok"}
    assert answer["classes"].tolist() == [[name.encode() for name in small_model.classes]] * batch
    same = np.stack([np.resize(clip, 4000) for clip in clips])
    got = served.run("serving_default", waveform=same)
    np.testing.assert_allclose(got["emotion"], small_model.probabilities(list(same)), atol=1e-5)
    coded = served.run("wav_bytes", audio=np.array([wav(clip) for clip in clips], object))
    decoded = [tf.audio.decode_wav(wav(clip)).audio.numpy()[:, 0] for clip in clips]
    np.testing.assert_allclose(coded["emotion"], small_model.probabilities(decoded), atol=1e-5)


def test_embedding_is_the_models(served, small_model):
    np.testing.assert_allclose(served.embed(CLIPS[1], 16000), small_model.embed(CLIPS[1], 16000), atol=1e-5)


def test_another_embedding_is_refused(small_model, tmp_path, monkeypatch):
    embedding = small_model.embed(CLIPS[0], 16000)
    monkeypatch.setattr(type(small_model), "embed", lambda *arguments: embedding + 0.01)
    with pytest.raises(ExportError, match=r"must answer as the model does, to .* \(embedding\)"):
        export(small_model, tmp_path)


def test_rows_do_not_depend_on_their_neighbours(served):
    alone = served.run("padded", **padded(CLIPS[:1]))
    together = served.run("padded", **padded([CLIPS[0], 100 * CLIPS[1], CLIPS[2][:1600]]))
    bytes_alone = served.run("wav_bytes", audio=np.array([wav(CLIPS[0])], object))
    bytes_together = served.run("wav_bytes", audio=np.array([wav(clip) for clip in CLIPS], object))
    for one, many in ((alone, together), (bytes_alone, bytes_together)):
        for name in ("emotion", "embedding"):
            np.testing.assert_allclose(many[name][0], one[name][0], atol=1e-5)


def test_bad_rows_are_nan_and_say_why_and_the_others_are_right(served):
    inputs = padded([clip[:8000] for clip in [CLIPS[0], CLIPS[1], CLIPS[2], CLIPS[3], CLIPS[0], CLIPS[1]]])
    inputs["num_samples"][[0, 1, 2]] = [0, 8001, 1598]
    inputs["waveform"][3, 10], inputs["waveform"][4, 20] = np.nan, np.inf
    wanted = served.run("padded", **padded([CLIPS[1][:8000]]))["emotion"][0]
    for signature in ("padded", "segments"):
        answer = served.run(signature, **inputs)
        status = [each.decode() for each in answer["status"]]
        assert status[0] == "num_samples must be 1 to 8000, the row's. Received: 0."
        assert status[1] == "num_samples must be 1 to 8000, the row's. Received: 8001."
        assert status[2] == "A clip must have 1599 samples (0.1 s) or more. Received: 1598."
        assert status[3] == status[4] == "Samples must be finite. Received: NaN or infinity among them."
        assert status[5] == "ok"
        if signature == "padded":
            assert np.isnan(answer["emotion"][:5]).all() and np.isnan(answer["embedding"][:5]).all()
            np.testing.assert_allclose(answer["emotion"][5], wanted, atol=1e-5)
        else:
            assert answer["num_segments"].tolist() == [0] * 5 + [1]  # 8000 samples are one window


def test_the_shortest_clip_is_that_of_the_classifier(served, small_model):
    """A tenth of a second at 44.1 kHz is 1599 samples at 16 kHz, or 1600."""
    shortest = CLIPS[0][:1599]
    (wanted,) = small_model.probabilities([shortest])
    np.testing.assert_allclose(served.run("padded", **padded([shortest]))["emotion"][0], wanted, atol=1e-5)
    for judge in (served, small_model):
        with pytest.raises(audio.AudioError):
            judge.classify(CLIPS[0][:1598], 16000)


def test_an_export_is_judged_on_a_corpus(served, small_model, tmp_path):
    (tmp_path / "wav").mkdir()
    for name, clip in zip(("09a01Wa", "09a02Na", "10a01Ta", "10a02Wa"), CLIPS, strict=True):  # unheard speakers
        soundfile.write(tmp_path / "wav" / f"{name}.wav", 0.5 * clip, 16000)  # no recording of the training
    told = [serzoo.evaluate(judge, {"emodb": tmp_path}, partial=True, resamples=10) for judge in (served, small_model)]
    assert told[0]["n"] == 4 and told[0]["confusion"] == told[1]["confusion"]


def test_nothing_but_bad_rows(served):
    answer = served.run("wav_bytes", audio=np.array([b"", b"no sound"], object))
    assert np.isnan(answer["emotion"]).all() and answer["emotion"].shape == (2, 3) and b"ok" not in answer["status"]
    answer = served.run("segments", waveform=np.zeros((2, 8000), "float32"), num_samples=np.array([0, -1], "int32"))
    assert answer["num_segments"].tolist() == [0, 0] and answer["emotion"].shape == (2, 0, 3)


def test_nan_in_the_padding_is_nobodys_business(served):
    inputs = padded([CLIPS[0], CLIPS[0][:9000]])
    inputs["waveform"][1, 9000:] = np.nan
    answer = served.run("padded", **inputs)
    assert answer["status"].tolist() == [b"ok", b"ok"]
    wanted = served.run("padded", **padded([CLIPS[0][:9000]]))
    np.testing.assert_allclose(answer["emotion"][1], wanted["emotion"][0], atol=1e-5)


def test_segments_are_those_of_the_classifier(served, small_model):
    clips = [CLIPS[0], CLIPS[1][:8000], CLIPS[2][:8001], CLIPS[3][: 8000 + 3200 + 1599], CLIPS[3][:1600]]
    answer = served.run("segments", **padded(clips))
    for row, clip in enumerate(clips):
        wanted = small_model.segments(clip, 16000, window_s=0.5, hop_s=0.2)
        count = answer["num_segments"][row]
        assert count == len(wanted)
        np.testing.assert_allclose(answer["starts"][row, :count], [each["start"] for each in wanted], atol=1e-6)
        np.testing.assert_allclose(answer["ends"][row, :count], [each["end"] for each in wanted], atol=1e-6)
        scores = answer["emotion"][row, :count]
        np.testing.assert_allclose(scores.max(-1), [each["score"] for each in wanted], atol=1e-5)
        assert [small_model.classes[i] for i in scores.argmax(-1)] == [each["label"] for each in wanted]
        assert not answer["emotion"][row, count:].any() and not answer["ends"][row, count:].any()


def test_long_files_are_judged_in_pieces_as_by_classify(served, small_model):
    long = np.tile(CLIPS[0], 20)[: 35 * 16000]  # a piece of 30 s and one of 5 s
    answer = served.run("wav_bytes", audio=np.array([wav(CLIPS[1]), wav(long)], object))
    decoded = tf.audio.decode_wav(wav(long)).audio.numpy()[:, 0]
    wanted = {each["label"]: each["score"] for each in small_model.classify(decoded, 16000)}
    np.testing.assert_allclose(answer["emotion"][1], [wanted[name] for name in small_model.classes], atol=1e-5)


def test_a_file_and_its_bytes_get_the_same_answer(served, clips):
    for path in clips.values():
        answer = served.run("wav_bytes", audio=np.array([path.read_bytes()], object))["emotion"][0]
        wanted = {each["label"]: each["score"] for each in served.classify(path)}
        np.testing.assert_allclose(answer, [wanted[name] for name in served.classes], atol=1e-5)


def test_warm_up_requests_run(served, base):
    prediction_log_pb2 = pytest.importorskip("tensorflow_serving.apis.prediction_log_pb2")
    records = list(tf.data.TFRecordDataset(str(base / "1" / "assets.extra" / FILE)).as_numpy_iterator())
    requests = [prediction_log_pb2.PredictionLog.FromString(each).predict_log.request for each in records]
    assert {each.model_spec.signature_name for each in requests} == set(served._signatures)
    for request in requests:
        inputs = {name: tf.make_ndarray(value) for name, value in request.inputs.items()}
        answer = served.run(request.model_spec.signature_name, **inputs)
        assert answer["status"].tolist() == [b"ok"] and np.isfinite(answer["emotion"]).all()


def test_an_array_that_no_signature_takes_is_an_audio_error(served):
    with pytest.raises(audio.AudioError, match="Samples must be finite"):
        served.probabilities([np.full(4000, np.nan, "float32")])
