"""A private set of Redis, Postgres and Kafka that may be stopped, frozen, killed and emptied.

Postgres and Kafka are scripts/services' own, in another folder and on other ports: the script keeps
its data beside the folder that it is called in, so a link to it makes a set of one's own. Redis is
started here, because campaigns change how it keeps its data.
"""

import os
import random
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import redis

from . import ROOT

# Below the range from which the kernel takes ports of outgoing connections.
PORTS = range(20_000, 32_000)
START_TIMEOUT_S = 90

DURABILITY = {
    "aof": ["--appendonly", "yes", "--appendfsync", "everysec", "--save", ""],
    "aof-always": ["--appendonly", "yes", "--appendfsync", "always", "--save", ""],
    "rdb": ["--appendonly", "no", "--save", "1", "1"],
    "none": ["--appendonly", "no", "--save", ""],
}


claims = []


def free_ports(count):
    """Ports that nobody listens on now, and that nobody else is given while this process lives."""
    found = []
    while len(found) < count:
        port = random.SystemRandom().choice(PORTS)
        claim = socket.socket(socket.AF_UNIX)
        with socket.socket() as probe:
            try:
                claim.bind(f"\0sluice-test-port-{port}")
                probe.bind(("127.0.0.1", port))
            except OSError:
                claim.close()
                continue
        claims.append(claim)
        found.append(port)
    return found


def wait_until(holds, timeout_s, what):
    """Asks until `holds()`; what it raises meanwhile counts as no."""
    until = time.monotonic() + timeout_s
    while True:
        try:
            if holds():
                return
        except (OSError, redis.RedisError):
            pass
        if time.monotonic() > until:
            raise TimeoutError(f"{what} not within {timeout_s} s")
        time.sleep(0.02)


def descendants(pid):
    """The processes that `pid` started, and theirs."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    children = [int(child) for child in listed]
    return children + [one for child in children for one in descendants(child)]


def lives(pid):
    """Whether a thread of that process has not ended; a process that nobody waited for yet has."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
        return state not in "ZX" or len(os.listdir(f"/proc/{pid}/task")) > 1
    except (FileNotFoundError, ProcessLookupError):
        return False


def signal_all(pids, number):
    for pid in pids:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass


