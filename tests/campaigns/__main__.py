"""scripts/campaign NAME: runs one campaign. Exit code: 0 every invariant held, 1 one broke."""

import argparse
import os
import random
import shutil
import signal
import sys

from . import OUTPUT

# name -> (module, count in CI, count of the long form, what is counted)
CAMPAIGNS = {
    "chaos": ("chaos", 75, 1000, "kills, pauses and losses"),
    "modes": ("modes", 10, 500, "switches"),
    "disk": ("disk", 50, 1000, "kills"),
    "simulator": ("simulator", 5000, 100_000, "seeds"),
    "fuzz": ("fuzz", 1, 30, "minutes for each fuzzer"),
    "mutations": ("mutations", 20_000, 200_000, "seeds at most for each mutant"),
}


def parse(arguments):
    parser = argparse.ArgumentParser(
        prog="scripts/campaign", description="Tries for long to break a promise of the server.",
        epilog="; ".join(f"{name}: {ci} {what}, {long} with --long"
                         for name, (_, ci, long, what) in CAMPAIGNS.items()))
    parser.add_argument("campaign", choices=CAMPAIGNS)
    parser.add_argument("--long", action="store_true", help="the long form, by hand")
    parser.add_argument("--count", "--minutes", type=int, dest="count",
                        help="how many, instead of the form's number")
    parser.add_argument("--seed", type=int, help="repeats the choices of an earlier run")
    parser.add_argument("--seconds", type=float,
                        help="of load for each fault or in each mode, on average")
    parser.add_argument("--rate", type=float, default=150, help="new buyers a second")
    parser.add_argument("--nodes", type=int, default=2, help="of chaos, 2 to 9")
    parser.add_argument("--keep-going", action="store_true", help="also after a breach")
    parser.add_argument("--preset", help="the build whose simulator is run")
    parser.add_argument("--tests-preset", default="asan",
                        help="the build whose tests catch the mutants that the simulator does not")
    choices = parser.parse_args(arguments)
    _, ci, long, _ = CAMPAIGNS[choices.campaign]
    if choices.count is None:
        choices.count = long if choices.long else ci
    if choices.seed is None:
        choices.seed = random.SystemRandom().randrange(1_000_000)
    if choices.count < 1:
        parser.error("--count must be at least 1")
    if not 2 <= choices.nodes <= 9:
        parser.error("--nodes must be 2 to 9")
    if choices.preset is None:
        choices.preset = "mutants" if choices.campaign == "mutations" else "release"
    choices.spacing_s = choices.seconds or 1.0
    return choices


def on_services(module, choices):
    """A folder and services of this run's own; the folder stays when something broke."""
    from .services import Services
    folder = OUTPUT / f"{choices.campaign}-{os.getpid()}"
    code = module.run(choices, Services(folder), folder)
    if code == 0:
        shutil.rmtree(folder, ignore_errors=True)
    return code


def interrupted(*_):
    raise KeyboardInterrupt


def main(arguments):
    choices = parse(arguments)
    # So that what was started is ended, too.
    signal.signal(signal.SIGTERM, interrupted)
    OUTPUT.mkdir(parents=True, exist_ok=True)
    name = CAMPAIGNS[choices.campaign][0]
    if name in ("chaos", "modes"):
        from . import chaos, modes
        return on_services({"chaos": chaos, "modes": modes}[name], choices)
    from . import disk, fuzz, mutations, simulator
    runs = {"disk": disk.run, "fuzz": fuzz.run, "mutations": mutations.run,
            "simulator": simulator.run}
    return runs[name](choices)


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:]))
    except KeyboardInterrupt:
        sys.exit("campaign: interrupted")
