"""Load and run a SavedModel by the C++ loader that TensorFlow Serving uses, through the C API of libtensorflow_cc.

``python cpp_loader.py LIBRARIES REQUEST ANSWER``: ``LIBRARIES`` is the folder of the shared libraries; ``REQUEST`` is a
JSON file with the folder of the model, ``feeds`` ({tensor name: file of an array, or list of base64 texts}) and
``fetches`` (tensor names); the arrays of ``ANSWER``, an ``.npz`` file, follow the fetches. Nothing but NumPy is
imported: no TensorFlow for Python, no Keras, no serzoo.
"""

import base64
import ctypes
import json
import sys
from pathlib import Path

import numpy as np

FLOAT, INT32, STRING = 1, 3, 7
STRING_SIZE = 24  # bytes of a TF_TString
POINTER = ctypes.c_void_p


class Output(ctypes.Structure):
    """One output of an operation of the graph: TF_Output."""

    _fields_ = [("operation", POINTER), ("index", ctypes.c_int)]


class Library:
    """The functions that are called, each with the type it returns."""

    _RETURNS = {
        **dict.fromkeys(("TF_NewStatus", "TF_NewGraph", "TF_NewSessionOptions"), POINTER),
        **dict.fromkeys(("TF_LoadSessionFromSavedModel", "TF_GraphOperationByName"), POINTER),
        **dict.fromkeys(("TF_AllocateTensor", "TF_TensorData", "TF_StringGetDataPointer"), POINTER),
        **dict.fromkeys(("TF_TensorByteSize", "TF_StringGetSize"), ctypes.c_size_t),
        **dict.fromkeys(("TF_GetCode", "TF_TensorType", "TF_NumDims"), ctypes.c_int),
        "TF_Dim": ctypes.c_int64,
        "TF_Message": ctypes.c_char_p,
        **dict.fromkeys(("TF_SessionRun", "TF_StringInit", "TF_StringCopy"), None),
    }

    def __init__(self, folder: Path):
        framework = ctypes.CDLL(str(folder / "libtensorflow_framework.so.2"), ctypes.RTLD_GLOBAL)
        library = ctypes.CDLL(str(folder / "libtensorflow_cc.so.2"), ctypes.RTLD_GLOBAL)
        for name, returns in self._RETURNS.items():
            function = getattr(library, name, None) or getattr(framework, name)
            function.restype = returns
            setattr(self, name, function)
        self.status = POINTER(self.TF_NewStatus())

    def check(self) -> None:
        if self.TF_GetCode(self.status):
            raise RuntimeError(self.TF_Message(self.status).decode())


class Session:
    """A SavedModel, loaded with the tag ``serve`` as a server does."""

    def __init__(self, library: Library, folder: str):
        self._library = library
        self._graph = POINTER(library.TF_NewGraph())
        options = POINTER(library.TF_NewSessionOptions())
        tags = (ctypes.c_char_p * 1)(b"serve")
        found = library.TF_LoadSessionFromSavedModel(
            options, None, folder.encode(), tags, 1, self._graph, None, library.status
        )
        library.check()
        self._session = POINTER(found)

    def run(self, feeds: dict, fetches: list[str]) -> list[np.ndarray]:
        inputs = (Output * len(feeds))(*map(self._output, feeds))
        values = (POINTER * len(feeds))(*map(self._tensor, feeds.values()))
        outputs = (Output * len(fetches))(*map(self._output, fetches))
        answers = (POINTER * len(fetches))()
        self._library.TF_SessionRun(
            *(self._session, None, inputs, values, len(feeds), outputs, answers, len(fetches)),
            *(None, 0, None, self._library.status),
        )
        self._library.check()
        return [self._array(POINTER(each)) for each in answers]

    def _output(self, tensor_name: str) -> Output:
        name, _, index = tensor_name.partition(":")
        operation = self._library.TF_GraphOperationByName(self._graph, name.encode())
        if not operation:
            raise RuntimeError(f"no operation {name}")
        return Output(operation, int(index))

    def _tensor(self, value) -> POINTER:
        if isinstance(value, list):
            return self._strings(value)
        kind = {"float32": FLOAT, "int32": INT32}[value.dtype.name]
        tensor, data = self._allocate(kind, value.shape, value.nbytes)
        ctypes.memmove(data, np.ascontiguousarray(value).ctypes.data, value.nbytes)
        return tensor

    def _strings(self, values: list[bytes]) -> POINTER:
        tensor, data = self._allocate(STRING, (len(values),), STRING_SIZE * len(values))
        for i, value in enumerate(values):
            self._library.TF_StringInit(POINTER(data + i * STRING_SIZE))
            self._library.TF_StringCopy(POINTER(data + i * STRING_SIZE), value, ctypes.c_size_t(len(value)))
        return tensor

    def _allocate(self, kind: int, shape: tuple, size: int) -> tuple[POINTER, int]:
        dims = (ctypes.c_int64 * len(shape))(*shape)
        tensor = POINTER(self._library.TF_AllocateTensor(kind, dims, len(shape), ctypes.c_size_t(size)))
        return tensor, self._library.TF_TensorData(tensor)

    def _array(self, tensor: POINTER) -> np.ndarray:
        library = self._library
        shape = [library.TF_Dim(tensor, i) for i in range(library.TF_NumDims(tensor))]
        data, kind = library.TF_TensorData(tensor), library.TF_TensorType(tensor)
        if kind == STRING:
            texts = []
            for i in range(int(np.prod(shape))):
                place = POINTER(data + i * STRING_SIZE)
                texts.append(ctypes.string_at(library.TF_StringGetDataPointer(place), library.TF_StringGetSize(place)))
            return np.array([text.decode() for text in texts]).reshape(shape)
        raw = ctypes.string_at(data, library.TF_TensorByteSize(tensor))
        return np.frombuffer(raw, {FLOAT: "float32", INT32: "int32"}[kind]).reshape(shape)


def main(libraries: str, request_file: str, answer_file: str) -> None:
    session = None
    answers = {}
    for number, request in enumerate(json.loads(Path(request_file).read_text())):
        session = session or Session(Library(Path(libraries)), request["folder"])
        feeds = {
            name: [base64.b64decode(each) for each in value] if isinstance(value, list) else np.load(value)
            for name, value in request["feeds"].items()
        }
        for fetch, array in zip(request["fetches"], session.run(feeds, list(request["fetches"].values())), strict=True):
            answers[f"{number}/{fetch}"] = array
    np.savez(answer_file, **answers)
    print([name for name in ("tensorflow", "keras", "serzoo") if name in sys.modules])


if __name__ == "__main__":
    main(*sys.argv[1:])
