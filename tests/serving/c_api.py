"""Answers requests through TensorFlow's C API, as the C++ of a model server would.

Run as a program, in a process that never imports Python's TensorFlow: only the shared
objects that its package ships are loaded. Reads ``requests.json`` and ``arrays.npz`` in
the folder given, writes ``answers.json`` and ``answers.npz``.
"""

import ctypes
import importlib.util
import json
import sys
from ctypes import POINTER, c_char_p, c_int, c_int64, c_size_t, c_void_p
from pathlib import Path

import numpy as np

# Of TF_DataType.
DTYPES = {1: np.float32, 2: np.float64, 3: np.int32, 4: np.uint8, 10: np.bool_}
CODES = {np.dtype(dtype): code for code, dtype in DTYPES.items()}


class Output(ctypes.Structure):
    """``TF_Output``: one of the tensors an operation gives."""

    _fields_ = [("operation", c_void_p), ("index", c_int)]


# Which, their values, how many.
TENSORS = (POINTER(Output), POINTER(c_void_p), c_int)
FUNCTIONS = {
    "TF_Version": (c_char_p, []),
    "TF_NewStatus": (c_void_p, []),
    "TF_GetCode": (c_int, [c_void_p]),
    "TF_Message": (c_char_p, [c_void_p]),
    "TF_NewGraph": (c_void_p, []),
    "TF_NewSessionOptions": (c_void_p, []),
    "TF_LoadSessionFromSavedModel": (
        c_void_p,
        [c_void_p, c_void_p, c_char_p, POINTER(c_char_p), c_int, *3 * [c_void_p]],
    ),
    "TF_GraphOperationByName": (c_void_p, [c_void_p, c_char_p]),
    "TF_AllocateTensor": (c_void_p, [c_int, POINTER(c_int64), c_int, c_size_t]),
    "TF_DeleteTensor": (None, [c_void_p]),
    "TF_TensorData": (c_void_p, [c_void_p]),
    "TF_TensorType": (c_int, [c_void_p]),
    "TF_TensorByteSize": (c_size_t, [c_void_p]),
    "TF_NumDims": (c_int, [c_void_p]),
    "TF_Dim": (c_int64, [c_void_p, c_int]),
    "TF_SessionRun": (
        None,
        [c_void_p, c_void_p, *TENSORS, *TENSORS, c_void_p, c_int, c_void_p, c_void_p],
    ),
}


def load_library():
    """TensorFlow's C API, by the files of the installed package."""
    (folder,) = importlib.util.find_spec("tensorflow").submodule_search_locations
    for name in ("libtensorflow_framework.so*", "libtensorflow_cc.so*"):
        (path,) = Path(folder).glob(name)
        library = ctypes.CDLL(str(path), mode=ctypes.RTLD_GLOBAL)
    for name, (result, arguments) in FUNCTIONS.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    return library


class Session:
    """A SavedModel in a session."""

    def __init__(self, directory):
        self.tf = load_library()
        self.status = self.tf.TF_NewStatus()
        self.graph = self.tf.TF_NewGraph()
        tags = (c_char_p * 1)(b"serve")
        self.session = self.tf.TF_LoadSessionFromSavedModel(
            *(self.tf.TF_NewSessionOptions(), None, str(directory).encode()),
            *(tags, 1, self.graph, None, self.status),
        )
        self.check()

    def check(self):
        if self.tf.TF_GetCode(self.status):
            raise RuntimeError(self.tf.TF_Message(self.status).decode())

    def run(self, feeds, fetches):
        """Values of the tensors named in ``fetches``, given those in ``feeds``."""
        inputs = [self._tensor(array) for array in feeds.values()]
        outputs = (c_void_p * len(fetches))()
        self.tf.TF_SessionRun(
            *(self.session, None, self._outputs(feeds)),
            *((c_void_p * len(inputs))(*inputs), len(inputs)),
            *(self._outputs(fetches), outputs, len(fetches)),
            *(None, 0, None, self.status),
        )
        for tensor in inputs:
            self.tf.TF_DeleteTensor(tensor)
        self.check()
        return [self._array(tensor) for tensor in outputs]

    def _outputs(self, names):
        found = (Output * len(names))()
        for place, name in zip(found, names, strict=True):
            operation, index = name.split(":")
            place.operation = self.tf.TF_GraphOperationByName(
                self.graph, operation.encode()
            )
            place.index = int(index)
            assert place.operation, f"the graph has no {operation}"
        return found

    def _tensor(self, array):
        array = np.ascontiguousarray(array)
        sizes = (c_int64 * array.ndim)(*array.shape)
        tensor = self.tf.TF_AllocateTensor(
            CODES[array.dtype], sizes, array.ndim, array.nbytes
        )
        data = self.tf.TF_TensorData(tensor)
        ctypes.memmove(data, array.ctypes.data, array.nbytes)
        return tensor

    def _array(self, tensor):
        ranks = range(self.tf.TF_NumDims(tensor))
        shape = [self.tf.TF_Dim(tensor, axis) for axis in ranks]
        array = np.empty(shape, DTYPES[self.tf.TF_TensorType(tensor)])
        assert array.nbytes == self.tf.TF_TensorByteSize(tensor)
        data = self.tf.TF_TensorData(tensor)
        ctypes.memmove(array.ctypes.data, data, array.nbytes)
        self.tf.TF_DeleteTensor(tensor)
        return array


def main(folder):
    requests = json.loads((folder / "requests.json").read_text())
    arrays = np.load(folder / "arrays.npz")
    session = Session(requests["directory"])
    answers, errors = {}, {}
    for key, request in requests["requests"].items():
        tensors = requests["signatures"][request["signature"]]
        feeds = {
            tensors["inputs"][name]: arrays[array]
            for name, array in request["inputs"].items()
        }
        try:
            values = session.run(feeds, list(tensors["outputs"].values()))
        except RuntimeError as error:
            errors[key] = str(error)
            continue
        for name, value in zip(tensors["outputs"], values, strict=True):
            answers[f"{key}/{name}"] = value
    np.savez(folder / "answers.npz", **answers)
    report = {
        "errors": errors,
        "version": session.tf.TF_Version().decode(),
        "modules": sorted(sys.modules),
    }
    (folder / "answers.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
