"""Trackers pass a run's numbers to other programs."""

from __future__ import annotations

import json
import os
import signal
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

import manyheads
from manyheads.cli.train import TRACKERS as NAMES
from manyheads.errors import RunError
from manyheads.run.events import read_events
from manyheads.training.stop import Interrupted
from manyheads.training.tracking import TRACKERS, End, Tracker, guarded, make_tracker

CHANGES = ["training.max_steps=8", "training.evaluate_every=4"]

STEPS = list(range(1, 9))

NETWORK_HOOK = """
import os, sys

def record(event, arguments):
    if event == "socket.getaddrinfo" or (event == "socket.connect" and not isinstance(arguments[1], (str, bytes))):
        with open(os.environ["CONNECTIONS"], "a") as file:
            print(event, arguments, file=file)

sys.addaudithook(record)
"""
"""Records every connection of a Python process but those of Unix sockets."""

HOOKED = f"""
{NETWORK_HOOK}
sys.executable = os.environ["MANYHEADS_FORK_PYTHON"]
"""
"""For a process of the fork server. Processes that it starts are new interpreters, which import the hook."""

COMMAND_LINE = f"""
{HOOKED}
from manyheads.cli.main import main
main()
"""

KILLED_AT_STEP_7 = f"""
{HOOKED}
import signal
from pathlib import Path
import manyheads
from manyheads.training.tracking import make_tracker, mlflow

mlflow.FLUSH_SECONDS = 0.0
recipe, out, *changes = sys.argv[1:]

def kill(event, **fields):
    if event == "step" and fields["step"] == 7:
        os.kill(os.getpid(), signal.SIGKILL)

trackers = [make_tracker(name, Path(out), lambda *_, **__: None) for name in ("wandb", "mlflow")]
manyheads.train(recipe, out, changes=changes, listeners=[*trackers, kill])
"""


class Kept:
    """Keeps numbers and calls in lists."""

    def __init__(self) -> None:
        self.values: list[tuple[int, dict[str, float]]] = []
        self.calls: list[str] = []

    def begin(self, step: int) -> None:
        self.calls.append(f"begin {step}")

    def write(self, values: Any, step: int) -> None:
        self.values.append((step, dict(values)))

    def flush(self) -> None:
        self.calls.append("flush")

    def close(self, end: End) -> None:
        self.calls.append(f"close {end}")


@dataclass
class Machine:
    """A user's environment without an API key, in which every connection to a network is recorded."""

    folder: Path
    listener: socket.socket

    def run(self, *command: str, **changes: str) -> subprocess.CompletedProcess[str]:
        """Run Python. Programs that honour proxies (wandb's own process does) would connect to the listener."""
        proxy = "http://{}:{}".format(*self.listener.getsockname())
        drop = ("WANDB", "MLFLOW", "DO_NOT_TRACK", "NO_PROXY", "no_proxy", "PYTEST")
        environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(drop)},
            "HOME": str(self.folder),
            "CONNECTIONS": str(self.folder / "connections"),
            "PYTHONPATH": os.pathsep.join([str(self.folder), *sys.path]),
            "OMP_NUM_THREADS": "1",
            "TRACKIO_DIR": str(self.folder / "trackio"),
            "NO_COLOR": "1",
            "HTTP_PROXY": proxy,
            "HTTPS_PROXY": proxy,
            "WANDB_BASE_URL": proxy,
            **changes,
        }
        return subprocess.run(
            [sys.executable, *command], env=environment, cwd=self.folder, capture_output=True, text=True, check=False
        )

    def train(self, recipe: Path, out: Path, *words: str, **changes: str) -> str:
        """Run `manyheads train` to its end and return its output."""
        set_ = [word for change in CHANGES for word in ("--set", change)]
        done = self.run("-c", COMMAND_LINE, "train", str(recipe), "--out", str(out), *set_, *words, **changes)
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout + done.stderr

    def read_back(self, out: Path) -> dict[str, list[dict[str, Any]]]:
        """Read what wandb and mlflow stored, with their own programs."""
        done = self.run(str(Path(__file__).with_name("read_back.py")), str(out))
        assert done.returncode == 0, done.stderr
        stored: dict[str, list[dict[str, Any]]] = json.loads(done.stdout)
        return stored

    @property
    def connections(self) -> list[str]:
        """Every connection so far."""
        found = []
        try:
            while True:
                connection, _ = self.listener.accept()
                found.append(str(connection.recv(200)))
                connection.close()
        except BlockingIOError:
            pass
        record = self.folder / "connections"
        return [*found, *(record.read_text().splitlines() if record.exists() else [])]


