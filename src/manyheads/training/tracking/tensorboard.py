"""TensorBoard: event files in the run folder's `tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.training.listener import Listener
from manyheads.training.tracking.tracker import End, require


class TensorBoard:
    """Writes event files. View them with `tensorboard --logdir RUNS`.

    Raises:
        RunError: tensorboard is not installed.
    """

    def __init__(self, folder: Path, notify: Listener) -> None:
        require("tensorboard", tracker="tensorboard")
        self._folder = folder / "tensorboard"
        self._writer: Any = None

    def begin(self, step: int) -> None:
        """Open a new event file. It hides the values after `step` in older files."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Add the values of a step."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write all values to the disk."""
        self._writer.flush()

    def close(self, end: End) -> None:
        """Close the file. TensorBoard has no state of a run."""
        self._writer.close()
