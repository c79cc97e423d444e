"""The services of the tests, and what one run owns of them: a database, two topics, a Redis db."""

import contextlib
import os
import socket
import struct
import subprocess
import uuid

from lib.processes import run_to_end

REDIS_DB = 8
DELETE_TOPICS, DELETE_TOPICS_VERSION = 20, 1


class Services:
    def __init__(self, root):
        self.root = root
        subprocess.run([root / "scripts/services", "up"], check=True, stdout=subprocess.DEVNULL)
        lines = run_to_end([root / "scripts/services", "env"], 30).splitlines()
        said = dict(line.removeprefix("export ").split("=", 1) for line in lines)
        self.redis = said["SLUICE_TEST_REDIS_URL"]
        self.postgres = said["SLUICE_TEST_POSTGRES_URL"]
        self.kafka = said["SLUICE_TEST_KAFKA_BROKERS"]
        self.pids = {name: int(said[f"SLUICE_TEST_{name.upper()}_PID"])
                     for name in ("redis", "kafka", "postgres")}

    @contextlib.contextmanager
    def own(self):
        """A name that is a database and a topic until the block ends."""
        name = f"bench_{uuid.uuid4().hex[:12]}"
        self.sql(f"CREATE DATABASE {name}")
        self.flush_redis()
        try:
            yield Own(self, name)
        finally:
            self.flush_redis()
            self.sql(f"DROP DATABASE {name} WITH (FORCE)")
            delete_topics(self.kafka, [name, f"{name}.dead", f"{name}.heartbeats"])

    def sql(self, text, url=None, timeout_s=120):
        command = ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", url or self.postgres,
                   "-c", text]
        return run_to_end(command, timeout_s).strip()

    def flush_redis(self):
        run_to_end(["redis-cli", "-u", self.redis, "-n", str(REDIS_DB), "flushdb"], 60)


class Own:
    def __init__(self, services, name):
        self.services = services
        base, _, _ = services.postgres.rpartition("/")
        self.postgres = f"{base}/{name}"
        self.settings = {
            "mode": "services", "postgres_url": self.postgres,
            "redis_url": f"{services.redis}/{REDIS_DB}", "kafka_brokers": services.kafka,
            "kafka_topic": name, "kafka_dead_letter_topic": f"{name}.dead", "kafka_group": name}

    def sql(self, text, timeout_s=120):
        return self.services.sql(text, self.postgres, timeout_s)


def _text(value):
    return struct.pack(">h", len(value)) + value.encode()


def delete_topics(brokers, topics, timeout_ms=10_000):
    """One request of Kafka's protocol: DeleteTopics, version 1."""
    host, port = brokers.split(",")[0].rsplit(":", 1)
    request = struct.pack(">hhi", DELETE_TOPICS, DELETE_TOPICS_VERSION, 1) + _text("bench")
    request += struct.pack(">i", len(topics)) + b"".join(_text(topic) for topic in topics)
    request += struct.pack(">i", timeout_ms)
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        connection.sendall(struct.pack(">i", len(request)) + request)
        size = struct.unpack(">i", _receive(connection, 4))[0]
        answer = _receive(connection, size)
    offset, failed = 12, []
    for _ in topics:
        length = struct.unpack_from(">h", answer, offset)[0]
        name = answer[offset + 2:offset + 2 + length].decode()
        error = struct.unpack_from(">h", answer, offset + 2 + length)[0]
        offset += 4 + length
        # 3: there is no such topic, as after a run that failed early.
        if error not in (0, 3):
            failed.append(f"{name}: error {error}")
    if failed:
        raise RuntimeError(f"topics were not deleted: {', '.join(failed)}")


def _receive(connection, size):
    data = b""
    while len(data) < size:
        part = connection.recv(size - len(data))
        if not part:
            raise RuntimeError("Kafka closed the connection")
        data += part
    return data


def clean_environment():
    return {k: v for k, v in os.environ.items() if not k.startswith("SLUICE_")}
