"""A rush at full rate, by the load generator of the benchmarks: what can be sold in a second."""

import json
import os
import subprocess
import tempfile
from pathlib import Path

from . import ROOT

CONNECTIONS = 256
RATE_PER_S = 8000  # more than what is to be reached


def program():
    """The generator; None when it was not built."""
    path = Path(os.environ.get("SLUICE_TEST_CROWD", ROOT / "build" / "release" / "bin" / "crowd"))
    return path if path.exists() else None


def burst(node, name, seconds):
    """Orders a second while that many new users ask once; None without the generator."""
    users = int(seconds * RATE_PER_S)
    if program() is None:
        return None
    sale = node.open_sale(stock=users)
    node.wait_until(lambda: node.buy(sale, f"{name}-first").status_code in (201, 202), 30)
    with tempfile.TemporaryDirectory() as folder:
        tokens = Path(folder) / "tokens"
        tokens.write_text("".join(f"{node.token(f'{name}-{i}')}\n" for i in range(users)))
        done = subprocess.run(
            [program(), str(node.port), f"/v1/sales/{sale}/orders", tokens, str(CONNECTIONS),
             str(RATE_PER_S)], text=True, stdout=subprocess.PIPE, check=True, timeout=300)
    found = json.loads(done.stdout)
    sold = sum(count for status, count in found["statuses"].items() if status in ("201", "202"))
    return round(sold / found["seconds"])
