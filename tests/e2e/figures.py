"""What /metrics says: a strict reader of Prometheus' text format 0.0.4."""

import re

_NAME = r"[a-zA-Z_:][a-zA-Z0-9_:]*"
_LABEL = r'[a-zA-Z_][a-zA-Z0-9_]*="(?:[^"\\\n]|\\["\\n])*"'
_SAMPLE = re.compile(rf"({_NAME})(?:\{{((?:{_LABEL})(?:,{_LABEL})*,?)?\}})? (\S+)(?: -?\d+)?")
_HEAD = re.compile(rf"# (HELP|TYPE) ({_NAME}) (.*)")
_TYPES = {"counter", "gauge", "histogram", "summary", "untyped"}
_SUFFIXES = {"histogram": ("_bucket", "_sum", "_count"), "summary": ("", "_sum", "_count")}


class Figures:
    def __init__(self, text):
        assert text.endswith("\n"), "the last line must end, too"
        self.types = {}
        self.samples = {}
        for line in text.splitlines():
            if line.startswith("#"):
                self._take_head(line)
            elif line:
                self._take_sample(line)

    def _take_head(self, line):
        kind, name, rest = _HEAD.fullmatch(line).groups()
        if kind == "TYPE":
            assert rest in _TYPES and name not in self.types, line
            self.types[name] = rest

    def _take_sample(self, line):
        found = _SAMPLE.fullmatch(line)
        assert found, f"no sample: {line!r}"
        name, labels, value = found.groups()
        assert self._family(name), f"{name} has no TYPE"
        key = (name, frozenset(re.findall(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\]|\\.)*)"',
                                          labels or "")))
        assert key not in self.samples, f"twice: {line}"
        self.samples[key] = float(value)

    def _family(self, name):
        return any(name == family + suffix for family, kind in self.types.items()
                   for suffix in _SUFFIXES.get(kind, ("",)))

    def get(self, name, **labels):
        """The sum of the samples that have these labels; 0 when there is none."""
        wanted = set(labels.items())
        return sum(value for (one, has), value in self.samples.items()
                   if one == name and wanted <= has)


def read(server):
    answer = server.admin("GET", "/metrics")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    return Figures(answer.text)
