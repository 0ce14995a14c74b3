"""The menu of trackers: listeners that pass a run's numbers to another program."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyheads.errors import RunError, argument, did_you_mean
from manyheads.menu import Menu, require
from manyheads.training.listener import Listener
from manyheads.training.tracking.mlflow import MLflow
from manyheads.training.tracking.tensorboard import TensorBoard
from manyheads.training.tracking.tracker import End, Scalars, Tracker, guarded
from manyheads.training.tracking.trackio import Trackio
from manyheads.training.tracking.wandb import WandB

__all__ = ["TRACKERS", "End", "Scalars", "Tracker", "TrackerEntry", "guarded", "make_tracker"]


@dataclass(frozen=True)
class TrackerEntry:
    """A tracker. `build(folder, notify)` makes it from the run folder and a listener for its notes."""

    name: str
    build: Callable[[Path, Listener], Scalars]


def _check(entry: TrackerEntry) -> None:
    require(callable(entry.build), "build must be a class or a function")


TRACKERS = Menu(
    "tracker",
    (
        TrackerEntry("tensorboard", TensorBoard),
        TrackerEntry("trackio", Trackio),
        TrackerEntry("wandb", WandB),
        TrackerEntry("mlflow", MLflow),
    ),
    _check,
)


def make_tracker(name: str, folder: Path, notify: Listener) -> Listener:
    """Make the tracker `name` for the run in `folder`.

    `notify` receives the tracker's notes. If the tracker fails, `notify` receives one warning and training continues.

    Raises:
        RunError: there is no such tracker, or its package is not installed.
    """
    if name not in TRACKERS:
        hint = did_you_mean(name, TRACKERS)
        raise RunError("unknown tracker", where=argument("track"), found=name, allowed=", ".join(TRACKERS), hint=hint)
    return guarded(name, Tracker(TRACKERS[name].build(folder, notify), folder / "events.jsonl"), notify)
