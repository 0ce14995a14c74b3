"""Planted faults: a trial must find an uncaught exception, a hang, and a change that nothing in the program finds."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable
from pathlib import Path

from tests.torture.ledger import HANG, TRACEBACK, WRONG
from tests.torture.outcome import judge
from tests.torture.world import World

REPORT = ("report", "run", "--format", "json")


def found(world: World, folder: Path) -> dict[str, str]:
    """Plant each fault, and return the outcome that its trial has. The keys are the right outcomes."""
    shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(world.finished, folder)
    expected = {"printed": world.command(REPORT, folder).out}
    curve = folder / "run" / "results.csv"
    curve.write_text(curve.read_text(encoding="utf-8").replace("0.", "0.9", 1), encoding="utf-8")
    faults: dict[str, tuple[Callable[[], None], float]] = {
        TRACEBACK: (_raise, 60),
        HANG: (_wait, 3),
        WRONG: (_trust, 60),
    }
    ends = {}
    for right, (plant, seconds) in faults.items():
        done = world.command(REPORT, folder, before=plant, seconds=seconds)
        (ends[right],) = judge(done, {"printed": done.out}, expected).counts
    shutil.rmtree(folder)
    return ends


def _raise() -> None:
    from manyheads.run.folder import RunFolder

    def broken(*_: object, **__: object) -> None:
        raise KeyError("planted")

    RunFolder.read_results = broken  # type: ignore[assignment, method-assign]


def _wait() -> None:
    time.sleep(60)


def _trust() -> None:
    from manyheads.run.folder import RunFolder

    RunFolder.is_whole = lambda *_: True  # type: ignore[assignment, method-assign]
