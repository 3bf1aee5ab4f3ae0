"""The harness's end of the wire: it never waits for a worker without watching it."""

from __future__ import annotations

import socket

from harness.environments.answers import BadAnswer, parsed
from harness.environments.limits import Watch, WorkerGone
from harness.worker import wire


class Connection:
    """Sends requests and receives frames of answers."""

    def __init__(self, sock: socket.socket) -> None:
        wire.widen(sock)
        sock.settimeout(0)
        self._sock = sock

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def send(self, header: wire.Header, payload: bytes | memoryview, watch: Watch) -> None:
        """Send a request.

        Raises:
            WorkerFailure: The worker exceeded a limit.
            WorkerGone: It has ended.
        """
        for part in (wire.begin(header, payload), payload):
            left = memoryview(part)
            while left:
                watch.wait(self._sock, to_write=True)
                try:
                    left = left[self._sock.send(left) :]
                except BlockingIOError:
                    continue
                except OSError as error:
                    raise WorkerGone from error

    def receive(self, watch: Watch) -> tuple[wire.Header, int]:
        """Wait for a frame; its header, and the length of its payload.

        Raises:
            BadAnswer: What came is no frame.
            WorkerFailure: The worker exceeded a limit.
            WorkerGone: It has ended.
        """
        header_length, payload_length = wire.LENGTHS.unpack(self.read(wire.LENGTHS.size, watch))
        if header_length > wire.MAX_HEADER:
            raise BadAnswer("it sent something other than an answer")
        return parsed(bytes(self.read(header_length, watch))), payload_length

    def read(self, count: int, watch: Watch) -> bytearray:
        """The next ``count`` bytes, such as a payload."""
        buffer = bytearray(count)
        left = memoryview(buffer)
        while left:
            watch.wait(self._sock)
            try:
                received = self._sock.recv_into(left)
            except BlockingIOError:
                continue
            except OSError as error:
                raise WorkerGone from error
            if received == 0:
                raise WorkerGone
            left = left[received:]
        return buffer
