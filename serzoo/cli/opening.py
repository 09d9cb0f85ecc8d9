"""Open models; Keras is imported here, once a command needs it."""

import contextlib
import importlib
import logging
import os
import platform
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from serzoo import registry
from serzoo.errors import ConfigError, MissingFileError, SerzooError, first_line, unknown_name

BACKENDS = ("tensorflow", "jax")


def check_name(source: str) -> None:
    """Refuse a model that does not exist, before Keras is imported, which takes seconds.

    Raises:
        UnknownNameError: if no model, or none of its weights, has this name.
        MissingFileError: if it is no name, and there is no such file or folder.
    """
    if registry.is_path(source):
        if not Path(source).exists():
            raise MissingFileError(f"There is no file or folder {source}.")
        return
    name, _, tag = source.partition(".")
    registry.check_name(name)
    tags = [entry["tag"] for entry in registry.raw_entries(name)["weights"]]
    if tag and tag not in tags and not tag.endswith("-folds"):
        raise unknown_name(f"weights of {name}", tag, tags, see=f"serzoo show {name}")


def open_model(source: str, denoise: str | None = None) -> Any:
    """A model by its name or file, or an export of one, which holds its denoiser."""
    import serzoo
    from serzoo.export import is_export, open_export

    if not is_export(source):
        return serzoo.load(source, denoise=denoise)
    if denoise is not None:
        raise ConfigError(f"--denoise is not for exports: {source} hears as it was exported. Received: {denoise}.")
    return open_export(source)


def import_keras(batches: bool = False) -> None:
    """Import Keras and its backend without the notes that TensorFlow writes before it can be told not to.

    Args:
        batches: whether the command works in batches. Then oneDNN, which TensorFlow leaves off on x86 processors
            without AVX512-VNNI, is turned on: batches are faster with it, single clips slower (docs/speed.md).

    Raises:
        SerzooError: if Keras cannot be imported, or has another backend than TensorFlow or JAX.
    """
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells of retracing and of assets, which nobody asked
    if "keras" in sys.modules:
        return
    if batches and platform.machine() in ("x86_64", "AMD64"):
        os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
    with contextlib.ExitStack() as stack:
        if "TF_CPP_MIN_LOG_LEVEL" not in os.environ:
            os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
            stack.enter_context(_silence())
        try:
            backend = importlib.import_module("keras").config.backend()
        except (ImportError, ValueError) as error:
            backend = os.environ.get("KERAS_BACKEND") or BACKENDS[0]
            if backend in BACKENDS:
                raise SerzooError(f"Keras cannot be imported: {first_line(error)}. See serzoo doctor.") from error
    if backend not in BACKENDS:
        raise SerzooError(
            f"The backend of Keras must be {' or '.join(BACKENDS)}: set KERAS_BACKEND. Received: {backend}."
        )


@contextlib.contextmanager
def _silence() -> Iterator[None]:
    """Lose what is written to stderr, by libraries in C++ too."""
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # stderr may be closed
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            os.dup2(stack.enter_context(tempfile.TemporaryFile()).fileno(), 2)
        yield
