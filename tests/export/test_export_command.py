"""``serzoo export``, and ``serzoo predict`` and ``evaluate`` with what it wrote."""

import csv
import io

import pytest
from typer.testing import CliRunner

from serzoo.cli import app


def run(*arguments):
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_export_and_predict(small_model, tmp_path, clips):
    small_model.save(tmp_path / "small.keras")
    done = run("export", tmp_path / "small.keras", tmp_path / "out", "--format", "onnx")
    assert done.exit_code == 0, done.output
    assert str(tmp_path / "out" / "cnn_ablstm_mtl.onnx") in done.stdout and "MB, reloaded and compared" in done.stdout
    answers = []
    for model in (tmp_path / "small.keras", tmp_path / "out" / "cnn_ablstm_mtl.onnx"):
        done = run("predict", *clips.values(), "--model", model, "--format", "csv")
        assert done.exit_code == 0, done.output
        answers.append(list(csv.DictReader(io.StringIO(done.stdout))))
    assert len(answers[0]) == 4
    for one, two in zip(*answers, strict=True):
        assert (one["file"], one["label"]) == (two["file"], two["label"])
        for name in small_model.classes:
            assert float(one[f"p_{name}"]) == pytest.approx(float(two[f"p_{name}"]), abs=2e-4)


def test_predict_with_versions_of_a_saved_model(base, clips):
    done = run("predict", clips["anger"], "--model", base, "--window", "1", "--hop", "0.5", "--format", "csv")
    assert done.exit_code == 0 and len(done.stdout.splitlines()) == 4, done.output


def test_a_cut_export_is_one_sentence(base, tmp_path, clips):
    path = tmp_path / "model.onnx"
    path.write_bytes(b"cut")
    done = run("predict", clips["anger"], "--model", path)
    assert done.exit_code == 1 and "is cut or is no ONNX file that serzoo wrote" in str(done.exception)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--format", "onnx", "--quantize", "int8"), "is not for --format onnx"),
        (("--format", "litert", "--window", "2"), "is not for --format litert"),
        (("--clip", "2"), "is not for --format savedmodel"),
        (("--format", "onnx", "--serving-kit"), "is not for --format onnx"),
        (("--format", "h5"), "'h5' is not one of"),
    ],
)
def test_options_of_another_format(options, message, tmp_path):
    done = run("export", "cnn_ablstm_mtl", tmp_path, *options)
    assert done.exit_code == 2 and message in " ".join(done.stderr.replace("│", " ").split())


def test_denoise_is_not_for_exports(base, tmp_path):
    done = run(
        "evaluate", base, "--corpus", f"emodb={tmp_path}", "--out", tmp_path / "r", "--denoise", "wavelet_shrinkage"
    )
    assert done.exit_code == 1 and "--denoise is not for exports" in str(done.exception)
