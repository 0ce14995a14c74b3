"""From a run's events to named numbers by step."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from manyheads.training.listener import Listener


class Scalars(Protocol):
    """Where named numbers go."""

    def begin(self, step: int) -> None:
        """Numbers of steps after this one will come; any that are there already are of a part that is run again."""

    def write(self, values: Mapping[str, float], step: int) -> None:
        """Take the numbers of a step."""

    def flush(self) -> None:
        """Let what was taken be seen."""

    def close(self) -> None:
        """There will be no more."""


class Tracker:
    """A listener: losses and rates of every step, metrics of every evaluation, named `group/name`."""

    def __init__(self, scalars: Scalars) -> None:
        self._scalars = scalars
        self._examples: tuple[int, float] | None = None

    def __call__(self, event: str, **fields: Any) -> None:
        """Hand one event's numbers on."""
        if event in ("start", "resume"):
            self._scalars.begin(fields["at"])
        elif event == "step":
            self._scalars.write(self._of_step(fields), fields["step"])
        elif event == "evaluation":
            self._scalars.write(_of_evaluation(fields), fields["step"])
            self._scalars.flush()
        elif event == "checkpoint":
            self._scalars.flush()
        elif event == "finish":
            self._scalars.close()

    def _of_step(self, fields: Mapping[str, Any]) -> dict[str, float]:
        values = {f"loss/{task}": loss for task, loss in fields["losses"].items()}
        values |= {"optimiser/learning_rate": fields["learning_rate"], "optimiser/norm": fields["gradient_norm"]}
        now = (fields["examples"], fields["seconds"])
        if self._examples is not None and now[1] > self._examples[1]:
            values["speed/examples_per_second"] = (now[0] - self._examples[0]) / (now[1] - self._examples[1])
        self._examples = now
        return values


class Guarded:
    """A listener that cannot stop a run: its first failure is told as a warning, and it hears nothing after that."""

    def __init__(self, name: str, listener: Listener, tell: Listener) -> None:
        self._name, self._tell = name, tell
        self._listener: Listener | None = listener

    def __call__(self, event: str, **fields: object) -> None:
        """Pass one event on."""
        if self._listener is None:
            return
        try:
            self._listener(event, **fields)
        except Exception as error:
            self._listener = None
            reason = f"{type(error).__name__}: {error}"
            self._tell("warning", text=f"{self._name} failed at the event {event} and is left out from here: {reason}")


def _of_evaluation(fields: Mapping[str, Any]) -> dict[str, float]:
    """Metrics that could be computed."""
    values = {
        f"dev_{metric}/{task}": value
        for task, metrics in fields["tasks"].items()
        for metric, value in metrics.items()
        if value is not None
    }
    if fields.get("average") is not None:
        values["dev/average"] = fields["average"]
    return {**values, "dev/epoch": fields["epoch"]}
