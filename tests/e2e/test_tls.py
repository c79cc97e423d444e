"""TLS to the services: only a server with a valid certificate for its name is talked to, the log
says which one is refused and why, and a restart of a service is only a restart."""

import subprocess

import pytest

import doors
import stores
from campaigns.services import Redis, Scripted, free_ports
from certificates import Authority


@pytest.fixture
def authority(folder):
    made = Authority(folder / "authority")
    made.issue()
    return made


@pytest.fixture
def other_ca(folder):
    return Authority(folder / "other").ca


def log_of(server):
    return (server.folder / "server.log").read_text(errors="replace")


def wait_for_line(server, *words, after=0):
    """Until one line behind the first `after` bytes of the log has all the words."""
    def said():
        lines = log_of(server)[after:].splitlines()
        return any(all(word in line for word in words) for line in lines)
    server.wait_until(said, 60)


class Tls:
    """A service that takes TLS, and the settings of a node that asks it."""

    def __init__(self, folder, authority):
        self.authority = authority
        self.make(folder)

    def restart(self, **certificate):
        """With another certificate."""
        self.service.kill()
        self.authority.issue(**certificate)
        self.service.start()


class TlsRedis(Tls):
    name, check = "redis", "inventory"

    def make(self, folder):
        self.port, = free_ports(1)
        files = self.authority.folder
        self.service = Redis(folder / "tls-redis", self.port, tls=[
            "--tls-cert-file", f"{files}/server.pem", "--tls-key-file", f"{files}/server.key",
            "--tls-ca-cert-file", f"{files}/ca.pem", "--tls-auth-clients", "optional"])
        self.service.start()

    def demand_certificates(self):
        self.service.client.config_set("tls-auth-clients", "yes")

    def settings(self, ca, host="localhost"):
        return {"SLUICE_REDIS_URL": f"rediss://{host}:{self.port}", "SLUICE_REDIS_TLS_CA_FILE": ca}

    said = {"authority": "self-signed certificate in certificate chain",
            "host": "IP address mismatch", "date": "certificate has expired"}


class TlsPostgres(Tls):
    name, check = "postgres", "store"

    def make(self, folder):
        self.port, = free_ports(1)
        self.service = Scripted("postgres", folder, self.authority.folder, postgres=self.port)
        self.service.start()

    def settings(self, ca, host="localhost"):
        return {"SLUICE_POSTGRES_URL": f"postgresql://sluice@{host}:{self.port}/sluice"
                                       f"?sslmode=verify-full&sslrootcert={ca}"}

    said = {"authority": "unable to get local issuer certificate",
            "host": 'does not match host name "127.0.0.1"',
            "date": "certificate has expired"}


class TlsKafka(Tls):
    name, check = "kafka", "queue"

    def make(self, folder):
        plain, controller, self.port = free_ports(3)
        self.service = Scripted("kafka", folder, self.authority.folder, kafka=plain,
                                kafka_controller=controller, kafka_tls=self.port)
        self.service.start()

    def settings(self, ca, host="localhost"):
        return {"SLUICE_KAFKA_BROKERS": f"{host}:{self.port}",
                "SLUICE_KAFKA_EXTRA": f"security.protocol=ssl,ssl.ca.location={ca}"}

    said = {"authority": "unable to get local issuer certificate",
            "host": "IP address mismatch", "date": "certificate has expired"}


KINDS = [TlsRedis, TlsPostgres, TlsKafka]


@pytest.fixture(params=KINDS, ids=lambda kind: kind.name)
def tls(request, folder, authority):
    kind = request.param(folder, authority)
    yield kind
    kind.service.kill()
    if isinstance(kind.service, Scripted):
        kind.service.wipe()


def node_with(services, settings):
    server = services(migrated=False)
    server.environment.update({name: str(value) for name, value in settings.items()})
    return server


def sells(server, sale, user):
    return server.buy(sale, user).status_code in (200, 201, 202)


def test_a_node_sells_over_tls_and_again_after_the_service_was_restarted(services, tls):
    server = node_with(services, tls.settings(tls.authority.ca))
    stores.migrate(server)
    server.start()
    assert not doors.failing(server)
    sale = server.open_sale()
    assert sells(server, sale, "ann")

    so_far = len(log_of(server))
    tls.restart(days=-1)
    wait_for_line(server, tls.name, tls.said["date"], after=so_far)
    server.wait_until(lambda: tls.check in doors.failing(server), 60)
    tls.restart()
    server.wait_until(lambda: not doors.failing(server), 60)
    server.wait_until(lambda: sells(server, sale, "bob"), 60)
    assert server.terminate() == 0


@pytest.mark.parametrize("wrong", ["authority", "host"])
def test_a_node_refuses_a_service_and_says_which_and_why(services, tls, other_ca, wrong):
    settings = (tls.settings(other_ca) if wrong == "authority"
                else tls.settings(tls.authority.ca, host="127.0.0.1"))
    server = node_with(services, settings)
    server.start(wait_ready=False)
    wait_for_line(server, tls.name, tls.said[wrong])
    server.wait_until(lambda: tls.check in doors.failing(server), 60)


def test_a_redis_may_ask_for_the_nodes_certificate_and_be_named_by_its_address(
        services, folder, authority):
    authority.issue(host="IP:127.0.0.1")
    redis = TlsRedis(folder, authority)
    try:
        redis.demand_certificates()
        server = node_with(services, redis.settings(authority.ca, host="127.0.0.1"))
        stores.migrate(server)
        server.start(wait_ready=False)
        wait_for_line(server, "redis 127.0.0.1", "certificate required")
        assert server.terminate() == 0

        certificate = authority.issue("node", host="DNS:node")
        server.environment["SLUICE_REDIS_TLS_CERT_FILE"] = str(certificate)
        server.environment["SLUICE_REDIS_TLS_KEY_FILE"] = str(certificate.with_suffix(".key"))
        server.start()
        assert not doors.failing(server)
        assert sells(server, server.open_sale(), "ann")
        assert server.terminate() == 0
    finally:
        redis.service.kill()


@pytest.mark.parametrize("changes, said", [
    ({"redis_tls_ca_file": "/nowhere"}, "cannot serve: redis.tls_ca_file = /nowhere: "),
    ({"redis_tls_cert_file": "{ca}", "redis_tls_key_file": "{other}"},
     "cannot serve: redis.tls_key_file = "),
])
def test_a_file_that_cannot_be_used_ends_the_start_by_its_name(
        services, authority, other_ca, changes, said):
    places = {"ca": authority.ca, "other": other_ca.with_suffix(".key")}
    server = node_with(services, {
        "SLUICE_REDIS_URL": "rediss://localhost",
        **{f"SLUICE_{name.upper()}": value.format(**places) for name, value in changes.items()}})
    ended = subprocess.run([server.binary, "serve"], env=server.environment, timeout=60, text=True,
                           stderr=subprocess.PIPE, check=False)
    assert ended.returncode == 1 and said in ended.stderr


def test_a_postgres_that_nobody_checks_is_warned_of_at_the_start(services):
    server = node_with(services, {"SLUICE_POSTGRES_URL": "postgresql://shop:hunter2@192.0.2.1/shop"})
    server.start(wait_ready=False)
    wait_for_line(server, " warning postgres.url: with sslmode=prefer", "192.0.2.1", "verify-full")
    assert "hunter2" not in log_of(server)
