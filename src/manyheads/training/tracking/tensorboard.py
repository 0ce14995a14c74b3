"""TensorBoard: event files in the run folder's `tensorboard`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import RunError


class TensorBoard:
    """Look with `tensorboard --logdir RUNS`. A run that goes on hides what it runs again.

    Raises:
        RunError: tensorboard is not installed.
    """

    def __init__(self, folder: Path) -> None:
        try:
            import tensorboard  # noqa: F401 - torch's writer needs it
        except ImportError as error:
            hint = "pip install 'manyheads[track]'"
            raise RunError("tracking needs the extra `track`", where="--track tensorboard", hint=hint) from error
        self._folder = folder / "tensorboard"
        self._writer: Any = None

    def begin(self, step: int) -> None:
        """Open a new event file; what older ones hold past `step` is hidden by it."""
        from torch.utils.tensorboard import SummaryWriter

        self._writer = SummaryWriter(str(self._folder), purge_step=step + 1)

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Write numbers."""
        for name, value in values.items():
            self._writer.add_scalar(name, value, step)

    def flush(self) -> None:
        """Write out."""
        self._writer.flush()

    def close(self) -> None:
        """Close the file."""
        self._writer.close()
