"""Run the command line as a user does: as a process."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def manyheads_(
    *words: str | Path, text: str | None = None, columns: int = 160, folder: Path | None = None
) -> subprocess.CompletedProcess[str]:
    """Run the command line in a terminal of `columns` columns, from `folder` or the current folder."""
    environment = {**os.environ, "COLUMNS": str(columns), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "manyheads", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, input=text, env=environment, cwd=folder, check=False, timeout=240
    )