class Redis:
    """One redis-server. `durability` names a row of DURABILITY and holds from the next start on."""

    def __init__(self, folder, port, tls=None):
        """`tls`: options with which it takes TLS, and nothing else, on the port."""
        self.folder = Path(folder)
        self.port = port
        self.tls = tls
        self.url = f"redis://127.0.0.1:{port}"
        self.durability = "aof"
        self.process = None
        trusting = {"ssl": True, "ssl_cert_reqs": "none"} if tls else {}
        self.client = redis.Redis(port=port, socket_timeout=3, socket_connect_timeout=3, **trusting)

    def start(self, **changes):
        durability = changes.get("durability", self.durability)
        self.folder.mkdir(parents=True, exist_ok=True)
        listen = ["--port", str(self.port)]
        if self.tls:
            listen = ["--port", "0", "--tls-port", str(self.port), *self.tls]
        with open(self.folder.parent / "redis.log", "ab") as log:
            self.process = subprocess.Popen(
                ["redis-server", "--bind", "127.0.0.1", *listen, "--dir",
                 str(self.folder), "--maxmemory-policy", "noeviction", *DURABILITY[durability]],
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        wait_until(self.client.ping, START_TIMEOUT_S, "redis answers")

    def pause(self):
        self.process.send_signal(signal.SIGSTOP)

    def resume(self):
        self.process.send_signal(signal.SIGCONT)

    def kill(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
        if self.process:
            self.process.wait(30)

    def flush(self):
        self.client.flushall()

    def snapshot(self):
        """Keeps what is stored now, for `roll_back`."""
        until = time.monotonic() + 30
        while True:
            try:
                self.client.save()
                break
            except redis.ResponseError:
                # Redis saves by itself now and then, and not twice at once.
                assert time.monotonic() < until
                time.sleep(0.05)
        shutil.copyfile(self.folder / "dump.rdb", self.folder.parent / "old.rdb")

    def forget(self):
        """Not while it runs: the next start finds nothing."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def start_empty(self):
        """Not while it runs: its data is lost."""
        self.forget()
        self.start()

    def roll_back(self):
        """Not while it runs: starts from the last snapshot, then keeps its data as before."""
        self.forget()
        self.folder.mkdir(parents=True)
        old = self.folder.parent / "old.rdb"
        if old.exists():
            shutil.copyfile(old, self.folder / "dump.rdb")
        self.start(durability="none")
        if self.durability.startswith("aof"):
            self.client.config_set("appendonly", "yes")


class Scripted:
    """A service that scripts/services looks after, in a folder (and under a lock) of its own."""

    def __init__(self, name, folder, tls_folder=None, **ports):
        """`tls_folder`: with the certificate that it takes at each start."""
        self.name = name
        self.script = self._link_script(folder / name)
        self.environment = {**os.environ, **{f"SLUICE_TEST_{service.upper()}_PORT": str(port)
                                             for service, port in ports.items()}}
        # A broker that was killed may come back only when its session has run out.
        self.environment["SLUICE_TEST_KAFKA_BROKER_SESSION_MS"] = "3000"
        if tls_folder:
            self.environment["SLUICE_TEST_TLS_FOLDER"] = str(tls_folder)
        self.pid = None

    @staticmethod
    def _link_script(folder):
        scripts = folder / "scripts"
        scripts.mkdir(parents=True, exist_ok=True)
        for name in ("services", "packages"):
            if not (scripts / name).is_symlink():
                (scripts / name).symlink_to(ROOT / "scripts" / name)
        return str(scripts / "services")

    def _run(self, *arguments):
        done = subprocess.run([self.script, *arguments], env=self.environment, text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=600)
        if done.returncode != 0:
            raise RuntimeError(f"scripts/services {' '.join(arguments)}: {done.stdout}")
        return done.stdout

    def start(self):
        """Also after a kill. Returns when it answers."""
        self._run("up", self.name)
        wanted = f"export SLUICE_TEST_{self.name.upper()}_PID="
        lines = self._run("env").splitlines()
        self.pid = next(int(line[len(wanted):]) for line in lines if line.startswith(wanted))

    def _family(self):
        # The parent first: once it stands still nobody joins the family.
        return [self.pid, *descendants(self.pid)]

    def pause(self):
        signal_all([self.pid], signal.SIGSTOP)
        signal_all(descendants(self.pid), signal.SIGSTOP)

    def resume(self):
        signal_all(self._family(), signal.SIGCONT)

    def kill(self):
        if self.pid is None:
            return
        self.pause()
        family = self._family()
        signal_all(family, signal.SIGKILL)
        # A large process listens on for a moment: its port is free when it is gone.
        wait_until(lambda: not any(lives(pid) for pid in family), 30, f"the end of {self.name}")
        self.pid = None

    def wipe(self):
        self._run("wipe", self.name)


class Services:
    """All three, with their data under `folder`; a context manager that leaves no process."""

    def __init__(self, folder):
        self.folder = Path(folder)
        self.redis_port, self.postgres_port, self.kafka_port, controller = free_ports(4)
        self.redis = Redis(self.folder / "redis", self.redis_port)
        self.postgres = Scripted("postgres", self.folder, postgres=self.postgres_port)
        self.kafka = Scripted("kafka", self.folder, kafka=self.kafka_port,
                              kafka_controller=controller)
        self.postgres_url = f"postgresql://sluice@127.0.0.1:{self.postgres_port}/sluice"
        self.brokers = f"127.0.0.1:{self.kafka_port}"

    def __enter__(self):
        try:
            self.redis.start()
            self.postgres.start()
            self.kafka.start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_):
        for service in (self.redis, self.postgres, self.kafka):
            service.kill()
        for service in (self.postgres, self.kafka):
            service.wipe()
        self.redis.forget()
