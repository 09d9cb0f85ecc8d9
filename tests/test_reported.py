"""Every published figure is recomputed from the committed predictions behind it.

Those of openSMILE's functionals, which have no YAML file, are recomputed in ``test_leaderboard.py``.
"""

import math
from functools import cache
from pathlib import Path

import pandas as pd
import pytest
import yaml

from serzoo import corpora
from serzoo.corpora.forms import FORM_OF
from serzoo.evaluation import predictions as tables
from serzoo.evaluation import summarize
from tests import functionals

CONFIGS = Path(__file__).resolve().parents[1] / "zoo_configs"
TOLERANCE = 1e-4
FIGURES = ("ua", "wa", "macro_f1")


def reported_entries(folder):
    """Each entry of each ``reported`` list, with the name of its model."""
    for path in sorted(folder.glob("*.yaml")):
        config = yaml.safe_load(path.read_text(encoding="utf-8"))
        for number, entry in enumerate(config.get("reported") or []):
            yield pytest.param(entry, id=f"{config['name']}.{entry.get('tag') or number}-{entry['protocol']}")


def located(entry, folder=CONFIGS):
    """The file of an entry, which may be named with or without its folder."""
    name = Path(entry["file"]).name
    path = folder / "reported" / name
    assert path.is_file(), f"{name} is not in {folder.name}/reported"
    return path


@cache
def predictions_of(path):
    return tables.read(path)


@cache
def summary_of(path):
    return summarize(predictions_of(path))


def check_figures(entry, folder=CONFIGS):
    summary = summary_of(located(entry, folder))
    for figure in FIGURES:
        for part in ("value", "ci_low", "ci_high"):
            assert entry[figure][part] == pytest.approx(summary[figure][part], abs=TOLERANCE), f"{figure} {part}"
    for part in ("mean", "std"):
        value = summary["fold_ua"][part]
        wanted = None if math.isnan(value) else pytest.approx(value, abs=TOLERANCE)  # one fold alone has no deviation
        assert entry["fold_ua"][part] == wanted, f"fold_ua {part}"
    assert entry["chance"] == pytest.approx(summary["chance"], abs=TOLERANCE)
    sizes = {"n": "n", "speakers": "num_speakers", "folds": "folds", "seeds": "seeds"}
    assert {name: entry[name] for name in sizes} == {name: summary[key] for name, key in sizes.items()}
    assert summary["dropped"] == {}, "a published figure leaves no row out"
    assert summary["warnings"] == [] and summary["notes"] == entry.get("notes", [])


def check_folds(entry, folder=CONFIGS):
    """The speakers tested in each fold are those of the protocol, in every seed, with every utterance once."""
    predictions = predictions_of(located(entry, folder))
    protocol = corpora.protocol(entry["protocol"])
    assert tuple(tables.classes(predictions)) == tuple(protocol.classes)
    utterances = predictions.rename(columns={"truth": "emotion"}).drop_duplicates(["corpus", "file", "start"])
    heard = [  # of a source, which is not tested, there are no predictions, but who speaks there is known
        {"corpus": corpus, "speaker": speaker, "emotion": emotion, "file": f"{speaker} {emotion}"}
        for corpus in protocol.sources
        for speaker in corpora.info(corpus).speakers
        for emotion in protocol.classes
    ]
    kept, dropped = protocol.apply(pd.concat([utterances, pd.DataFrame(heard)], ignore_index=True))
    assert not dropped and len(kept) == len(utterances) + len(heard)
    expected = {fold.index: set(fold.test) for fold in protocol.folds(kept)}
    for seed, rows in predictions.groupby("seed"):
        tested = {
            int(fold): set(zip(part["corpus"], part["speaker"], strict=True)) for fold, part in rows.groupby("fold")
        }
        assert tested == expected, f"seed {seed}"
        assert len(rows) == len(utterances), f"seed {seed}"


def check_whole_corpora(entry, folder=CONFIGS):
    """No utterance of a class that takes part is missing, against the official numbers."""
    predictions = predictions_of(located(entry, folder))
    protocol = corpora.protocol(entry["protocol"])
    utterances = predictions.drop_duplicates(["corpus", "file", "start"])
    merged = {}
    # an utterance that is there in several forms is judged in one of them
    utterances = utterances.assign(corpus=utterances["corpus"].replace(FORM_OF))
    for corpus in {FORM_OF.get(corpus, corpus) for corpus in set(protocol.corpora) - set(protocol.sources)}:
        for emotion, count in corpora.info(corpus).emotions.items():
            name = protocol.class_map.get(emotion, emotion)
            if name in protocol.classes:
                merged[corpus, name] = merged.get((corpus, name), 0) + count
    assert utterances.groupby(["corpus", "truth"]).size().to_dict() == merged


def functionals_entries(folder):
    """What is known of each file of functionals."""
    for path in sorted((folder / "reported").glob("functionals_*.csv.gz")):
        protocol = path.name.removesuffix(".csv.gz").partition(".")[2]
        yield pytest.param({"protocol": protocol, "file": path.name}, id=path.name.removesuffix(".csv.gz"))


ENTRIES = list(reported_entries(CONFIGS))
FUNCTIONALS = list(functionals_entries(CONFIGS))


@pytest.mark.parametrize("entry", ENTRIES)
def test_figures(entry):
    check_figures(entry)


@pytest.mark.parametrize("entry", ENTRIES + FUNCTIONALS)
def test_test_speakers_are_those_of_the_protocol(entry):
    check_folds(entry)


