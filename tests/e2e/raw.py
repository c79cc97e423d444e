"""Bytes on a socket: what a client library would refuse to send."""

import json
import socket
import time


class Raw:
    """One connection. `read` takes one answer from it."""

    def __init__(self, url, timeout_s=15):
        host, _, port = url.rpartition("//")[2].partition(":")
        self.host = f"{host}:{port}"
        self.socket = socket.create_connection((host, int(port)), timeout=timeout_s)
        self.input = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()

    def send(self, data):
        try:
            self.socket.sendall(data.encode("latin-1") if isinstance(data, str) else data)
        except (BrokenPipeError, ConnectionResetError):
            pass  # It answered and closed already; what it said is still there to be read.

    def read(self, head=False):
        """(status, headers with lower-case names, body), or None when the server closed."""
        while b"\r\n\r\n" not in self.input:
            if not self._more():
                assert not self.input, f"an answer ends in the middle: {self.input!r}"
                return None
        top, _, self.input = self.input.partition(b"\r\n\r\n")
        lines = top.decode("latin-1").split("\r\n")
        version, status, _ = lines[0].split(" ", 2)
        assert version == "HTTP/1.1"
        headers = {name.lower(): value.strip() for name, _, value in
                   (line.partition(":") for line in lines[1:])}
        size = 0 if head or status in ("100", "304") else int(headers["content-length"])
        while len(self.input) < size:
            assert self._more(), "the body ends too early"
        body, self.input = self.input[:size], self.input[size:]
        return int(status), headers, body

    def _more(self):
        try:
            data = self.socket.recv(65536)
        except ConnectionResetError:
            return False
        self.input += data
        return bool(data)

    def closed_within(self, seconds):
        """True when the server ends the connection, having sent nothing more."""
        self.socket.settimeout(seconds)
        began = time.monotonic()
        try:
            while self._more():
                pass
        except TimeoutError:
            return False
        return not self.input and time.monotonic() - began <= seconds


def ask(url, data):
    """(status, code, whether the connection was closed after the first answer)."""
    with Raw(url) as raw:
        raw.send(data)
        status, headers, body = raw.read()
        code = json.loads(body).get("code") if body else None
        if headers.get("connection") == "close":
            assert raw.read() is None, "more came after the last answer"
            return status, code, True
        return status, code, False
