"""Signals: a checkpoint, and then the end or the next step. Nothing is lost and nothing hangs."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
from tests.training.test_distributed import ended, steps_of, torchrun, workers

import manyheads
from manyheads.run.events import read_events
from manyheads.training.checkpoint import read_progress
from manyheads.training.stop import Interrupted, StopFlag, Stopping

LONG = ["training.epochs=99", "training.max_steps=4000", "training.evaluate_every=4000"]


def start(recipe: Path, out: Path, *changes: str) -> subprocess.Popen[str]:
    words = [word for change in changes for word in ("--set", change)]
    return subprocess.Popen(
        [sys.executable, "-m", "manyheads", "train", str(recipe), "--out", str(out), *words],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


def wait_until(process: subprocess.Popen[str], condition: Callable[[], bool]) -> None:
    while process.poll() is None and not condition():
        time.sleep(0.01)


def checkpoints(out: Path) -> list[int]:
    return sorted(int(folder.name.removeprefix("step-")) for folder in (out / "checkpoints").glob("step-*"))


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize(
    "numbers",
    [[signal.SIGHUP], [signal.SIGUSR2], [signal.SIGINT, signal.SIGINT]],
    ids=["hangup", "SIGUSR2", "interrupt twice"],
)
def test_a_signal_gives_a_checkpoint_and_its_status(
    numbers: Sequence[signal.Signals], tiny_recipe: Path, tmp_path: Path
) -> None:
    _check_signals(numbers, tiny_recipe, tmp_path / "run")


def test_signals_until_the_process_has_ended_give_the_status_of_the_first(tiny_recipe: Path, tmp_path: Path) -> None:
    numbers = [signal.SIGTERM, signal.SIGINT, *[signal.SIGTERM, signal.SIGHUP, signal.SIGUSR2] * 100]
    _check_signals(numbers, tiny_recipe, tmp_path / "run")


def _check_signals(numbers: Sequence[signal.Signals], tiny_recipe: Path, out: Path) -> None:
    process = start(tiny_recipe, out, *LONG)
    wait_until(process, lambda: bool(steps_of(out)))
    for number in numbers:
        if process.poll() is None:
            process.send_signal(number)
            time.sleep(0.02)
    output = ended(process)
    assert process.returncode == 128 + numbers[0], output
    assert checkpoints(out) == [steps_of(out)[-1]["step"]]
    assert "--resume" in output


@pytest.mark.usefixtures("forked_commands")
def test_one_signal_gives_a_checkpoint_and_the_run_continues(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = start(tiny_recipe, out, *LONG)
    wait_until(process, lambda: bool(steps_of(out)))
    process.send_signal(signal.SIGUSR1)
    wait_until(process, lambda: bool(checkpoints(out)))
    (first,) = checkpoints(out)
    wait_until(process, lambda: int(str(steps_of(out)[-1]["step"])) > first)
    process.send_signal(signal.SIGTERM)
    output = ended(process)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert checkpoints(out)[0] > first


@pytest.mark.usefixtures("forked_commands")
def test_a_signal_during_an_evaluation_ends_it_and_the_run_resumes_exactly(tiny_recipe: Path, tmp_path: Path) -> None:
    lines = (Path(manyheads.__file__).parent / "demo/corpus/paraphrase-train.tsv").read_text().splitlines()
    dev = tmp_path / "dev.tsv"
    rows = [line.replace("\t", f" {number}\t", 1) for number in range(20) for line in lines[1:]]
    dev.write_text("\n".join([lines[0], *rows]) + "\n")
    changes = [f'tasks.paraphrase.dev="{dev}"', "training.max_steps=3", "training.evaluate_every=2"]
    whole = manyheads.train(tiny_recipe, tmp_path / "whole", changes=changes).folder.path
    out = tmp_path / "run"
    process = start(tiny_recipe, out, *changes)
    wait_until(process, lambda: checkpoints(out) == [2])
    process.send_signal(signal.SIGTERM)
    output = ended(process)
    assert process.returncode == 128 + signal.SIGTERM, output
    assert not any(event["event"] == "evaluation" for event in read_events(out / "events.jsonl"))
    assert read_progress(out / "checkpoints" / "step-000000002").evaluations == []
    manyheads.train(tiny_recipe, out, changes=changes, resume=True)
    for name in ("results.csv", "model/model.safetensors", "predictions/paraphrase.dev.best.jsonl"):
        assert (out / name).read_bytes() == (whole / name).read_bytes()
    evaluations = [event["step"] for event in read_events(out / "events.jsonl") if event["event"] == "evaluation"]
    assert evaluations == [2, 3]


def test_a_kill_between_an_evaluation_and_its_checkpoint_repeats_the_evaluation(
    tiny_recipe: Path, tmp_path: Path
) -> None:
    changes = ["training.max_steps=4", "training.evaluate_every=2"]

    class Killed(BaseException):
        pass

    def kill(event: str, **fields: object) -> None:
        if event == "evaluation" and fields["step"] == 2:
            raise Killed

    with pytest.raises(Killed):
        manyheads.train(tiny_recipe, tmp_path / "run", changes=changes, listeners=[kill])
    manyheads.train(tiny_recipe, tmp_path / "run", changes=changes, resume=True)
    events = list(read_events(tmp_path / "run" / "events.jsonl"))
    assert [event["step"] for event in events if event["event"] == "evaluation"] == [2, 4]
    assert [event["step"] for event in events if event["event"] == "step"] == [1, 2, 3, 4]


@pytest.mark.parametrize("place", ["step", "evaluation"])
def test_a_signal_at_the_last_step_reaches_the_caller(place: str, tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["training.max_steps=2", "training.evaluate_every=2"]

    def interrupt(event: str, **fields: object) -> None:
        if event == place and fields["step"] == 2:
            os.kill(os.getpid(), signal.SIGINT)

    with pytest.raises(Interrupted) as caught:
        manyheads.train(tiny_recipe, tmp_path / "run", changes=changes, listeners=[interrupt])
    assert (caught.value.step, caught.value.signal_number) == (2, signal.SIGINT)
    assert manyheads.train(tiny_recipe, tmp_path / "run", changes=changes, resume=True).results["steps"] == 2


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize("to", ["torchrun", "one process"])
def test_several_processes_stop_together(to: str, tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = torchrun(2, tiny_recipe, out, *LONG)
    wait_until(process, lambda: len(steps_of(out)) > 1)
    started = workers(out)
    assert len(started) == 2
    if to == "torchrun":
        process.send_signal(signal.SIGTERM)
    else:
        os.kill(started[-1], signal.SIGUSR1)
        wait_until(process, lambda: bool(checkpoints(out)))
        os.kill(started[-1], signal.SIGUSR2)
    output = ended(process)
    assert checkpoints(out) == [steps_of(out)[-1]["step"]], output
    assert "Stopped after step" in output
    assert not workers(out)


@pytest.mark.usefixtures("forked_commands")
def test_several_processes_stop_within_an_evaluation(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    changes = ["training.max_steps=3", "training.evaluate_every=2"]
    lines = (Path(manyheads.__file__).parent / "demo/corpus/paraphrase-train.tsv").read_text().splitlines()
    dev = tmp_path / "dev.tsv"
    dev.write_text("\n".join([lines[0], *(line.replace("\t", f" {n}\t", 1) for n in range(20) for line in lines[1:])]))
    process = torchrun(2, tiny_recipe, out, f'tasks.paraphrase.dev="{dev}"', *changes)
    wait_until(process, lambda: checkpoints(out) == [2])
    os.kill(workers(out)[-1], signal.SIGTERM)
    output = ended(process)
    assert "Stopped after step 2" in output
    assert read_progress(out / "checkpoints" / "step-000000002").evaluations == []


def test_the_flag() -> None:
    flag = StopFlag()
    with flag.listening():
        os.kill(os.getpid(), signal.SIGUSR1)
        assert flag.save_wanted
        assert not flag
        flag.saved()
        with flag.protected():
            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGINT, signal.SIGINT, signal.SIGTERM):
                os.kill(os.getpid(), number)
        assert flag.signal_number == signal.SIGHUP
        assert not flag.save_wanted
        with pytest.raises(Stopping):
            flag.check()
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_an_ignored_hangup_stays_ignored() -> None:
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        flag = StopFlag()
        with flag.listening():
            os.kill(os.getpid(), signal.SIGHUP)
            assert not flag
    finally:
        signal.signal(signal.SIGHUP, before)
