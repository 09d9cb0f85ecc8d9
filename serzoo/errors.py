"""The errors that serzoo raises.

Every class derives from :class:`SerzooError` and from the builtin that a caller would expect, and every message
states what is wrong, what is allowed and what came. The command line prints the message alone and exits with 1.
"""

import difflib
from collections.abc import Iterable


class SerzooError(Exception):
    """Base of every error that serzoo raises on purpose."""


class UnknownNameError(SerzooError, ValueError):
    """A model, corpus, protocol, format or class that does not exist."""


class ConfigError(SerzooError, ValueError):
    """A YAML file or a ``--set`` that does not hold what it must."""


class MissingFileError(SerzooError, FileNotFoundError):
    """A file or folder that is not there."""


class AudioError(SerzooError, ValueError):
    """Sound that cannot be read, or that no model should judge."""


class CorpusError(SerzooError, ValueError):
    """A corpus root or table that is not what its reader expects."""


class WeightsError(SerzooError, ValueError):
    """Weights that were cut, changed, or belong to another model."""


class SpeakerLeakError(SerzooError, ValueError):
    """Speakers, files or recordings that stand on both sides of a split."""


class RunError(SerzooError, RuntimeError):
    """A training run that cannot start, go on or be read."""


class DivergedError(RunError):
    """A training whose loss was no longer finite."""


class ExportError(SerzooError, RuntimeError):
    """An export that would not answer as the model does."""


class VersionError(SerzooError, ImportError):
    """A library that is too old for serzoo."""


class ServingError(SerzooError, RuntimeError):
    """A server that cannot be reached, refuses a request or does not answer in time.

    Args:
        message: what happened.
        code: its gRPC status, such as ``"UNAVAILABLE"`` or ``"DEADLINE_EXCEEDED"``.
    """

    def __init__(self, message: str, code: str = "UNKNOWN"):
        super().__init__(message)
        self.code = code


def unknown_name(kind: str, name: str, allowed: Iterable[str], see: str | None = None) -> UnknownNameError:
    """Build the error for a name that does not exist, with the nearest ones that do.

    Args:
        kind: what the name names, such as ``"model"``.
        name: the name that came.
        allowed: the names that exist.
        see: command that lists them; without one the message lists them itself.

    Returns:
        The error, to be raised by the caller.

    Example:
        >>> print(unknown_name("model", "cnn_abltsm", ["cnn_ablstm", "acrnn"], see="serzoo list"))
        Unknown model 'cnn_abltsm'. Did you mean 'cnn_ablstm'? See serzoo list.
    """
    allowed = sorted(allowed)
    nearest = difflib.get_close_matches(str(name), allowed, n=3)
    parts = [f"Unknown {kind} {name!r}."]
    if nearest:
        parts.append(f"Did you mean {' or '.join(map(repr, nearest))}?")
    parts.append(f"See {see}." if see else f"Allowed: {', '.join(allowed) or 'none'}.")
    return UnknownNameError(" ".join(parts))


def join(items: Iterable[object], limit: int = 10) -> str:
    """List things in a message, at most ``limit`` of them.

    Args:
        items: the things; a pair, such as a corpus and a speaker, stands as its words.
        limit: how many are named.

    Example:
        >>> join([("emodb", "03"), ("emodb", "08"), ("emodb", "09")], limit=2)
        'emodb 03, emodb 08 and 1 more'
    """
    words = [" ".join(item) if isinstance(item, tuple) else str(item) for item in items]
    return ", ".join(words[:limit]) + (f" and {len(words) - limit} more" if len(words) > limit else "")


def first_line(error: Exception) -> str:
    r"""First line of what a library says of an error, to stand inside a message; its class where it says nothing.

    Args:
        error: as it was caught.

    Example:
        >>> first_line(ValueError("\nshapes differ.\nSee ..."))
        'shapes differ'
    """
    lines = (line.strip().rstrip(".") for line in str(error).splitlines())
    return next(filter(None, lines), type(error).__name__)
