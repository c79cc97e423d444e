"""Several processes may run these suites at once (pytest -n 3): the broker and Postgres are shared,
and nobody stops them; Redis, whose one channel tells every node of every result, is one for each
process."""

import os
import sys
import uuid
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient
from xdist.scheduler import LoadScopeScheduling

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import stores  # noqa: E402
from campaigns.services import Redis, free_ports  # noqa: E402
from sluice import Sluice, free_settings, temporary_folder  # noqa: E402

POSTGRES = os.environ.get("SLUICE_TEST_POSTGRES_URL", "postgresql://sluice@127.0.0.1:45432/sluice")
KAFKA = os.environ.get("SLUICE_TEST_KAFKA_BROKERS", "127.0.0.1:49092")

# Suites that one process runs after one another: they need a whole processor and measure time, or
# their tests share what takes long to start.
TOGETHER = {"test_outages": "load", "test_rush": "load", "test_kill": "load",
            "test_page": "page", "test_bad_input": "bad input", "test_cli": "cli"}
# Those with the longest tests come first: a test that began late would be waited for.
FIRST = ["test_outages", "test_kill", "test_rush", "test_failpoints", "test_bad_input", "test_page",
         "test_api_contract", "test_lifecycle", "test_returns", "test_degradation"]


class Scheduler(LoadScopeScheduling):
    """Gives each process that is free the next test, or the next suites that stay together."""

    def _split_scope(self, nodeid):
        return TOGETHER.get(Path(nodeid.partition("::")[0]).stem, nodeid)


def pytest_xdist_make_scheduler(config, log):
    config.option.loadscopereorder = False
    return Scheduler(config, log)


def pytest_collection_modifyitems(items):
    def place(item):
        suite = item.path.stem
        return FIRST.index(suite) if suite in FIRST else len(FIRST)

    items.sort(key=place)


@pytest.fixture
def folder():
    with temporary_folder() as path:
        yield Path(path)


@pytest.fixture
def embedded(folder):
    """A factory of embedded servers on one data folder."""
    servers = []

    def make(**kwargs):
        servers.append(Sluice(folder, free_settings(mode="embedded"), **kwargs))
        return servers[-1]

    make.truth = stores.Sqlite(f"{folder}/data/sluice.db")
    yield make
    for server in servers:
        server.kill()


@pytest.fixture(scope="session")
def own_redis(tmp_path_factory):
    """Of this process alone."""
    port, = free_ports(1)
    server = Redis(tmp_path_factory.mktemp("redis") / "data", port)
    try:
        server.start()
        yield server
    finally:
        server.kill()


@pytest.fixture(scope="session")
def kafka_admin():
    # A client of one call is destroyed with its request under way, whose answer may never come.
    return AdminClient({"bootstrap.servers": KAFKA})


def delete_topics(admin, names):
    for deleted in admin.delete_topics(names).values():
        try:
            deleted.result(30)
        except KafkaException as error:
            if error.args[0].code() != KafkaError.UNKNOWN_TOPIC_OR_PART:
                raise


@pytest.fixture
def services(folder, kafka_admin, own_redis):
    """A factory of servers on the real services, with a database and topics of the test's own."""
    name = f"e2e_{uuid.uuid4().hex[:12]}"
    base, _, _ = POSTGRES.rpartition("/")
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    environment = free_settings(
        mode="services", postgres_url=f"{base}/{name}", redis_url=own_redis.url,
        kafka_brokers=KAFKA, kafka_topic=name, kafka_dead_letter_topic=f"{name}.dead",
        kafka_group=name, kafka_partitions=4)
    servers = []

    def make(migrated=True, **kwargs):
        server = Sluice(folder, environment, **kwargs)
        if migrated:
            stores.migrate(server)
        servers.append(server)
        return server

    make.truth = stores.Postgres(f"{base}/{name}")
    make.projection = stores.Redis(own_redis.url)
    make.topic = name
    yield make
    for server in servers:
        server.kill()
    own_redis.flush()
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    delete_topics(kafka_admin, [name, f"{name}.dead", f"{name}.heartbeats"])
