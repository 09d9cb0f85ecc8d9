"""Probes on planted features: they read what is there, nothing that is not, and never from a speaker they know."""

import numpy as np
import pandas as pd
import pytest

from serzoo.errors import CorpusError
from serzoo.evaluation.audit import Subject, leakage, probes
from serzoo.evaluation.audit.leakage import leakage as audit_leakage

LINEAR, MLP = probes.KINDS
ENCODERS = {
    "fold0": {"a": ["a2", "a3", "a4", "a5"]},
    "fold1": {"a": ["a0", "a1", "a4", "a5"]},
    "fold2": {"a": ["a0", "a1", "a2", "a3"]},
}


def table_of(num_clips=12, corpora=("a", "b"), speakers=6):
    """Six speakers of each corpus, women and men in turn."""
    rows = [
        (
            corpus,
            f"{corpus}{s}-{i}.wav",
            f"{corpus}{s}",
            ("female", "male")[s % 2],
            "anger" if i % 2 else "fear",
            f"t{i // 2}",
        )
        for corpus in corpora
        for s in range(speakers)
        for i in range(num_clips)
    ]
    table = pd.DataFrame(rows, columns=["corpus", "file", "speaker", "gender", "emotion", "text"])
    return table.assign(start=np.nan, end=np.nan)


class Encoder:
    """As much of a classifier as the audit looks at."""

    def __init__(self, name):
        self.training_speakers = ENCODERS[name]
        self.layers, self.card = [], {}


class Stub(Subject):
    def model(self, source):
        return Encoder(source)


@pytest.fixture
def planted(monkeypatch):
    """Features that hold what ``holds`` names, among noise."""

    def plant(*holds, layers=("embedding",)):
        def features(model, rows, roots, names, sounds=None, seed=0):
            rng = np.random.default_rng([int(speaker[1]) for speaker in model.training_speakers["a"]])
            x = rng.standard_normal((len(rows), 8))
            for column, label in enumerate(holds):
                if label == "noise" and sounds is not None:
                    x[:, column] += 8 * np.array([sound.name != "clean" for sound in sounds])
                elif label != "noise":
                    x[:, column] += 8 * pd.factorize(rows[label], sort=True)[0]
            return {name: x.astype("float32") for name in names}

        monkeypatch.setattr(probes, "KINDS", (LINEAR,))  # the MLP takes its time, and has a test of its own
        monkeypatch.setattr(leakage, "_features", features)
        monkeypatch.setattr(leakage, "_layers", lambda model: list(layers))
        return Stub("toy", encoders=list(ENCODERS))

    return plant


def found_of(result):
    return {(each["label"], each["probe"]): each for each in result["probes"]}


@pytest.fixture
def splits_of(monkeypatch):
    """The splits that the probes were given, by label."""
    seen = {}

    def run(splits, kind, *, of_speaker, **options):
        name = "noise" if not of_speaker else "|".join(sorted({str(x) for split in splits for x in split.labels})[:2])
        seen[name] = splits
        return {"probe": kind, "ua": {"value": 0, "ci_low": 0, "ci_high": 0}, "shuffled": {"mean": 0}, "reads": False}

    monkeypatch.setattr(probes, "run", run)
    return seen


def test_planted_gender_and_corpus_are_read_and_the_speaker_is_not(planted):
    found = found_of(audit_leakage(planted("gender", "corpus"), table_of(), {}, resamples=500))
    for label in ("gender", "corpus"):
        assert found[label, LINEAR]["ua"]["value"] > 0.95 and found[label, LINEAR]["reads"], label
    # Women and men in turn: knowing the gender, one of two speakers of a fold is told from the other.
    assert found["speaker", LINEAR]["chance"] == pytest.approx(1 / 2)
    assert found["gender", LINEAR]["chance"] == 0.5 and found["gender", LINEAR]["num_speakers"] == 12
    assert abs(found["gender", LINEAR]["shuffled"]["mean"] - 0.5) < 0.35


