"""Measured rooms: how they are read and drawn, and what a network hears of them in training."""

import io
from types import SimpleNamespace

import keras
import numpy as np
import pytest
import soundfile

from serzoo import building, layers, noises, pipeline, rooms
from serzoo import config as configs
from serzoo.errors import CorpusError, MissingFileError, RunError
from serzoo.evaluation.audit.robustness import _unknown_rooms
from serzoo.plan import plan_epoch, plan_rooms
from serzoo.training.checks import check_rooms
from serzoo.training.graph import augmented

RNG = np.random.default_rng(0)
TARGETS = {"emotion": np.eye(2, dtype="float32")[[0, 1] * 4], "gender": np.eye(2, dtype="float32")[[0, 0, 1, 1] * 2]}
CLIPS = [RNG.normal(scale=0.1, size=3000 + 400 * i).astype("float32") for i in range(8)]
DECAY = np.exp(-np.arange(6000) / 900)
MEASURED = {
    "church": np.roll(RNG.standard_normal(6000) * DECAY, 50).astype("float32"),
    "closet": np.array([0.01, 1.0, 0.3, -0.1], "float32"),
}
SETTINGS = {
    "augmentation.crop_s": 0.2,
    "augmentation.room_probability": 0.5,
    "training.batch_size": 4,
    "training.steps_per_epoch": 3,
}


@pytest.fixture(scope="module")
def config():
    return configs.load("cnn_ablstm_mtl", SETTINGS)


def write(path, samples, rate=16000):
    buffer = io.BytesIO()
    soundfile.write(buffer, samples, rate, format="WAV", subtype="FLOAT")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(buffer.getvalue())


def test_rooms_are_named_by_their_files_and_come_at_one_rate(tmp_path):
    write(tmp_path / "hall.wav", np.repeat(RNG.standard_normal((9000, 1)), 2, axis=1), 48000)
    write(tmp_path / "small" / "church.wav", MEASURED["church"])
    found = rooms.read(tmp_path)
    assert {name: len(response) for name, response in found.items()} == {"hall": 3000, "church": 6000}
    np.testing.assert_allclose(found["church"], MEASURED["church"])


def test_a_small_room_may_answer_for_less_than_a_tenth_of_a_second(tmp_path):
    write(tmp_path / "car.wav", MEASURED["church"][:800])
    found = rooms.read(tmp_path)["car"]
    np.testing.assert_array_equal(found, np.pad(MEASURED["church"][:800], (0, 800)))


def test_a_manifest_tells_the_licences(tmp_path):
    write(tmp_path / "hall.wav", MEASURED["church"])
    assert rooms.licences(tmp_path) == {"as its owner says"}
    write(tmp_path / "small" / "church.wav", MEASURED["church"])
    (tmp_path / "manifest.csv").write_text("room,file,licence\nHall,hall.wav,CC BY-SA 3.0\nAttic,attic.wav,CC0 1.0\n")
    assert rooms.licences(tmp_path) == {"CC-BY-SA-3.0", "as its owner says"}


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_a_manifest_in_the_encoding_of_whoever_wrote_it(tmp_path, encoding):
    write(tmp_path / "hall.wav", MEASURED["church"])
    (tmp_path / "manifest.csv").write_bytes("file,licence,room\nhall.wav,CC BY 3.0,Küche\n".encode(encoding))
    assert rooms.licences(tmp_path) == {"CC-BY-3.0"}


@pytest.mark.parametrize(
    ("text", "received"),
    [("file,license\nhall.wav,CC0-1.0\n", "file, license"), ("file;licence\n", "file;"), ("", "none")],
)
def test_a_manifest_without_its_columns(tmp_path, text, received):
    write(tmp_path / "hall.wav", MEASURED["church"])
    (tmp_path / "manifest.csv").write_text(text)
    with pytest.raises(CorpusError, match=f"manifest.csv must have the columns file and licence. Received: {received}"):
        rooms.licences(tmp_path)


def test_folders_that_hold_no_room(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="must hold impulse responses as sound files. Received"):
        rooms.read(tmp_path / "empty")
    with pytest.raises(MissingFileError):
        rooms.read(tmp_path / "nothing")
    write(tmp_path / "silent" / "a.wav", np.zeros(2000))
    with pytest.raises(CorpusError, match="a.wav is silent"):
        rooms.read(tmp_path / "silent")
    for part in "xy":
        write(tmp_path / "twice" / part / "a.wav", MEASURED["church"])
    with pytest.raises(CorpusError, match="each name once. Received twice: a"):
        rooms.read(tmp_path / "twice")


def test_what_is_cut_of_a_response_is_never_heard():
    responses = rooms.Responses(MEASURED, 0.1)
    assert [len(responses[i]) for i in range(3)] == [1, np.abs(MEASURED["church"]).argmax() + 1600, 4]
    x, n = RNG.standard_normal((1, 1600)).astype("float32"), np.array([1600])
    whole, cut = (
        np.asarray(layers.Reverberate()(x, n, room[None], np.array([len(room)])))
        for room in (MEASURED["church"], responses[1])
    )
    np.testing.assert_allclose(cut, whole, atol=1e-5)
    dry = np.asarray(layers.Reverberate()(x, n, responses[0][None], np.array([1])))
    np.testing.assert_array_equal(dry, x)


