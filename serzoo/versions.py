"""The versions of Python, TensorFlow and Keras that serzoo is tested with, and the packages of its extras."""

import importlib
import warnings
from collections.abc import Callable

from serzoo.errors import SerzooError, VersionError, first_line

PYTHONS = ((3, 10), (3, 13))
TENSORFLOWS = ((2, 17), (2, 21))
KERAS = ((3, 8), (3, 15))


def numbers(version: str) -> tuple[int, int]:
    """Major and minor number of a version.

    Example:
        >>> numbers("2.21.0rc1")
        (2, 21)
    """
    major, minor = version.split(".")[:2]
    return int(major), int(minor)


def span(versions: tuple[tuple[int, int], tuple[int, int]]) -> str:
    """A range in words.

    Example:
        >>> span(KERAS)
        '3.8 to 3.15'
    """
    return " to ".join(f"{major}.{minor}" for major, minor in versions)


def keras_problem(version: str) -> str | None:
    """Judge a version of Keras.

    Args:
        version: such as ``"3.15.1"``.

    Returns:
        What is wrong with it and what to do; None if it is in the range.
    """
    newest = f"{KERAS[1][0]}.{KERAS[1][1] + 1}"
    advice = f"python -m pip install 'keras>={KERAS[0][0]}.{KERAS[0][1]},<{newest}'."
    if numbers(version) < KERAS[0]:
        return f"Keras {version} is too old, serzoo needs {span(KERAS)}: {advice}"
    if numbers(version) > KERAS[1]:
        return f"Keras {version} is newer than what serzoo is tested with, {span(KERAS)}: {advice}"
    return None


def check_keras() -> None:
    """Import Keras and look at its version, before anything of serzoo builds on it.

    A Keras that is newer than the range gets a warning.

    Raises:
        VersionError: if it is older.
    """
    version = importlib.import_module("keras").__version__
    if problem := keras_problem(version):
        if numbers(version) < KERAS[0]:
            raise VersionError(problem)
        warnings.warn(problem, stacklevel=3)


def require(extra: str, *packages: str, error: Callable[[str], SerzooError]) -> None:
    """Import packages of an extra, or say how to install it.

    Args:
        extra: as of ``pip install "serzoo[EXTRA]"``.
        packages: names of the modules.
        error: makes the error from its message.

    Raises:
        SerzooError: as ``error`` makes it, if one of them cannot be imported.
    """
    try:
        for name in packages:
            importlib.import_module(name)
    except ImportError as missing:
        raise error(f'This needs pip install "serzoo[{extra}]": {first_line(missing)}.') from missing
