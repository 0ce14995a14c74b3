"""trackio: a local data base of runs, seen with `trackio show`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import RunError

PROJECT = "manyheads"


class Trackio:
    """The run's folder is its name there. trackio keeps everything on this machine unless its own settings say else.

    Raises:
        RunError: trackio is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import trackio
        except ImportError as error:
            hint = "pip install 'manyheads[track]'"
            raise RunError("tracking needs the extra `track`", where="--track trackio", hint=hint) from error
        self._trackio: Any = trackio
        self._name = folder.name
        self._run: Any = None

    def begin(self, step: int) -> None:
        """Begin or go on with the run."""
        self._run = self._trackio.init(
            project=PROJECT, name=self._name, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
        )

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Log numbers."""
        self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """trackio writes by itself."""

    def close(self) -> None:
        """End the run."""
        self._run.finish()
