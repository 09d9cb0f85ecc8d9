"""Comparison tables and terminal text hold the figures of the summaries, and everything a reader must know."""

import io
import math
import re

import pandas as pd
import pytest
from toy_predictions import toy_predictions

from serzoo.errors import CorpusError, MissingFileError, UnknownNameError
from serzoo.evaluation import compare, compare_table, summarize, summary_text
from serzoo.evaluation import predictions as tables
from serzoo.evaluation.figures import percent, sign_of


def cells(line):
    return [cell.strip() for cell in line.strip("|").split("|")]


@pytest.fixture
def runs(tmp_path):
    made = {"stl": toy_predictions(seed=1), "mtl": toy_predictions(skill=2.5, seed=2)}
    for name, table in made.items():
        (tmp_path / name).mkdir()
        tables.write(tmp_path / name / "predictions.csv", table)
    return tmp_path, made


def test_table_holds_figures_and_paired_differences(runs):
    folder, made = runs
    lines = compare_table([folder / "stl", folder / "mtl" / "predictions.csv"]).splitlines()
    head, rule, first, second = map(cells, lines[:4])
    assert len({len(row) for row in (head, rule, first, second)}) == 1
    stl, mtl = dict(zip(head, first, strict=True)), dict(zip(head, second, strict=True))
    assert (stl["model"], mtl["model"]) == ("stl", "mtl")
    ua = summarize(made["mtl"])["ua"]
    assert mtl["UA"] == f"{100 * ua['value']:.1f} [{100 * ua['ci_low']:.1f}, {100 * ua['ci_high']:.1f}]"
    gain = compare(made["mtl"], made["stl"])["ua"]
    assert gain["value"] > 0
    expected = f"{100 * gain['value']:+.1f} [{100 * gain['ci_low']:+.1f}, {100 * gain['ci_high']:+.1f}]"
    assert mtl["UA minus stl"] == expected
    assert stl["UA minus stl"] == ""
    assert "- mtl minus stl: 480 pairs of 12 speakers" in lines


def test_shipped_weights_are_compared_by_their_published_predictions():
    text = compare_table(["cnn_ablstm.ravdess8", "cnn_ablstm_mtl.ravdess8"], resamples=50)
    assert re.search(r"^\| cnn_ablstm_mtl.ravdess8 \| 1440 ", text, re.MULTILINE)
    with pytest.raises(MissingFileError, match=r"no file, folder or published figure cnn_ablstm\.none"):
        compare_table(["cnn_ablstm.none", "cnn_ablstm_mtl.ravdess8"])


def test_table_says_what_was_left_out_and_stamped(runs):
    _, made = runs
    stamped = made["mtl"].iloc[7:].assign(note="speakers shared: not comparable")
    first = made["stl"].iloc[:-3]
    text = compare_table({"a": first.assign(truth=first["truth"].mask(first.index == 9)), "b": stamped}, resamples=50)
    assert "- a: dropped 1 rows: truth is missing" in text
    assert "- b: speakers shared: not comparable" in text
    assert "469 pairs of 12 speakers; 11 rows without a partner left out" in text


def test_runs_of_the_same_name_are_told_apart(runs, tmp_path):
    _, made = runs
    for name in ("x/run", "y/run"):
        (tmp_path / name).mkdir(parents=True)
        tables.write(tmp_path / name / "predictions.csv.gz", made["stl"])
    text = compare_table([tmp_path / "x/run", tmp_path / "y/run"], resamples=50)
    assert re.search(r"^\| x/run ", text, re.MULTILINE) and re.search(r"^\| y/run ", text, re.MULTILINE)


def test_refusals(runs, tmp_path):
    folder, _ = runs
    with pytest.raises(CorpusError, match="two runs or more. Received: stl"):
        compare_table([folder / "stl"])
    with pytest.raises(CorpusError, match="same run was given twice"):
        compare_table([folder / "stl", folder / "stl"])
    with pytest.raises(MissingFileError):
        compare_table([folder / "stl", tmp_path / "none"])


