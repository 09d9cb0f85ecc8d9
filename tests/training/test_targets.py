"""An unlabelled target: what is asked of it before the first step, and that its labels are never read."""

import numpy as np
import pandas as pd
import pytest

from serzoo import building, corpora, pipeline
from serzoo import config as configs
from serzoo.errors import ConfigError, RunError
from serzoo.plan import augmentation_types, plan_epoch
from serzoo.training import checks
from serzoo.training.streams import label_classes, labels_of, streams_of, with_streams
from serzoo.training.target import adaptation_of

CLASSES = ["anger", "happiness", "neutral", "sadness"]


def rows(corpus, speakers, count=4, seed=0):
    random = np.random.default_rng(seed)
    number = len(speakers) * count
    return pd.DataFrame(
        {
            "corpus": corpus,
            "file": [f"{corpus}{i}.wav" for i in range(number)],
            "start": np.nan,
            "end": np.nan,
            "speaker": np.repeat(speakers, count),
            "emotion": random.choice(CLASSES, number),
            "gender": random.choice(["female", "male"], number),
        }
    )


def trained_on(config, target):
    """What training gets: the one-hot labels by name, and the plan of an epoch."""
    source = rows("emodb", ["03", "08", "09"], count=8)
    fold = corpora.Fold(0, (("emodb", "03"), ("emodb", "08")), (), (("emodb", "09"),))
    learnt = labels_of(with_streams(fold.split(source)[0], {"target": target}, fold))
    heads = building.heads_of(config, CLASSES)
    labels = heads | label_classes(learnt, config, known=heads)
    targets = pipeline.labels(learnt, labels)
    return targets, plan_epoch(targets, 3, 7, config)


@pytest.mark.parametrize("name", ["bidann", "dstl"])
def test_wrong_labels_of_the_target_change_nothing(name):
    config = configs.load(name, {"training.batch_size": 8, "training.steps_per_epoch": 3})
    target = rows("emovo", ["f1", "m1"], seed=1)
    wrong = target.assign(emotion="anger", gender="male")
    for one, other in zip(trained_on(config, target), trained_on(config, wrong), strict=True):
        assert one.keys() == other.keys()
        for key in one:
            np.testing.assert_array_equal(one[key], other[key])
    targets, plan = trained_on(config, target)
    assert not targets["emotion"][targets["stream"][:, 1] == 1].any()
    for batch in plan["weights/emotion"].reshape(3, 8):
        assert not batch[4:].any() and batch[:4].any()
    if name == "bidann":
        assert (plan["labels/domain"].reshape(3, 8, 2)[:, 4:, 1] == 1).all()


@pytest.mark.parametrize("name", ["bidann", "dstl"])
def test_a_model_that_needs_a_target_says_so(name):
    with pytest.raises(RunError, match=f"{name} trains on the streams emotion, target. Received beside emotion: none"):
        streams_of({}, configs.load(name))


def way(protocol, source, target=None, *, tested=(), transductive=False):
    fold = corpora.Fold(0, (), (), tuple(tested))
    others = {} if target is None else {"target": target}
    return adaptation_of(configs.load("dstl"), corpora.protocol(protocol), [fold], source, others, transductive)


def test_a_target_is_another_corpus_with_the_same_classes():
    source = rows("ravdess", ["01"])
    with pytest.raises(RunError, match="The target of dstl holds recordings of its source"):
        way("ravdess8-5fold", source, source)
    with pytest.raises(RunError, match="The target emodb has no clips of calm, surprise, which dstl would look for"):
        way("ravdess8-5fold", source, rows("emodb", ["03"]))
    assert way("emodb4-loso", rows("emodb", ["03"]), source) == "inductive"
    assert way("ravdess8-5fold", source) is None


def test_the_tested_speakers_are_heard_or_not_as_was_asked():
    source, target = rows("ravdess", ["01"]), rows("emodb", ["03", "08"])
    name, both = "cross-ravdess-to-emodb", [("emodb", "03"), ("emodb", "08")]
    assert way(name, source, target, tested=both, transductive=True) == "transductive"
    assert way(name, source, target, tested=both[:1]) == "inductive"
    with pytest.raises(RunError, match="tests every speaker of the target at once.*take 3fold-cross-ravdess-to-emodb"):
        way(name, source, target, tested=both)
    with pytest.raises(RunError, match="emodb4-loso tests none of the target's, which are of ravdess. Leave --transd"):
        way("emodb4-loso", rows("emodb", ["03"]), source, tested=both[:1], transductive=True)
    with pytest.raises(RunError, match="dstl: a transductive training needs a target, as in --target CORPUS=ROOT"):
        way("ravdess8-5fold", source, transductive=True)
    # another form of the same corpus has the same speakers
    with pytest.raises(RunError, match="tests every speaker of the target at once"):
        way(name, source, rows("emodb_first2s", ["03", "08"]), tested=both)


