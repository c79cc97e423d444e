"""The fuzzers of tests/fuzz: built by clang, each run for minutes on inputs that it mutates."""

import re
import subprocess

from . import OUTPUT, ROOT
from .report import Report

SEEDS = ROOT / "tests" / "fuzz" / "corpus"


def build():
    for command in (["cmake", "--preset", "fuzz"],
                    ["cmake", "--build", "--preset", "fuzz", "--target", "fuzz"]):
        subprocess.run(command, cwd=ROOT, check=True, stdout=subprocess.DEVNULL)


def run_one(name, seconds, seed):
    """(exit code, what it printed). Inputs that reach new code are kept for the next run."""
    folder = OUTPUT / "fuzz" / name
    folder.mkdir(parents=True, exist_ok=True)
    done = subprocess.run(
        [ROOT / "build" / "fuzz" / "bin" / f"fuzz_{name}", f"-max_total_time={seconds}",
         f"-seed={seed % 2**32 or 1}", "-print_final_stats=1",
         f"-artifact_prefix={OUTPUT / 'fuzz'}/{name}-", folder, SEEDS / name],
        text=True, errors="replace", stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False)
    return done.returncode, done.stdout


def run(choices):
    """Every fuzzer must come to the end of its time."""
    report = Report("fuzz", choices.seed, minutes=choices.count)
    build()
    for folder in sorted(SEEDS.iterdir()):
        name = folder.name
        code, printed = run_one(name, choices.count * 60, choices.seed)
        inputs = re.search(r"number_of_executed_units:\s+(\d+)", printed)
        report.figure(f"{name}: inputs", int(inputs[1]) if inputs else 0)
        if code != 0 or not inputs:
            report.breach(name, re.findall(r"does not hold: .*|ERROR: .*|Test unit written to .*",
                                           printed) or [f"exit code {code}"])
            report.story(name, printed.splitlines()[-100:])
    return report.finish()
