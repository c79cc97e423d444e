"""Resident memory of an idle server, and with connections that do nothing."""

import contextlib
import socket
import time

from lib.processes import memory_mb
from lib.server import Server

CONNECTIONS = 1_000
SETTLE_S = 2


def idle(bench, server):
    with server.serving(), contextlib.ExitStack() as stack:
        time.sleep(SETTLE_S)
        alone = memory_mb(server.pid)["now"]
        for _ in range(CONNECTIONS):
            stack.enter_context(socket.create_connection(("127.0.0.1", server.port)))
        # The last one is answered: all before it were accepted.
        last = socket.create_connection(("127.0.0.1", server.port))
        stack.enter_context(last)
        last.sendall(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
        if b" 200 " not in last.recv(4096):
            raise RuntimeError("the server did not answer beside 1,000 connections")
        return {"idle_mb": alone, "connections": CONNECTIONS,
                "with_connections_mb": memory_mb(server.pid)["now"]}


def measure(bench):
    embedded = Server(bench, bench.folder("memory-embedded"), {"mode": "embedded"})
    found = {"embedded": idle(bench, embedded)}
    with bench.services.own() as own:
        found["services"] = idle(bench, Server(bench, bench.folder("memory-services"),
                                               own.settings))
    for mode, values in found.items():
        bench.say(f"memory {mode}: {values['idle_mb']:.0f} MB idle")
    return found
