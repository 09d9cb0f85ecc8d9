"""The noise curve with stand-ins for the models: what they hear, what is counted, and what is refused."""

import json
import shutil

import numpy as np
import pandas as pd
import pytest
import soundfile

from serzoo import layers, metrics, pipeline
from serzoo.errors import CorpusError, RunError, SpeakerLeakError, UnknownNameError
from serzoo.evaluation import leaks, predictions
from serzoo.evaluation import noise_curve as curve
from serzoo.evaluation.audit.subjects import Subject
from serzoo.evaluation.noise_pool import KNOWN, OTHER, Mixed, Pool, check_unheard, known_pool, other_pool
from serzoo.files import to_json

RNG = np.random.default_rng(0)
NOISE_CLASSES = ["hiss", "hum", "clean", "noise_alone"]
SEGMENT = 3200


class StandIn:
    """Says anger where the sound is loud, and clean of every segment; it remembers what it heard."""

    def __init__(self, threshold, card=None, noise=True):
        self.classes, self.training_speakers, self._threshold = ["anger", "sadness"], {"toy": ["9"]}, threshold
        self.heads = {"emotion": self.classes} | ({"noise": NOISE_CLASSES} if noise else {})
        self.layers = [layers.SegmentClassifier(4, SEGMENT, 160, name="noise")] if noise else []
        self.card, self.heard = {"seed": 0, "fold": 0} | (card or {}), []

    def get_weights(self):
        return [np.array([self._threshold])]

    def predict_on_batch(self, inputs):
        self.heard += [row[:n] for row, n in zip(inputs["waveform"], inputs["num_samples"], strict=True)]
        loud = np.array([np.mean(row[:n] ** 2) for row, n in zip(*list(inputs.values())[:2], strict=True)])
        p = 1 / (1 + np.exp(-(loud - self._threshold) * 100))
        told = {"emotion": np.stack([p, 1 - p], axis=1).astype("float32")}
        if "noise" in self.heads:
            segments = -(-inputs["num_samples"] // SEGMENT)
            told["noise"] = np.zeros((len(p), max(segments), 4), "float32")
            for row, count in zip(told["noise"], segments, strict=True):
                row[:count, 2] = 1.0
        return told


class StandInSubject(Subject):
    def __init__(self, name, model):
        super().__init__(name, None, [name])
        self._model = model

    def model(self, source):
        return self._model


@pytest.fixture(scope="module")
def roots(tmp_path_factory):
    """Eight clips of two speakers, half of each clip silent, and a folder of two types of noise."""
    root = tmp_path_factory.mktemp("toy")
    for i in range(8):
        speech = (0.05 + 0.2 * (i % 2 == 0)) * RNG.standard_normal(6400)
        speech[3200:] = 0.0
        soundfile.write(root / f"{i}.wav", speech, 16000, subtype="FLOAT")
    noise = tmp_path_factory.mktemp("noise")
    for name, sound in {"hiss": RNG.standard_normal(20000), "hum": np.sin(np.arange(3000) * 0.2)}.items():
        (noise / name).mkdir()
        soundfile.write(noise / name / "1.wav", 0.1 * sound, 16000)
    other = tmp_path_factory.mktemp("other")
    (other / "click").mkdir()
    soundfile.write(other / "click" / "1.wav", 0.1 * np.sign(np.sin(np.arange(9000) * 0.01)), 16000)
    return {"toy": root, "noise": {"folder:home": noise}, "other": {"folder:mine": other}}


@pytest.fixture
def table():
    rows = {"corpus": "toy", "file": [f"{i}.wav" for i in range(8)], "start": np.nan, "end": np.nan}
    rows |= {"emotion": ["anger", "sadness"] * 4, "gender": ["female"] * 4 + ["male"] * 4, "speaker": list("11112222")}
    return pd.DataFrame(rows)


@pytest.fixture
def measure(monkeypatch, table, roots):
    def run(models, **options):
        subjects = [StandInSubject(name, model) for name, model in models.items()]
        monkeypatch.setattr(curve, "open_subjects", lambda sources: subjects)
        monkeypatch.setattr(curve, "read_tables", lambda corpora, partial: table)
        monkeypatch.setattr(curve.readers, "folders", lambda roots: roots)
        monkeypatch.setattr(curve, "emotion_parameters", lambda model: 123)
        options = {"snrs_db": [10, -5], "resamples": 50, **options}
        return curve.noise_curve(list(models), {"toy": roots["toy"]}, roots["noise"], **options)

    return run


def test_the_curve(measure, roots, table, tmp_path):
    models = {"a": StandIn(0.01), "b": StandIn(0.03, noise=False)}
    found = measure(models, out=tmp_path / "out", other_noise=roots["other"])
    keys = [(row["model"], row["noise"], row["snr_db"]) for row in found["rows"]]
    of_one = [("clean", None)] + [(pool, ratio) for pool in (KNOWN, OTHER) for ratio in (10.0, -5.0, "mean")]
    assert keys == [(name, *key) for name in "ab" for key in of_one]
    rows = dict(zip(keys, found["rows"], strict=True))
    # every figure again from the written predictions, by hand
    for name in "ab":
        told = predictions.read(tmp_path / "out" / f"{name}.csv.gz")
        assert len(told) == 8 * 5
        uas = {}
        for condition, part in told.groupby("condition"):
            guess = np.where(part["p_anger"] > part["p_sadness"], "anger", "sadness")
            uas[condition] = metrics.ua(metrics.confusion(part["truth"].to_numpy(), guess, ["anger", "sadness"]))
        assert rows[name, "clean", None]["ua"] == pytest.approx(uas["clean"])
        for pool in (KNOWN, OTHER):
            at = [uas[f"{pool} {ratio} dB"] for ratio in (10, -5)]
            assert [rows[name, pool, ratio]["ua"] for ratio in (10.0, -5.0)] == pytest.approx(at)
            assert rows[name, pool, "mean"]["ua"] == pytest.approx(np.mean(at))
    for key in of_one:
        difference = rows[("b", *key)]["ua"] - rows[("a", *key)]["ua"]
        assert rows[("b", *key)]["differences"]["a"]["value"] == pytest.approx(difference)
        assert set(rows[("b", *key)]["differences"]) == {"a"} and not rows[("a", *key)]["differences"]
    # both models hear the same, and a clip meets the same noise at every ratio
    assert len(models["a"].heard) == 8 * 5
    for one, other in zip(models["a"].heard, models["b"].heard, strict=True):
        np.testing.assert_array_equal(one, other)
    # who says clean of all is right about the clean clips alone: 1 of 4 classes
    assert found["recognition"] == {"a": pytest.approx({"10 dB": 0.25, "-5 dB": 0.25, "-5 to 10 dB": 0.25})}
    written = pd.read_csv(tmp_path / "out" / "noise_curve.csv")
    assert len(written) == len(keys) and set(written["parameters"]) == {123}
    text = (tmp_path / "out" / "noise_curve.md").read_text()
    for part in (
        "Warning: fewer than 3 speakers",
        "Noise of known types (hiss, hum)",
        "Noise of other types (click)",
        "| a |",
        "female, noise",
        "by segment",
    ):
        assert part in text, part
    assert (tmp_path / "out" / "noise_curve.png").read_bytes()[1:4] == b"PNG"
    assert json.loads((tmp_path / "out" / "noise_curve.json").read_text())["against"] == ["a"]


def test_clips_that_one_of_two_models_may_not_hear(measure, tmp_path):
    models = {"a": StandIn(0.01), "b": StandIn(0.03)}
    models["b"].training_speakers = {"toy": ["1"]}
    found = measure(models, out=tmp_path / "out")
    assert {row["unpaired"].get("a") for row in found["rows"]} == {None, 4}
    assert (tmp_path / "out" / "noise_curve.md").read_text().count("- b: 4 clips without a partner left out") == 1


def test_differences_from_several_models(measure, tmp_path):
    models = {"a": StandIn(0.01), "b": StandIn(0.03), "c": StandIn(0.05)}
    found = measure(models, out=tmp_path / "out", against=["a", "c"])
    for row in found["rows"]:
        assert set(row["differences"]) == {"a", "c"} - {row["model"]}
    written = pd.read_csv(tmp_path / "out" / "noise_curve.csv")
    for row, line in zip(found["rows"], written.to_dict("records"), strict=True):
        for other in "ac":
            told = row["differences"].get(other, {"value": np.nan, "ci_low": np.nan})
            assert line[f"minus_{other}"] == pytest.approx(told["value"], nan_ok=True)
            assert line[f"minus_{other}_ci_low"] == pytest.approx(told["ci_low"], nan_ok=True)
    text = (tmp_path / "out" / "noise_curve.md").read_text()
    assert text.count("minus a:") == text.count("minus c:") == 1


def test_models_of_other_seeds_are_paired(measure):
    """A clip is judged by one network of each model; how that was drawn before its training is no part of the pair."""
    of = [measure({"a": StandIn(0.01), "b": StandIn(0.03, {"seed": seed})}) for seed in (0, 1)]
    assert to_json(of[0]["rows"]) == to_json(of[1]["rows"])


def test_folder_that_cannot_be_written_is_told_before_the_work(measure, tmp_path):
    (tmp_path / "file").write_text("in the way")
    model = StandIn(0.01)
    with pytest.raises(RunError, match="The noise curve needs a folder to write to"):
        measure({"a": model}, out=tmp_path / "file")
    assert not model.heard


def test_behind_a_denoiser_and_under_babble(measure, clips, monkeypatch, tmp_path):
    (tmp_path / "wav").mkdir()
    for number in ("03", "08", "09", "10", "11", "12"):  # one clip of six speakers
        shutil.copy(clips["anger"], tmp_path / "wav" / f"{number}a01Wa.wav")
    denoised, asked = StandIn(0.05), []
    monkeypatch.setattr("serzoo.zoo.load", lambda source, denoise: asked.append((source, denoise)) or denoised)
    models = {"a": StandIn(0.01), "b": StandIn(0.02)}
    found = measure(models, out=tmp_path / "out", babble={"emodb": tmp_path}, denoise=["wavelet_shrinkage"])
    assert asked == [("a", "wavelet_shrinkage")]  # the first model alone
    assert list(dict.fromkeys(row["model"] for row in found["rows"])) == ["a", "b", "a + wavelet_shrinkage"]
    assert found["pools"][OTHER] == {"types": ["babble"], "files": {}}
    assert (tmp_path / "out" / "a___wavelet_shrinkage.csv.gz").is_file()
    # what it judges is the same sound, and another answer
    for one, other in zip(models["a"].heard, denoised.heard, strict=True):
        np.testing.assert_array_equal(one, other)
    clean = [row["ua"] for row in found["rows"] if row["noise"] == "clean"]
    assert clean[0] == clean[1] == 1.0 and clean[2] != clean[0]


def test_resume_judges_what_is_missing_or_changed(measure, roots, tmp_path):
    options = {"out": tmp_path / "out", "other_noise": roots["other"], "resume": True}
    measure({"a": StandIn(0.01), "b": StandIn(0.03)}, **options)
    models = {"a": StandIn(0.01), "b": StandIn(0.02), "c": StandIn(0.05)}
    found = measure(models, **options)
    assert not models["a"].heard and models["b"].heard and models["c"].heard
    anew = measure(models, other_noise=roots["other"])
    assert to_json(found) == to_json(anew)
    models = {"a": models["a"]}
    models["a"].heard.clear()
    assert measure(models, **options, seed=1) and models["a"].heard  # other noise
    models["a"].heard.clear()
    path = next(roots["other"]["folder:mine"].rglob("*.wav"))
    sound, rate = soundfile.read(path)
    soundfile.write(path, -sound, rate)  # the same name, another sound
    assert measure(models, **options, seed=1) and models["a"].heard


def test_the_noise_of_a_clip(table, roots):
    pool = known_pool(roots["noise"])
    assert pool.types == ["hiss", "hum"]
    clips = [RNG.normal(size=6400).astype("float32") for _ in range(8)]
    drawn = [pool.draw(row, 3) for row in table.itertuples()]
    assert {kind for kind, _ in drawn} == {"hiss", "hum"}
    mixed = Mixed(clips, table, pool, [-5.0, 20.0], 3)
    assert len(mixed) == 16
    loud, soft = ([mixed[2 * i + which] for i in range(8)] for which in (0, 1))
    for i, (clip, (_, noise)) in enumerate(zip(clips, drawn, strict=True)):
        added = loud[i] - clip
        np.testing.assert_allclose(added, 10 ** (25 / 20) * (soft[i] - clip), rtol=1e-2, atol=1e-4)
        raw = np.resize(noise, 6400)
        assert np.corrcoef(added, raw)[0, 1] == pytest.approx(1.0, abs=1e-5)
    # a clip meets its noise wherever it stands in the table
    turned = table.iloc[::-1]
    np.testing.assert_array_equal(Mixed(clips[::-1], turned, pool, [-5.0], 3)[0], loud[7])


def test_truth_of_segments(roots, table):
    """Half of each clip is silent: with noise it is noise alone there."""
    clips = [np.concatenate([RNG.normal(size=3200), np.zeros(3200)]).astype("float32")] * 3
    answers = np.zeros((3, 2, 4), "float32")
    answers[:, :, 1] = 1.0  # always a hum
    truth = curve._segments(NOISE_CLASSES, SEGMENT, clips, ["hum", "clean", "elsewhere"])
    counts = curve._confusion(truth, answers)
    assert counts.tolist() == [[0, 0, 0, 0], [0, 1, 0, 0], [0, 2, 0, 0], [0, 1, 0, 0]]


def test_a_model_that_heard_the_test_is_refused(measure, roots):
    heard = {"noise": {"folder:home": {"types": ["hum"], "split": None}}}
    with pytest.raises(CorpusError, match="b was trained with all of folder:home: no recording is left"):
        measure({"a": StandIn(0.01), "b": StandIn(0.01, heard)})
    kinds = {"noise": {"folder:else": {"types": ["click"], "split": None}}}
    with pytest.raises(CorpusError, match="b was trained with noise of the types click: they are not other types"):
        measure({"a": StandIn(0.01), "b": StandIn(0.01, kinds)}, other_noise=roots["other"])


def test_predictions_cannot_listen(tmp_path):
    row = "corpus,file,start,end,speaker,gender,seed,fold,truth,p_a,p_b\ntoy,1.wav,,,1,,0,0,a,1,0\n"
    (tmp_path / "told.csv").write_text(row)
    with pytest.raises(CorpusError, match="needs models that can listen. Received predictions alone: told"):
        curve.noise_curve([tmp_path / "told.csv"], {"toy": tmp_path}, {"folder": tmp_path})


def test_esc10_is_a_part_of_esc50():
    pool = Pool(KNOWN, {"dog": [np.ones(4)]}, {"esc10": ["001 - Dog bark/5-203128-A.ogg"]})
    check_unheard("m", {"noise": {"esc50": {"types": ["dog"], "split": "train"}}}, [pool])
    with pytest.raises(CorpusError, match="m was trained with all of esc10"):
        check_unheard("m", {"noise": {"esc50": {"types": ["dog"], "split": None}}}, [pool])


def test_babble_never_comes_from_a_training_corpus(monkeypatch, roots):
    speech = pd.DataFrame({"corpus": ["toy"], "speaker": ["1"], "file": ["0.wav"], "start": [np.nan], "end": [np.nan]})
    monkeypatch.setattr("serzoo.evaluation.noise_pool.readers.read_many", lambda roots, partial: speech)
    monkeypatch.setattr("serzoo.evaluation.noise_pool.readers.folders", lambda roots: roots)
    with pytest.raises(SpeakerLeakError, match="not from toy"):
        other_pool({}, {"toy": roots["toy"]}, ["toy"])
    assert other_pool({}, {}, ["toy"]) is None


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"snrs_db": [10, "loud"]}, CorpusError, "snrs_db must be numbers, ratios in dB. Received: 'loud'"),
        ({"snrs_db": "10"}, CorpusError, "Received: '10'"),
        ({"snrs_db": [10, np.nan]}, CorpusError, "Received: nan"),
        ({"snrs_db": []}, CorpusError, "one or more different ratios"),
        ({"against": "c"}, UnknownNameError, "'c'"),
    ],
)
def test_bad_input(measure, options, error, message):
    with pytest.raises(error, match=message):
        measure({"a": StandIn(0.01)}, **options)


