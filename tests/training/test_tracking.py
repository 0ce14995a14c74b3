"""Trackers: a run's numbers where another program looks for them."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import manyheads
from manyheads.cli.train import TrackerName
from manyheads.run.events import read_events
from manyheads.training.tracking import TRACKERS, Guarded, Tracker, make_tracker

CHANGES = ["training.max_steps=8", "training.evaluate_every=4"]


class Kept:
    """Numbers in a list."""

    def __init__(self) -> None:
        self.values: list[tuple[int, dict[str, float]]] = []
        self.calls: list[str] = []

    def begin(self, step: int) -> None:
        self.calls.append(f"begin {step}")

    def write(self, values: Any, step: int) -> None:
        self.values.append((step, dict(values)))

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self) -> None:
        self.calls.append("close")


def test_every_number_of_a_run_is_handed_on(tiny_recipe: Path, tmp_path: Path) -> None:
    kept = Kept()
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=CHANGES, listeners=[Tracker(kept)])
    assert kept.calls[0] == "begin 0"
    assert kept.calls[-1] == "close"
    assert [step for step, _ in kept.values] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    last = kept.values[-1][1]
    assert last["dev/average"] == pytest.approx(run.results["last"]["average"])
    assert last["dev_accuracy/sentiment"] == run.results["last"]["tasks"]["sentiment"]["accuracy"]
    losses = [event["losses"] for event in read_events(run.folder.events) if event["event"] == "step"]
    told = [_losses(values) for _, values in kept.values]
    assert [each for each in told if each] == losses
    assert kept.values[1][1]["speed/examples_per_second"] > 0


def test_tensorboard_reads_what_was_written(tiny_recipe: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    tracker = make_tracker("tensorboard", out, _raise)
    run = manyheads.train(tiny_recipe, out, changes=CHANGES, listeners=[tracker])
    found = EventAccumulator(str(out / "tensorboard"))
    found.Reload()
    assert [each.step for each in found.Scalars("dev/average")] == [4, 8]
    assert found.Scalars("dev/average")[-1].value == pytest.approx(run.results["last"]["average"], abs=1e-6)
    assert len(found.Scalars("optimiser/norm")) == 8


def test_a_run_that_goes_on_shows_no_step_twice(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first, last, at in ((1, 6, 0), (5, 9, 4)):
        scalars = TRACKERS["tensorboard"](tmp_path)
        scalars.begin(at)
        for step in range(first, last):
            scalars.write({"loss/x": float(last)}, step)
        scalars.close()
    found = EventAccumulator(str(tmp_path / "tensorboard"))
    found.Reload()
    assert [(each.step, each.value) for each in found.Scalars("loss/x")] == [
        (1, 6.0),
        (2, 6.0),
        (3, 6.0),
        (4, 6.0),
        (5, 9.0),
        (6, 9.0),
        (7, 9.0),
        (8, 9.0),
    ]


def test_a_tracker_that_fails_is_told_once_and_stops_nothing(tiny_recipe: Path, tmp_path: Path) -> None:
    told: list[str] = []

    def broken(event: str, **_: object) -> None:
        raise OSError(f"no space at {event}")

    guarded = Guarded("tensorboard", broken, lambda _, **fields: told.append(str(fields["text"])))
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=["training.max_steps=2"], listeners=[guarded])
    assert run.results["last"]["step"] == 2
    assert len(told) == 1
    assert "tensorboard failed at the event" in told[0]
    assert "OSError: no space" in told[0]


def test_the_command_line_hands_a_run_to_both(tiny_recipe: Path, tmp_path: Path) -> None:
    """In a process of its own, for trackio learns its folder when it is imported."""
    changes = [word for change in CHANGES for word in ("--set", change)]
    command = [sys.executable, "-m", "manyheads", "train", str(tiny_recipe), "--out", str(tmp_path / "run"), *changes]
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "TRACKIO_DIR": str(tmp_path / "trackio"), "NO_COLOR": "1"}
    done = subprocess.run(
        [*command, "--track", "tensorboard", "--track", "trackio"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "failed at the event" not in done.stdout
    assert list((tmp_path / "run" / "tensorboard").iterdir())
    (file,) = (tmp_path / "trackio").glob("*.db")
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    assert {name for name, _, _ in rows} == {"run"}
    assert [step for _, step, _ in rows] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    results = json.loads((tmp_path / "run" / "results.json").read_text())
    assert json.loads(rows[-1][2])["dev/average"] == pytest.approx(results["last"]["average"])


def test_the_command_line_offers_every_tracker() -> None:
    assert [each.value for each in TrackerName] == list(TRACKERS)


def _losses(values: dict[str, float]) -> dict[str, float]:
    return {name.removeprefix("loss/"): value for name, value in values.items() if name.startswith("loss/")}


def _raise(_: str, **fields: object) -> None:
    raise AssertionError(fields)
