"""Two Sluice nodes on one private set of services."""

import os
import signal
import time

import requests

import stores
from doors import behind_a_door
from sluice import Sluice, free_settings

from .services import free_ports

SETTINGS = {
    "http_threads": 1, "log_level": "info", "kafka_partitions": 4, "kafka_session_timeout_ms": 6000,
    "recovery_tick_ms": 200, "recovery_overdue_age_ms": 2500, "recovery_overdue_age_max_ms": 5000,
    "recovery_lease_ms": 2000, "kafka_max_poll_interval_ms": 30000,
}
BROKEN_LINK = (requests.RequestException,)


class Node(Sluice):
    """One node whose ports outlive its kills. `split`: it reaches Postgres and Redis through
    `doors` of its own."""

    def __init__(self, name, folder, environment, split=False):
        self.name = name
        self.port, self.admin_port = free_ports(2)
        folder.mkdir(parents=True, exist_ok=True)
        ports = free_settings(http_port=self.port, admin_port=self.admin_port)
        super().__init__(folder, {**environment, **ports}, binary=binary())
        self.doors = {service: behind_a_door(self, f"{service}_url")
                      for service in ("postgres", "redis") if split}
        for door in self.doors.values():
            door.open()

    def start(self, wait_ready=False, **extra):
        return super().start(wait_ready, **extra)

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def answers(self):
        """Whether it serves at all."""
        try:
            return requests.get(f"{self.url}/healthz", timeout=2).status_code == 200
        except BROKEN_LINK:
            return False

    def ready(self):
        try:
            return requests.get(f"{self.url}/readyz", timeout=2).status_code == 200
        except BROKEN_LINK:
            return False

    def knows(self, sale):
        try:
            return requests.get(f"{self.url}/v1/sales/{sale}", timeout=2).status_code == 200
        except BROKEN_LINK:
            return False


def binary():
    return os.environ.get("SLUICE_TEST_BINARY", "build/release/bin/sluice")


class Nodes:
    """Nodes, migrated and started; a context manager that ends them. `split`: see `Node`."""

    def __init__(self, services, folder, names=("a", "b"), split=False, **settings):
        environment = free_settings(
            mode="services", postgres_url=services.postgres_url, redis_url=services.redis.url,
            kafka_brokers=services.brokers, **{**SETTINGS, **settings})
        self.all = [Node(name, folder / f"node-{name}", environment, split) for name in names]

    def __getitem__(self, index):
        return self.all[index]

    def __iter__(self):
        return iter(self.all)

    def __enter__(self):
        stores.migrate(self.all[0])
        try:
            for node in self.all:
                node.start()
            for node in self.all:
                node.wait_ready()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for node in self.all:
            node.kill()
            for door in node.doors.values():
                door.close()

    def wait_ready(self, timeout_s):
        """False when a node is not ready in time."""
        return self._all(lambda node: node.ready(), timeout_s)

    def wait_known(self, sale, timeout_s=30):
        """False when a node does not know the sale in time."""
        return self._all(lambda node: node.knows(sale), timeout_s)

    def _all(self, holds, timeout_s):
        until = time.monotonic() + timeout_s
        while not all(holds(node) for node in self.all):
            if time.monotonic() > until:
                return False
            time.sleep(0.05)
        return True
