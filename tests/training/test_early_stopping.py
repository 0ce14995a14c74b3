"""Early stopping: an undefined average is not a lack of progress, and a stop is reported with its reason."""

from __future__ import annotations

from pathlib import Path

import pytest

import manyheads
from manyheads.run.events import read_events

EVERY = ["training.evaluate_every=1", "training.max_steps=4", "training.early_stopping=2"]


@pytest.fixture
def constant(tmp_path: Path) -> Path:
    """A dev file with the same value in every row, for which no correlation is defined."""
    file = tmp_path / "constant.tsv"
    file.write_text("sentence1\tsentence2\tsimilarity\n" + "".join(f"a film {n}\tthe story\t2.5\n" for n in range(6)))
    return file


def test_an_undefined_average_does_not_stop_the_run(constant: Path, tiny_recipe: Path, tmp_path: Path) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=[*EVERY, f'tasks.similarity.dev="{constant}"'])
    assert run.results["steps"] == 4
    assert run.results["stopped_early"] is False
    assert run.results["stop_reason"] is None
    said = [event["text"] for event in read_events(run.folder.events) if event["event"] == "warning"]
    assert sum("does not count for training.early_stopping" in str(text) for text in said) == 4


def test_a_stop_is_reported_with_its_reason(tiny_recipe: Path, tmp_path: Path) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=[*EVERY, "training.learning_rate=1e-12"])
    assert run.results["steps"] == 3
    reason = run.results["stop_reason"]
    assert reason.startswith("stopped early after step 3: no better average than")
    assert "training.early_stopping = 2" in reason
    (event,) = (event for event in read_events(run.folder.events) if event["event"] == "stopped_early")
    assert event["text"] == reason
