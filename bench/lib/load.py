"""Load of bench/crowd.cpp: to its end, or beside something else until that has ended."""

import array
import json
import subprocess
from pathlib import Path

from lib.processes import end, run_to_end

# Few connections would keep requests from being sent when they are due.
OPEN_LOOP_CONNECTIONS = 1_000
ACCEPTED = ("200", "201", "202")


def command(bench, port, lines, *, path="-", connections=OPEN_LOOP_CONNECTIONS, rate=None,
            options=()):
    """`lines` is a file of TOKEN [PATH [BODY]]; `path` is for those without one."""
    pace = [str(rate)] if rate else []
    return [bench.binary("crowd"), str(port), path, str(lines), str(connections), *pace, *options]


def read(text):
    """What a crowd printed; `accepted` are the good answers, `refused` all others."""
    seen = json.loads(text)
    seen["accepted"] = sum(seen["statuses"].get(status, 0) for status in ACCEPTED)
    seen["refused"] = seen["users"] - seen["accepted"]
    return seen


def to_end(arguments, timeout_s=600):
    try:
        return read(run_to_end(arguments, timeout_s))
    except subprocess.SubprocessError as error:
        raise RuntimeError("a load failed; has its server ended?") from error


class Beside:
    """A load that is under way while a `with` block runs; `seen` is what it saw until then."""

    def __init__(self, arguments, log):
        self.arguments, self.log = arguments, Path(log)
        self.seen = None

    def __enter__(self):
        with open(self.log, "wb") as out:
            self.process = subprocess.Popen(self.arguments, stdout=out, stderr=out,
                                            stdin=subprocess.DEVNULL, start_new_session=True)
        return self

    def __exit__(self, kind, *_):
        code = end(self.process)
        if kind is not None:
            return
        text = self.log.read_text()
        if code != 0:
            raise RuntimeError(f"a load ended with {code}: {text[-300:]}")
        self.seen = read(text)

    def ended(self):
        return self.process.poll() is not None


def times_of(path):
    """Of each answer: when it was due in monotonic seconds, and how many ms it took."""
    numbers = array.array("q", path.read_bytes())
    return [(due / 1e9, took / 1e3) for due, took in zip(numbers[::2], numbers[1::2])]


def percentile(times, part):
    """0 without times."""
    ordered = sorted(times)
    return ordered[int((len(ordered) - 1) * part)] if ordered else 0.0
