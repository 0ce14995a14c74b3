"""Running cells on a Ray cluster, whose nodes share the study's folder, the data and the encoder's files.

A finished run lies in the study's folder as soon as it is finished, so that a node that is lost loses none.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.errors import RunError
from manyheads.recipe.schema import Recipe
from manyheads.study.cells import Cell, Notify
from manyheads.study.worker import fail, work
from manyheads.training.stop import Interrupted, StopFlag

LOOK_EVERY = 0.5
"""Seconds between two looks at what has ended."""

NODE_PATIENCE = 20.0
"""Seconds within which a cluster notices that a node is gone."""


def run_on_ray(cells: Sequence[Cell], *, address: str, notify: Notify, keep_models: bool) -> bool:
    """Run every cell once on the cluster at `address` ("auto": the one at hand); True where all came to an end.

    Each run asks for as many CPUs as its recipe has threads, and for a GPU where the cluster has some and the recipe
    takes one. A run whose node is lost is put back, and said so; one whose own process dies is a failed cell.

    Raises:
        RunError: Ray is not installed, the cluster cannot be reached, or no node has CPUs enough for a run.
    """
    try:
        import ray
    except ImportError:
        raise RunError("Ray is not installed", where="--ray", hint="pip install 'manyheads[ray]'") from None
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        hint = "start one with `ray start --head`, or check the address"
        raise RunError(
            "the Ray cluster cannot be reached", where=f"--ray {address}", found=str(error), hint=hint
        ) from None
    try:
        return _Cluster(ray, deque(cells), notify, keep_models).run()
    finally:
        ray.shutdown()


class _Cluster:
    """The cells of one call on a cluster: those that wait, and those that were handed over."""

    def __init__(self, ray: Any, waiting: deque[Cell], notify: Notify, keep_models: bool) -> None:
        self._ray, self._waiting, self._notify, self._keep_models = ray, waiting, notify, keep_models
        self._running: dict[Any, Cell] = {}
        self._nodes = self._alive()
        self._stop = StopFlag()

    def run(self) -> bool:
        self._check_size()
        with self._stop.listening():
            while self._running or (self._waiting and not self._stop):
                # A few more than can run: the cluster's own queue keeps every node busy.
                while self._waiting and len(self._running) < self._room() and not self._stop:
                    self._submit(self._waiting.popleft())
                ended, _ = self._ray.wait(list(self._running), num_returns=1, timeout=LOOK_EVERY)
                for reference in ended:
                    self._take(reference, self._running.pop(reference))
                if self._stop:
                    self._cancel()
        return not self._stop

    def _submit(self, cell: Cell) -> None:
        takes_gpu = cell.recipe.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) > 0
        remote = self._ray.remote(num_cpus=cell.recipe.threads or 1, num_gpus=int(takes_gpu), max_retries=0)(run_cell)
        asked = {
            "row": cell.row,
            "seed": cell.seed,
            "recipe": cell.recipe.model_dump(),
            "folder": str(cell.folder.absolute()),
            "keep_models": self._keep_models,
        }
        self._running[remote.remote(asked)] = cell
        self._notify("cell_start", row=cell.row, seed=cell.seed)

    def _take(self, reference: Any, cell: Cell) -> None:
        """Pass on what a run said last; where it could not say anything, find out why."""
        errors = self._ray.exceptions
        try:
            event, fields = self._ray.get(reference)
        except (errors.TaskCancelledError, KeyboardInterrupt):
            return
        except errors.RayError as error:
            lost = self._lost_nodes()
            if lost:
                names = ", ".join(sorted(lost))
                text = f"node {names} is lost: {cell.row}, seed {cell.seed} goes on elsewhere from its last checkpoint"
                self._notify("note", text=text)
                self._waiting.appendleft(cell)
                self._nodes -= lost
            elif not self._stop:
                fail(cell, f"the process of this run died on the cluster\n{error}", type(error).__name__, self._notify)
            return
        if event != "cell_stopped":
            self._notify(event, **fields)

    def _lost_nodes(self) -> set[str]:
        """Nodes that were there and are not; the cluster takes a while to notice."""
        deadline = time.monotonic() + NODE_PATIENCE
        while time.monotonic() < deadline and not self._stop:
            lost = self._nodes - self._alive()
            if lost:
                return lost
            time.sleep(LOOK_EVERY)
        return set()

    def _alive(self) -> set[str]:
        return {node["NodeID"] for node in self._ray.nodes() if node["Alive"]}

    def _room(self) -> int:
        return 2 * max(1, len(self._alive())) + int(self._ray.cluster_resources().get("CPU", 1))

    def _check_size(self) -> None:
        most = max((node["Resources"].get("CPU", 0) for node in self._ray.nodes() if node["Alive"]), default=0)
        threads = max((cell.recipe.threads or 1 for cell in self._waiting), default=1)
        if threads > most:
            hint = "set fewer threads in the recipe"
            raise RunError(
                "no node of the cluster has CPUs enough for a run", found=f"{most:g} CPUs, {threads} threads", hint=hint
            )

    def _cancel(self) -> None:
        """Ask runs to write a checkpoint and leave, and drop those that have not begun."""
        for reference in self._running:
            self._ray.cancel(reference)


def run_cell(asked: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Run one cell on a node: the last event, "cell_done", "cell_failed" or "cell_stopped", and its fields."""
    cell = Cell(asked["row"], asked["seed"], Recipe.model_validate(asked["recipe"]), Path(asked["folder"]))
    last: tuple[str, dict[str, Any]] = ("cell_stopped", {"row": cell.row, "seed": cell.seed})

    def notify(event: str, **fields: Any) -> None:
        nonlocal last
        if event != "cell_progress":
            last = (event, fields)

    with contextlib.suppress(Interrupted):
        work(cell, keep_models=asked["keep_models"], notify=notify)
    return last
