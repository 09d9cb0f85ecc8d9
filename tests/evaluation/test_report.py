"""The report page: what stands in it, and how headless Chromium shows it on a desk and on a phone."""

import base64
import io
import json
import re
import shutil
import sys

import numpy as np
import pandas as pd
import pytest
import soundfile
from browser import look

from serzoo import corpora
from serzoo.evaluation import evaluate, report, summary_text
from serzoo.evaluation import predictions as tables

CLASSES = ["anger", "boredom", "disgust", "fear", "happiness", "neutral", "sadness", "surprise"]
NAME = "predictions_of_a_model_with_a_name_that_is_longer_than_a_phone_is_wide.csv"
WIDE, NARROW = 1280, 390


@pytest.fixture(scope="module")
def root(clips, tmp_path_factory):
    """EmoDB with four clips, each as if four speakers had said it."""
    folder = tmp_path_factory.mktemp("emodb") / "wav"
    folder.mkdir()
    for clip in clips.values():
        for speaker in ("03", "08", "10", "15"):
            shutil.copy(clip, folder / f"{speaker}{clip.name[2:]}")
    return folder.parent


@pytest.fixture(scope="module")
def written(root, tmp_path_factory):
    """A report on predictions that are often wrong, clean and in noise; all files of it."""
    table = corpora.read("emodb", root, partial=True)
    random = np.random.default_rng(0)
    parts = []
    for condition, skill in (("clean", 2), ("rain 20 dB", 1.5), ("rain 0 dB", 0.5), ("telephone", 1)):
        logits = random.standard_normal((len(table), 8))
        logits[np.arange(len(table)), pd.Index(CLASSES).get_indexer(table["emotion"])] += skill
        said = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        fold = table["speaker"].astype(int) % 2
        part = [
            tables.from_table(table[fold == i], said[fold == i], CLASSES, fold=i, condition=condition) for i in (0, 1)
        ]
        parts += part
    folder = tmp_path_factory.mktemp("report")
    tables.write(folder / NAME, pd.concat(parts, ignore_index=True))
    evaluate(folder / NAME, {"emodb": root}, folder / "out", partial=True, resamples=200)
    return folder / "out"


@pytest.fixture(scope="module")
def seen(written):
    return dict(zip(("wide", "narrow"), look((written / "report.html").read_bytes(), (WIDE, NARROW)), strict=True))


@pytest.mark.parametrize(("name", "width"), [("wide", WIDE), ("narrow", NARROW)])
def test_nothing_overflows(seen, name, width):
    page = seen[name]
    assert page["width"] in (width, width - 15)  # beside a scroll bar
    assert page["scroll_width"] == page["width"]
    assert page["outside"] == [] and page["clipped"] == []
    assert page["cell"] > 18  # two digits of the confusion matrix
    assert set(page["sections"]) == {
        *("figure", "confusion", "recall", "calibration", "noise", "worst", "dropped", "made")
    }
    assert min(page["sections"].values()) > 60


def test_wide_has_two_columns_and_narrow_one(seen):
    assert seen["narrow"]["height"] > 1.4 * seen["wide"]["height"]


def test_sounds_and_pictures_load_and_nothing_is_asked_for_elsewhere(seen, written):
    for page in seen.values():
        assert page["broken_images"] == 0 and page["requests"] == []
        assert 1 <= len(page["sounds"]) <= 12
        assert all(isinstance(duration, float) and 0.5 < duration < 8.2 for duration in page["sounds"])
    html = (written / "report.html").read_text(encoding="utf-8")
    assert re.findall(r"""(?:src|href|url)\s*[=(]\s*["']?(?!data:|#)[^\s"'>)]+""", html) == []
    assert "<script" not in html and "default-src 'none'" in html