@pytest.fixture
def machine(forked_commands: None, tmp_path: Path) -> Any:
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(NETWORK_HOOK)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        listener.setblocking(False)
        yield Machine(folder, listener)


def test_a_tracker_receives_every_number_of_a_run(tiny_recipe: Path, tmp_path: Path) -> None:
    kept = Kept()
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=CHANGES, listeners=[Tracker(kept)])
    assert kept.calls[0] == "begin 0"
    assert kept.calls[-1] == "close finished"
    assert [step for step, _ in kept.values] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    last = kept.values[-1][1]
    assert last["dev/average"] == pytest.approx(run.results["last"]["average"])
    assert last["dev_accuracy/sentiment"] == run.results["last"]["tasks"]["sentiment"]["accuracy"]
    losses = [event["losses"] for event in read_events(run.folder.events) if event["event"] == "step"]
    received = [_losses(values) for _, values in kept.values]
    assert [each for each in received if each] == losses
    assert kept.values[1][1]["speed/examples_per_second"] > 0


def test_a_tracker_learns_that_a_run_was_interrupted_or_failed(tiny_recipe: Path, tmp_path: Path) -> None:
    def interrupt(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 2:
            signal.raise_signal(signal.SIGINT)

    def fail(event: str, **_: object) -> None:
        if event == "step":
            raise OSError("no space left")

    kept = Kept()
    with pytest.raises(Interrupted):
        manyheads.train(tiny_recipe, tmp_path / "run", changes=CHANGES, listeners=[Tracker(kept), interrupt])
    assert kept.calls == ["begin 0", "flush", "close interrupted"]
    kept = Kept()
    with pytest.raises(OSError, match="no space left"):
        manyheads.train(tiny_recipe, tmp_path / "run", changes=CHANGES, resume=True, listeners=[Tracker(kept), fail])
    assert kept.calls == ["begin 2", "flush", "close failed"]


def test_tensorboard_reads_what_was_written(tiny_recipe: Path, tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    out = tmp_path / "run"
    tracker = make_tracker("tensorboard", out, _raise)
    run = manyheads.train(tiny_recipe, out, changes=CHANGES, listeners=[tracker])
    stored = EventAccumulator(str(out / "tensorboard"))
    stored.Reload()
    assert [each.step for each in stored.Scalars("dev/average")] == [4, 8]
    assert stored.Scalars("dev/average")[-1].value == pytest.approx(run.results["last"]["average"], abs=1e-6)
    assert len(stored.Scalars("optimiser/norm")) == 8


def test_tensorboard_shows_no_step_of_a_resumed_run_twice(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    for first, last, at in ((1, 6, 0), (5, 9, 4)):
        scalars = TRACKERS["tensorboard"].build(tmp_path, _raise)
        scalars.begin(at)
        for step in range(first, last):
            scalars.write({"loss/x": float(last)}, step)
        scalars.close("finished")
    stored = EventAccumulator(str(tmp_path / "tensorboard"))
    stored.Reload()
    assert [(each.step, each.value) for each in stored.Scalars("loss/x")] == [
        (1, 6.0),
        (2, 6.0),
        (3, 6.0),
        (4, 6.0),
        (5, 9.0),
        (6, 9.0),
        (7, 9.0),
        (8, 9.0),
    ]


def test_a_failing_tracker_gives_one_warning_and_does_not_stop_the_run(tiny_recipe: Path, tmp_path: Path) -> None:
    warnings: list[str] = []

    def broken(event: str, **_: object) -> None:
        raise OSError(f"no space at {event}")

    listener = guarded("tensorboard", broken, lambda _, **fields: warnings.append(str(fields["text"])))
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=["training.max_steps=2"], listeners=[listener])
    assert run.results["last"]["step"] == 2
    assert len(warnings) == 1
    assert "tensorboard failed at the event" in warnings[0]
    assert "OSError: no space" in warnings[0]


def test_the_command_line_uses_every_tracker_and_no_network(
    tiny_recipe: Path, tmp_path: Path, machine: Machine
) -> None:
    """In a process of its own, because trackio reads its folder when it is imported."""
    out = tmp_path / "a run"
    output = machine.train(tiny_recipe, out, *(word for name in TRACKERS for word in ("--track", name)))
    assert "failed at the event" not in output
    assert machine.connections == []
    assert output.count(f"wandb sync '{out}/wandb'") == 1
    results = json.loads((out / "results.json").read_text())

    assert list((out / "tensorboard").iterdir())
    (file,) = (machine.folder / "trackio").glob("*.db")
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT run_name, step, metrics FROM metrics ORDER BY id").fetchall()
    assert {name for name, _, _ in rows} == {"a run"}
    assert [step for _, step, _ in rows] == [1, 2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert json.loads(rows[-1][2])["dev/average"] == pytest.approx(results["last"]["average"])

    stored = machine.read_back(out)
    (part,) = stored["wandb"]
    assert part["name"] == "a run"
    assert part["exit"] == 0
    assert part["config"]["training"]["max_steps"] == 8
    assert part["config"]["tasks"]["sentiment"]["labels"] == [0, 1, 2, 3, 4]
    _check_history(out, [part])
    (run,) = stored["mlflow"]
    assert (run["name"], run["status"]) == ("a run", "FINISHED")
    assert run["params"]["training.max_steps"] == "8"
    assert run["params"]["tasks.sentiment.labels"] == "[0, 1, 2, 3, 4]"
    _check_metrics(out, run)
    left = {entry.name for entry in machine.folder.iterdir() if not entry.name.startswith(".")}
    assert left <= {"sitecustomize.py", "__pycache__", "trackio"}


def test_a_resumed_run_continues_the_same_tracker_run(tiny_recipe: Path, tmp_path: Path, machine: Machine) -> None:
    """The first part is killed at step 7, after the checkpoint of step 4, so steps 5 and 6 are trained twice."""
    out = tmp_path / "run"
    done = machine.run("-c", KILLED_AT_STEP_7, str(tiny_recipe), str(out), *CHANGES, WANDB_MODE="offline")
    assert done.returncode == -signal.SIGKILL, done.stderr
    identity = json.loads((out / "wandb" / "run.json").read_text())
    with closing(sqlite3.connect(out / "mlflow" / "mlflow.db")) as database:
        ((run_id, status),) = database.execute("SELECT run_uuid, status FROM runs").fetchall()
        assert status == "RUNNING"
        assert database.execute("SELECT max(step) FROM metrics").fetchone() == (6,)
    words = ["--resume", "--track", "wandb", "--track", "mlflow"]
    output = machine.train(tiny_recipe, out, *words, WANDB_MODE="offline")
    assert "failed at the event" not in output
    assert machine.connections == []
    stored = machine.read_back(out)
    first, second = stored["wandb"]
    assert second["id"] == identity["id"]
    assert first["exit"] != 0
    assert second["exit"] == 0
    steps = [row["_step"] for row in first["history"]]
    assert steps == STEPS[: len(steps)], "wandb may lose the last values of a killed process"
    _check_history(out, [second])
    (run,) = stored["mlflow"]
    assert run["id"] == run_id
    assert run["status"] == "FINISHED"
    _check_metrics(out, run)


def test_the_command_line_finishes_a_run_whose_tracker_fails(
    tiny_recipe: Path, tmp_path: Path, machine: Machine
) -> None:
    out = tmp_path / "run"
    output = machine.train(tiny_recipe, out, "--track", "mlflow", MLFLOW_TRACKING_URI="nowhere://store")
    assert output.count("mlflow failed at the event start") == 1
    assert json.loads((out / "results.json").read_text())["steps"] == 8
    assert not (out / "mlflow").exists()


@pytest.mark.parametrize("name", TRACKERS)
def test_a_missing_package_is_an_error_that_names_the_extra(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(RunError, match=rf"the packages of the tracker {name} are not installed") as caught:
        make_tracker(name, tmp_path, _raise)
    assert f"track='{name}'" in str(caught.value)
    assert f"pip install 'manyheads[{name}]'" in str(caught.value)


@pytest.mark.parametrize(
    ("mode", "key", "used"),
    [
        ("online", True, "online"),
        ("online", False, "offline"),
        ("offline", True, "offline"),
        ("disabled", False, "disabled"),
    ],
)
def test_wandb_is_online_only_with_an_api_key(
    mode: str, key: bool, used: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake = FakeWandB(mode, key=key)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    notes: list[str] = []
    tracker = make_tracker("wandb", tmp_path, lambda _, **fields: notes.append(str(fields["text"])))
    tracker("start", at=0)
    assert fake.arguments["mode"] == used
    assert [("wandb sync" in note, "https://" in note) for note in notes] == {
        "online": [(False, True)],
        "offline": [(True, False)],
        "disabled": [],
    }[used]
    assert all(call == {"prompt": False} for call in fake.logins), "a login prompt would stop the run"


def test_wandb_skips_the_steps_that_its_server_has(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "wandb").mkdir()
    (tmp_path / "wandb" / "run.json").write_text('{"id": "known", "step": 0}')
    fake = FakeWandB("online", key=True, next_step=6)
    monkeypatch.setitem(sys.modules, "wandb", fake)
    scalars = TRACKERS["wandb"].build(tmp_path, lambda *_, **__: None)
    scalars.begin(3)
    for step in (4, 5, 6, 7):
        scalars.write({"loss/x": 1.0}, step)
    scalars.close("interrupted")
    assert fake.arguments["id"] == "known"
    assert fake.calls == [("log", 6), ("log", 7), ("finish", 130), ("teardown",)]
    assert json.loads((tmp_path / "wandb" / "run.json").read_text()) == {"id": "known", "step": 7}


def test_a_resumed_run_repeats_the_values_that_the_destination_lacks(tiny_recipe: Path, tmp_path: Path) -> None:
    class Late(Kept):
        def begin(self, step: int) -> int:
            super().begin(step)
            return 1

    def interrupt(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 5:
            signal.raise_signal(signal.SIGINT)

    out, first, late = tmp_path / "run", Kept(), Late()
    with pytest.raises(Interrupted):
        manyheads.train(tiny_recipe, out, changes=CHANGES, listeners=[Tracker(first), interrupt])
    tracker = Tracker(late, out / "events.jsonl")
    manyheads.train(tiny_recipe, out, changes=CHANGES, resume=True, listeners=[tracker])
    assert [step for step, _ in late.values] == [2, 3, 4, 4, 5, 6, 7, 8, 8]
    assert late.values[:5] == first.values[1:]


def test_the_command_line_lists_every_tracker() -> None:
    assert list(NAMES) == list(TRACKERS)


class FakeWandB(ModuleType):
    """The part of wandb that the tracker calls, with a server that has the steps before `next_step`."""

    run = None
    Settings = dict

    def __init__(self, mode: str, *, key: bool, next_step: int = 0) -> None:
        super().__init__("wandb")
        self._mode, self._key, self._next_step = mode, key, next_step
        self.arguments: dict[str, Any] = {}
        self.logins: list[dict[str, Any]] = []
        self.calls: list[tuple[object, ...]] = []

    def setup(self) -> SimpleNamespace:
        return SimpleNamespace(settings=SimpleNamespace(mode=self._mode))

    def login(self, **arguments: Any) -> bool:
        self.logins.append(arguments)
        return self._key

    def init(self, **arguments: Any) -> SimpleNamespace:
        self.arguments = arguments
        return SimpleNamespace(
            offline=arguments["mode"] == "offline",
            step=self._next_step,
            url="https://server/run" if arguments["mode"] == "online" else None,
            settings=SimpleNamespace(sync_dir=f"{arguments['dir']}/wandb/offline-run-1"),
            log=lambda _, step: self.calls.append(("log", step)),
            finish=lambda exit_code: self.calls.append(("finish", exit_code)),
        )

    def teardown(self) -> None:
        self.calls.append(("teardown",))


def _check_history(out: Path, parts: Sequence[Mapping[str, Any]]) -> None:
    """Check that wandb has every step once, with the losses and evaluations of the event log."""
    rows = [row for part in parts for row in part["history"]]
    assert [row["_step"] for row in rows] == STEPS
    for row, event in zip(rows, _events(out, "step"), strict=True):
        assert _losses(row) == event["losses"]
        assert row["optimiser/learning_rate"] == event["learning_rate"]
    averages = [(row["_step"], row["dev/average"]) for row in rows if "dev/average" in row]
    assert averages == [(event["step"], event["average"]) for event in _events(out, "evaluation")]


def _check_metrics(out: Path, run: Mapping[str, Any]) -> None:
    """Check that mlflow has every step once, with the losses and evaluations of the event log."""
    metrics, steps = run["metrics"], _events(out, "step")
    assert metrics["optimiser/learning_rate"] == [[event["step"], event["learning_rate"]] for event in steps]
    for task in ("sentiment", "paraphrase", "similarity"):
        expected = [[event["step"], event["losses"][task]] for event in steps if task in event["losses"]]
        assert metrics[f"loss/{task}"] == expected
    evaluations = _events(out, "evaluation")
    assert metrics["dev/average"] == [[event["step"], event["average"]] for event in evaluations]
    expected = [[event["step"], event["tasks"]["sentiment"]["accuracy"]] for event in evaluations]
    assert metrics["dev_accuracy/sentiment"] == expected


def _events(out: Path, name: str) -> list[dict[str, Any]]:
    return [event for event in read_events(out / "events.jsonl") if event["event"] == name]


def _losses(values: Mapping[str, float]) -> dict[str, float]:
    return {name.removeprefix("loss/"): value for name, value in values.items() if name.startswith("loss/")}


def _raise(_: str, **fields: object) -> None:
    raise AssertionError(fields)
