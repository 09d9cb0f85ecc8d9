"""A server on the loopback address that speaks the published protocol of TensorFlow Serving; for tests alone.

PredictionService over gRPC and ``:predict`` over REST, for SavedModels that TensorFlow loads, behind a batcher with the
rules of TensorFlow Serving's: requests to one signature of one model are joined on dimension 0, whatever their
shapes; unequal shapes fail them all; the batch is filled up to an allowed size with copies of a row; outputs are split
by dimension 0.
"""

import base64
import contextlib
import http.server
import json
import re
import threading
import time
from concurrent import futures
from pathlib import Path

import grpc
import numpy as np
import tensorflow as tf
from google.protobuf import text_format
from tensorflow_serving.apis import predict_pb2, prediction_service_pb2_grpc
from tensorflow_serving.config import model_server_config_pb2

HTTP = {"INVALID_ARGUMENT": 400, "NOT_FOUND": 404, "FAILED_PRECONDITION": 412, "UNAVAILABLE": 503, "INTERNAL": 500}


class RefusedError(Exception):
    """A request that is answered with an error: a gRPC status and a reason."""

    def __init__(self, code: str, reason: str):
        super().__init__(reason)
        self.code = code


class Loopback:
    """The server; a context manager.

    Args:
        models: base path of each served name; the highest version is served.
        batching: parameters as of :func:`read_batching`; None for no batcher.
        threads: requests handled at once by gRPC.
    """

    def __init__(self, models: dict[str, str | Path], batching: dict | None = None, threads: int = 40):
        self._loaded = {}  # the names of the serving kit share their files
        self._models = {name: self._load(Path(path)) for name, path in models.items()}
        self._batching = batching
        self._batchers = {}
        self._lock = threading.Lock()
        self.batch_sizes = []  # rows of the requests in each batch
        self.failures = []  # codes with which the next requests fail, before any model is asked
        self.delay_s = 0.0  # of each request
        self.num_requests = 0
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        self._grpc = grpc.server(futures.ThreadPoolExecutor(threads), options=options)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(_Service(self), self._grpc)
        self.grpc_port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._rest = http.server.ThreadingHTTPServer(("127.0.0.1", 0), type("Handler", (_Rest,), {"server_": self}))
        self._rest.daemon_threads = True
        self.rest_port = self._rest.server_port

    def __enter__(self):
        self._grpc.start()
        threading.Thread(target=self._rest.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *exception):
        self._rest.shutdown()
        self._rest.server_close()
        self._grpc.stop(0).wait()
        for batcher in self._batchers.values():
            batcher.stop()

    def url(self, way: str, name: str) -> str:
        if way == "rest":
            return f"http://127.0.0.1:{self.rest_port}/v1/models/{name}"
        return f"grpc://127.0.0.1:{self.grpc_port}/{name}"

    def answer(self, name: str, version: int | None, signature: str, inputs) -> dict[str, np.ndarray]:
        """Answer a request; ``inputs(function)`` gives its arrays, once the signature is known."""
        with self._lock:
            self.num_requests += 1
            failure = self.failures.pop(0) if self.failures else None
        if failure:
            raise RefusedError(failure, "told to fail")
        time.sleep(self.delay_s)
        if name not in self._models or version not in (None, self._models[name][0]):
            raise RefusedError("NOT_FOUND", f"Servable not found for request: {name}")
        signatures = self._models[name][1].signatures
        if signature not in signatures:
            raise RefusedError(
                "FAILED_PRECONDITION", f"Serving signature name: {signature!r} not found in signature def"
            )
        function = signatures[signature]
        arrays = inputs(function)
        expected = set(function.structured_input_signature[1])
        if set(arrays) != expected:
            raise RefusedError("INVALID_ARGUMENT", f"input keys {sorted(arrays)} must be {sorted(expected)}")
        if self._batching is None:
            return run(function, arrays)
        with self._lock:
            key = (name, signature)
            if key not in self._batchers:
                self._batchers[key] = Batcher(function, self._batching, self.batch_sizes)
        return self._batchers[key].submit(arrays)

    def _load(self, base: Path):
        version = max(int(each.name) for each in base.iterdir() if each.name.isdigit())
        path = base / str(version)
        if path not in self._loaded:
            self._loaded[path] = (version, tf.saved_model.load(str(path)))
        return self._loaded[path]


