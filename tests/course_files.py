"""The folder of the course's files and of further public data, which tests read in place."""

from __future__ import annotations

import os
from pathlib import Path

DATA = Path(os.environ.get("MANYHEADS_DATA", Path(__file__).parents[2] / "shared" / "data"))
"""The environment variable `MANYHEADS_DATA` names another folder. Tests that need a file are skipped without it."""