def test_page_says_what_the_report_says(seen, written):
    found = json.loads((written / "report.json").read_text())
    text = seen["wide"]["text"]
    ua = found["ua"]
    assert f"{100 * ua['value']:.1f}" in text and f"[{100 * ua['ci_low']:.1f}, {100 * ua['ci_high']:.1f}]" in text
    assert f"{100 * found['calibration']['before']['ece']:.1f} %" in text
    for words in (NAME, "emodb", "telephone", "No published figure is known", "classes without examples", "rain"):
        assert words in text
    assert "licence of the corpus" in text  # there is sound in it
    assert [each["condition"] for each in found["conditions"]] == ["clean", "rain 20 dB", "rain 0 dB", "telephone"]
    assert found["conditions"][0]["ua"] == found["ua"]
    assert found["condition"] == "clean" and "on emodb, clean" in text
    # The matrix shows every count of the report.
    html = (written / "report.html").read_text(encoding="utf-8")
    counts = [int(count) for count in re.findall(r"answered as \w+: (\d+) of", html)]
    assert counts == sum(found["confusion"]["counts"], [])


def test_worst_confusions_are_played_as_they_sound(written, root):
    """The sound in the page is the recording: 16 kHz mono, within what MP3 changes."""
    html = (written / "report.html").read_text(encoding="utf-8")
    file = re.search(r'class="file">emodb (\S+),', html)[1]
    data = re.search(r'<audio[^>]*src="data:audio/mpeg;base64,([^"]+)"', html)[1]
    samples, rate = soundfile.read(io.BytesIO(base64.b64decode(data)))
    original, _ = soundfile.read(root / file)
    assert rate == 16000 and samples.ndim == 1
    lags = np.correlate(samples[: len(original) + 2000], original, mode="full")
    best = lags.max() / np.sqrt(np.sum(original**2) * np.sum(samples**2))
    assert best > 0.95


def test_worst_confusions_are_the_surest_and_of_several_kinds():
    rows = [
        {"file": f"{i}.wav", "truth": truth, "p_a": p, "p_b": 1 - p, "corpus": "t", "start": np.nan, "end": np.nan}
        for i, (truth, p) in enumerate([("a", 0.9), ("b", 0.6), ("b", 0.99), ("b", 0.8), ("a", 0.3), ("b", 0.7)])
    ]
    table = pd.DataFrame(rows).assign(speaker="1")
    assert [each["file"] for each in report.worst_confusions(table)] == ["2.wav", "3.wav", "4.wav"]
    assert [each["file"] for each in report.worst_confusions(table, limit=1)] == ["2.wav"]
    twice = pd.concat([table.assign(seed=0), table.assign(seed=1)], ignore_index=True)
    assert [each["file"] for each in report.worst_confusions(twice)] == ["2.wav", "3.wav", "4.wav"]
    # sure of the answer, and not far from the truth
    three = table.iloc[:2].assign(truth="a", p_a=[0.3, 0.0], p_b=[0.7, 0.35], p_c=[0.0, 0.65], start=[1.0, 2.0])
    told = report.worst_confusions(three.assign(end=[np.nan, 2.5]))
    assert [each["file"] for each in told] == ["0.wav", "1.wav"]
    assert [each["where"] for each in told] == [" from 1.0 s", " from 2.0 to 2.5 s"]


