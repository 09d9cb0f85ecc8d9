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
    known = {"savedmodel": ("window", "hop"), "litert": ("quantize", "clip")}.get(format.value, ())
    for name, value in given.items():
        if value is not None and name not in known:
            raise typer.BadParameter(f"is not for --format {format.value}.", param_hint=f"--{name}")
    if serving_kit and format != ExportFormat.savedmodel:
        raise typer.BadParameter(f"is not for --format {format.value}.", param_hint="--serving-kit")
    options = {name if name == "quantize" else f"{name}_s": given[name] for name in known if given[name] is not None}
    if serving_kit:
        options["serving_kit"] = True
    opening.import_keras()
    import serzoo
    from serzoo.export import write

    with contextlib.redirect_stdout(sys.stderr):
        report = write(serzoo.load(model), out, format.value, **options)
    print(report)
