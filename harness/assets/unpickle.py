"""Reads pickles of numpy arrays without letting them run code."""

from __future__ import annotations

import io
import pickle
import pickletools
from typing import Any

import numpy as np
import numpy.typing as npt


class ArraysOnly(pickle.Unpickler):
    """Reads pickles (protocol 3 or 4) of containers of numpy arrays, and refuses anything else."""

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of that name, or what stands for it.

        Raises:
            pickle.UnpicklingError: It is not one that arrays need.
        """
        if module.partition(".")[0] == "numpy" and name in _ADMITTED:
            return _ADMITTED[name]
        raise pickle.UnpicklingError(f"a pickle of arrays must not hold {module}.{name}")


def read_arrays(data: bytes) -> Any:
    """The arrays of a pickle, in the containers that hold them.

    Raises:
        pickle.UnpicklingError: It is damaged, or holds anything but containers, numbers and arrays.
    """
    try:
        _check_sizes(data)
        return ArraysOnly(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle calls with any arguments what it may call
        raise pickle.UnpicklingError(f"it is no pickle of arrays: {error}") from error


def _check_sizes(data: bytes) -> None:
    """Refuse lengths and numbers that go beyond the data, for which Python would make room."""
    for operation, argument, _ in pickletools.genops(data):  # which checks the lengths
        if operation.name in _NUMBERED and int(argument or 0) > len(data):
            raise pickle.UnpicklingError("it numbers more objects than it can hold")


def _reconstruct(kind: object, shape: object, typecode: object) -> npt.NDArray[Any]:
    """The empty array that every array's pickle begins with, and then fills."""
    if (kind, shape, typecode) != (_NDARRAY, (0,), b"b"):
        raise pickle.UnpicklingError("an array does not begin empty")
    return np.empty(0, np.int8)


_NDARRAY = "numpy.ndarray"
_ADMITTED = {"_reconstruct": _reconstruct, "ndarray": _NDARRAY, "dtype": np.dtype}
_NUMBERED = ("PUT", "BINPUT", "LONG_BINPUT")
"""The operations that number an object; Python makes a table as long as the number."""
