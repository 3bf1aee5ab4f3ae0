"""The worker: a child process that runs one codec and answers the harness's requests.

Started as ``python -m harness.worker SOCKET``. It connects to the socket, and serves from a process
of its own (:mod:`harness.worker.session`) that it supervises (:mod:`harness.worker.supervisor`).
"""

from __future__ import annotations

import socket
import sys
from pathlib import Path

from harness.worker.supervisor import supervise


def main() -> None:
    """Connect to the harness and serve it."""
    address = Path(sys.argv[1])
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
        sock.connect(str(address))

        def serve() -> None:
            from harness.worker.session import Session  # here: the supervisor needs no numpy

            Session(sock).serve()

        supervise(sock, address.parent, serve)


if __name__ == "__main__":
    main()
