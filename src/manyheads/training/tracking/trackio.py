"""trackio: a local database of runs. View it with `trackio show`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.training.listener import Listener
from manyheads.training.tracking.tracker import PROJECT, End, require


class Trackio:
    """Logs to trackio under the name of the run folder. trackio stays local unless its own settings change that.

    Raises:
        RunError: trackio is not installed.
    """

    def __init__(self, folder: Path, notify: Listener) -> None:
        self._trackio: Any = require("trackio", tracker="trackio")
        self._name = folder.name
        self._run: Any = None

    def begin(self, step: int) -> None:
        """Create the run, or continue the run of this name."""
        self._run = self._trackio.init(
            project=PROJECT, name=self._name, resume="allow", embed=False, auto_log_gpu=False, auto_log_cpu=False
        )

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Log the values of a step."""
        self._run.log(dict(values), step=step)

    def flush(self) -> None:
        """Do nothing: trackio writes by itself."""

    def close(self, end: End) -> None:
        """Finish the run. trackio has no state of a run."""
        self._run.finish()