def test_noise_alone_holds_nothing(planted):
    result = audit_leakage(planted(), table_of(), {}, resamples=500)
    assert not any(each["reads"] for each in result["probes"])
    assert result["verdict"] == "Embedding does not show corpus or gender or speaker."
    assert result["not_probed"] == {"noise": "no noise corpus was given"}


def test_each_layer_is_probed(planted):
    subject = planted("gender", layers=("shared", "private_emotion"))
    result = audit_leakage(subject, table_of(), {}, resamples=200)
    assert {each["layer"] for each in result["probes"]} == {"shared", "private_emotion"}
    assert result["verdict"].startswith("Shared holds gender (UA 1")


def test_neither_encoder_nor_probe_knows_a_tested_speaker(planted, splits_of):
    audit_leakage(planted("gender"), table_of(), {}, clips=None)
    splits = splits_of["female|male"]
    assert len(splits) == 3
    tested = []
    for split, encoder in zip(splits, ENCODERS.values(), strict=True):
        speakers = set(split.speakers)
        heard = {f"a {speaker}" for speaker in encoder["a"]}
        assert not speakers & set(split.units) and not speakers & heard
        assert heard <= set(split.units)
        tested += sorted(speakers)
    assert sorted(tested) == sorted(f"{c} {c}{i}" for c in "ab" for i in range(6))  # everybody once


def test_speakers_are_told_apart_on_other_utterances_and_within_a_corpus(planted, splits_of):
    audit_leakage(planted("speaker"), table_of(), {}, clips=None)
    splits = splits_of["a a0|a a1"]
    assert len(splits) == 30  # five folds for two speakers of either corpus, of each encoder
    for split in splits:
        assert set(split.truth) <= set(split.labels) and len({label[0] for label in split.labels}) == 1
    for first in range(0, 30, 5):
        assert sum(len(split.truth) for split in splits[first : first + 5]) == 24


