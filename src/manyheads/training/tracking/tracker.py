"""From a run's events to named numbers per step, and what trackers share: their package and the run's identifier."""

from __future__ import annotations

import importlib
import json
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal, Protocol

from manyheads.errors import RunError, argument
from manyheads.run.atomic import write_json
from manyheads.run.events import read_events
from manyheads.training.listener import Listener, UntilFailure

PROJECT = "manyheads"
"""The project (wandb, trackio) or experiment (mlflow) of all runs."""

End = Literal["finished", "interrupted", "failed"]
"""How a run ended. An interrupted run was stopped by a signal and can be resumed."""


class Scalars(Protocol):
    """A destination for named numbers."""

    def begin(self, step: int) -> int | None:
        """Prepare for values after `step`. Step 0 begins a run. A later step resumes one.

        Values after `step` that were written before are written again. Return the last step that is safely stored: the
        values of later steps up to `step` are written again, too. None means that all values up to `step` are stored.
        """

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Add the values of a step. Steps do not decrease. One step may be written twice, with other names."""

    def flush(self) -> None:
        """Make all written values visible."""

    def close(self, end: End) -> None:
        """End the run. Nothing is written after this."""


class Tracker:
    """A listener that passes on the losses and rates of every step and the metrics of every evaluation.

    Names have the form `group/name`. `log`: the run's event log, from which a resumed run repeats the values that the
    destination lacks.
    """

    def __init__(self, scalars: Scalars, log: Path | None = None) -> None:
        self._scalars = scalars
        self._log = log
        self._open = False
        self._progress: tuple[int, float] | None = None

    def __call__(self, event: str, **fields: Any) -> None:
        """Pass on the numbers of one event."""
        if event in ("start", "resume"):
            stored = self._scalars.begin(fields["at"])
            self._open = True
            if stored is not None:
                self._repeat(stored, fields["at"])
        elif event == "step":
            self._scalars.write(self._of_step(fields), fields["step"])
        elif event == "evaluation":
            self._scalars.write(_of_evaluation(fields), fields["step"])
            self._scalars.flush()
        elif event == "checkpoint":
            self._scalars.flush()
        elif event == "finish":
            self._close("finished")
        elif event in ("interrupted", "failed"):
            self._close("interrupted" if event == "interrupted" else "failed")

    def _repeat(self, stored: int, at: int) -> None:
        """Write the values of the steps after `stored`, up to `at`, from the event log."""
        for event in read_events(self._log) if self._log is not None and stored < at else ():
            fields: dict[str, Any] = event
            kind, step = fields.get("event"), fields.get("step", 0)
            if kind not in ("step", "evaluation") or step > at:
                continue
            values = self._of_step(fields) if kind == "step" else _of_evaluation(fields)
            if step > stored:
                self._scalars.write(values, step)

    def _close(self, end: End) -> None:
        if self._open:
            self._open = False
            self._scalars.close(end)

    def _of_step(self, fields: Mapping[str, Any]) -> dict[str, float]:
        values = {f"loss/{task}": loss for task, loss in fields["losses"].items()}
        values |= {"optimiser/learning_rate": fields["learning_rate"], "optimiser/norm": fields["gradient_norm"]}
        now = (fields["examples"], fields["seconds"])
        if self._progress is not None and now[1] > self._progress[1]:
            values["speed/examples_per_second"] = (now[0] - self._progress[0]) / (now[1] - self._progress[1])
        self._progress = now
        return values


def guarded(name: str, listener: Listener, notify: Listener) -> Listener:
    """Return a listener that cannot stop a run. Its first error becomes a warning, and it ignores all later events."""

    def failed(error: Exception, event: str) -> None:
        reason = f"{type(error).__name__}: {error}"
        text = f"{name} failed at the event {event} and receives no further events: {reason}"
        notify("warning", text=text)

    return UntilFailure(listener, failed)


def read_recipe(folder: Path) -> dict[str, Any]:
    """Read the resolved recipe of a run folder. Empty if the folder has none."""
    try:
        return tomllib.loads((folder / "recipe.toml").read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}


def _of_evaluation(fields: Mapping[str, Any]) -> dict[str, float]:
    """Return the metrics that are not null."""
    values = {
        f"dev_{metric}/{task}": value
        for task, metrics in fields["tasks"].items()
        for metric, value in metrics.items()
        if value is not None
    }
    if fields.get("average") is not None:
        values["dev/average"] = fields["average"]
    return {**values, "dev/epoch": fields["epoch"]}


@dataclass(frozen=True)
class Identity:
    """The tracker's identifier of the run, and the last step that the tracker has safely stored."""

    id: str
    step: int


def read_identity(path: Path) -> Identity | None:
    """Read the identity that `write_identity` wrote. None if there is none or the file is damaged."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Identity(str(content["id"]), int(content["step"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None


def write_identity(path: Path, identity: Identity) -> None:
    """Write an identity atomically. The folder is created if needed."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_json(path, asdict(identity))


def require(*modules: str, tracker: str) -> Any:
    """Import all `modules` and return the first one.

    Raises:
        RunError: one of them is not installed. The hint names the extra that installs it.
    """
    try:
        for module in modules:
            importlib.import_module(module)
        return importlib.import_module(modules[0])
    except ImportError as error:
        raise RunError(
            f"the packages of the tracker {tracker} are not installed",
            where=argument("track", tracker),
            found=str(error),
            hint=f"pip install 'manyheads[{tracker}]'",
        ) from error