def test_the_plan_of_the_rooms(config):
    drawn = plan_rooms(3, 20000, 4, 1, config.augmentation)
    assert np.mean(drawn == 0) == pytest.approx(0.5, abs=0.02)
    for room in (1, 2, 3):
        assert np.mean(drawn == room) == pytest.approx(0.5 / 3, abs=0.015)
    np.testing.assert_array_equal(drawn, plan_rooms(3, 20000, 4, 1, config.augmentation))
    assert not np.array_equal(drawn, plan_rooms(3, 20000, 5, 1, config.augmentation))


def test_rooms_change_no_other_draw(config):
    without, with_rooms = plan_epoch(TARGETS, 0, 5, config), plan_epoch(TARGETS, 0, 5, config, num_rooms=2)
    assert with_rooms.pop("room_index").shape == (12,)
    assert set(without) == set(with_rooms)
    for key, values in without.items():
        np.testing.assert_array_equal(values, with_rooms[key])


def test_both_feeds_play_in_the_same_rooms(config):
    feed = pipeline.ArrayFeed(CLIPS, TARGETS, config, seed=2, rooms=MEASURED)
    inputs, _, _ = feed[0]
    assert {"room", "room_num_samples"} <= set(inputs)
    lengths = {len(rooms.Responses(MEASURED, 0.2)[i]) for i in range(3)}
    assert {int(n) for step in range(3) for n in feed[step][0]["room_num_samples"]} == lengths
    if keras.backend.backend() != "tensorflow":
        return
    for step, batch in enumerate(pipeline.dataset(CLIPS, TARGETS, config, seed=2, rooms=MEASURED).take(3)):
        for ours, theirs in zip(feed[step], batch, strict=True):
            assert set(ours) == set(theirs)
            for key, values in ours.items():
                np.testing.assert_array_equal(values, theirs[key].numpy(), err_msg=key)


def test_the_network_hears_the_clip_in_its_room_and_then_the_noise(tmp_path):
    write(tmp_path / "hiss" / "1.wav", 0.1 * RNG.standard_normal(8000))
    sounds = noises.read({"folder": tmp_path})
    off = {"augmentation.speed": [1.0, 1.0], "augmentation.gain_db": [0.0, 0.0], "augmentation.mixup_probability": 0.0}
    config = configs.load("cnn_ablstm_mtl", SETTINGS | off | {"model.conv_filters": [4] * 5, "model.lstm_units": 4})
    model = building.build(config, {"emotion": ["anger", "sadness"], "gender": ["female", "male"]}, seed=0)
    heard = keras.Model(model.input, {"waveform": model.input["waveform"], **model.output})
    wrapper = augmented(heard, config, 0, recorded_noise=True, in_rooms=True)
    inputs, _, _ = pipeline.ArrayFeed(CLIPS, TARGETS, config, seed=0, noise=sounds, rooms=MEASURED)[0]
    told = np.asarray(wrapper(inputs, training=True)["waveform"])
    x, n = inputs["waveform"], inputs["num_samples"]
    wet = np.asarray(layers.Reverberate()(x, n, inputs["room"], inputs["room_num_samples"]))
    noisy = layers.MixAtSNR()(wet, n, inputs["noise"], inputs["noise_num_samples"], inputs["snr_db"])
    np.testing.assert_allclose(told, np.asarray(noisy), atol=1e-6)
    in_room = inputs["room_num_samples"] > 1
    assert 0 < in_room.sum() < 4
    assert [np.array_equal(*pair) for pair in zip(wet, x, strict=True)] == (~in_room).tolist()


def test_without_rooms_nothing_of_them_is_computed(config):
    model = building.build(config, {"emotion": ["anger", "sadness"], "gender": ["female", "male"]}, seed=0)
    kinds = {type(layer) for layer in augmented(model, config, 0).layers}
    assert layers.Reverberate not in kinds and layers.RandomSilence not in kinds
    quiet = configs.override(config, {"augmentation.silence_s": 0.3})
    (layer,) = (each for each in augmented(model, quiet, 0).layers if isinstance(each, layers.RandomSilence))
    assert layer.max_samples == 4800


def test_rooms_that_are_missing_or_never_heard(config):
    check_rooms(config, MEASURED)
    with pytest.raises(RunError, match="give a folder of their impulse responses .--rooms FOLDER.. Received none"):
        check_rooms(config, None)
    never = configs.override(config, {"augmentation.room_probability": 0.0})
    check_rooms(never, None)
    with pytest.raises(RunError, match="room_probability must be above 0. Received: 0.0"):
        check_rooms(never, MEASURED)
    types = configs.load("mtl_aug", {"augmentation.room_probability": 0.5})
    with pytest.raises(RunError, match="tells types of augmentation apart, and rooms are none of them"):
        check_rooms(types, MEASURED)


def test_no_room_of_training_is_one_of_a_test(tmp_path):
    for name in ("hall", "attic"):
        write(tmp_path / f"{name}.wav", MEASURED["church"])
    models = [SimpleNamespace(card={"rooms": ["hall", "cellar"]}), SimpleNamespace(card={})]
    assert list(_unknown_rooms([(model, None) for model in models], tmp_path)) == ["attic"]


def test_the_measured_rooms_that_developers_have(shared_data):
    found = rooms.read(shared_data / "RIR")
    assert len(found) == 4 and all(np.isfinite(response).all() for response in found.values())
    assert rooms.licences(shared_data / "RIR") == {"CC-BY-SA-3.0", "CC-BY-3.0", "CC0-1.0"}
    assert sorted(found) == ["large_church", "medium_chamber", "medium_hall", "seminar_room_clap"]
