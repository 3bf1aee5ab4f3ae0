"""Reads pickles of numpy arrays without letting them run code."""

from __future__ import annotations

import io
import pickle
from typing import Any

import numpy as np


class ArraysOnly(pickle.Unpickler):
    """Reads pickles (protocol 3 or 4) of containers of numpy arrays, and refuses anything else."""

    _ADMITTED = {  # noqa: RUF012
        "_reconstruct": np.empty(0).__reduce__()[0],
        "ndarray": np.ndarray,
        "dtype": np.dtype,
    }

    def find_class(self, module: str, name: str) -> Any:
        """The class or function of that name.

        Raises:
            pickle.UnpicklingError: It is not one that arrays need.
        """
        if module.partition(".")[0] == "numpy" and name in self._ADMITTED:
            return self._ADMITTED[name]
        raise pickle.UnpicklingError(f"a pickle of arrays must not hold {module}.{name}")


def read_arrays(data: bytes) -> Any:
    """The arrays of a pickle, in the containers that hold them.

    Raises:
        pickle.UnpicklingError: It is damaged, or holds anything but containers, numbers and arrays.
    """
    try:
        return ArraysOnly(io.BytesIO(data)).load()
    except Exception as error:  # a damaged pickle calls with any arguments what it may call
        raise pickle.UnpicklingError(f"it is no pickle of arrays: {error}") from error
