"""The deliberate mistakes in protocol, scripts and SQL: who the table names must catch each."""

import os
import re
import subprocess
from collections import Counter
from pathlib import Path
from typing import NamedTuple

from . import ROOT
from .report import Report
from .simulator import FOUND_A_BREACH, simulate

TABLE = ROOT / "tests" / "simulation" / "mutants.txt"
SCRIPTS = ROOT / "tests" / "mutations" / "scripts.txt"
SOURCES = (ROOT / "include", ROOT / "src", ROOT / "tests" / "simulation")
TEST_SECONDS_MAX = 600
# A mistake may make a test collect without end; these programs take some hundred MB.
TEST_MEMORY_MB_MAX = 4_096


class Mutant(NamedTuple):
    """`tests`: the filter of a test program, "" for the simulator."""

    name: str
    program: str
    tests: str
    what: str


def read_table(text):
    table = []
    for line in text.splitlines():
        if not line or line.startswith("#"):
            continue
        name, catcher, what = line.split(" | ")
        program, _, tests = catcher.partition(" ")
        assert bool(tests) == (program != "simulation"), line
        table.append(Mutant(name, program, tests, what))
    return table


class Replacement(NamedTuple):
    """What a test build runs instead of `old`, a part of a line in a file of `folder`."""

    folder: str
    old: str
    new: str


def read_scripts(text):
    """The mutants in scripts and SQL, each with its replacement."""
    lines = [line for line in text.splitlines() if line and not line.startswith("#")]
    table = []
    for head, old, new in zip(lines[::3], lines[1::3], lines[2::3], strict=True):
        name, folder, catcher, what = head.split(" | ")
        assert old.startswith("- ") and new.startswith("+ ") and old[2:] != new[2:], head
        (mutant,) = read_table(f"{name} | {catcher} | {what}")
        table.append((mutant, Replacement(folder, old[2:], new[2:])))
    return table


def misplaced(scripts):
    """Replacements of what is written nowhere."""
    return [f"{mutant.name}: no file of {place.folder} has {place.old!r}"
            for mutant, place in scripts
            if not any(place.old in path.read_text(encoding="utf-8")
                       for path in (ROOT / place.folder).iterdir())]


def mutants(*sources):
    """The deliberate mistakes that stand in the sources."""
    texts = [path.read_text(encoding="utf-8")
             for source in sources for path in Path(source).rglob("*.[ch]pp")]
    return sorted({name for text in texts for name in re.findall(r'\bmutant\("([^"]+)"\)', text)})


def differences(table, names):
    """What stands in the table or in the sources alone, or twice."""
    counts = Counter(one.name for one in table)
    return ([f"{name} is missing in {TABLE.name}" for name in names if name not in counts]
            + [f"{name} is in {TABLE.name} alone" for name in counts if name not in names]
            + [f"{name} is in {TABLE.name} twice" for name, count in counts.items() if count > 1])


class Judge:
    """Runs who should catch a mutant. An answer is (what was caught or "", what was printed)."""

    def __init__(self, choices):
        self.choices = choices
        self.sound = {}  # (program, filter) -> whether the tests pass without a mutant

    def _run_tests(self, program, tests, mutant):
        path = ROOT / "build" / self.choices.tests_preset / "bin" / program
        limits = f"hard_rss_limit_mb={TEST_MEMORY_MB_MAX}:{os.environ.get('ASAN_OPTIONS', '')}"
        done = subprocess.run([path, f"--gtest_filter={tests}"], text=True, check=False,
                              env={**os.environ, "SLUICE_MUTANT": mutant, "ASAN_OPTIONS": limits},
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                              timeout=TEST_SECONDS_MAX)
        return done.returncode, done.stdout

    def tests(self, mutant):
        key = mutant.program, mutant.tests
        if key not in self.sound:
            code, printed = self._run_tests(*key, "")
            self.sound[key] = code == 0 and "[  PASSED  ] 0 tests" not in printed
        if not self.sound[key]:
            return "", f"{mutant.program} has no tests {mutant.tests} that pass without it"
        try:
            code, printed = self._run_tests(*key, mutant.name)
        except subprocess.TimeoutExpired:
            return "", f"{mutant.program} did not end"
        failed = re.findall(r"^\[  FAILED  \] ([^,\s]+)(?:, where.*)? \(\d+ ms\)$", printed, re.M)
        return (failed[0] if code == 1 and failed else ""), f"exit code {code}"

    def simulation(self, mutant):
        code, printed, found = simulate(self.choices.preset, "--seeds", self.choices.count,
                                        "--first", self.choices.seed, "--mutant", mutant.name)
        failures = found.get("failures")
        if code != FOUND_A_BREACH or not failures:
            return "", f"exit code {code}: {printed[-200:].strip()}"
        return f"run {found['runs']}: {failures[0]['violation'][:80]}", ""

    def __call__(self, mutant):
        return self.tests(mutant) if mutant.tests else self.simulation(mutant)


def run(choices):
    report = Report("mutations", choices.seed, count=choices.count)
    table = read_table(TABLE.read_text(encoding="utf-8"))
    scripts = read_scripts(SCRIPTS.read_text(encoding="utf-8"))
    report.breach("table", differences(table, mutants(*SOURCES)) + misplaced(scripts))
    table += [mutant for mutant, _ in scripts]
    judge = Judge(choices)
    outcomes = Counter()
    for mutant in table:
        caught, why = judge(mutant)
        outcomes["caught" if caught else "survived"] += 1
        if caught:
            report.figure(mutant.name, caught)
        else:
            report.breach("survivor", [f"{mutant.name} ({mutant.what}): {why}"])
    report.count("mutants", outcomes)
    return report.finish()
