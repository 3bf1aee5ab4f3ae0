"""Checkpoints of PyTorch: reading one safely, refusing one that does not fit, its fingerprint.

The standard library alone; torch is imported where it is needed.
"""

from __future__ import annotations

import pickle
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.codec import CodecError, Unavailable

if TYPE_CHECKING:
    from torch import Tensor, nn

VERSION = 1
"""Raised when :func:`fingerprint` gives other numbers for the same weights: they are in bitstreams.

Part of the identity of every case of an adapter that imports this module.
"""

REMEDY = "download it again, or name another checkpoint"

_OUT_OF_MEMORY = re.compile("out of memory|allocate memory")
"""Of the machine or the device, which is not the file's fault."""


@contextmanager
def reading(path: Path, title: str) -> Iterator[None]:
    """Turn what an unreadable or unfit checkpoint raises within into ``Unavailable``.

    Args:
        path: The checkpoint.
        title: The name of the network whose checkpoint it should be.

    Raises:
        Unavailable: Naming the path, the reason and what to do.
    """
    try:
        yield
    except (CodecError, MemoryError):
        raise
    except Exception as error:  # torch raises errors of every kind on any other file
        if _OUT_OF_MEMORY.search(str(error)):
            raise
        problem = f"{path} is not a checkpoint of {title} ({reason(error)})"
        raise Unavailable(problem, REMEDY) from error


def read(path: Path, title: str) -> Any:
    """What a checkpoint holds, its tensors on the CPU and, where possible, mapped from the file.

    Nothing but tensors and plain containers is unpickled.

    Args:
        path: The file.
        title: The name of the network, for the error.

    Raises:
        Unavailable: The file cannot be read, or holds other objects.
    """
    import torch

    with reading(path, title):
        return torch.load(
            path, map_location="cpu", weights_only=True, mmap=zipfile.is_zipfile(path)
        )


def fill(network: nn.Module, path: Path, title: str) -> None:
    """Load the state dict in a file into ``network``.

    Args:
        network: Any module; every tensor of its state dict must be in the file, and no other.
        path: The file.
        title: The network's name, for the error.

    Raises:
        Unavailable: The file cannot be read, or is of another network.
    """
    state = read(path, title)
    with reading(path, title):
        network.load_state_dict(state)


def fingerprint(tensors: Iterable[Tensor], begin: int = 0) -> int:
    """CRC-32 of the values of tensors, one after the other in their row-major order.

    Args:
        tensors: On the CPU, of any type that NumPy has.
        begin: A CRC-32 to continue from.
    """
    check = begin
    for tensor in tensors:
        check = zlib.crc32(tensor.detach().contiguous().numpy().data, check)
    return check


def reason(error: Exception) -> str:
    """What an error says, in short; of a state dict that does not fit, which tensors differ."""
    text = str(error).strip()
    if isinstance(error, pickle.UnpicklingError):
        return "it holds something other than tensors"
    if isinstance(error, KeyError):
        return f"it lacks {error.args[0]}"
    if "loading state_dict" in text:
        named = re.findall(r'"([^"]+)"|size mismatch for (\S+):', text)
        if differ := [absent or of_another_size for absent, of_another_size in named]:
            return f"tensors that differ: {len(differ)}, the first is {differ[0]}"
    return re.split(r"\.\s|:?\n", text)[0] or type(error).__name__
