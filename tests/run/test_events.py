"""The event log after a kill: a broken last line is skipped, and the events of repeated steps are dropped."""

from __future__ import annotations

import resource
from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.run.events import EventLog, cut_after, read_events


def test_events_are_read_in_order(tmp_path: Path) -> None:
    with EventLog(tmp_path / "events.jsonl") as log:
        log.write("start", seed=1)
        log.write("step", step=1, losses={"sst": 0.5})
    events = list(read_events(tmp_path / "events.jsonl"))
    assert [event["event"] for event in events] == ["start", "step"]
    assert events[1]["losses"] == {"sst": 0.5}


def test_a_broken_last_line_is_skipped_and_does_not_damage_the_next_event(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    file.write_text('{"event": "start"}\n{"event": "ste')
    assert [event["event"] for event in read_events(file)] == ["start"]
    with EventLog(file) as log:
        log.write("resume", at=0)
    assert [event["event"] for event in read_events(file)] == ["start", "resume"]


def test_an_event_that_cannot_be_written_is_one_clear_error(tmp_path: Path) -> None:
    _, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (60, hard))
    try:
        with pytest.raises(RunError, match="larger than the system allows"):
            _write_steps(tmp_path / "events.jsonl")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, hard))
    assert [event["step"] for event in read_events(tmp_path / "events.jsonl")] == [0]


def _write_steps(path: Path) -> None:
    with EventLog(path) as log:
        for step in range(9):
            log.write("step", step=step)


def test_all_events_after_the_step_are_dropped(tmp_path: Path) -> None:
    file = tmp_path / "events.jsonl"
    with EventLog(file) as log:
        log.write("rejected", line=7)
        for step in (1, 2, 3):
            log.write("step", step=step)
        log.write("note", text="after step 3")
    cut_after(file, 2)
    assert [(event["event"], event.get("step")) for event in read_events(file)] == [
        ("rejected", None),
        ("step", 1),
        ("step", 2),
    ]


def test_a_missing_log_is_empty(tmp_path: Path) -> None:
    assert list(read_events(tmp_path / "events.jsonl")) == []
