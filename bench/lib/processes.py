"""Processes: started and ended by pid, and what they use, read from /proc."""

import contextlib
import os
import signal
import socket
import subprocess
import time
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
END_TIMEOUT_S = 30


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def end(process, timeout_s=END_TIMEOUT_S):
    """SIGTERM, then SIGKILL to whoever does not listen. Its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        return process.wait()


@contextlib.contextmanager
def running(command, log, **kwargs):
    """A process that ends with the block, however the block ends."""
    with open(log, "ab") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out, stdin=subprocess.DEVNULL,
                                   start_new_session=True, **kwargs)
    try:
        yield process
    finally:
        end(process)


def run_to_end(command, timeout_s, **kwargs):
    """Its standard output; it is killed when it takes longer or when we are interrupted."""
    done = subprocess.run(command, stdout=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True,
                          check=True, timeout=timeout_s, **kwargs)
    return done.stdout


def wait_until(holds, what, timeout_s=60, process=None):
    until = time.monotonic() + timeout_s
    while not holds():
        if process is not None and process.poll() is not None:
            raise RuntimeError(f"{what}: the process ended with {process.returncode}")
        if time.monotonic() > until:
            raise RuntimeError(f"{what}: not within {timeout_s} s")
        time.sleep(0.02)


def listens(port):
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def _stat(pid):
    """The fields of /proc/PID/stat behind the name; empty when there is no such process."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _family(pid):
    children = Path(f"/proc/{pid}/task/{pid}/children")
    yield pid
    with contextlib.suppress(FileNotFoundError, ProcessLookupError):
        for child in children.read_text().split():
            yield from _family(int(child))


def cpu_seconds(pid):
    """User and system time of a process, its threads and its children, also the ended ones."""
    ticks = 0
    for member in _family(pid):
        fields = _stat(member)
        ticks += sum(int(value) for value in fields[11:15])
    return ticks / TICKS_PER_S


def thread_seconds(pid):
    """Thread name -> CPU seconds of one process."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            fields = (task / "stat").read_text().rpartition(")")[2].split()
            name = (task / "comm").read_text().strip()
            found[name] = found.get(name, 0) + (int(fields[11]) + int(fields[12])) / TICKS_PER_S
    return found


def reset_peak_memory(pid):
    """The peak of `memory_mb` counts from now."""
    Path(f"/proc/{pid}/clear_refs").write_text("5")


def memory_mb(pid):
    """Resident memory now and at its peak, in MB of 1,000,000 bytes."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    kib = {line.split(":")[0]: int(line.split()[1]) for line in lines if line.startswith("Vm")}
    return {"now": kib["VmRSS"] * 1024 / 1e6, "peak": kib["VmHWM"] * 1024 / 1e6}


def _set_niceness(pids, niceness):
    for pid in pids:
        for member in _family(pid):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                for task in Path(f"/proc/{member}/task").iterdir():
                    os.setpriority(os.PRIO_PROCESS, int(task.name), niceness)
                # Where the kernel shares the cores among sessions, a session has one of its own.
                with contextlib.suppress(OSError):
                    Path(f"/proc/{member}/autogroup").write_text(str(niceness))


@contextlib.contextmanager
def before_all_others(pids):
    """Lets us, what we start and `pids` run before whatever else this machine does. For root.

    Not at real-time priority: there the measured processes would not share the cores fairly among
    themselves (a slice lasts 100 ms), and the kernel stops them for 50 ms of each second."""
    everyone = [os.getpid(), *pids]
    try:
        _set_niceness(everyone, -20)
        yield
    finally:
        _set_niceness(everyone, 0)


class Meter:
    """CPU seconds of named processes between `begin` and `read`."""

    def __init__(self, pids):
        self.pids = pids
        self.began = {name: cpu_seconds(pid) for name, pid in pids.items()}

    def read(self):
        return {name: cpu_seconds(pid) - self.began[name] for name, pid in self.pids.items()}


def child_seconds(before=0.0):
    """CPU seconds of our ended children, load generators among them, since `before`."""
    times = os.times()
    return times.children_user + times.children_system - before
