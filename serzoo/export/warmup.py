"""Requests that TensorFlow Serving runs before it says that a version is there, so that no user meets a cold graph."""

from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np

FILE = "tf_serving_warmup_requests"  # in assets.extra; the server knows it by this name


def write_warmup(folder: Path, model_name: str, requests: Iterable[tuple[str, Mapping[str, np.ndarray]]]) -> bool:
    """Write a TFRecord of PredictionLog into ``assets.extra``.

    Args:
        folder: of the SavedModel.
        model_name: name of the model in the requests.
        requests: pairs of a signature and its inputs by name.

    Returns:
        Whether it was written: False without the package tensorflow-serving-api (``pip install "serzoo[serving]"``),
        whose messages these are.
    """
    import tensorflow as tf

    try:
        from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
    except ImportError:
        return False
    (folder / "assets.extra").mkdir(exist_ok=True)
    with tf.io.TFRecordWriter(str(folder / "assets.extra" / FILE)) as file:
        for signature, inputs in requests:
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name=model_name, signature_name=signature),
                inputs={name: tf.make_tensor_proto(value) for name, value in inputs.items()},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            file.write(log.SerializeToString())
    return True