def test_models_of_other_classes_are_told_before_the_work(measure):
    other = StandIn(0.01)
    other.classes = ["anger", "fear"]
    with pytest.raises(CorpusError, match="must have the same classes. Received: a: anger, sadness; b: anger, fear"):
        measure({"a": StandIn(0.01), "b": other})
    assert not other.heard


def test_rows_of_the_curve(measure, table, tmp_path):
    """The louder the noise, the louder every clip, which is what the stand-in says; sizes and genders by hand."""
    table.loc[1, "emotion"] = "anger"  # a soft one, by a woman: she is mistaken more often
    found = measure({"a": StandIn(0.01)}, out=tmp_path / "out")
    told = predictions.read(tmp_path / "out" / "a.csv.gz")
    soft, loud = (told[told["condition"] == f"{KNOWN} {ratio} dB"]["p_anger"].to_numpy() for ratio in (10, -5))
    assert (loud > soft).all()
    assert {(row["n"], row["num_speakers"]) for row in found["rows"]} == {(8, 2)}
    for row in found["rows"][:3]:
        part = told[told["condition"] == ("clean" if row["noise"] == "clean" else f"{KNOWN} {row['snr_db']:g} dB")]
        women = part[part["gender"] == "female"]
        guess = np.where(women["p_anger"] > women["p_sadness"], "anger", "sadness")
        counts = metrics.confusion(women["truth"].to_numpy(), guess, ["anger", "sadness"])
        assert row["ua_female"] == pytest.approx(metrics.ua(counts))


