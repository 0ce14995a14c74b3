"""Run cells on a Ray cluster.

The nodes share the folder of the study, the data and the files of the encoder. A run is written directly to the folder
of the study, so a lost node loses no finished run.
"""

from __future__ import annotations

import contextlib
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.errors import RunError, argument
from manyheads.pages.words import counted
from manyheads.studies.cells import Cell, Notify
from manyheads.studies.worker import fail, request_of, requested, work
from manyheads.training.stop import Interrupted, StopFlag

LOOK_EVERY = 0.5
"""Seconds between two checks for finished runs."""

NODE_PATIENCE = 20.0
"""Seconds that Ray may take to notice a lost node."""


def run_on_ray(
    cells: Sequence[Cell], *, address: str, notify: Notify, keep_models: bool, stop: StopFlag | None = None
) -> int:
    """Run every cell once on a Ray cluster. Return 0 if every run ended, or the number of the signal that stopped them.

    Each run requests one CPU per thread of its recipe. It also requests a GPU if the cluster has GPUs and the recipe
    allows them. If a node is lost, its runs are queued again and a "note" event is sent. If the process of a run
    dies, the cell has failed.

    Args:
        cells: the runs.
        address: the address of the cluster, or "auto" for the cluster that this machine belongs to.
        notify: receives the events "cell_start", "cell_done", "cell_failed" and "note".
        keep_models: keep the weights of finished runs.
        stop: the flag that signals set during the call. Default: a new one.

    Raises:
        RunError: Ray is not installed, the cluster cannot be reached, or no node has enough CPUs for a run.
    """
    try:
        import ray
    except ImportError:
        raise RunError("Ray is not installed", where=argument("ray"), hint="pip install 'manyheads[ray]'") from None
    try:
        ray.init(address=address, log_to_driver=False, configure_logging=False)
    except (ConnectionError, ValueError, RuntimeError) as error:
        hint = "start a cluster with `ray start --head`, or check the address"
        raise RunError(
            "the Ray cluster cannot be reached", where=argument("ray", address), found=str(error), hint=hint
        ) from None
    try:
        return _Cluster(ray, deque(cells), notify, keep_models, StopFlag() if stop is None else stop).run()
    finally:
        ray.shutdown()


class _Cluster:
    """The cells of one call: those that wait, and those that were submitted."""

    def __init__(self, ray: Any, waiting: deque[Cell], notify: Notify, keep_models: bool, stop: StopFlag) -> None:
        self._ray, self._waiting, self._notify, self._keep_models = ray, waiting, notify, keep_models
        self._running: dict[Any, Cell] = {}
        self._nodes = self._alive()
        self._stop = stop

    def run(self) -> int:
        """Run the cells. Return 0, or the number of the signal that stopped them."""
        self._check_size()
        with self._stop.listening():
            while self._running or (self._waiting and not self._stop):
                # Submit a few more cells than can run at once, so that the queue of Ray keeps every node busy.
                while self._waiting and len(self._running) < self._room() and not self._stop:
                    self._submit(self._waiting.popleft())
                ended, _ = self._ray.wait(list(self._running), num_returns=1, timeout=LOOK_EVERY)
                for reference in ended:
                    self._take(reference, self._running.pop(reference))
                if self._stop:
                    self._cancel()
        return self._stop.signal_number or 0

    def _submit(self, cell: Cell) -> None:
        takes_gpu = cell.recipe.device != "cpu" and self._ray.cluster_resources().get("GPU", 0) > 0
        remote = self._ray.remote(num_cpus=cell.recipe.threads or 1, num_gpus=int(takes_gpu), max_retries=0)(run_cell)
        request = request_of(cell, keep_models=self._keep_models)
        self._running[remote.remote(request)] = cell
        self._notify("cell_start", row=cell.row, seed=cell.seed)

    def _take(self, reference: Any, cell: Cell) -> None:
        """Report the last event of a run. If the run returned none, find out why."""
        errors = self._ray.exceptions
        try:
            event, fields = self._ray.get(reference)
        except (errors.TaskCancelledError, KeyboardInterrupt):
            return
        except errors.RayError as error:
            lost = self._lost_nodes()
            if lost:
                names = ", ".join(sorted(lost))
                text = f"lost node {names}: {cell.row}, seed {cell.seed} resumes from its last checkpoint elsewhere"
                self._notify("note", text=text)
                self._waiting.appendleft(cell)
                self._nodes -= lost
            elif not self._stop:
                fail(cell, f"the process of this run died on the cluster\n{error}", type(error).__name__, self._notify)
            return
        if event != "cell_stopped":
            self._notify(event, **fields)

    def _lost_nodes(self) -> set[str]:
        """Return the nodes that have disappeared. Polls for `NODE_PATIENCE` seconds."""
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
            raise RunError(
                "no node of the cluster has enough CPUs for a run",
                found=f"{counted(int(most), 'CPU')}, {counted(threads, 'thread')}",
                hint="set `threads` of the recipe to a smaller number",
            )

    def _cancel(self) -> None:
        """Tell running cells to write a checkpoint and stop, and remove queued cells."""
        for reference in self._running:
            self._ray.cancel(reference)


def run_cell(request: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Run one cell on a node. Return the last event ("cell_done", "cell_failed" or "cell_stopped") and its fields."""
    last: tuple[str, dict[str, Any]] = ("cell_stopped", {"row": request["row"], "seed": request["seed"]})

    def notify(event: str, **fields: Any) -> None:
        nonlocal last
        if event != "cell_progress":
            last = (event, fields)

    with contextlib.suppress(Interrupted), requested(request) as cell:
        work(cell, keep_models=request["keep_models"], notify=notify)
    return last
