"""Campaigns: long runs that try to break a promise of the server. See scripts/campaign."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
OUTPUT = ROOT / "build" / "campaigns"

# The server's and the stores' wrappers are those of the end-to-end suites.
sys.path.insert(0, str(ROOT / "tests" / "e2e"))
