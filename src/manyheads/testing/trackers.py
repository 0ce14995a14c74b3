"""The contract of trackers."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from manyheads.errors import ManyheadsError
from manyheads.testing.ensure import ensure
from manyheads.training.tracking import End, TrackerEntry

Stored = Mapping[str, Mapping[int, float]]
"""Numbers by name and step."""


def check_tracker(entry: TrackerEntry, folder: Path, read: Callable[[Path], Stored] | None = None) -> None:
    """Check a tracker on two runs: one that is interrupted and resumed at an earlier step, and one that fails.

    It accepts the calls of a run in their order, leaves the numbers and the files of the run as they are, and restores
    the environment. With `read`, each number is stored once, and those after the step of the resume are the later ones.

    Args:
        entry: the tracker.
        folder: an empty folder, or one that is made, for the folders of the runs.
        read: returns the numbers that are stored for the run in a folder. Default: they are not checked.

    Raises:
        AssertionError: The tracker does not keep the contract.
    """
    name, environment, place = entry.name, dict(os.environ), Path.cwd()
    own = {"recipe.toml": "seed = 1\n", "events.jsonl": ""}
    for run in ("resumed", "failed"):
        (folder / run).mkdir(parents=True)
        for file, text in own.items():
            (folder / run / file).write_text(text, encoding="utf-8")
    _part(entry, folder / "resumed", at=0, steps=range(1, 5), end="interrupted")
    if read is not None:
        _check_stored(name, read(folder / "resumed"), {step: float(step) for step in range(1, 5)})
    _part(entry, folder / "resumed", at=2, steps=range(3, 7), end="finished", more=0.5)
    if read is not None:
        later = {step: step + 0.5 * (step > 2) for step in range(1, 7)}
        _check_stored(name, read(folder / "resumed"), later)
    _part(entry, folder / "failed", at=0, steps=range(1, 2), end="failed")
    for run in ("resumed", "failed"):
        for file, text in own.items():
            kept = (folder / run / file).read_text(encoding="utf-8") == text
            ensure(kept, f"{name}: {file} of the run was changed")
    ensure(dict(os.environ) == environment, f"{name}: the environment was changed")
    ensure(Path.cwd() == place, f"{name}: the working directory was changed")


def _part(entry: TrackerEntry, folder: Path, *, at: int, steps: range, end: End, more: float = 0.0) -> None:
    """Make the calls of a run from its start or resume to its end. Each number is its step, plus `more`."""
    notes: list[str] = []

    def notify(event: str, **fields: Any) -> None:
        ensure(event in ("note", "warning"), f"{entry.name}: it sends the event {event!r}")
        notes.append(str(fields["text"]))

    try:
        scalars = entry.build(folder, notify)
        stored = scalars.begin(at)
    except ManyheadsError as error:
        raise AssertionError(f"{entry.name}: it cannot begin: {error.what}") from error
    ensure(
        stored is None or (isinstance(stored, int) and 0 <= stored <= at),
        f"{entry.name}: begin({at}) returns {stored!r}, allowed are None and the steps from 0 to {at}",
    )
    first = at if stored is None else stored
    for step in [*range(first + 1, at + 1), *steps]:
        again = step + more * (step > at)
        for values in ({"loss/a": again, "optimiser/norm": again}, {"dev/average": again}):
            given = dict(values)
            scalars.write(given, step)
            ensure(given == values, f"{entry.name}: write changes the numbers that it gets")
        scalars.flush()
    scalars.close(end)
    ensure(all(notes), f"{entry.name}: it sends an empty note")


def _check_stored(name: str, found: Stored, expected: Mapping[int, float]) -> None:
    for each in ("loss/a", "optimiser/norm", "dev/average"):
        ensure(each in found, f"{name}: {each} is not stored")
        own = {step: round(float(value), 6) for step, value in found[each].items()}
        ensure(own == dict(expected), f"{name}: {each} is stored as {own}, expected is {dict(expected)}")
