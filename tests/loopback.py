"""A server on the loopback interface, which can be told to misbehave."""

import hashlib
import re
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


def start(asked):
    """The first byte that a Range header asks for."""
    return int(re.fullmatch(r"bytes=(\d+)-", asked)[1]) if asked else 0


class Handler(BaseHTTPRequestHandler):
    def do_HEAD(self):
        """What Hugging Face's library asks before it downloads a file."""
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.send_header("ETag", '"' + hashlib.sha256(data).hexdigest() + '"')
        self.send_header("X-Repo-Commit", "0" * 40)
        self.end_headers()

    def do_GET(self):
        wanted = self.headers.get("Range")
        self.server.asked.append(wanted)
        data = self.server.files.get(self.path)
        if data is None:
            self.send_error(404)
            return
        first = start(wanted) if self.server.resumes else 0
        if first and first >= len(data):
            self.send_response(416)
            self.send_header("Content-Range", f"bytes */{len(data)}")
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        self.send_response(206 if first else 200)
        self.send_header("Content-Length", str(len(data) - first))
        self.end_headers()
        end = first + self.server.cuts.pop(0) if self.server.cuts else len(data)
        self.wfile.write(data[first:end])  # the connection closes after this

    def log_message(self, *arguments):
        pass


@contextmanager
def serving():
    """The server: ``files`` by path; ``cuts``, lengths after which it hangs up."""
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.files, server.cuts, server.asked, server.resumes = {}, [], [], True
        server.address = f"http://127.0.0.1:{server.server_port}"
        thread = threading.Thread(target=server.serve_forever, args=[0.01])
        thread.start()
        yield server
        server.shutdown()
        thread.join()
