"""Whether a weights file is whole by what its own format says; the standard library alone.

For the many weights whose publishers state neither a size nor a digest. It reads a header or an end
and no more, whatever the file's size.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import BinaryIO

_ZIP = b"PK\x03\x04"
_LENGTH_BYTES = 8  # of a safetensors file's header, lowest byte first
_LONGEST_HEADER = 100_000_000  # that the safetensors library reads


def truncation(path: Path) -> str | None:
    """Why a file is not whole, or ``None`` where it is, or where its format does not say.

    Known are what ``torch.save`` writes since PyTorch 1.6, a zip archive, whose directory is at its
    end; and safetensors, by their ending, whose header states where the last tensor ends.

    Raises:
        OSError: The file cannot be read.
    """
    with path.open("rb") as file:
        if path.suffix == ".safetensors":
            return _safetensors(file, path.stat().st_size)
        if file.read(len(_ZIP)) == _ZIP and not zipfile.is_zipfile(file):
            return "a zip archive without the directory at its end"
    return None


def _safetensors(file: BinaryIO, size: int) -> str | None:
    length = int.from_bytes(file.read(_LENGTH_BYTES), "little")
    begin = _LENGTH_BYTES + length
    if begin > size or length > _LONGEST_HEADER:
        return "it ends inside its header"
    try:
        header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        end = begin + max(ends, default=0)
    except (ValueError, TypeError, AttributeError, LookupError, RecursionError):
        return "its header does not say where its tensors end"
    return None if size == end else f"it has {size} bytes, and its header states {end}"