@pytest.mark.parametrize("entry", ENTRIES + FUNCTIONALS)
def test_every_utterance_was_judged(entry):
    check_whole_corpora(entry)


def test_no_file_of_predictions_without_a_figure():
    committed = {path.name for path in (CONFIGS / "reported").glob("*.csv.gz")}
    assert committed == {Path(entry.values[0]["file"]).name for entry in ENTRIES + FUNCTIONALS}
    known = {
        functionals.path_of(name, entry.values[0]["protocol"]).name
        for name in functionals.SETS
        for entry in FUNCTIONALS
    }
    assert {entry.values[0]["file"] for entry in FUNCTIONALS} == known


# --- the checks themselves, on a made-up publication, so that they hold before and after there is a figure ------------


@pytest.fixture
def publication(tmp_path):
    """A folder like zoo_configs with one model, whose predictions on emodb4-loso are made up."""
    import numpy as np

    random = np.random.default_rng(0)
    protocol = corpora.protocol("emodb4-loso")
    counts = {"anger": 127, "happiness": 71, "neutral": 79, "sadness": 62}
    speakers = ["03", "08", "09", "10", "11", "12", "13", "14", "15", "16"]
    truth = [emotion for emotion, count in counts.items() for _ in range(count)]
    fold = np.arange(len(truth)) % 10
    probabilities = random.dirichlet(np.ones(4), len(truth))
    table = pd.DataFrame(
        {
            "corpus": "emodb",
            "file": [f"wav/{i}.wav" for i in range(len(truth))],
            "start": np.nan,
            "end": np.nan,
            "speaker": [speakers[i] for i in fold],
            "gender": np.where(fold % 2, "female", "male"),
            "seed": 0,
            "fold": fold,
            "truth": truth,
            **{f"p_{label}": probabilities[:, i] for i, label in enumerate(protocol.classes)},
        }
    )
    (tmp_path / "reported").mkdir()
    tables.write(tmp_path / "reported" / "toy.emodb4-loso.csv.gz", table)
    summary = summarize(table)
    entry = {
        "protocol": "emodb4-loso",
        "tag": "emodb4",
        "file": "toy.emodb4-loso.csv.gz",
        **{figure: {part: round(value, 4) for part, value in summary[figure].items()} for figure in FIGURES},
        "fold_ua": {part: round(summary["fold_ua"][part], 4) for part in ("mean", "std")},
        **{"n": 339, "speakers": 10, "folds": 10, "seeds": 1, "chance": 0.25},
        "parameters": 1,
        "command": "serzoo train toy",
    }
    (tmp_path / "toy.yaml").write_text(yaml.safe_dump({"name": "toy", "reported": [entry]}))
    return tmp_path, table


def test_a_true_figure_passes(publication):
    folder, _ = publication
    (found,) = reported_entries(folder)
    assert found.id == "toy.emodb4-emodb4-loso"
    for check in (check_figures, check_folds, check_whole_corpora):
        check(found.values[0], folder)


def test_a_target_is_judged_whole_and_its_source_not_at_all(publication):
    """Of a protocol across corpora; one fold has no deviation, and how the model adapted stands beside the figure."""
    folder, table = publication
    note = "transductive: adapted to unlabelled clips of emodb, those of the tested speakers among them"
    tables.write(folder / "reported" / "cross.csv.gz", table.assign(fold=0, note=note))
    (found,) = reported_entries(folder)
    entry = found.values[0] | {"protocol": "cross-ravdess-to-emodb@anger,happiness,neutral,sadness", "folds": 1}
    entry |= {"file": "cross.csv.gz", "notes": [note], "fold_ua": {"mean": entry["ua"]["value"], "std": None}}
    for check in (check_figures, check_folds, check_whole_corpora):
        check(entry, folder)
    with pytest.raises(AssertionError):
        check_figures({**entry, "notes": []}, folder)
    tables.write(folder / "reported" / "groups.csv.gz", table.assign(fold=[i % 10 % 2 for i in range(len(table))]))
    check_folds({**entry, "file": "groups.csv.gz", "protocol": f"2fold-{entry['protocol']}"}, folder)
    with pytest.raises(AssertionError, match="seed 0"):
        check_folds({**entry, "protocol": f"2fold-{entry['protocol']}"}, folder)


@pytest.mark.parametrize(("figure", "part"), [("ua", "value"), ("wa", "ci_low"), ("fold_ua", "std")])
def test_a_wrong_figure_fails(publication, figure, part):
    folder, _ = publication
    (found,) = reported_entries(folder)
    entry = found.values[0]
    entry[figure][part] += 0.0005
    with pytest.raises(AssertionError, match=f"{figure} {part}"):
        check_figures(entry, folder)


def test_wrong_folds_and_missing_utterances_fail(publication):
    folder, table = publication
    (found,) = reported_entries(folder)
    entry = found.values[0]
    swapped = table.assign(fold=table["fold"].replace({0: 1, 1: 0}))
    tables.write(folder / "reported" / "swapped.csv.gz", swapped)
    with pytest.raises(AssertionError, match="seed 0"):
        check_folds({**entry, "file": "swapped.csv.gz"}, folder)
    tables.write(folder / "reported" / "short.csv.gz", table.iloc[1:])
    with pytest.raises(AssertionError):
        check_whole_corpora({**entry, "file": "short.csv.gz"}, folder)
    with pytest.raises(AssertionError, match="absent.csv.gz is not in"):
        check_figures({**entry, "file": "absent.csv.gz"}, folder)
