"""The wire between the harness and a worker: frames of a JSON header and raw bytes.

A frame is the lengths of its two parts (4 bytes and 8 bytes, big-endian), the header as UTF-8
JSON, and the payload. Images travel as payload with ``height`` and ``width`` in the header. A
request has an ``id``, and so has every frame that answers it.
"""

from __future__ import annotations

import json
import socket
import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from harness.codec import Image, WeightsMode

LENGTHS = struct.Struct(">IQ")
MAX_HEADER = 1 << 20
MAX_PIXELS = 1 << 28
"""The largest image that a worker may decode to."""

BUFFER_BYTES = 1 << 22

Header = dict[str, Any]


class WireClosed(ConnectionError):
    """The other side closed the connection, or is gone."""


def widen(sock: socket.socket) -> None:
    """Ask for a send buffer that holds an image, up to the system's limit: fewer system calls."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, BUFFER_BYTES)


def max_bitstream(height: int, width: int) -> int:
    """The longest bitstream of an image that is received, in bytes: 16 a sample, and 1 MiB."""
    return 16 * 3 * height * width + (1 << 20)


def begin(header: Header, payload: bytes | memoryview) -> bytes:
    """A frame up to its payload."""
    text = json.dumps(header).encode()
    return LENGTHS.pack(len(text), len(payload)) + text


def send(sock: socket.socket, header: Header, payload: bytes | memoryview = b"") -> None:
    """Send one frame.

    Raises:
        WireClosed: The other side is gone.
    """
    try:
        sock.sendall(begin(header, payload))
        if len(payload):
            sock.sendall(payload)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise WireClosed(str(error)) from error


def receive(sock: socket.socket) -> tuple[Header, bytearray]:
    """Wait for one frame from the harness.

    Raises:
        WireClosed: The other side is gone.
    """
    header_length, payload_length = LENGTHS.unpack(_read(sock, LENGTHS.size))
    header: Header = json.loads(bytes(_read(sock, header_length)))
    return header, _read(sock, payload_length)


def _read(sock: socket.socket, count: int) -> bytearray:
    buffer = bytearray(count)
    view = memoryview(buffer)
    while view:
        try:
            received = sock.recv_into(view, flags=socket.MSG_WAITALL)
        except ConnectionResetError as error:
            raise WireClosed(str(error)) from error
        if received == 0:
            raise WireClosed("the other side closed the connection")
        view = view[received:]
    return buffer


def rate_fields(
    rate_id: str,
    options: Mapping[str, Any],
    weights: WeightsMode,
    files: Mapping[str, Path],
    upstream: Path | None = None,
) -> Header:
    """A rate point as it travels on the wire."""
    return {
        "id": rate_id,
        "options": dict(options),
        "weights": weights,
        "files": {name: str(path) for name, path in files.items()},
        "upstream": str(upstream) if upstream else None,
    }


def image_payload(image: Image) -> tuple[Header, memoryview]:
    """The header fields and payload that carry an image (uint8, H x W x 3)."""
    import numpy as np  # here, so that listing codecs does not wait for it

    height, width, _ = image.shape
    return {"height": height, "width": width}, np.ascontiguousarray(image).data.cast("B")


def payload_image(header: Header, payload: bytearray) -> Image:
    """The image of a frame made with :func:`image_payload`."""
    import numpy as np

    return np.frombuffer(payload, np.uint8).reshape(header["height"], header["width"], 3)
