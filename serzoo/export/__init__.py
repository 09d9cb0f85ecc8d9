"""Exports: what was trained is what is served.

``serzoo.export(model, out)`` is this package, called. An export is written aside, opened again, run on real speech and
compared with the model; only then does it get its name.
"""

import importlib
import inspect
import os
import sys
import types
from pathlib import Path

from serzoo.errors import ExportError, unknown_name
from serzoo.export.opening import is_export, open_export

__all__ = ["FORMATS", "export", "is_export", "open_export", "write"]

FORMATS = ("savedmodel", "onnx", "litert")


def export(model, out: str | os.PathLike, format: str = "savedmodel", *, verbose: bool = True, **options) -> Path:
    """Write a model for another runtime, prove that it answers alike, and say what that cost.

    Args:
        model: a classifier, or what :func:`serzoo.load` takes.
        out: folder of the export. For a SavedModel it is what TensorFlow Serving calls the base path, and each export
            is its next version.
        format: ``"savedmodel"``, ``"onnx"`` or ``"litert"``.
        verbose: whether to print size, latency and greatest difference.
        **options: ``window_s`` and ``hop_s`` of the signature ``segments``, and ``serving_kit=True`` for the files of a
            server (SavedModel); ``quantize``: None, ``"float16"`` or ``"int8"``, and ``clip_s``, the length of a clip
            (LiteRT).

    Returns:
        ``out/VERSION``, ``out/NAME.TAG.onnx`` or ``out/NAME.TAG.tflite``; weights of one's own have no tag, those of a
        fold ``seedS-foldF`` in its place.

    Raises:
        ExportError: if the export answers otherwise than the model, or cannot be written, or Keras runs on another
            backend than TensorFlow; nothing is left behind.
        UnknownNameError: if there is no such format, or it has no such option.

    Example:
        >>> import serzoo
        >>> serzoo.export("cnn_ablstm_mtl", "served/ser")  # doctest: +SKIP
        PosixPath('served/ser/1')
    """
    report = write(model, out, format, **options)
    if verbose:
        print(report)
    return report.path


def write(model, out: str | os.PathLike, format: str = "savedmodel", **options):
    """Do what :func:`export` does, and return the report.

    Returns:
        A :class:`serzoo.export.proof.Report`.
    """
    if format not in FORMATS:
        raise unknown_name("format", format, FORMATS)
    import keras

    if (backend := keras.config.backend()) != "tensorflow":
        raise ExportError(f"Exports need KERAS_BACKEND=tensorflow. Received: {backend}.")
    if isinstance(model, (str, os.PathLike)):
        from serzoo import zoo

        model = zoo.load(model)
    write_ = importlib.import_module(f"serzoo.export.{format}").write
    allowed = [name for name, each in inspect.signature(write_).parameters.items() if each.kind is each.KEYWORD_ONLY]
    if unknown := [name for name in options if name not in allowed]:
        raise unknown_name(f"option of {format}", unknown[0], allowed)
    return write_(model, Path(out), **options)


class _Callable(types.ModuleType):
    # The package and the function have the same name.
    def __call__(self, *args, **kwargs):
        return export(*args, **kwargs)


sys.modules[__name__].__class__ = _Callable