def test_other_labels_of_the_same_clips_are_judged_anew(measure, table, tmp_path):
    model, options = StandIn(0.01), {"out": tmp_path / "out", "resume": True}
    measure({"a": model}, **options)
    table.loc[0, "emotion"] = "sadness"
    model.heard.clear()
    measure({"a": model}, **options)
    assert model.heard


def test_copies_of_training_recordings_are_refused(measure, table, roots, monkeypatch):
    heard = leaks.recordings(table, pipeline.Clips(table, {"toy": roots["toy"]})).assign(corpus="own", file="x")
    monkeypatch.setattr(leaks, "listed_recordings", lambda *_: heard)
    model = StandIn(0.01)
    model.training_speakers = {"own": ["9"]}
    with pytest.raises(SpeakerLeakError, match="a was trained on 8 of the recordings to judge it by"):
        measure({"a": model})


class Recognises(StandIn):
    """Knows the noise by the half in which nobody speaks, where it is loud enough; else it says clean."""

    def predict_on_batch(self, inputs):
        told = super().predict_on_batch(inputs)
        for row, x in zip(told["noise"], inputs["waveform"][:, SEGMENT:], strict=True):
            power = np.abs(np.fft.rfft(x)) ** 2
            kind = int(power.max() > 0.2 * power.sum())  # a hum has one frequency
            row[:] = 0.0
            row[[0, 1], [kind, 3] if np.mean(x**2) > 0.0125 else 2] = 1.0
        return told


def test_recognition_at_each_ratio(measure):
    found = measure({"a": Recognises(0.01)}, snrs_db=[10, -10])["recognition"]["a"]
    # at 10 dB all is clean to it, at -10 dB it is right; together each noise is known half the time
    assert found == pytest.approx({"10 dB": 0.25, "-10 dB": 1.0, "-10 to 10 dB": (3 * 0.5 + 1) / 4})
