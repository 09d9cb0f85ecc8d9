"""The two ways to a server: REST and gRPC behind one method."""

import abc
import functools
import re
from collections.abc import Mapping

import numpy as np

from serzoo.errors import ServingError
from serzoo.versions import require

_REST = re.compile(r"(?P<root>https?://[^/?#]+)(?:/.*)?/v1/models/(?P<name>[^/:?#]+)(?:/versions/(?P<version>\d+))?/?")
_GRPC = re.compile(r"(?P<scheme>grpcs?)://(?P<address>[^/?#]+)/(?P<name>[^/:?#]+)(?:/versions/(?P<version>\d+))?/?")
_missing = functools.partial(ServingError, code="UNIMPLEMENTED")


class Transport(abc.ABC):
    """Carries one request to a server, once.

    Attributes:
        name: name of the served model.
        version: its version; None for the latest.
    """

    name: str
    version: int | None

    @abc.abstractmethod
    def predict(self, name: str, signature: str, inputs: Mapping[str, np.ndarray], timeout_s: float) -> dict:
        """Ask a signature of the model ``name``.

        Args:
            name: name of the served model.
            signature: name of the signature.
            inputs: arrays; those of ``bytes`` have dtype object.
            timeout_s: seconds to wait for the whole answer.

        Returns:
            Arrays by name of the output; strings are ``str`` in arrays of dtype object.

        Raises:
            ServingError: with the ``code`` of the server, ``UNAVAILABLE`` if there is none and ``DEADLINE_EXCEEDED`` if
                it takes too long.
        """

    @abc.abstractmethod
    def close(self) -> None:
        """Close the connections."""


def connect(url: str) -> Transport:
    """Choose the transport by the URL; nothing is sent yet.

    Args:
        url: as of :class:`serzoo.serving.Client`.

    Returns:
        The transport.

    Raises:
        ServingError: if the URL has neither form, or its packages are missing.

    Example:
        >>> connect("http://localhost:8501/v1/models/ser").name
        'ser'
    """
    if found := _REST.fullmatch(url):
        require("serving", "urllib3", error=_missing)
        from serzoo.serving.rest import Rest

        base = url[: found.start("name")].rstrip("/")
        return Rest(base, found["name"], _version(found))
    if found := _GRPC.fullmatch(url):
        require("serving", "grpc", "tensorflow", "tensorflow_serving.apis", error=_missing)
        from serzoo.serving.remote_call import RemoteCall

        return RemoteCall(found["address"], found["name"], _version(found), secure=found["scheme"] == "grpcs")
    raise ServingError(
        "The URL must be http://HOST:PORT/v1/models/NAME or grpc://HOST:PORT/NAME, either with /versions/N. "
        f"Received: {url!r}.",
        "INVALID_ARGUMENT",
    )


def _version(found: re.Match) -> int | None:
    return int(found["version"]) if found["version"] else None
