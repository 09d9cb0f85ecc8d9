"""REST: JSON over HTTP, in the column form of TensorFlow Serving's predict API."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import urllib3

from serzoo.errors import ServingError
from serzoo.serving.transport import Transport

# Names of the codes that the status of an HTTP answer stands for.
_CODES = {
    400: "INVALID_ARGUMENT",
    401: "UNAUTHENTICATED",
    403: "PERMISSION_DENIED",
    404: "NOT_FOUND",
    409: "ABORTED",
    412: "FAILED_PRECONDITION",
    429: "RESOURCE_EXHAUSTED",
    501: "UNIMPLEMENTED",
    503: "UNAVAILABLE",
    504: "DEADLINE_EXCEEDED",
}


class Rest(Transport):
    """REST transport; connections are kept and shared by threads.

    Args:
        base: URL up to the name of the model, ``http://HOST:PORT/v1/models``.
        name: name of the served model.
        version: its version; None for the latest.
    """

    def __init__(self, base: str, name: str, version: int | None):
        self.name = name
        self.version = version
        self._base = base
        self._pool = urllib3.PoolManager(maxsize=32, retries=False)

    def predict(self, name: str, signature: str, inputs: Mapping[str, np.ndarray], timeout_s: float) -> dict:
        """As of :class:`Transport`."""
        version = "" if self.version is None else f"/versions/{self.version}"
        url = f"{self._base}/{name}{version}:predict"
        body = {"signature_name": signature, "inputs": {key: _to_json(value) for key, value in inputs.items()}}
        try:
            answer = self._pool.request("POST", url, json=body, timeout=urllib3.Timeout(total=timeout_s))
        except urllib3.exceptions.HTTPError as error:
            # A refused connection is one of urllib3's timeouts too.
            refused = isinstance(error, urllib3.exceptions.NewConnectionError)
            if isinstance(error, urllib3.exceptions.TimeoutError) and not refused:
                raise ServingError(f"{url} did not answer within {timeout_s:.3g} s.", "DEADLINE_EXCEEDED") from error
            raise ServingError(f"{url} cannot be reached: {error}", "UNAVAILABLE") from error
        content = _content(answer.data)
        if answer.status != 200:
            reason = content.get("error") or answer.reason
            raise ServingError(f"{url} refused: {reason}", _CODES.get(answer.status, "UNKNOWN"))
        if not isinstance(content.get("outputs"), dict):
            raise ServingError(f"{url} gave no answer of a model. Received: {answer.data[:80]!r}.", "UNKNOWN")
        return {key: _to_array(value) for key, value in content["outputs"].items()}

    def close(self) -> None:
        """As of :class:`Transport`."""
        self._pool.clear()


def _to_json(array: np.ndarray) -> Any:
    if array.dtype != object:
        return array.tolist()
    return [{"b64": base64.b64encode(each).decode()} for each in array]


def _to_array(value: Any) -> np.ndarray:
    array = np.array(value)
    return array.astype({"f": "float32", "i": "int32", "U": object}.get(array.dtype.kind, array.dtype))


def _content(data: bytes) -> dict:
    try:
        content = json.loads(data)
    except ValueError:
        return {}
    return content if isinstance(content, dict) else {}
