"""Plans, feeds and predictions, without a network of any size."""

import threading
from types import SimpleNamespace

import keras
import numpy as np
import pandas as pd
import pytest
import soundfile

from serzoo import audio, pipeline
from serzoo import config as configs
from serzoo.errors import AudioError, CorpusError
from serzoo.plan import places_of, plan_epoch, plan_noise, plan_rooms

HEADS = {"emotion": ["anger", "calm", "fear"], "gender": ["female", "male"]}


def settings(**changes):
    training = {"sampling": "balanced", "steps_per_epoch": 5, "batch_size": 4}
    augmentation = {"crop_s": 0.2, "mixup_alpha": 0.4, "mixup_probability": 0.5}
    for section in (training, augmentation):
        section |= {key: value for key, value in changes.items() if key in section}
    others = {"streams": {}, "labels": {head: head for head in HEADS}}
    others |= {key: value for key, value in changes.items() if key in others}
    return SimpleNamespace(training=SimpleNamespace(**training), augmentation=SimpleNamespace(**augmentation), **others)


def table_of(emotions, genders):
    return pd.DataFrame({"emotion": pd.Series(emotions, dtype=object), "gender": pd.Series(genders, dtype=object)})


@pytest.fixture
def targets():
    """Ten clips, the classes 6 : 3 : 1, two of them without gender."""
    return pipeline.labels(
        table_of(["anger"] * 6 + ["calm"] * 3 + ["fear"], ["female", "male", np.nan, None] + ["male"] * 6), HEADS
    )


@pytest.fixture
def waves():
    random = np.random.default_rng(0)
    return [
        random.normal(size=n).astype("float32") for n in (1600, 3199, 3200, 3201, 5000, 1700, 9000, 4000, 2000, 6000)
    ]


def plan(targets, epoch=0, seed=0, **changes):
    config = settings(**changes)
    return plan_epoch(targets, epoch, seed, config)


# --- plan -----------------------------------------------------------------------------------------------------------


def test_labels(targets):
    assert targets["emotion"].sum(axis=0).tolist() == [6, 3, 1]
    assert targets["gender"].tolist()[:4] == [[1, 0], [0, 1], [0, 0], [0, 0]]
    assert all(values.dtype == np.float32 for values in targets.values())


def test_balanced_draws(targets):
    index = plan(targets, steps_per_epoch=3000, batch_size=4)["index"]
    emotion = targets["emotion"].argmax(axis=1)
    for counts in (np.bincount(emotion[index]), np.bincount(index)[:6], np.bincount(index)[6:9]):
        expected = counts.sum() / len(counts)
        assert ((counts - expected) ** 2 / expected).sum() < 20  # chi-square of 2 and 5 degrees: p < 0.002


def test_uniform_draws_each_clip_once_before_any_twice(targets):
    index = plan(targets, sampling="uniform", steps_per_epoch=6, batch_size=4)["index"]
    assert sorted(index[:10]) == sorted(index[10:20]) == list(range(10)) and len(set(index[20:])) == 4
    assert len(plan(targets, sampling="uniform", steps_per_epoch=None, batch_size=4)["index"]) == 12


def test_a_plan_depends_on_seed_and_epoch_alone(targets):
    first, again = plan(targets, 3, 7), plan(targets, 3, 7)
    assert all(np.array_equal(first[key], again[key]) for key in first)
    for other in (plan(targets, 4, 7), plan(targets, 3, 8)):
        assert not np.array_equal(first["index"], other["index"]) and not np.array_equal(first["crop"], other["crop"])


