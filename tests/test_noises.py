"""Recorded noise: its plan, its feeds, and what is refused of it."""

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from serzoo import config as configs
from serzoo import noises, pipeline
from serzoo.errors import AudioError, CorpusError
from serzoo.plan import plan_epoch, plan_noise

RNG = np.random.default_rng(0)
TARGETS = {"emotion": np.eye(2, dtype="float32")[[0, 1] * 4], "gender": np.eye(2, dtype="float32")[[0, 0, 1, 1] * 2]}
CLIPS = [RNG.normal(scale=0.1, size=3000 + 400 * i).astype("float32") for i in range(8)]


def write(root, **sounds):
    """A plain folder of folders: ``{"type/file": (samples, rate)}``."""
    for name, (samples, rate) in sounds.items():
        path = root / (name.replace("__", "/") + ".wav")
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, samples, rate, subtype="FLOAT")
    return {"folder": root}


@pytest.fixture(scope="module")
def sounds(tmp_path_factory):
    loud = 0.1 * RNG.standard_normal(30000)
    roots = write(
        tmp_path_factory.mktemp("noise"),
        rain__a=(loud[:16000], 16000),
        rain__b=(loud[:2000], 16000),  # shorter than a clip
        wind__c=(loud[:22050], 44100),  # at another rate
    )
    return noises.read(roots)


@pytest.fixture(scope="module")
def config():
    overrides = {
        "augmentation.crop_s": 0.2,
        "augmentation.noise_probability": 0.6,
        "augmentation.noise_alone_probability": 0.2,
        "training.batch_size": 4,
        "training.steps_per_epoch": 3,
    }
    return configs.load("asp_mtl_noise", overrides)


def test_recordings_and_classes(sounds):
    assert sounds.classes == ["rain", "wind", "clean", "noise_alone"] and len(sounds) == 3
    np.testing.assert_array_equal(sounds.targets, np.eye(4, dtype="float32")[[0, 0, 1]])
    assert [len(sounds[i]) for i in range(3)] == [16000, 2000, 8000]  # half a second at 44.1 kHz was resampled


def test_a_stretch_of_a_long_noise_is_cut_and_a_short_one_comes_whole():
    noise = np.arange(16000.0)
    cut = noises.stretch(noise, 0.999, 0.25)
    assert len(cut) == 4000 and cut[-1] > 15900 and (np.diff(cut) == 1).all()
    assert sorted(noises.stretch(noise, 0.3, 2.0)) == sorted(noise)
    assert noises.stretch(noise, 0.25, 2.0)[0] == 4000


def test_the_plan_of_the_noise(config, sounds):
    augmentation = config.augmentation
    plan = plan_noise(sounds.targets, 20000, 3, 1, augmentation)
    alone, clean = plan["noise_class"] == 3, plan["noise_class"] == 2
    assert np.mean(alone) == pytest.approx(0.2, abs=0.01)
    assert np.mean(clean[~alone]) == pytest.approx(0.4, abs=0.015)
    np.testing.assert_array_equal(plan["snr_db"] == -np.inf, alone)
    np.testing.assert_array_equal(plan["snr_db"] == np.inf, clean)
    mixed = plan["snr_db"][~alone & ~clean]
    assert mixed.min() < -4.9 and mixed.max() > 19.9 and np.mean(mixed) == pytest.approx(7.5, abs=0.3)
    np.testing.assert_array_equal(
        plan["noise_class"][~alone & ~clean], [0, 0, 1] @ np.eye(3)[plan["noise_index"][~alone & ~clean]].T
    )
    assert np.mean(plan["noise_index"] == 2) == pytest.approx(0.5, abs=0.02)  # the types equally often
    again = plan_noise(sounds.targets, 20000, 3, 1, augmentation)
    assert all(np.array_equal(plan[key], again[key]) for key in plan)
    assert not np.array_equal(plan["snr_db"], plan_noise(sounds.targets, 20000, 4, 1, augmentation)["snr_db"])


