"""A real `sluice` process for the end-to-end suites: start, talk to, kill, start again."""

import asyncio
import os
import re
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

import aiohttp
import jwt
import requests

BINARY = os.environ.get("SLUICE_TEST_BINARY", "build/release/bin/sluice")
FAILPOINT_BINARY = os.environ.get("SLUICE_TEST_FAILPOINT_BINARY", "build/asan/bin/sluice")
START_TIMEOUT_S = 120


def free_settings(**settings):
    """Settings as the environment variables that set them: http_port=0 is SLUICE_HTTP_PORT."""
    return {f"SLUICE_{name.upper()}": str(value) for name, value in settings.items()}


class Sluice:
    """One server process. Its ports are chosen by the system at each start."""

    identity_secret = "i" * 64
    orders_secret = "o" * 64
    admin_key = "a" * 64

    def __init__(self, folder, environment, binary=BINARY, arguments=()):
        self.folder = Path(folder)
        self.environment = {
            "SLUICE_IDENTITY_SECRET": self.identity_secret,
            "SLUICE_ORDERS_SECRET": self.orders_secret,
            "SLUICE_ADMIN_KEY": self.admin_key,
            **free_settings(data_dir=self.folder / "data", http_port=0, admin_port=0,
                            http_address="127.0.0.1", http_threads=1,
                            gate_user_rate_per_s=0, gate_failure_rate_per_s=0,
                            http_connections_per_ip_max=20000),
            **environment,
        }
        self.binary = binary
        self.arguments = list(arguments)
        self.process = None
        self.lines = []

    def start(self, wait_ready=True, before=None, **extra):
        """`before`: called in the new process before the program."""
        clean = {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
        self.log = open(self.folder / "server.log", "ab")
        self.process = subprocess.Popen(
            [self.binary, "serve", *self.arguments], env={**clean, **self.environment, **extra},
            stdout=subprocess.PIPE, stderr=self.log, text=True, preexec_fn=before)
        self.lines = []
        self.served = threading.Event()
        reader = threading.Thread(target=self._read, args=(self.process,), daemon=True)
        reader.start()
        # A server that is to be killed by a failpoint may have served and ended by now.
        until = time.monotonic() + START_TIMEOUT_S
        while not self.served.wait(0.1) and reader.is_alive() and time.monotonic() < until:
            pass
        assert self.served.is_set(), f"sluice did not serve:\n{self.log_text()}"
        if wait_ready:
            self.wait_ready()
        return self

    def _read(self, process):
        for line in process.stdout:
            self.lines.append(line)
            found = re.match(r"serving (\S+) \(admin (\S+)\)", line)
            if found:
                self.url, self.admin_url = found.groups()
                self.served.set()

    def wait_ready(self, timeout_s=START_TIMEOUT_S):
        self.wait_until(lambda: requests.get(f"{self.url}/readyz", timeout=5).status_code == 200,
                        timeout_s)

    def wait_until(self, holds, timeout_s=START_TIMEOUT_S):
        """Asks until `holds()`; the process must live meanwhile."""
        until = time.monotonic() + timeout_s
        while True:
            assert self.process.poll() is None, f"sluice ended:\n{self.log_text()}"
            try:
                if holds():
                    return
            except requests.RequestException:
                pass
            assert time.monotonic() < until, f"not in {timeout_s} s; the log:\n{self.log_text()}"
            time.sleep(0.02)

    def log_text(self):
        return (self.folder / "server.log").read_text(errors="replace")[-8000:]

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        self.wait_end()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.kill()

    def terminate(self, timeout_s=30):
        self.process.send_signal(signal.SIGTERM)
        return self.wait_end(timeout_s)

    def wait_end(self, timeout_s=60):
        return self.process.wait(timeout_s) if self.process else None

    def token(self, user, lifetime_s=3600):
        now = int(time.time())
        return jwt.encode({"sub": user, "iss": "sluice", "aud": "sluice", "iat": now,
                           "exp": now + lifetime_s}, self.identity_secret, algorithm="HS256")

    def bearer(self, user):
        return {"Authorization": f"Bearer {self.token(user)}"}

    def admin(self, method, path, **kwargs):
        return requests.request(method, f"{self.admin_url}{path}", timeout=30,
                                headers={"Authorization": f"Bearer {self.admin_key}"}, **kwargs)

    def open_sale(self, **terms):
        now_ms = int(time.time() * 1000)
        draft = {"title": "Test", "unit_price_minor": 1999, "currency": "EUR", "stock": 10,
                 "starts_at": now_ms - 1000, "ends_at": now_ms + 3_600_000, **terms}
        created = self.admin("POST", "/admin/sales", json=draft)
        assert created.status_code == 201, created.text
        sale = created.json()["sale_id"]
        opened = self.admin("POST", f"/admin/sales/{sale}/open")
        assert opened.status_code == 200, opened.text
        return sale

    def buy(self, sale, user, quantity=1, **kwargs):
        return requests.post(f"{self.url}/v1/sales/{sale}/orders", json={"quantity": quantity},
                             headers=self.bearer(user), timeout=30, **kwargs)

    def order(self, sale, order_id, user, wait_ms=0):
        query = f"?wait={wait_ms}" if wait_ms else ""
        return requests.get(f"{self.url}/v1/sales/{sale}/orders/{order_id}{query}",
                            headers=self.bearer(user), timeout=60)


class Crowd:
    """Many buyers at once, each of whom asks until the answer is definite."""

    DEFINITE = {200, 201, 202, 409}

    def __init__(self, server, sale, connections=64):
        self.server = server
        self.sale = sale
        self.connections = connections
        self.answers = {}  # user -> list of (status, body)
        self.silence = 0   # requests that got no answer, as while the server is killed

    async def _ask(self, session, user):
        headers = self.server.bearer(user)
        url = f"{self.server.url}/v1/sales/{self.sale}/orders"
        async with session.post(url, json={"quantity": 1}, headers=headers) as response:
            body = await response.json()
            self.answers.setdefault(user, []).append((response.status, body))
            return response.status

    async def _buyer(self, session, users, repeats, patience_s):
        for user in users:
            until = time.monotonic() + patience_s
            left = repeats
            while left > 0 and time.monotonic() < until:
                try:
                    if await self._ask(session, user) in self.DEFINITE:
                        left -= 1
                        continue
                except (aiohttp.ClientError, asyncio.TimeoutError, ConnectionError):
                    self.silence += 1
                await asyncio.sleep(0.05)

    def run(self, users, repeats=2, patience_s=60):
        """Each user asks until `repeats` definite answers, for `patience_s` at most."""
        async def all_of_them():
            timeout = aiohttp.ClientTimeout(total=20)
            connector = aiohttp.TCPConnector(limit=self.connections)
            async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
                shares = [users[i::self.connections] for i in range(self.connections)]
                await asyncio.gather(*(self._buyer(session, share, repeats, patience_s)
                                       for share in shares if share))
        asyncio.run(all_of_them())
        return self

    def holders(self):
        """user -> order id, of everybody who was ever promised an order."""
        holders = {}
        for user, answers in self.answers.items():
            ids = {body["order_id"] for status, body in answers if status in (200, 201, 202)}
            if ids:
                assert len(ids) == 1, f"{user} got several orders: {ids}"
                holders[user] = ids.pop()
        return holders


def temporary_folder():
    return tempfile.TemporaryDirectory(prefix="sluice-e2e-")
