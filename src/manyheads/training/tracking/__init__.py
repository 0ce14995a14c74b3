"""The menu of trackers: listeners that pass a run's numbers to another program."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from manyheads.training.listener import Listener
from manyheads.training.tracking.mlflow import MLflow
from manyheads.training.tracking.tensorboard import TensorBoard
from manyheads.training.tracking.tracker import End, Scalars, Tracker, guarded
from manyheads.training.tracking.trackio import Trackio
from manyheads.training.tracking.wandb import WandB

__all__ = ["TRACKERS", "End", "Scalars", "Tracker", "guarded", "make_tracker"]

TRACKERS: dict[str, Callable[[Path, Listener], Scalars]] = {
    "tensorboard": TensorBoard,
    "trackio": Trackio,
    "wandb": WandB,
    "mlflow": MLflow,
}
"""Every tracker by its name. It is made from the run folder and a listener for its notes."""


def make_tracker(name: str, folder: Path, notify: Listener) -> Listener:
    """Make the tracker `name` for the run in `folder`.

    `notify` receives the tracker's notes. If the tracker fails, `notify` receives one warning and training continues.

    Raises:
        RunError: the tracker's package is not installed.
    """
    return guarded(name, Tracker(TRACKERS[name](folder, notify), folder / "events.jsonl"), notify)
