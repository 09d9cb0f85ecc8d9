"""What ``serzoo doctor`` finds: versions, backend, devices, decoders, weights, and what is wrong with them."""

import hashlib
import importlib
import os
import platform
import sys
from importlib import metadata

from serzoo import versions
from serzoo.errors import SerzooError

# What setup.cfg requires beside TensorFlow and Keras.
PACKAGES = (
    *("numpy", "pandas", "matplotlib", "librosa", "soundfile", "soxr", "tensorboard", "PyYAML", "pydantic"),
    *("typer", "rich", "Jinja2"),
)
FORMATS = ("WAV", "FLAC", "OGG", "MP3")


def examine() -> tuple[list[list[str]], list[str]]:
    """Look at this installation.

    Returns:
        Rows of ``[what, found]``, and problems in plain words; none where everything works.
    """
    facts, problems = [], []
    _examine_versions(facts, problems)
    _examine_backend(facts, problems)
    _examine_decoder(facts, problems)
    _examine_weights(facts, problems)
    return facts, problems


def _examine_versions(facts: list, problems: list) -> None:
    facts += [["serzoo", _version("serzoo") or "not installed, run from its folder"]]
    facts += [["Python", f"{platform.python_version()} on {platform.system()} {platform.machine()}"]]
    if not versions.PYTHONS[0] <= sys.version_info[:2] <= versions.PYTHONS[1]:
        tested = versions.span(versions.PYTHONS)
        problems.append(f"Python {platform.python_version()} is outside the tested range {tested}.")
    for package in PACKAGES:
        facts.append([package, _version(package) or "missing"])
        if not _version(package):
            problems.append(f"{package} is missing: python -m pip install {package}.")


def _examine_backend(facts: list, problems: list) -> None:
    tensorflow, keras = (_version(name) for name in ("tensorflow", "keras"))
    tensorflow = tensorflow or _version("tensorflow-cpu") or _version("tf-nightly")
    if keras and (problem := versions.keras_problem(keras)):
        problems.append(problem)
    if tensorflow and not versions.TENSORFLOWS[0] <= versions.numbers(tensorflow) <= versions.TENSORFLOWS[1]:
        tested = versions.span(versions.TENSORFLOWS)
        problems.append(f"TensorFlow {tensorflow} is outside the tested range {tested}.")
    if os.environ.get("TF_USE_LEGACY_KERAS", "0") not in ("", "0", "false", "False"):
        problems.append("TF_USE_LEGACY_KERAS is set, which gives Keras 2 to TensorFlow: unset it.")
    try:
        backend = importlib.import_module("keras").config.backend()
    except Exception as error:  # a broken install fails in any way
        facts.append(["Keras", keras or "missing"])
        problems.append(f"Keras cannot be imported: {_one_line(error)}. python -m pip install keras tensorflow.")
        return
    facts += [["Keras", keras or "unknown"], ["backend", backend]]
    if backend not in ("tensorflow", "jax"):
        problems.append(f"The backend {backend} is not supported: set KERAS_BACKEND to tensorflow or jax.")
    facts.append(["TensorFlow", tensorflow or "missing"])
    if not tensorflow:
        if backend == "tensorflow":
            problems.append("TensorFlow is missing: python -m pip install tensorflow.")
        return
    try:
        gpus = importlib.import_module("tensorflow").config.list_physical_devices("GPU")
        facts.append(["GPU", ", ".join(gpu.name for gpu in gpus) or "none: everything runs on the CPU"])
    except Exception as error:
        problems.append(f"TensorFlow cannot be imported: {_one_line(error)}.")


def _examine_decoder(facts: list, problems: list) -> None:
    try:
        soundfile = importlib.import_module("soundfile")
    except Exception as error:
        problems.append(f"No audio can be read, soundfile cannot be imported: {_one_line(error)}.")
        return
    known = soundfile.available_formats()
    facts.append(["decoder", f"{soundfile.__libsndfile_version__}: {', '.join(f for f in FORMATS if f in known)}"])
    if tensorflow_io := _version("tensorflow-io"):
        from serzoo import decoding

        # An extra that does not fit is no problem: training decodes as well without it.
        native = f"tensorflow-io {tensorflow_io} for FLAC, OGG and MP3 at 16 kHz"
        facts.append(["decoder in training", decoding.problem() or (native if decoding.available() else "libsndfile")])
    for missing in (f for f in FORMATS if f not in known):
        problems.append(f"This libsndfile cannot read {missing}: python -m pip install -U soundfile.")


def _examine_weights(facts: list, problems: list) -> None:
    try:
        from serzoo import config, registry
    except ImportError as error:
        problems.append(f"No model can be read: {_one_line(error)}.")
        return
    whole = 0
    for name in registry.names():
        try:
            entries = config.load(name).weights
        except SerzooError as error:
            problems.append(_one_line(error))
            continue
        for entry in entries:
            path = registry.weights_folder() / entry.file
            if not path.is_file():
                problems.append(f"The weights {name}.{entry.tag} are missing: {path}.")
            elif hashlib.sha256(path.read_bytes()).hexdigest() != entry.sha256:
                problems.append(f"The weights {name}.{entry.tag} were changed or cut, their sha256 differs: {path}.")
            else:
                whole += 1
    facts.append(["weights", f"{whole} files, whole"])


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _one_line(error: object) -> str:
    return " ".join(str(error).split())[:300].rstrip(".")
