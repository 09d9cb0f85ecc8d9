"""Exports opened as classifiers: the runtime follows from the file."""

import os
from pathlib import Path
from typing import TYPE_CHECKING

from serzoo import registry
from serzoo.errors import ExportError, MissingFileError
from serzoo.export.versions import versions
from serzoo.files import CARD, RECORD

if TYPE_CHECKING:
    from serzoo.export.exported import Exported


def is_export(source: str | os.PathLike) -> bool:
    """Whether something is to be opened by :func:`open_export` rather than by :func:`serzoo.load`.

    Args:
        source: what a user gives as a model.

    Returns:
        True for ``.onnx`` and ``.tflite`` files, folders of a SavedModel, and folders of its versions; never for those
        of a training run.

    Example:
        >>> is_export("served/ser.onnx"), is_export("cnn_ablstm_mtl")
        (True, False)
    """
    path = Path(source)
    if path.suffix in (".onnx", ".tflite"):
        return True
    if not registry.is_path(source) or not path.is_dir() or is_trained(path):
        return False
    return (path / "saved_model.pb").is_file() or any((path / str(number)).is_dir() for number in versions(path))


def is_trained(path: Path) -> bool:
    """Whether a folder is that of a training run or of one of its folds."""
    return any((path / name).is_file() for name in (RECORD, CARD))


def open_export(path: str | os.PathLike) -> "Exported":
    """Open an export; weights that are not for commercial use give a warning, as by :func:`serzoo.load`.

    Args:
        path: a ``.onnx`` or ``.tflite`` file, the folder of a SavedModel, or the folder of its versions, of which the
            highest is taken.

    Returns:
        A classifier as far as judging recordings goes: ``classify``, ``segments``, ``embed``, ``probabilities``.

    Raises:
        MissingFileError: if nothing is there.
        ExportError: if it was cut, or is no export of serzoo.

    Example:
        >>> open_export("served/ser").classify("call.mp3")  # doctest: +SKIP
        [{'label': 'anger', 'score': 0.81}, ...]
    """
    path = Path(path)
    if not path.exists():
        raise MissingFileError(f"There is no file or folder {path}.")
    if path.suffix == ".onnx":
        from serzoo.export.onnx import OnnxExport as Runtime
    elif path.suffix == ".tflite":
        from serzoo.export.litert import LiteRTExport as Runtime
    elif path.is_dir():
        from serzoo.export.savedmodel import SavedModelExport as Runtime
    else:
        raise ExportError(f"An export is a SavedModel folder, a .onnx or a .tflite file. Received: {path}.")
    from serzoo import zoo

    exported = Runtime(path)
    zoo.warn_of(exported, str(path))
    return exported