class Batcher:
    """The queue of one signature and the thread that empties it."""

    def __init__(self, function, parameters: dict, batch_sizes: list):
        self._function = function
        self._parameters = parameters
        self._batch_sizes = batch_sizes
        self._tasks = []  # (arrays, rows, future)
        self._changed = threading.Condition()
        self._stopped = False
        threading.Thread(target=self._work, daemon=True).start()

    def submit(self, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
        sizes = {len(array) if array.ndim else 0 for array in arrays.values()}
        if len(sizes) != 1 or 0 in sizes:
            raise RefusedError("INVALID_ARGUMENT", "input tensors must have equal 0th-dimension size, at least 1")
        rows, largest = sizes.pop(), self._parameters["max_batch_size"]
        if rows > largest:
            raise RefusedError(
                "INVALID_ARGUMENT", f"Task size {rows} is larger than maximum input batch size {largest}"
            )
        future = futures.Future()
        with self._changed:
            if sum(task[1] for task in self._tasks) > largest * self._parameters["max_enqueued_batches"]:
                raise RefusedError("UNAVAILABLE", "The batch scheduling queue to which this task was submitted is full")
            self._tasks.append((arrays, rows, future))
            self._changed.notify()
        return future.result()

    def stop(self):
        with self._changed:
            self._stopped = True
            self._changed.notify()

    def _work(self):
        while True:
            with self._changed:
                self._changed.wait_for(lambda: self._tasks or self._stopped)
                if self._stopped:
                    return
                self._changed.wait_for(self._is_full, self._parameters["batch_timeout_micros"] / 1e6)
                tasks = self._take()
            try:
                answers = self._judge([task[0] for task in tasks], [task[1] for task in tasks])
            except Exception as error:
                for task in tasks:
                    task[2].set_exception(error)
            else:
                for task, answer in zip(tasks, answers, strict=True):
                    task[2].set_result(answer)

    def _is_full(self):
        return self._stopped or sum(task[1] for task in self._tasks) >= self._parameters["max_batch_size"]

    def _take(self):
        taken, rows = [], 0
        while self._tasks and rows + self._tasks[0][1] <= self._parameters["max_batch_size"]:
            rows += self._tasks[0][1]
            taken.append(self._tasks.pop(0))
        return taken

    def _judge(self, parts: list[dict], rows: list[int]) -> list[dict]:
        self._batch_sizes.append(rows)
        total = sum(rows)
        size = min(each for each in self._parameters["allowed_batch_sizes"] if each >= total)
        joined = {}
        for key in parts[0]:
            arrays = [part[key] for part in parts]
            if len({array.shape[1:] for array in arrays}) > 1:
                raise RefusedError(
                    "FAILED_PRECONDITION",
                    f"Tensors with name '{key}' from different tasks have different shapes and padding is turned off.",
                )
            joined[key] = np.concatenate([*arrays, *[arrays[-1][:1]] * (size - total)])
        outputs = run(self._function, joined)
        for key, array in outputs.items():
            if array.ndim == 0 or len(array) != size:
                raise RefusedError(
                    "FAILED_PRECONDITION", f"0th dimension of the output {key!r} is not that of the batch"
                )
        ends = np.cumsum(rows)
        return [
            {key: array[end - count : end] for key, array in outputs.items()}
            for count, end in zip(rows, ends, strict=True)
        ]


def run(function, arrays: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Run a signature; what TensorFlow refuses is refused."""
    specs = function.structured_input_signature[1]
    for key, array in arrays.items():
        if not specs[key].shape.is_compatible_with(array.shape):
            raise RefusedError("INVALID_ARGUMENT", f"input {key!r} has shape {array.shape}, not {specs[key].shape}")
    try:
        outputs = function(**{key: tf.constant(array, specs[key].dtype) for key, array in arrays.items()})
    except tf.errors.OpError as error:
        raise RefusedError("INVALID_ARGUMENT", error.message.splitlines()[0]) from error
    return {key: value.numpy() for key, value in outputs.items()}


def read_batching(path: Path) -> dict:
    """Read the batching config of a serving kit, a text protocol buffer whose class no package on PyPI holds."""
    text = re.sub(r"#.*", "", Path(path).read_text())
    found = {key: int(value) for key, value in re.findall(r"(\w+) \{ value: (\d+) \}", text)}
    found["allowed_batch_sizes"] = [int(value) for value in re.findall(r"allowed_batch_sizes: (\d+)", text)]
    found["pad_variable_length_inputs"] = "pad_variable_length_inputs: true" in text
    return found


def read_models(path: Path) -> dict[str, str]:
    """Read the base path of each name in a model config."""
    text = Path(path).read_text()
    config = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())
    return {each.name: each.base_path for each in config.model_config_list.config}


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    def __init__(self, server: Loopback):
        self._server = server

    def Predict(self, request, context):  # noqa: N802, the name of the protocol
        spec = request.model_spec
        version = spec.version.value if spec.HasField("version") else None
        signature = spec.signature_name or "serving_default"
        arrays = {key: tf.make_ndarray(value) for key, value in request.inputs.items()}
        try:
            outputs = self._server.answer(spec.name, version, signature, lambda function: arrays)
        except RefusedError as error:
            context.abort(getattr(grpc.StatusCode, error.code), str(error))
        response = predict_pb2.PredictResponse(model_spec=spec)
        for key, value in outputs.items():
            response.outputs[key].CopyFrom(tf.make_tensor_proto(value))
        return response


class _Rest(http.server.BaseHTTPRequestHandler):
    server_: Loopback
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        try:
            path = re.fullmatch(r"/v1/models/([^/:]+)(?:/versions/(\d+))?:predict", self.path)
            if not path:
                raise RefusedError("NOT_FOUND", f"Malformed request: POST {self.path}")
            request = json.loads(body)
            signature = request.get("signature_name", "serving_default")
            version = int(path[2]) if path[2] else None
            outputs = self.server_.answer(path[1], version, signature, lambda function: _arrays(request, function))
            self._send(200, {"outputs": {key: _plain(value) for key, value in outputs.items()}})
        except ValueError as error:
            self._send(400, {"error": f"JSON Parse error: {error}"})
        except RefusedError as error:
            self._send(HTTP[error.code], {"error": str(error)})

    def _send(self, status: int, content: dict):
        data = json.dumps(content).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        with contextlib.suppress(ConnectionError):  # the client may have given up
            self.end_headers()
            self.wfile.write(data)

    def log_message(self, *arguments):
        pass


def _arrays(request: dict, function) -> dict[str, np.ndarray]:
    """Arrays of a request in column form; strings are plain, or ``{"b64": ...}``."""
    arrays = {}
    for key, value in request["inputs"].items():
        spec = function.structured_input_signature[1].get(key)
        if spec is None:
            raise RefusedError("INVALID_ARGUMENT", f"the signature has no input {key!r}")
        if spec.dtype == tf.string:
            arrays[key] = np.array([base64.b64decode(each["b64"]) for each in value], object)
        else:
            arrays[key] = np.array(value, spec.dtype.as_numpy_dtype)
    return arrays


def _plain(array: np.ndarray):
    if array.dtype == object:
        return [_plain(each) if isinstance(each, np.ndarray) else each.decode() for each in array]
    return array.tolist()
