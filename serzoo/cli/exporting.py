"""The command export."""

import contextlib
import sys
from enum import Enum
from pathlib import Path
from typing import Annotated

import typer

from serzoo.cli import opening


class ExportFormat(str, Enum):
    """Form of an export."""

    savedmodel = "savedmodel"
    onnx = "onnx"
    litert = "litert"


class Rounding(str, Enum):
    """Rounding of the weights of a LiteRT file."""

    float16 = "float16"
    int8 = "int8"


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name, NAME.TAG, run folder or .keras file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the export; of a SavedModel, of its versions.")],
    format: Annotated[ExportFormat, typer.Option(help="Form of the export.")] = ExportFormat.savedmodel,
    quantize: Annotated[
        Rounding | None, typer.Option(help="LiteRT: rounding of the weights; float32 without it.")
    ] = None,
    clip: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="LiteRT: length of a clip; by default 3.")
    ] = None,
    window: Annotated[
        float | None, typer.Option(min=0.1, metavar="SECONDS", help="SavedModel: length of a segment; by default 3.")
    ] = None,
    hop: Annotated[
        float | None, typer.Option(min=0.01, metavar="SECONDS", help="SavedModel: time between segments; by default 1.")
    ] = None,
    serving_kit: Annotated[
        bool, typer.Option("--serving-kit", help="SavedModel: also write what TensorFlow Serving needs to start.")
    ] = False,
) -> None:
    """Write a model for another runtime. TensorFlow Serving, ONNX Runtime or LiteRT; it is proved to answer alike."""
    given = {"quantize": quantize and quantize.value, "clip": clip, "window": window, "hop": hop}
    given["serving-kit"] = serving_kit or None
    known = {
        "savedmodel": {"window": "window_s", "hop": "hop_s", "serving-kit": "serving_kit"},
        "litert": {"quantize": "quantize", "clip": "clip_s"},
    }.get(format.value, {})
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in known:
            raise typer.BadParameter(f"is not for --format {format.value}.", param_hint=f"--{name}")
    options = {known[name]: value for name, value in given.items()}
    opening.check_name(model)
    opening.import_keras()
    import serzoo
    from serzoo.export import write

    with contextlib.redirect_stdout(sys.stderr):
        report = write(serzoo.load(model), out, format.value, **options)
    print(report)