def test_summary_text(runs):
    _, made = runs
    summary = summarize(made["stl"], resamples=100)
    text = summary_text(summary)
    assert "240 utterances, 12 speakers, 3 folds, 2 seeds" in text
    assert f"UA         {100 * summary['ua']['value']:.1f} [" in text
    assert "chance 25.0" in text
    one = toy_predictions(num_speakers=1, num_seeds=1, num_folds=1)
    alone = summary_text(summarize(one[one["truth"] != "anger"]))
    assert "180 utterances, 1 speaker, 1 fold, 1 seed\n" in alone
    assert "warning: fewer than 3 speakers" in alone
    assert "recall anger     -" in alone and "nan" not in alone


def test_csv_holds_the_numbers_behind_the_text(runs):
    _, made = runs
    named = {"stl": made["stl"], "a_b": made["mtl"].assign(note="speakers shared: not comparable")}
    options = {"resamples": 100, "seed": 3}
    table = pd.read_csv(io.StringIO(compare_table(named, form="csv", **options))).set_index("model")
    summary, gain = summarize(made["mtl"], **options), compare(made["mtl"], made["stl"], **options)
    assert table.loc["a_b", "wa"] == pytest.approx(summary["wa"]["value"], abs=1e-6)
    assert table.loc["a_b", "macro_f1_ci_low"] == pytest.approx(summary["macro_f1"]["ci_low"], abs=1e-6)
    assert table.loc["a_b", "ua_minus_first"] == pytest.approx(gain["ua"]["value"], abs=1e-6)
    assert table.loc["a_b", "ua_minus_first_ci_high"] == pytest.approx(gain["ua"]["ci_high"], abs=1e-6)
    assert table["ua_minus_first"].isna().tolist() == [True, False]
    assert "speakers shared: not comparable" in table.loc["a_b", "remarks"]


def test_latex_is_escaped_and_says_the_same_as_markdown(runs):
    _, made = runs
    named = {"stl": made["stl"], "a_b & 50 %": made["mtl"].assign(note="speakers shared: not comparable")}
    text = compare_table(named, resamples=100, form="latex")
    markdown = compare_table(named, resamples=100)
    lines = text.splitlines()
    assert lines[0] == r"\begin{tabular}{lrrrrrrrr}" and lines[-1] == r"\end{tabular}"
    rows = [line for line in lines if line.endswith(r"\\") and "multicolumn" not in line]
    assert all(len(re.split(r"(?<!\\)&", row)) == 9 for row in rows) and len(rows) == 3
    assert rows[2].startswith(r"a\_b \& 50 \% & 240 & 2 & ")
    assert cells(markdown.splitlines()[3])[3] in rows[2]
    assert r"a\_b \& 50 \%: speakers shared: not comparable" in text


def test_a_sign_is_that_of_the_whole_interval():
    signs = {(0.1, 0.3): 1, (-0.3, -0.1): -1, (-0.1, 0.3): 0, (0, 0.3): 0, (-0.3, 0): 0, (math.nan, math.nan): 0}
    assert {ends: sign_of({"value": 0.2, "ci_low": ends[0], "ci_high": ends[1]}) for ends in signs} == signs


def test_unknown_form(runs):
    with pytest.raises(UnknownNameError, match="Unknown form of a table 'html'. Allowed: csv, latex, markdown."):
        compare_table(runs[1], form="html")


def test_summary_text_tells_folds_and_genders():
    summary = summarize(toy_predictions(), resamples=100)
    text, folds = summary_text(summary), summary["fold_ua"]
    assert f"UA by fold {100 * folds['mean']:.1f} +- {100 * folds['std']:.1f}\n" in text
    women, men = (percent(summary["recall_by_gender"][gender]["anger"]) for gender in ("female", "male"))
    assert f"recall anger     {percent(summary['recall']['anger'])}  female {women}  male {men}\n" in text
