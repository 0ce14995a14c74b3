"""The menu of trackers: listeners that hand a run's numbers to another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manyheads.training.listener import Listener
from manyheads.training.tracking.tensorboard import TensorBoard
from manyheads.training.tracking.tracker import Guarded, Scalars, Tracker
from manyheads.training.tracking.trackio import Trackio

__all__ = ["TRACKERS", "Guarded", "Scalars", "Tracker", "make_tracker"]

TRACKERS: dict[str, Callable[[Path], Scalars]] = {"tensorboard": TensorBoard, "trackio": Trackio}


def make_tracker(name: str, folder: Path, tell: Listener) -> Listener:
    """A tracker of the run in `folder`, by its name; if it fails, `tell` hears a warning and training goes on.

    Raises:
        RunError: its package is not installed.
    """
    return Guarded(name, Tracker(TRACKERS[name](folder)), tell)
