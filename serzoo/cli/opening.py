"""Open models; Keras is imported here, once a command needs it."""

import contextlib
import importlib
import logging
import os
import sys
import tempfile
from typing import Any

from serzoo.errors import ConfigError, SerzooError


def open_model(source: str, denoise: str | None = None) -> Any:
    """A model by its name or file, or an export of one, which holds its denoiser."""
    import serzoo
    from serzoo.export import is_export, open_export

    if not is_export(source):
        return serzoo.load(source, denoise=denoise)
    if denoise is not None:
        raise ConfigError(f"--denoise is not for exports: {source} hears as it was exported. Received: {denoise}.")
    return open_export(source)


def import_keras() -> None:
    """Import Keras and its backend without the notes that TensorFlow writes before it can be told not to."""
    logging.getLogger("tensorflow").setLevel(logging.ERROR)  # it tells of retracing and of assets, which nobody asked
    if "TF_CPP_MIN_LOG_LEVEL" in os.environ or "keras" in sys.modules:
        return
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    sys.stderr.flush()
    with contextlib.ExitStack() as stack:
        with contextlib.suppress(OSError):  # stderr may be closed
            kept = os.dup(2)
            stack.callback(os.close, kept)
            stack.callback(os.dup2, kept, 2)
            os.dup2(stack.enter_context(tempfile.TemporaryFile()).fileno(), 2)
        try:
            importlib.import_module("keras")
        except ImportError as error:
            raise SerzooError(f"Keras cannot be imported: {error}. See serzoo doctor.") from error
