"""gRPC: the PredictionService of tensorflow-serving-api."""

from collections.abc import Mapping

import grpc
import numpy as np
import tensorflow as tf  # its messages carry the tensors
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc

from serzoo.errors import ServingError
from serzoo.serving.transport import Transport

# Thirty seconds of sound times 32 rows are 61 MB, and the limit of an answer is 4 MB by default.
_OPTIONS = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class RemoteCall(Transport):
    """gRPC transport; one channel, shared by threads.

    Args:
        address: ``HOST:PORT``.
        name: name of the served model.
        version: its version; None for the latest.
        secure: whether to use TLS.
    """

    def __init__(self, address: str, name: str, version: int | None, secure: bool):
        self.name = name
        self.version = version
        if secure:
            self._channel = grpc.secure_channel(address, grpc.ssl_channel_credentials(), _OPTIONS)
        else:
            self._channel = grpc.insecure_channel(address, _OPTIONS)
        self._address = f"{'grpcs' if secure else 'grpc'}://{address}"
        self._stub = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def predict(self, name: str, signature: str, inputs: Mapping[str, np.ndarray], timeout_s: float) -> dict:
        """As of :class:`Transport`."""
        request = predict_pb2.PredictRequest()
        request.model_spec.name = name
        request.model_spec.signature_name = signature
        if self.version is not None:
            request.model_spec.version.value = self.version
        for key, value in inputs.items():
            request.inputs[key].CopyFrom(tf.make_tensor_proto(value))
        try:
            answer = self._stub.Predict(request, timeout=timeout_s)
        except grpc.RpcError as error:
            message = f"{self._address}/{name} refused: {error.details()}"
            raise ServingError(message, error.code().name) from error
        return {key: _decoded(tf.make_ndarray(value)) for key, value in answer.outputs.items()}

    def close(self) -> None:
        """As of :class:`Transport`."""
        self._channel.close()


def _decoded(array: np.ndarray) -> np.ndarray:
    if array.dtype != object:
        return array
    texts = np.empty(array.shape, object)
    texts.ravel()[:] = [each.decode() for each in array.ravel()]
    return texts
