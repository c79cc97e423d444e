"""A lean HTTP/1.1 client for many buyers: kept-alive connections, and every loss is noticed."""

import asyncio
import json
from typing import NamedTuple


class Reply(NamedTuple):
    """Status 0: there was no answer; `body` says whether the request may have arrived."""

    status: int
    body: dict


NOT_SENT = Reply(0, {"code": "not_sent"})
LOST = Reply(0, {"code": "lost"})


class _Connection(asyncio.Protocol):
    """One request at a time."""

    def __init__(self):
        self.transport = None
        self.waiting = None
        self.input = b""

    def connection_made(self, transport):
        self.transport = transport

    def connection_lost(self, _):
        self.transport = None
        self._finish(None)

    def data_received(self, data):
        self.input += data
        head, found, rest = self.input.partition(b"\r\n\r\n")
        if not found:
            return
        fields = head.lower().split(b"\r\n")
        length = next((int(f[15:]) for f in fields if f.startswith(b"content-length:")), 0)
        if len(rest) < length:
            return
        self.input = rest[length:]
        if b"connection: close" in fields:
            self.transport.close()
        self._finish((int(head[9:12]), rest[:length]))

    def _finish(self, answer):
        waiting, self.waiting = self.waiting, None
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def send(self, data):
        self.waiting = asyncio.get_running_loop().create_future()
        if self.transport is None:
            self._finish(None)
            self.waiting = None
            return None
        self.transport.write(data)
        return self.waiting

    def usable(self):
        return self.transport is not None and not self.transport.is_closing()

    def drop(self):
        if self.transport is not None:
            self.transport.abort()


class Client:
    """Connections to one port of this host."""

    def __init__(self, port, timeout_s=3):
        self.port = port
        self.timeout_s = timeout_s
        self.idle = []

    async def ask(self, method, path, token, body=None, patience_s=0):
        """`patience_s`: how long the server was asked to wait."""
        data = self._request(method, path, token, body)
        timeout_s = self.timeout_s + patience_s
        try:
            connection = await asyncio.wait_for(self._connection(), timeout_s)
        except (OSError, asyncio.TimeoutError):
            return NOT_SENT
        waiting = connection.send(data)
        try:
            answer = await asyncio.wait_for(waiting, timeout_s) if waiting else None
        except asyncio.TimeoutError:
            answer = None
        if answer is None:
            connection.drop()
            return LOST
        if connection.usable():
            self.idle.append(connection)
        return Reply(answer[0], json.loads(answer[1]) if answer[1] else {})

    async def _connection(self):
        while self.idle:
            connection = self.idle.pop()
            if connection.usable():
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(_Connection, "127.0.0.1", self.port)
        return connection

    def _request(self, method, path, token, body):
        text = json.dumps(body) if body is not None else ""
        head = (f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\n"
                f"Authorization: Bearer {token}\r\n")
        if text:
            head += f"Content-Type: application/json\r\nContent-Length: {len(text)}\r\n"
        return f"{head}\r\n{text}".encode()

    def close(self):
        for connection in self.idle:
            connection.drop()
        self.idle = []
