"""A killed and resumed run ends with the same bytes as an uninterrupted one."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.recipe.assemble import train
from manyheads.recipe.load import load_recipe
from manyheads.run.events import read_events
from manyheads.run.folder import RunFolder

pytestmark = pytest.mark.usefixtures("forked_commands")

CHANGES = ["training.checkpoint_every=4", "training.keep=2"]


def start(recipe: Path, out: Path, *words: str) -> subprocess.Popen[str]:
    """Start the command line in a process of its own."""
    changes = [word for change in CHANGES for word in ("--set", change)]
    command = [sys.executable, "-m", "manyheads", "train", str(recipe), "--out", str(out), *changes, *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env={**os.environ, "OMP_NUM_THREADS": "1"}
    )


def stop_after(process: subprocess.Popen[str], out: Path, step: int, number: signal.Signals) -> str:
    """Send a signal once the log has a step. Return the output of the process."""
    log = out / "events.jsonl"
    while process.poll() is None:
        if any(event["event"] == "step" and event["step"] >= step for event in read_events(log)):  # type: ignore[operator]
            process.send_signal(number)
            break
        time.sleep(0.005)
    output, _ = process.communicate(timeout=120)
    return output


def contents(out: Path) -> dict[str, bytes]:
    """Return every byte that must be the same: model, predictions, results.csv and the metrics of results.json."""
    content = {
        str(file.relative_to(out)): file.read_bytes()
        for folder in ("model", "predictions")
        for file in sorted((out / folder).rglob("*"))
        if file.is_file()
    }
    results = json.loads((out / "results.json").read_text())
    content["results.csv"] = (out / "results.csv").read_bytes()
    content["metrics"] = json.dumps([results["best"], results["last"], results["steps"]]).encode()
    return content


@pytest.fixture(scope="module")
def whole(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The uninterrupted run."""
    out = tmp_path_factory.mktemp("whole") / "run"
    train(load_recipe(tiny_recipe, CHANGES), out)
    return out


def test_a_run_killed_at_random_steps_ends_with_the_same_bytes(tiny_recipe: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    first, second = sorted(random.SystemRandom().sample(range(1, 22), 2))
    stop_after(start(tiny_recipe, out), out, first, signal.SIGKILL)
    assert not (out / "results.json").exists()
    stop_after(start(tiny_recipe, out, "--resume"), out, second, signal.SIGKILL)
    train(load_recipe(tiny_recipe, CHANGES), out, resume=True)
    assert contents(out) == contents(whole), f"killed after steps {first} and {second}"
    assert not (out / "checkpoints").exists()
    steps = [event["step"] for event in read_events(out / "events.jsonl") if event["event"] == "step"]
    assert steps == list(range(1, 25)), "repeated steps are in the log once"


def test_an_interrupted_run_can_be_resumed(tiny_recipe: Path, whole: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(tiny_recipe, out)
    output = stop_after(process, out, 2, signal.SIGINT)
    assert process.returncode == 130, output
    assert "--resume" in output
    assert "Traceback" not in output
    train(load_recipe(tiny_recipe, CHANGES), out, resume=True)
    assert contents(out) == contents(whole)


def test_a_finished_run_is_returned_unchanged(tiny_recipe: Path, whole: Path) -> None:
    before = contents(whole)
    events: list[str] = []
    recipe = load_recipe(tiny_recipe, CHANGES)
    run = train(recipe, whole, resume=True, listeners=[lambda event, **fields: events.append(f"{event} {fields}")])
    assert len(events) == 1
    assert "is already finished. Nothing was trained." in events[0]
    assert run.results == RunFolder(whole).read_results()
    assert contents(whole) == before


def test_resume_without_a_checkpoint_starts_from_the_beginning(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    out.mkdir()
    (out / "events.jsonl").write_text('{"event": "step", "step": 1}\n')
    run = train(load_recipe(tiny_recipe, ["training.max_steps=2"]), out, resume=True)
    assert run.results["steps"] == 2
    assert [event["step"] for event in read_events(out / "events.jsonl") if event["event"] == "step"] == [1, 2]


def test_a_run_cannot_be_resumed_with_another_recipe(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    stop_after(start(tiny_recipe, out), out, 5, signal.SIGINT)
    with pytest.raises(RunError, match=r"training\.learning_rate"):
        train(load_recipe(tiny_recipe, [*CHANGES, "training.learning_rate=0.5"]), out, resume=True)
