"""Reads pickles of numpy arrays without letting them run code."""

from __future__ import annotations

import io
import math
import pickle
import pickletools
import re
from typing import Any

import numpy as np


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
        return _plain(ArraysOnly(io.BytesIO(data)).load())
    except Exception as error:  # a damaged pickle calls with any arguments what it may call
        raise pickle.UnpicklingError(f"it is no pickle of arrays: {error}") from error


def _check_sizes(data: bytes) -> None:
    """Refuse lengths and numbers that go beyond the data, for which Python would make room."""
    for operation, argument, _ in pickletools.genops(data):  # which checks the lengths
        if operation.name in _NUMBERED and int(argument or 0) > len(data):
            raise pickle.UnpicklingError("it numbers more objects than it can hold")


class _Kind:
    """Stands for a dtype: numpy's own would read memory that a damaged state leads it to."""

    def __init__(self, name: object, align: object, copy: object) -> None:  # noqa: ARG002
        if not isinstance(name, str) or not re.fullmatch(r"[fiu][1248]|b1", name):
            raise pickle.UnpicklingError(f"an array must not hold {name!r}")
        self.dtype = np.dtype(name)

    def __setstate__(self, state: object) -> None:
        match state:
            case (3, "<" | ">" | "|" | "=" as order, None, None, None, -1, -1, 0):
                self.dtype = self.dtype.newbyteorder(order)
            case _:
                raise pickle.UnpicklingError("an array is of a type with fields or parts")


class _Array(np.ndarray):
    """An array that takes its content only as a pickle of one writes it."""

    def __setstate__(self, state: object, /) -> None:
        match state:
            case (1, tuple() as shape, _Kind(dtype=dtype), bool() as fortran, bytes() as data):
                lengths = [n for n in shape if type(n) is int and n >= 0]
                if len(lengths) == len(shape) and math.prod(shape) * dtype.itemsize == len(data):
                    super().__setstate__((1, shape, dtype, fortran, data))  # type: ignore[arg-type]
                    return
        raise pickle.UnpicklingError("an array's shape, type and data do not fit")


def _plain(value: Any) -> Any:
    """The value with plain arrays in its containers."""
    if isinstance(value, _Array):
        return value.view(np.ndarray)
    if type(value) is dict:
        return {key: _plain(held) for key, held in value.items()}
    if type(value) in {list, tuple}:
        return type(value)(map(_plain, value))
    return value


def _reconstruct(kind: object, shape: object, typecode: object) -> _Array:
    """The empty array that every array's pickle begins with, and then fills."""
    if (kind, shape, typecode) != (_NDARRAY, (0,), b"b"):
        raise pickle.UnpicklingError("an array does not begin empty")
    return _Array(0, np.int8)


_NDARRAY = "numpy.ndarray"
_ADMITTED = {"_reconstruct": _reconstruct, "ndarray": _NDARRAY, "dtype": _Kind}
_NUMBERED = ("PUT", "BINPUT", "LONG_BINPUT")
"""The operations that number an object; Python makes a table as long as the number."""
