"""What a campaign found: a table for people, JSON for the record, an exit code for CI."""

import json
import time

from . import OUTPUT

EVIDENCE_MAX = 20  # sentences of evidence that are kept for each broken check


class Report:
    """Figures in the order in which they were added, and every breach."""

    def __init__(self, campaign, seed, quiet=False, **choices):
        self.campaign = campaign
        self.seed = seed
        self.choices = choices
        self.figures = {}
        self.targets = {}   # name of a figure -> (what it should be, whether it is)
        self.breaches = {}  # check -> sentences
        self.stories = []
        self.began = time.time()
        if not quiet:
            again = "".join(f" --{name} {value}" for name, value in choices.items())
            print(f"campaign {campaign}: scripts/campaign {campaign} --seed {seed}{again}",
                  flush=True)

    def figure(self, name, value):
        self.figures[name] = value

    def add(self, name, value):
        self.figures[name] = self.figures.get(name, 0) + value

    def count(self, prefix, counter):
        for name, value in sorted(counter.items()):
            self.add(f"{prefix}: {name}", value)

    def longest(self, name, seconds):
        self.figures[name] = round(max(seconds, self.figures.get(name, 0)), 2)

    def times(self, name, seconds, target_s=None):
        """The median and the worst of some times; a target is for the worst."""
        if not seconds:
            self.figure(name, "none seen")
            return
        ordered = sorted(seconds)
        median, worst = ordered[(len(ordered) - 1) // 2], ordered[-1]
        self.figure(name, f"median {median:.2f} s, worst {worst:.2f} s of {len(ordered)}")
        if target_s is not None:
            self.targets[name] = (f"<= {target_s} s", worst <= target_s)

    def breach(self, check, sentences, where=""):
        if sentences:
            self.breaches.setdefault(check, []).extend(f"{where}{one}" for one in sentences)

    def story(self, where, lines):
        """What happened around a breach, for whoever looks for its cause."""
        self.stories.append({"where": where, "lines": lines})

    def _document(self):
        return {"campaign": self.campaign, "seed": self.seed, "choices": self.choices,
                "began": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(self.began)),
                "seconds": round(time.time() - self.began, 1), "figures": self.figures,
                "targets": {name: {"target": target, "met": met}
                            for name, (target, met) in self.targets.items()},
                "breaches": {check: {"count": len(found), "evidence": found[:EVIDENCE_MAX]}
                             for check, found in self.breaches.items()},
                "stories": self.stories, "holds": not self.breaches}

    def _print(self, path):
        width = max([len(name) for name in self.figures], default=0)
        for name, value in self.figures.items():
            target, met = self.targets.get(name, ("", True))
            note = f"   (target {target}: {'met' if met else 'MISSED'})" if target else ""
            print(f"  {name.ljust(width)}  {value}{note}")
        for check, found in self.breaches.items():
            print(f"  BROKEN {check}: {len(found)}")
            for sentence in found[:5]:
                print(f"    {sentence}")
        verdict = "every invariant held" if not self.breaches else "INVARIANTS BROKEN"
        print(f"campaign {self.campaign}: {verdict}, {time.time() - self.began:.0f} s, {path}",
              flush=True)

    def finish(self):
        """0 when every invariant held."""
        OUTPUT.mkdir(parents=True, exist_ok=True)
        stamp = time.strftime("%Y%m%dT%H%M%S", time.gmtime(self.began))
        path = OUTPUT / f"{self.campaign}-{stamp}-{self.seed}.json"
        path.write_text(json.dumps(self._document(), indent=1) + "\n", encoding="utf-8")
        self._print(path)
        return 1 if self.breaches else 0