def test_the_same_utterance_never_stands_on_both_sides():
    x, speakers = np.arange(60.0)[:, None], np.repeat(["s", "t", "u"], 20)
    utterances = np.arange(60) // 2  # said twice each
    splits = probes.by_utterance(x, speakers, utterances)
    for split in splits:
        assert not set(split.train[:, 0] // 2) & set(split.test[:, 0] // 2)
    assert sorted(np.concatenate([split.test[:, 0] for split in splits])) == list(range(60))


def test_planted_speaker_is_read(planted):
    found = found_of(audit_leakage(planted("speaker"), table_of(), {}, resamples=200))
    assert found["speaker", LINEAR]["ua"]["value"] > 0.95 and found["speaker", LINEAR]["reads"]


def test_noise_is_probed_with_recordings_of_its_own(planted, monkeypatch):
    asked = []
    draws = lambda noise, split: asked.append(split) or {"rain": lambda rng: None}  # noqa: E731
    monkeypatch.setattr(leakage, "noise_draws", draws)
    found = found_of(audit_leakage(planted("noise"), table_of(), {}, noise={"esc10": "x"}, resamples=200))
    assert found["noise", LINEAR]["ua"]["value"] > 0.95 and found["noise", LINEAR]["reads"]
    assert asked == ["train", "test"] * 3


def test_shuffled_labels_move_whole_speakers():
    units = np.repeat(["x", "y", "z", "v"], 5)
    labels = np.repeat(["f", "m", "f", "m"], 5)
    split = probes.Split(np.zeros((20, 1)), labels, units, np.zeros((1, 1)), labels[:1], units[:1])
    rng = np.random.RandomState(0)
    orders = set()
    for _ in range(30):
        moved = probes._shuffled(split, rng).reshape(4, 5)
        assert all(len(set(own)) == 1 for own in moved)
        assert sorted(moved[:, 0]) == ["f", "f", "m", "m"]
        orders.add("".join(moved[:, 0]))
    assert len(orders) > 3


def test_ua_of_a_probe_is_the_balanced_accuracy():
    x = np.array([[0.0], [0.0], [0.0], [1.0], [1.0], [0.0]])
    train = np.repeat([[0.0], [1.0]], 10, axis=0)
    split = probes.Split(
        train, np.repeat(["f", "m"], 10), np.arange(20), x, np.array(list("fffmmm")), np.array(list("112345"))
    )
    found = probes.run([split], LINEAR, of_speaker=True, shuffles=2, resamples=200)
    assert found["ua"]["value"] == pytest.approx((1 + 2 / 3) / 2)
    assert (found["n"], found["num_speakers"], found["shuffled"]["runs"]) == (6, 5, 2)


def test_mlp_reads_what_is_not_linear():
    rng = np.random.default_rng(0)
    x = rng.choice([-1.0, 1.0], (400, 2))
    truth = np.where(x.prod(axis=1) > 0, "same", "other")
    x += 0.1 * rng.standard_normal(x.shape)
    speakers = np.arange(400) % 10
    split = probes.Split(x[::2], truth[::2], np.arange(200), x[1::2], truth[1::2], speakers[1::2])
    found = {kind: probes.run([split], kind, of_speaker=False, shuffles=2, resamples=100) for kind in (LINEAR, MLP)}
    assert found[MLP]["ua"]["value"] > 0.95 and found[MLP]["reads"]
    assert found[LINEAR]["ua"]["value"] < 0.85


def test_what_cannot_be_probed_is_said(planted):
    women = table_of(corpora=("a",))
    women = women[women["gender"] == "female"].reset_index(drop=True)
    result = audit_leakage(planted(), women, {}, resamples=50)
    assert result["not_probed"]["gender"] == "the corpora do not have both genders"
    assert result["not_probed"]["corpus"] == "one corpus only"
    assert result["not_probed"]["speaker"].startswith("no fold has two unheard speakers")
    assert result["probes"] == [] and result["verdict"] == "Nothing could be probed."


@pytest.mark.parametrize("few", ["b0", "b0 b1", "b0 b1 b2"])
def test_two_asked_speakers_of_a_label_are_no_probe(planted, few):
    """What three speakers differ in would look like what two corpora differ in, and have no interval."""
    table = table_of()
    table = table[(table["corpus"] == "a") | table["speaker"].isin(few.split())].reset_index(drop=True)
    result = audit_leakage(planted("speaker"), table, {}, resamples=50)
    enough = len(few.split()) > 2
    assert result["not_probed"].get("corpus") == (None if enough else "fewer than 3 speakers of b")
    assert {"gender", "speaker"} <= {each["label"] for each in result["probes"]}


def test_two_speakers_to_ask_are_no_probe(planted):
    subject = planted("speaker")
    subject.encoders = ("fold0",)  # which has not heard a0 and a1
    result = audit_leakage(subject, table_of(corpora=("a",)), {}, resamples=50)
    assert result["not_probed"]["speaker"] == "fewer than 3 speakers to ask"
    assert result["not_probed"]["gender"] == "fewer than 3 speakers of female, male"
    assert result["probes"] == []


def test_weights_that_have_heard_everybody(planted):
    subject = planted()
    subject.encoders = ("fold0",)
    table = table_of(corpora=("a",))
    with pytest.raises(
        CorpusError, match="toy has heard every speaker of the corpora: probes need the weights of folds"
    ):
        audit_leakage(subject, table[table["speaker"].isin(ENCODERS["fold0"]["a"])].reset_index(drop=True), {})


def test_layers_are_the_pooled_and_the_named_ones():
    import keras

    x = keras.Input((3,))
    y = keras.layers.Dense(2, name="shared")(x)
    z = keras.layers.Dense(2, name="emotion_private")(x)
    out = keras.layers.Identity(name="embedding")(keras.layers.Concatenate(name="both")([y, z]))
    assert leakage._layers(keras.Model(x, out)) == ["shared", "emotion_private", "embedding"]