def test_mix_against_a_literal_version(targets):
    drawn = plan(targets, steps_per_epoch=50)
    mixed = 0
    for place, (index, partner, weight) in enumerate(
        zip(drawn["index"], drawn["partner"], drawn["weight"], strict=True)
    ):
        assert 0 <= partner < 4 and 0 <= drawn["crop"][place] <= 1 and 0 <= weight <= 1
        other = drawn["index"][4 * (place // 4) + partner]
        for task, values in targets.items():
            soft = weight * values[index] + (1 - weight) * values[other]
            np.testing.assert_allclose(drawn[f"labels/{task}"][place], soft, atol=1e-7)
            known = values[index].any() and (values[other].any() or weight == 1)
            assert drawn[f"weights/{task}"][place] == float(known)
            if known:
                assert drawn[f"labels/{task}"][place].sum() == pytest.approx(1, abs=1e-6)
        mixed += weight != 1
    assert 70 < mixed < 130  # of 200 at probability 0.5
    for batch in drawn["partner"].reshape(-1, 4):
        assert sorted(batch) == [0, 1, 2, 3]
    assert (plan(targets, mixup_probability=0.0)["weight"] == 1).all()


def test_streams_have_their_places_and_mix_within_themselves(targets):
    """Clips 0 to 5 are the main stream, the rest are a second one, in which gender is known of all and is balanced."""
    stream = np.eye(2, dtype="float32")[[0] * 6 + [1] * 4]
    targets |= {"stream": stream, "gender": np.eye(2, dtype="float32")[[0] * 7 + [1] * 3]}
    options = {"streams": {"emotion": 3.0, "gender": 1.0}, "labels": {"emotion": "emotion", "domain": "stream"}}
    drawn = plan(targets, steps_per_epoch=200, **options)
    for index, partner in zip(drawn["index"].reshape(-1, 4), drawn["partner"].reshape(-1, 4), strict=True):
        assert (index[:3] < 6).all() and index[3] >= 6
        assert sorted(partner[:3]) == [0, 1, 2] and partner[3] == 3
    assert set(drawn) == {"index", "crop", "partner", "weight"} | {
        f"{kind}/{name}" for kind in ("labels", "weights") for name in ("emotion", "domain")
    }
    np.testing.assert_allclose(
        drawn["labels/domain"].reshape(-1, 4, 2), np.broadcast_to(stream[[0, 0, 0, 9]], (200, 4, 2))
    )
    women = (drawn["index"] == 6).sum()
    assert 70 < women < 130  # of 200, though she is one of four


def test_an_objective_without_a_label_is_a_loss_itself(targets):
    drawn = plan(targets, labels={"emotion": "emotion", "difference": None})
    assert drawn["labels/difference"].shape == (20, 1) and drawn["weights/difference"].all()


@pytest.mark.parametrize(
    ("streams", "size", "expected"),
    [
        ({}, 4, {"emotion": 4}),
        ({"emotion": 0.5, "target": 0.5}, 32, {"emotion": 16, "target": 16}),
        ({"emotion": 2.0, "a": 1.0, "b": 1.0}, 10, {"emotion": 5, "a": 3, "b": 2}),
        ({"emotion": 100.0, "a": 1.0, "b": 1.0}, 4, {"emotion": 2, "a": 1, "b": 1}),
    ],
)
def test_places_of_streams(streams, size, expected):
    assert places_of(streams, size) == expected


def test_crops_reach_both_ends_and_leave_short_clips_whole():
    clip = np.arange(10, dtype="float32")
    rate = audio.SAMPLE_RATE_HZ
    assert pipeline.cropped(clip, 0.0, 4 / rate).tolist() == [0, 1, 2, 3]
    assert pipeline.cropped(clip, 0.999, 4 / rate).tolist() == [6, 7, 8, 9]
    assert pipeline.cropped(clip, 0.5, 99 / rate).tolist() == clip.tolist()


def test_a_crop_is_the_same_in_either_precision():
    clip = np.zeros(2**22, "float32")  # so long that a product rounded to float32 is often off by a sample
    for crop in np.random.default_rng(0).random(2000).astype("float32"):
        one, other = (pipeline.cropped(clip, u, 1.0) for u in (crop, float(crop)))
        assert one.ctypes.data == other.ctypes.data


# --- feeds ----------------------------------------------------------------------------------------------------------


def check_batches(feed, waves, targets, config, epoch):
    """The batches of a feed are what the plan says, padded with zeros."""
    drawn = plan_epoch(targets, epoch, 5, config)
    for step in range(5):
        inputs, answers, weights = feed[step]
        rows = slice(4 * step, 4 * step + 4)
        for row, (index, u) in enumerate(zip(drawn["index"][rows], drawn["crop"][rows], strict=True)):
            clip = pipeline.cropped(waves[index], u, 0.2)
            n = inputs["num_samples"][row]
            assert n == len(clip) and np.array_equal(inputs["waveform"][row, :n], clip)
            assert not inputs["waveform"][row, n:].any()
        assert inputs["waveform"].shape == (4, max(inputs["num_samples"]))
        for task in HEADS:
            assert np.array_equal(answers[task], drawn[f"labels/{task}"][rows])
            assert np.array_equal(weights[task], drawn[f"weights/{task}"][rows])


def test_array_feed(waves, targets):
    config = settings()
    feed = pipeline.ArrayFeed(waves, targets, config, 5)
    assert len(feed) == 5
    check_batches(feed, waves, targets, config, 0)
    feed.on_epoch_end()
    check_batches(feed, waves, targets, config, 1)
    feed.draw(7)
    check_batches(feed, waves, targets, config, 7)


def test_both_feeds_give_the_same_batches(waves, targets):
    pytest.importorskip("tensorflow")
    config = settings()
    by_tf_data = pipeline.dataset(waves, targets, config, 5, epoch=2).take(10).as_numpy_iterator()
    feed = pipeline.ArrayFeed(waves, targets, config, 5, epoch=2)
    for number, batch in enumerate(by_tf_data):
        if number == 5:
            feed.on_epoch_end()
        for one, other in zip(batch, feed[number % 5], strict=True):
            assert set(one) == set(other)
            for key in one:
                assert one[key].dtype == np.asarray(other[key]).dtype, key
                assert np.array_equal(one[key], other[key]), key
    assert number == 9


def test_fit_sees_the_epochs_of_the_plan(waves, targets):
    """Keras itself, whichever backend: every epoch is the one that ``draw`` asked for."""
    seen = []

    class Spy(pipeline.ArrayFeed):
        def __getitem__(self, step):
            inputs, answers, _ = super().__getitem__(step)
            seen.append(inputs["weight"])
            return {"weight": inputs["weight"]}, answers["emotion"]

    feed = Spy(waves, targets, settings(), 5)
    weight = keras.Input((), name="weight")
    model = keras.Model({"weight": weight}, keras.layers.Dense(3)(keras.ops.expand_dims(weight, 1)))
    model.compile("sgd", "mse")
    turn = keras.callbacks.LambdaCallback(on_epoch_begin=lambda epoch, logs: (seen.clear(), feed.draw(epoch)))
    for epoch in (1, 3):
        model.fit(feed, initial_epoch=epoch, epochs=epoch + 1, shuffle=False, verbose=0, callbacks=[turn])
        assert np.array_equal(np.concatenate(seen[:5]), plan(targets, epoch, 5)["weight"])


# --- clips ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def files(tmp_path, waves):
    for i, wave in enumerate(waves):
        soundfile.write(tmp_path / f"{i}.wav", wave / 10, 16000, subtype="FLOAT")
    names = [f"{i}.wav" for i in range(len(waves))]
    return pd.DataFrame({"corpus": "toy", "file": names, "start": np.nan, "end": np.nan}), {"toy": tmp_path}


@pytest.fixture
def decoded(monkeypatch):
    """Names of the files that were decoded."""
    names, read = [], audio.read

    def spy(path, *args, **kwargs):
        names.append(path.name)
        return read(path, *args, **kwargs)

    monkeypatch.setattr(audio, "read", spy)
    return names


def test_clips_are_decoded_once_while_the_cache_has_room(files, waves, decoded):
    room = 4 * (len(waves[0]) + len(waves[1]) + 100)
    clips = pipeline.Clips(*files, cache_bytes=room)
    for _ in range(3):
        for i, wave in enumerate(waves):
            np.testing.assert_allclose(clips[i], wave / 10, atol=1e-6)
    counts = {name: decoded.count(name) for name in set(decoded)}
    assert counts == {f"{i}.wav": 1 if i < 2 else 3 for i in range(10)}
    assert clips[0].dtype == np.float32 and len(clips) == 10


def test_rows_of_the_same_sound_share_it(files, waves, decoded):
    table, roots = files
    table = pd.concat([table.iloc[[6, 7]], table.iloc[[6]], table.iloc[[6]].assign(end=0.2)], ignore_index=True)
    clips = pipeline.Clips(table, roots, cache_bytes=4 * (len(waves[6]) + len(waves[7]) + 3200))
    for _ in range(2):
        assert [len(clips[i]) for i in range(4)] == [len(waves[6]), len(waves[7]), len(waves[6]), 3200]
    assert decoded == ["6.wav", "7.wav", "6.wav"] and clips[2] is clips[0]


def test_clips_decoded_by_two_threads_take_their_room_once(files, waves, monkeypatch):
    together, read = threading.Barrier(2), audio.read

    def wait(*args, **kwargs):
        together.wait(timeout=10)
        return read(*args, **kwargs)

    clips = pipeline.Clips(*files, cache_bytes=4 * 2 * len(waves[0]))
    with monkeypatch.context() as patch:
        patch.setattr(audio, "read", wait)
        threads = [threading.Thread(target=clips.__getitem__, args=(0,)) for _ in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert clips._room == 4 * len(waves[0])


def test_clips_of_a_part_of_a_file(files, waves):
    table, roots = files
    times = [(np.nan, np.nan), (0.1, 0.3), (np.nan, 0.2), (0.2, np.nan)]
    table = pd.DataFrame([{"corpus": "toy", "file": "6.wav", "start": a, "end": b} for a, b in times])
    clips = pipeline.Clips(table, roots)
    for i, (start, end) in enumerate([(0, 9000), (1600, 4800), (0, 3200), (3200, 9000)]):
        np.testing.assert_allclose(clips[i], waves[6][start:end] / 10, atol=1e-6)


def test_clips_without_a_root(files):
    with pytest.raises(CorpusError, match="No root folder was given for: toy. Received: other"):
        pipeline.Clips(files[0], {"other": "."})


# --- prediction -----------------------------------------------------------------------------------------------------


def test_evaluation_batches_hold_each_clip_once_with_others_of_its_length():
    waves = [np.full(n, n, "float32") for n in np.random.default_rng(1).integers(1600, 9000, 75)]
    seen, padding = [], 0
    for indices, inputs in pipeline.evaluation_batches(waves, batch_size=2):
        seen += indices.tolist()
        padding += (inputs["waveform"] == 0).sum()
        for i, row, n in zip(indices, inputs["waveform"], inputs["num_samples"], strict=True):
            assert n == len(waves[i]) and (row[:n] == n).all() and not row[n:].any()
    assert sorted(seen) == list(range(75))
    assert padding < 0.05 * sum(map(len, waves))
    assert list(pipeline.evaluation_batches([])) == []


def test_evaluation_reads_a_few_batches_ahead_and_no_more(files, monkeypatch):
    table, roots = files
    table = pd.concat([table] * 20, ignore_index=True)
    alive, most = [], 0

    class Counted(pipeline.Clips):
        def __getitem__(self, index):
            alive.append(index)
            return super().__getitem__(index)

    clips = Counted(table, roots, cache_bytes=0)
    done = 0
    for indices, _ in pipeline.evaluation_batches(clips, batch_size=2):
        most = max(most, len(alive) - done)
        done += len(indices)
    assert done == 200 and most <= 32
    assert not clips._cache


class Loudness:
    """Stands in for a classifier: what it says of a clip depends on the valid samples alone."""

    heads = {"emotion": ["quiet", "loud"], "gender": ["a", "b", "c"]}

    def predict_on_batch(self, inputs):
        mask = np.arange(inputs["waveform"].shape[1])[None] < inputs["num_samples"][:, None]
        x = (np.abs(inputs["waveform"]) * mask).sum(axis=1) / inputs["num_samples"]
        return {"emotion": np.stack([1 - x, x], axis=1), "gender": np.stack([x, x / 2, x / 3], axis=1)}


def test_predictions_come_in_the_order_of_the_clips(waves, files):
    answers = pipeline.predict(Loudness(), waves, batch_size=3)
    for i, wave in enumerate(waves):
        alone = pipeline.predict(Loudness(), [wave])
        for task in Loudness.heads:
            np.testing.assert_allclose(answers[task][i], alone[task][0], atol=1e-5)
    assert answers["emotion"].shape == (10, 2) and answers["gender"].dtype == np.float32
    by_table = pipeline.predict_table(Loudness(), *files)
    np.testing.assert_allclose(by_table["gender"], answers["gender"] / 10, atol=1e-5)


def test_a_bad_file_is_named(files):
    table, roots = files
    (roots["toy"] / "3.wav").write_bytes(b"no sound")
    with pytest.raises(AudioError, match="3.wav"):
        pipeline.predict_table(Loudness(), table, roots)


def test_rooms_are_drawn_apart_from_the_noise():
    half = {"augmentation.room_probability": 0.5, "augmentation.noise_probability": 0.5}
    augmentation = configs.load("cnn_ablstm_mtl", half).augmentation
    room = plan_rooms(2, 20000, 0, 1, augmentation)
    noise = plan_noise(np.eye(4, dtype="float32")[[0, 1]], 20000, 0, 1, augmentation)
    for drawn in (noise["noise_index"], noise["noise_crop"], noise["noise_class"] == 2):
        for own in (room == 0, room == 1):
            assert abs(np.corrcoef(own, drawn)[0, 1]) < 0.03


def test_a_continuous_stream_draws_each_labelled_clip_equally_often(targets):
    arousal = np.float32([[0, 0]] * 6 + [[1, 0], [1, 0], [0.5, 0.5], [0.1, 0.9]])  # of clip 5 it is not known
    targets |= {"stream": np.eye(2, dtype="float32")[[0] * 5 + [1] * 5], "arousal": arousal}
    options = {"streams": {"emotion": 3.0, "arousal": 1.0}, "labels": {"emotion": "emotion"}}
    index = plan(targets, steps_per_epoch=4000, **options)["index"].reshape(-1, 4)[:, 3]
    assert np.bincount(index, minlength=10)[5:] / 4000 == pytest.approx([0, 0.25, 0.25, 0.25, 0.25], abs=0.03)


def test_weights_of_the_mix_are_drawn_from_the_beta_distribution(targets):
    weight = plan(targets, steps_per_epoch=2000)["weight"]
    assert np.var(weight[weight != 1]) == pytest.approx(0.25 / (2 * 0.4 + 1), abs=0.01)
