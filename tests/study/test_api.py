"""`manyheads.study` returns the table of a study."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

import manyheads

pytestmark = pytest.mark.usefixtures("forked_commands")


def test_a_study_from_python(tiny_study: Path, tmp_path: Path) -> None:
    events: list[str] = []
    table = manyheads.study(
        tiny_study,
        tmp_path / "out",
        changes=["training.max_steps=2"],
        notify=lambda event, **_fields: events.append(event),
    )
    assert events.count("cell_done") == 4
    assert [row.name for row in table.rows] == ["plain", "rescaled"]
    assert (tmp_path / "out" / "table.html").exists()
    planned = manyheads.power(tiny_study, pilot=tmp_path / "out")
    assert planned.df == 1
    assert planned.seed_sd > 0
    assert any("too large on average" in each for each in planned.assumptions)
    given = manyheads.power(tiny_study, pilot=tmp_path / "out", seed_sd=0.01, correlation=0.5)
    assert given.df is None
    assert given.seed_sd == pytest.approx(0.01 * 0.5**0.5, abs=1e-6)


def test_an_event_stops_a_study(tiny_study: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    changes = ["training.epochs=99", "training.max_steps=4000", "training.evaluate_every=4000"]

    def notify(event: str, **_: object) -> None:
        if event == "cell_progress":
            stop.set()

    with pytest.raises(KeyboardInterrupt, match=r"To resume: manyheads\.open_study\("):
        manyheads.study(tiny_study, tmp_path / "out", changes=changes, jobs=1, notify=notify, stop=stop)
