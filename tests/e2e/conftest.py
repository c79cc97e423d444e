import os
import uuid
from pathlib import Path

import psycopg
import pytest
from confluent_kafka import KafkaError, KafkaException
from confluent_kafka.admin import AdminClient

import stores
from sluice import Sluice, free_settings, temporary_folder

POSTGRES = os.environ.get("SLUICE_TEST_POSTGRES_URL", "postgresql://sluice@127.0.0.1:45432/sluice")
REDIS = os.environ.get("SLUICE_TEST_REDIS_URL", "redis://127.0.0.1:46379")
KAFKA = os.environ.get("SLUICE_TEST_KAFKA_BROKERS", "127.0.0.1:49092")


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
def services(folder, kafka_admin):
    """A factory of servers on the real services, with a database and topics of the test's own."""
    name = f"e2e_{uuid.uuid4().hex[:12]}"
    base, _, _ = POSTGRES.rpartition("/")
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    environment = free_settings(
        mode="services", postgres_url=f"{base}/{name}", redis_url=f"{REDIS}/{redis_database()}",
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
    projection = stores.Redis(f"{REDIS}/{redis_database()}")
    projection.clear()
    make.projection = projection
    make.topic = name
    yield make
    for server in servers:
        server.kill()
    projection.clear()
    with psycopg.connect(POSTGRES, autocommit=True) as connection:
        connection.execute(f"DROP DATABASE {name} WITH (FORCE)")
    delete_topics(kafka_admin, [name, f"{name}.dead"])


def redis_database():
    """The numbered Redis database that these suites own; the C++ suites use database 0."""
    return 9
