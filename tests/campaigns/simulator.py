"""The simulator: the C++ program does the work, this asks it and reports."""

import json
import subprocess
import tempfile
from pathlib import Path

from . import ROOT
from .report import Report

FOUND_A_BREACH = 1
# Some hundred MB are in use; a mistake that collects without end must not take the machine along.
MEMORY_BYTES_MAX = 4 << 30


def _program(preset):
    return ROOT / "build" / preset / "bin" / "simulation"


def simulate(preset, *arguments):
    """(exit code, what it printed, its report or {})."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        # Sanitizers reserve more addresses than there is memory.
        limit = [] if preset in ("asan", "tsan") else ["prlimit", f"--as={MEMORY_BYTES_MAX}"]
        command = [*limit, _program(preset), "--json", path, *map(str, arguments)]
        done = subprocess.run(command, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              check=False)
        return done.returncode, done.stdout, json.loads(path.read_text()) if path.exists() else {}


def run(choices):
    """Every seed from --seed on must hold."""
    report = Report("simulator", choices.seed, count=choices.count)
    code, printed, found = simulate(choices.preset, "--seeds", choices.count, "--first",
                                     choices.seed, "--keep-going")
    for name, value in found.items():
        if name != "failures":
            report.figure(name, value)
    if found.get("seconds"):
        report.figure("runs a second", round(found["runs"] / found["seconds"]))
    failures = found.get("failures", [])
    report.breach("simulation", [f"seed {one['seed']}: {one['violation']}" for one in failures])
    if code != 0:
        report.story("simulation", printed.splitlines()[-200:])
        if not failures:
            report.breach("simulation", [f"exit code {code}"])
    return report.finish()
