"""Range coding of the indices with the words' frequencies, by the ``constriction`` library.

Off by default, as in the paper: trained codebooks are used so evenly that it gains about one
per cent. It exists to show that (Figure 4 of the supplement).
"""

from __future__ import annotations

import constriction
import numpy as np
import numpy.typing as npt

from harness.codec import BitstreamError
from harness.codec.bitstream import read_varint, varint

from .bitstream import VARINT_BYTES, Indices

_WORD = np.dtype("<u4")


class RangeCoded:
    """Stages coded with one static distribution a codebook; each begins with its length."""

    def __init__(self, usage: npt.NDArray[np.floating]) -> None:
        """Prepare the distributions.

        Args:
            usage: stages x words, how often each word was chosen in training; 0 is allowed.
        """
        counts = usage.astype(np.float64) + 1
        probabilities = counts / counts.sum(1, keepdims=True)
        self._models = [
            constriction.stream.model.Categorical(row, perfect=False) for row in probabilities
        ]

    def encode(self, stage: int, indices: Indices) -> bytes:
        """See :class:`.bitstream.StageCoder`."""
        encoder = constriction.stream.queue.RangeEncoder()
        encoder.encode(indices.astype(np.int32), self._models[stage])
        data: bytes = encoder.get_compressed().astype(_WORD).tobytes()
        return varint(len(data)) + data

    def length(self, rest: memoryview, count: int) -> int | None:  # noqa: ARG002 - it is written
        """See :class:`.bitstream.StageCoder`."""
        try:
            length, start = read_varint(rest, 0, VARINT_BYTES)
        except BitstreamError:
            if len(rest) < 3:  # noqa: PLR2004 - the longest length; it may be cut
                return None
            raise
        return start + length

    def decode(self, stage: int, data: memoryview, count: int) -> Indices:
        """See :class:`.bitstream.StageCoder`."""
        _, start = read_varint(data, 0, VARINT_BYTES)
        if (len(data) - start) % _WORD.itemsize:
            raise BitstreamError(f"stage {stage + 1} is damaged: it is not made of whole words")
        words = np.frombuffer(data[start:], _WORD).astype(np.uint32)
        decoder = constriction.stream.queue.RangeDecoder(words)
        try:
            indices: Indices = decoder.decode(self._models[stage], count).astype(np.uint16)
        except AssertionError as error:
            raise BitstreamError(f"stage {stage + 1} is damaged: {error}") from error
        if self.encode(stage, indices) != data:
            raise BitstreamError(f"stage {stage + 1} is damaged: no encoder writes these bytes")
        return indices