def test_only_the_target_may_hold_tested_speakers():
    fold = corpora.Fold(0, (("emodb", "03"),), (("emodb", "08"),), (("emovo", "f1"),))
    source, target = rows("emodb", ["03"]), rows("emovo", ["f1", "m1"])
    both = {"target": target, "unlabelled": target}
    for transductive, heard in ((False, {"m1"}), (True, {"f1", "m1"})):
        joined = with_streams(source, both, fold, transductive=transductive)
        assert set(joined.speaker[joined.stream == "target"]) == heard
        assert set(joined.speaker[joined.stream == "unlabelled"]) == {"m1"}


def test_a_speaker_head_is_refused_and_a_speaker_objective_knows_training_speakers():
    config = configs.load("aae_mtl", {"heads": {"emotion": {"loss_weight": 1.0, "label_smoothing": 0.0}}})
    speaker = config.heads["emotion"]
    with pytest.raises(ConfigError, match="a head 'speaker' would meet speakers that it never heard"):
        building.heads_of(config.model_copy(update={"heads": {**config.heads, "speaker": speaker}}), CLASSES)
    source = rows("emodb", ["03", "08", "09"])
    fold = corpora.Fold(0, (("emodb", "03"), ("emodb", "08")), (), (("emodb", "09"),))
    learnt = labels_of(with_streams(fold.split(source)[0], {}, fold))
    assert label_classes(learnt, config, known={})["speaker"] == ["emodb 03", "emodb 08"]


# --- types of augmentation ------------------------------------------------------------------------------------------


def test_types_are_drawn_equally_often_and_reach_the_label():
    config = configs.load("mtl_aug", {"training.batch_size": 32, "training.steps_per_epoch": 50})
    assert augmentation_types(config) == ["none", "speed", "mixup", "noise"]
    emotion = np.eye(4, dtype="float32")[np.arange(40) % 4]
    plan = plan_epoch({"emotion": emotion}, 0, 0, config)
    kind = plan["augmentation"]
    assert np.bincount(kind).tolist() == pytest.approx([400] * 4, abs=60)
    np.testing.assert_array_equal(plan["labels/augmentation"].argmax(axis=1), kind)
    assert (plan["labels/augmentation"].sum(axis=1) == 1).all() and (plan["weights/augmentation"] == 1).all()
    assert (plan["weight"][kind != 2] == 1).all() and (plan["weight"][kind == 2] < 1).mean() > 0.95
    without = plan_epoch({"emotion": emotion}, 0, 0, config.model_copy(update={"objectives": {}}))
    assert "augmentation" not in without
    np.testing.assert_array_equal(plan["index"], without["index"])


def test_types_need_an_augmentation_and_their_own_noise():
    off = {
        "augmentation.speed": [1.0, 1.0],
        "augmentation.mixup_probability": 0.0,
        "augmentation.noise_probability": 0.0,
    }
    table = rows("emodb", ["03", "08"])
    with pytest.raises(RunError, match="mtl_aug learns to tell types of augmentation apart, and its config changes no"):
        checks.check_labels(configs.load("mtl_aug", off), table, {})
    with pytest.raises(RunError, match="mtl_aug tells types of augmentation apart and draws its noise itself"):
        checks.check_noise(configs.load("mtl_aug"), object())


def test_in_no_fold_all_of_the_target_choose_or_judge():
    name, one, other = "cross-ravdess-to-emodb", (("emodb", "03"),), (("emodb", "08"),)
    source, others = rows("ravdess", ["01"]), {"target": rows("emodb", ["03", "08"])}
    for folds in (
        [corpora.Fold(0, (), one, other)],
        [corpora.Fold(0, (), (), one + other), corpora.Fold(1, (), (), one)],
    ):
        with pytest.raises(RunError, match="none is left to adapt to"):
            adaptation_of(configs.load("dstl"), corpora.protocol(name), folds, source, others, False)


def test_a_class_of_the_target_may_be_a_merged_one():
    source, target = rows("ravdess", ["01"]), rows("emodb", ["03", "08"])
    name = "cross-ravdess-to-emodb@anger,calm=boredom"
    assert way(name, source, target, tested=[("emodb", "03")]) == "inductive"
