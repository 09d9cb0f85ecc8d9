"""The command export."""

import contextlib
import sys
from pathlib import Path
from typing import Annotated, Literal

import typer

from serzoo.cli import opening


def export(
    model: Annotated[str, typer.Argument(metavar="MODEL", help="Name, NAME.TAG, run folder or .keras file.")],
    out: Annotated[Path, typer.Argument(metavar="OUT", help="Folder of the export; of a SavedModel, of its versions.")],
    format: Annotated[Literal["savedmodel", "onnx", "litert"], typer.Option(help="Form of the export.")] = "savedmodel",
    quantize: Annotated[
        Literal["float16", "int8"] | None, typer.Option(help="LiteRT: rounding of the weights; float32 without it.")
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
    given = {"quantize": quantize, "clip": clip, "window": window, "hop": hop}
    given["serving-kit"] = serving_kit or None
    known = {
        "savedmodel": {"window": "window_s", "hop": "hop_s", "serving-kit": "serving_kit"},
        "litert": {"quantize": "quantize", "clip": "clip_s"},
    }.get(format, {})
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in known:
            raise typer.BadParameter(f"is not for --format {format}.", param_hint=f"--{name}")
    options = {known[name]: value for name, value in given.items()}
    opening.check_name(model)
    opening.import_keras()
    import serzoo
    from serzoo.export import write

    with contextlib.redirect_stdout(sys.stderr):
        report = write(serzoo.load(model), out, format, **options)
    print(report)
