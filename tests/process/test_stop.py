"""A run is asked to stop by an event, by Ctrl-C while files are read, or by the error of a listener."""

from __future__ import annotations

import pickle
import signal
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

import manyheads
from manyheads.recipe import assemble
from manyheads.run.events import read_events
from manyheads.training.stop import Interrupted

FEW = ["training.max_steps=4", "training.evaluate_every=2"]


def setting(stop: threading.Event, place: str, step: int) -> Callable[..., None]:
    """Return a listener that sets an event at a step."""

    def listen(event: str, **fields: Any) -> None:
        if event == place and fields.get("step", fields.get("at")) == step:
            stop.set()

    return listen


@pytest.mark.parametrize(("place", "step"), [("start", 0), ("step", 3), ("evaluation", 2), ("step", 4)])
@pytest.mark.parametrize("thread", [False, True], ids=["main thread", "other thread"])
def test_an_event_stops_the_run_after_a_checkpoint(
    place: str, step: int, thread: bool, tiny_recipe: Path, tmp_path: Path
) -> None:
    stop = threading.Event()
    listener = setting(stop, place, step)

    def call() -> manyheads.Run:
        return manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, listeners=[listener], stop=stop)

    with ThreadPoolExecutor(1) as pool, pytest.raises(KeyboardInterrupt) as caught:
        pool.submit(call).result() if thread else call()
    assert isinstance(caught.value, Interrupted)
    assert (caught.value.step, caught.value.signal_number) == (step, 0)
    assert (tmp_path / "run" / "checkpoints" / f"step-{step:09}").is_dir()
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, resume=True)
    assert [each["step"] for each in read_events(run.folder.events) if each["event"] == "step"] == [1, 2, 3, 4]


def test_an_event_that_is_set_stops_everything_before_a_file_is_read(tiny_recipe: Path, tmp_path: Path) -> None:
    stop = threading.Event()
    stop.set()
    with pytest.raises(KeyboardInterrupt):
        manyheads.train(tiny_recipe, tmp_path / "run", stop=stop)
    with pytest.raises(KeyboardInterrupt):
        manyheads.pretrain(tiny_recipe, changes=["pretraining.epochs=1"], stop=stop)
    assert not (tmp_path / "run" / "recipe.toml").exists()


@pytest.mark.parametrize("name", ["read_tasks", "tokenise_tasks"])
def test_ctrl_c_ends_the_reading_of_files_at_once(
    name: str, tiny_recipe: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    original, reached = getattr(assemble, name), []

    def read(*arguments: Any) -> Any:
        signal.raise_signal(signal.SIGINT)
        reached.append(name)
        return original(*arguments)

    monkeypatch.setattr(assemble, name, read)
    with pytest.raises(Interrupted) as caught:
        manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW)
    assert (caught.value.signal_number, caught.value.step) == (signal.SIGINT, 0)
    assert not reached
    monkeypatch.undo()
    assert manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, resume=True).results["steps"] == 4


def test_a_loop_over_recipes_ends_at_an_interrupt_in_the_last_step(tiny_recipe: Path, tmp_path: Path) -> None:
    def listen(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 4:
            signal.raise_signal(signal.SIGINT)

    def loop() -> None:
        for number in range(3):
            manyheads.train(tiny_recipe, tmp_path / str(number), changes=FEW, listeners=[listen])

    with pytest.raises(KeyboardInterrupt):
        loop()
    assert [path.name for path in tmp_path.iterdir()] == ["0"]


class ListenerError(Exception):
    """An error of a listener."""


def failing(place: str, called: list[str]) -> Callable[..., None]:
    """Return a listener that fails at the first event of a name and at every later one."""

    def listen(event: str, **_: object) -> None:
        if event == place or called:
            called.append(event)
            raise ListenerError(event)

    return listen


@pytest.mark.parametrize("place", ["machine", "step", "evaluation", "finish"])
def test_the_error_of_a_listener_is_raised_once_after_a_checkpoint(
    place: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    called: list[str] = []
    received: list[str] = []
    listeners = [failing(place, called), lambda event, **_: received.append(event)]
    with pytest.raises(ListenerError, match=place) as caught:
        manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, listeners=listeners)
    assert called == [place]
    assert any("can be resumed" in note for note in caught.value.__notes__)
    assert received.count("failed") == 1
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, resume=True)
    whole = manyheads.train(tiny_recipe, tmp_path / "whole", changes=FEW)
    assert run.folder.results_csv.read_bytes() == whole.folder.results_csv.read_bytes()


def test_ctrl_c_ends_a_loop_over_recipes_where_the_run_was_finished_before(tiny_recipe: Path, tmp_path: Path) -> None:
    def interrupt(event: str, **fields: Any) -> None:
        if event == "note" and "already finished" in fields["text"]:
            signal.raise_signal(signal.SIGINT)

    manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW)
    with pytest.raises(Interrupted):
        manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, resume=True, listeners=[interrupt])
    assert manyheads.train(tiny_recipe, tmp_path / "run", changes=FEW, resume=True).results["steps"] == 4


def test_an_interrupt_can_be_pickled() -> None:
    copied = pickle.loads(pickle.dumps(Interrupted(3, 2)))
    assert (copied.step, copied.signal_number, str(copied)) == (3, 2, "stopped after step 3")
