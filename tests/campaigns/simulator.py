"""The simulator and its mutants: the C++ program does the work, this asks it and reports."""

import json
import re
import subprocess
import tempfile
from collections import Counter
from pathlib import Path

from . import ROOT
from .report import Report

FOUND_A_BREACH = 1


def _program(preset):
    return ROOT / "build" / preset / "bin" / "simulation"


def _simulate(preset, *arguments):
    """(exit code, what it printed, its report or {})."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "report.json"
        done = subprocess.run([_program(preset), "--json", path, *map(str, arguments)], text=True,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
        return done.returncode, done.stdout, json.loads(path.read_text()) if path.exists() else {}


def run(choices):
    """Every seed from --seed on must hold."""
    report = Report("simulator", choices.seed, count=choices.count)
    code, printed, found = _simulate(choices.preset, "--seeds", choices.count, "--first",
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


def mutants(source):
    """The deliberate mistakes that stand in the source."""
    texts = [path.read_text(encoding="utf-8") for path in Path(source).rglob("*.[ch]pp")]
    return sorted({name for text in texts for name in re.findall(r'\bmutant\("([^"]+)"\)', text)})


def run_mutations(choices):
    """Each mistake must make some seed fail."""
    report = Report("mutations", choices.seed, count=choices.count)
    names = mutants(ROOT / "src")
    outcomes = Counter()
    for name in names:
        code, printed, found = _simulate(choices.preset, "--seeds", choices.count, "--first",
                                         choices.seed, "--mutant", name)
        caught = code == FOUND_A_BREACH and found.get("failures")
        outcomes["caught" if caught else "survived"] += 1
        if caught:
            report.figure(name, found["failures"][0]["violation"][:80])
        else:
            report.breach("survivor", [f"{name}: exit code {code}: {printed[-200:].strip()}"])
    report.count("mutants", outcomes)
    if not names:
        report.breach("survivor", ["the source has no mutants"])
    return report.finish()