def test_noise_changes_no_draw_of_the_clips_and_takes_the_labels_of_those_who_are_not_heard(config, sounds):
    quiet = configs.load("cnn_ablstm_mtl", {"training.batch_size": 4, "training.steps_per_epoch": 50})
    loud = configs.override(quiet, {"augmentation.noise_alone_probability": 0.3})
    without, with_noise = plan_epoch(TARGETS, 0, 5, quiet), plan_epoch(TARGETS, 0, 5, loud, sounds.targets)
    for key in ("index", "crop", "partner", "weight", "labels/emotion", "labels/gender"):
        np.testing.assert_array_equal(without[key], with_noise[key])
    heard = with_noise["snr_db"] > -np.inf
    assert 0 < heard.sum() < 200
    for task in ("emotion", "gender"):
        np.testing.assert_array_equal(with_noise[f"weights/{task}"], without[f"weights/{task}"] * heard)


def test_noise_has_a_label_in_every_place(config, sounds):
    plan = plan_epoch(TARGETS, 0, 5, config, sounds.targets)
    for name in ("noise", "adversary"):
        np.testing.assert_array_equal(plan[f"labels/{name}"].argmax(axis=1), plan["noise_class"])
        assert plan[f"weights/{name}"].all()


def test_both_feeds_mix_in_the_same(config, sounds):
    feed = pipeline.ArrayFeed(CLIPS, TARGETS, config, seed=2, noise=sounds)
    inputs, labels, weights = feed[1]
    assert {"noise", "noise_num_samples", "snr_db", "noise_class"} <= set(inputs)
    assert inputs["noise"].shape[1] <= 3200 and set(inputs["noise_num_samples"]) <= {2000, 3200}
    if keras.backend.backend() != "tensorflow":
        return
    for step, batch in enumerate(pipeline.dataset(CLIPS, TARGETS, config, seed=2, noise=sounds).take(3)):
        for ours, theirs in zip(feed[step], batch, strict=True):
            assert set(ours) == set(theirs)
            for key, values in ours.items():
                np.testing.assert_array_equal(values, theirs[key].numpy(), err_msg=key)


def test_what_cannot_be_used_is_refused(tmp_path):
    loud = 0.1 * RNG.standard_normal(4000)
    silent = write(tmp_path / "silent", rain__a=(loud, 16000), rain__b=(0 * loud, 16000))
    with pytest.raises(CorpusError, match="b.wav is silent"):
        noises.read(silent)
    broken = loud.copy()
    broken[7] = np.nan
    with pytest.raises(AudioError, match="a.wav"):
        noises.read(write(tmp_path / "nan", rain__a=(broken, 16000)))
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match="not a root of folder"):
        noises.read({"folder": tmp_path / "empty"})
    with pytest.raises(CorpusError, match="needs recordings, each with a type. Received: none at all"):
        noises.Noises(pd.DataFrame({"noise": []}), {})


def test_a_split_without_a_recording(tmp_path):
    root = tmp_path / "esc"
    write(root, **{"001 - Dog bark__1-100032-A": (0.1 * RNG.standard_normal(4000), 16000)})
    assert len(noises.read({"esc10": root})) == 1
    with pytest.raises(CorpusError, match="esc10 has no recording in its split 'test'"):
        noises.read({"esc10": root}, "test")


def test_recordings_without_a_split_beside_others_are_named(tmp_path):
    loud = (0.1 * RNG.standard_normal(4000), 16000)
    with pytest.raises(CorpusError, match="folder has splits, .* one. Received 1 without: rain/b.wav"):
        noises.read(write(tmp_path, train__wind__a=loud, rain__b=loud))


@pytest.mark.parametrize("name", ["clean", "noise_alone"])
def test_types_that_mean_something_else_are_refused(tmp_path, name):
    loud = (0.1 * RNG.standard_normal(4000), 16000)
    with pytest.raises(CorpusError, match=f"may be named clean or noise_alone, .* Received: {name}"):
        noises.read(write(tmp_path, **{f"{name}/a": loud, "rain/b": loud}))


def test_what_training_heard_of_a_corpus():
    train = {"esc10": {"types": ["dog", "rain"], "split": "train"}}
    whole = {"esc10": {"types": ["rain", "siren"], "split": None}, "demand": {"types": ["park"], "split": None}}
    assert noises.joined(train, train) == train and noises.joined() == {}
    both = noises.joined(train, whole)
    assert both == {**whole, "esc10": {"types": ["dog", "rain", "siren"], "split": None}}
    assert not noises.was_heard({"noise": train}, "esc50") and not noises.was_heard({}, "esc10")
    assert noises.was_heard({"noise": both}, "esc50") and noises.was_heard({"noise": both}, "demand")
    assert not noises.was_heard({"noise": both}, "musan")
