"""One sluice process under measurement."""

import contextlib
import json
import re
import subprocess
import time
import urllib.error
import urllib.request

from lib.processes import free_port, run_to_end, running, wait_until
from lib.services import clean_environment

SECRETS = {"SLUICE_IDENTITY_SECRET": "i" * 64, "SLUICE_ORDERS_SECRET": "o" * 64,
           "SLUICE_ADMIN_KEY": "a" * 64}
SALE_LENGTH_MS = 3_600_000


class Server:
    """`settings` are named as in variables: http_threads is http.threads."""

    def __init__(self, bench, folder, settings):
        self.bench = bench
        self.folder = folder
        self.port, self.admin_port = free_port(), free_port()
        # All load comes from one address.
        settings = {"http_threads": 1, "http_connections_per_ip_max": 20_000,
                    "log_level": "warn", "data_dir": folder / "data", "http_port": self.port,
                    "admin_port": self.admin_port, **settings}
        self.environment = {**clean_environment(), **SECRETS,
                            **{f"SLUICE_{k.upper()}": str(v) for k, v in settings.items()}}
        self.embedded = settings["mode"] == "embedded"

    def migrate(self):
        if not self.embedded:
            run_to_end([self.bench.sluice, "migrate"], 120, env=self.environment,
                       stderr=subprocess.DEVNULL)

    @contextlib.contextmanager
    def serving(self, ready_timeout_s=60):
        self.migrate()
        log = self.folder / "server.log"
        self.began = time.monotonic()
        with running([self.bench.sluice, "serve"], log, env=self.environment) as self.process:
            try:
                wait_until(self.ready, "sluice is not ready", ready_timeout_s, self.process)
                yield self
            except Exception as error:
                ended = self.process.poll()
                if ended is None and not isinstance(error, RuntimeError):
                    raise
                what = error if ended is None else f"sluice ended with {ended}; {error}"
                said = log.read_text()[-3000:]
                raise RuntimeError(f"{log}:\n{said}\n{what}") from error

    @property
    def pid(self):
        return self.process.pid

    def ready(self):
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as reply:
                return reply.status == 200
        except OSError:
            return False

    def problem(self, check):
        """What is wrong with one part of the node; "" when nothing is."""
        try:
            checks = json.loads(self.admin("/readyz"))["checks"]
        except urllib.error.HTTPError as error:
            checks = json.loads(error.read())["checks"]
        return next((one.get("problem", "") for one in checks if one["name"] == check), "")

    def admin(self, path, body=None):
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}{path}", method="POST" if body else "GET",
            data=json.dumps(body).encode() if body else None,
            headers={"Authorization": f"Bearer {SECRETS['SLUICE_ADMIN_KEY']}",
                     "Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=30) as reply:
            return reply.read().decode()

    def open_sale(self, stock, **terms):
        now_ms = int(time.time() * 1000)
        draft = {"title": "Bench", "unit_price_minor": 1999, "currency": "EUR", "stock": stock,
                 "starts_at": now_ms - 1000, "ends_at": now_ms + SALE_LENGTH_MS, **terms}
        sale = json.loads(self.admin("/admin/sales", draft))["sale_id"]
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.admin_port}/admin/sales/{sale}/open", method="POST",
            headers={"Authorization": f"Bearer {SECRETS['SLUICE_ADMIN_KEY']}"})
        with urllib.request.urlopen(request, timeout=30):
            return sale

    def path(self, sale):
        return f"/v1/sales/{sale}/orders"

    def metric(self, name, label=""):
        """Sum over all labels, or over those with `label`, such as 'winners="complete"'."""
        text = self.admin("/metrics")
        labels = rf"\{{.*{re.escape(label)}.*\}}" + ("" if label else "|")
        values = re.findall(rf"^{re.escape(name)}(?:{labels}) (\S+)$", text, re.MULTILINE)
        return sum(float(value) for value in values)

    def buckets(self, name, *labels):
        """Upper bound -> observations up to it, of a histogram with these labels."""
        found = {}
        for line in self.admin("/metrics").splitlines():
            if line.startswith(f"{name}_bucket{{") and all(label in line for label in labels):
                bound = float(re.search(r'le="([^"]+)"', line)[1])
                found[bound] = found.get(bound, 0) + float(line.rpartition(" ")[2])
        return found

    def tokens(self, count, prefix):
        path = self.folder / f"{prefix}.tokens"
        run_to_end([self.bench.sluice, "token", "--count", str(count), "--prefix", prefix,
                    "--output", path], 300, env=self.environment)
        return path

    def buy(self, sale, token):
        """Status and problem code of one purchase."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{self.path(sale)}", method="POST", data=b'{"quantity":1}',
            headers={"Authorization": f"Bearer {token}", "Content-Type": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=30) as reply:
                return reply.status, ""
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())["code"]