def test_page_without_sound_and_text_that_is_no_html(root, written, tmp_path):
    told = tables.read(written)
    told = told[told["condition"] == "clean"].assign(note="<script>alert(1)</script>")
    tables.write(tmp_path / "a<b>.csv", told)
    evaluate(tmp_path / "a<b>.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50, clips=0)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "<audio" not in html and "licence of the corpus" not in html
    assert "<script" not in html and "&lt;script&gt;alert(1)" in html and "a&lt;b&gt;.csv" in html
    assert "hold one condition only" in html


@pytest.mark.parametrize("names", [["rain 0 dB"], ["rain 20 dB", "rain 0 dB"]])
def test_condition_of_the_figures_is_named(root, written, tmp_path, names):
    told = tables.read(written)
    tables.write(tmp_path / "p.csv", told[told["condition"].isin(names)])
    found = evaluate(tmp_path / "p.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50, clips=0)
    assert found["condition"] == names[0] and f"condition  {names[0]}\n" in summary_text(found)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert f"<title>p.csv on emodb, {names[0]}: UA" in html and f"on emodb, {names[0]} &middot;" in html


def test_gain_is_no_ratio_and_a_condition_of_one_speaker_has_no_band(root, written, tmp_path):
    told = tables.read(written)
    told = told[told["condition"].isin(["clean", "rain 20 dB"]) | (told["speaker"] == "03")]
    gains = [told[told["condition"] == "clean"].assign(condition=f"gain {gain} dB") for gain in (-30, -10)]
    tables.write(tmp_path / "p.csv", pd.concat([told, *gains], ignore_index=True))
    found = evaluate(tmp_path / "p.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50, clips=0)
    curves, single = report._curves(found["conditions"])
    assert [each["name"] for each in curves] == ["rain"]
    assert [each["condition"] for each in single] == ["clean", "telephone", "gain -30 dB", "gain -10 dB"]
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert len(re.search(r'class="band" points="([^"]+)"', html)[1].split()) == 2  # that of 20 dB alone


def test_a_damaged_recording_costs_its_player_alone(root, written, tmp_path):
    shutil.copytree(root, tmp_path / "emodb")
    told = tables.read(written)
    worst = report.worst_confusions(told[told["condition"] == "clean"], 1)[0]["file"]
    (tmp_path / "emodb" / worst).write_bytes((root / worst).read_bytes()[:30])
    options = {"partial": True, "resamples": 50, "clips": 2}
    found = evaluate(written / "predictions.csv", {"emodb": tmp_path / "emodb"}, tmp_path / "out", **options)
    assert [(each["corpus"], each["file"]) for each in found["failed"]] == [("emodb", worst)]
    assert json.loads((tmp_path / "out" / "report.json").read_text())["failed"] == found["failed"]
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert html.count("<audio") == 1 and f"<li>emodb {worst}: " in html


def test_continuous_answers_stand_on_the_page(root, written, tmp_path):
    told = tables.read(written)
    told = told[told["condition"] == "clean"].reset_index(drop=True)
    told = told.assign(truth_arousal=np.linspace(1, 5, len(told)), value_arousal=np.linspace(2, 4, len(told)))
    tables.write(tmp_path / "p.csv", told)
    found = evaluate(tmp_path / "p.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50, clips=0)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for name in ("ccc", "pcc", "mae", "rmse"):
        figure = found["continuous"]["arousal"][name]
        assert f"<th>{name.upper()}</th><td>{figure['value']:.3f} [{figure['ci_low']:.3f}, " in html, name
    assert "<td>arousal</td>" in html and f"<th>n</th><td>{len(told)}</td>" in html


def test_published_figures_stand_beside_ones_own(root, written, tmp_path, monkeypatch):
    known = {"figure": "ua", "ci_low": None, "ci_high": None, "std": None, "source": None, "remark": None}
    found = [
        known | {"system": "Theirs & co", "value": 0.828, "std": 0.05, "source": "Chen (2018)", "remark": "3 channels"},
        known | {"system": "ours.emodb4", "value": 0.7654, "ci_low": 0.7, "ci_high": 0.8},
    ]
    monkeypatch.setattr(sys.modules["serzoo.evaluation.evaluate"], "published", lambda protocol: found)
    report = evaluate(written / "predictions.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50)
    assert report["published"] == found
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    for words in ("Theirs &amp; co", "82.8", "Chen (2018)", "3 channels", "ours.emodb4", "76.5"):
        assert words in html, words
    assert "No published figure is known" not in html


def test_everything_right_and_one_speaker(root, tmp_path):
    table = corpora.read("emodb", root, partial=True)
    table = table[table["speaker"] == "03"]
    said = np.eye(4)[pd.Index(sorted(table["emotion"])).get_indexer(table["emotion"])]
    tables.write(tmp_path / "p.csv", tables.from_table(table, said, sorted(table["emotion"])))
    found = evaluate(tmp_path / "p.csv", {"emodb": root}, tmp_path / "out", partial=True, resamples=50)
    html = (tmp_path / "out" / "report.html").read_text(encoding="utf-8")
    assert "every answer is right" in html and "nan" not in html.lower().replace("finance", "")
    assert found["dropped"] == {"no prediction": 12} and "no prediction" in html
    assert "fewer than 3 speakers (emodb/03)" in html
