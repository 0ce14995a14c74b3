"""Processes that train one run together, as started by torchrun. A single process has no process group."""

from __future__ import annotations

import os
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from manyheads.errors import ManyheadsError, TrainingError, argument
from manyheads.training.launch import Launch

T = TypeVar("T")

TIMEOUT = 600.0
"""Seconds that a process waits for the others before it stops the run. `MANYHEADS_TIMEOUT` sets another value."""


@dataclass(frozen=True)
class Processes:
    """This process's rank and the number of processes, over all machines and on this machine, and their collectives.

    Every method except `main` is a collective: all processes must call it in the same order. With one process they
    cost nothing.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def main(self) -> bool:
        """Whether this process writes the run folder and the output."""
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """Return the sums over all processes, in 64-bit floats. Every process gets the same bytes."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(numbers)
        return [float(number) for number in numbers]

    def gather(self, value: T) -> list[T]:
        """Return the values of all processes, in the order of their ranks."""
        if self.size == 1:
            return [value]
        values: list[Any] = [None] * self.size
        distributed.all_gather_object(values, value)
        return values

    def from_main(self, work: Callable[[], T]) -> T:
        """Call a function on the main process only. All processes return its result or raise its error."""
        if self.size == 1:
            return work()
        outcome: list[Any] = [None, None]
        if self.main:
            try:
                outcome[0] = work()
            except ManyheadsError as error:
                outcome[1] = error
        distributed.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        result: T = outcome[0]
        return result

    def same_weights(self, model: nn.Module) -> None:
        """Copy the main process's weights to all processes."""
        if self.size > 1:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, src=0)

    def same_state(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Copy the main process's optimiser state to all processes."""
        if self.size == 1:
            return
        parameters = dict(model.named_parameters())
        state = self.from_main(lambda: {name: _on_cpu(optimizer.state.get(p, {})) for name, p in parameters.items()})
        if not self.main:
            optimizer.state.clear()
            for name, values in state.items():
                for key, value in values.items():
                    optimizer.state[parameters[name]][key] = value.to(parameters[name].device)

    def wait(self) -> None:
        """Wait until all processes have called this."""
        self.total([0.0])


ALONE = Processes()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """Join the processes that torchrun started into one group while the block runs. Without torchrun yield `ALONE`.

    `device`: the recipe's device. On CUDA each process uses the device of its local rank.

    Raises:
        TrainingError: a process was lost or did not respond in time, or the environment contradicts itself.
    """
    launch = Launch.read()
    if launch.size == 1:
        yield ALONE
        return
    size, local_rank = launch.size, launch.local_rank
    processes = Processes(launch.rank, size, local_rank, launch.local_size)
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        _take_device(local_rank)
    timeout = timedelta(seconds=float(os.environ.get("MANYHEADS_TIMEOUT", TIMEOUT)))
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=timeout)
        yield processes
    except RuntimeError as error:
        if not _is_of_group(error):
            raise
        # A reducer in a frame of the traceback must not outlive the group: its destruction would wait for the others.
        traceback.clear_frames(error.__traceback__)
        raise TrainingError(
            "another process of this run was lost",
            where=f"process {processes.rank} of {size}",
            found=str(error).splitlines()[0],
            hint="start all processes again in the same way, to resume from the last checkpoint, with "
            + argument("resume", True),
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _take_device(local_rank: int) -> None:
    devices = torch.cuda.device_count()
    if local_rank >= devices:
        hint = 'start fewer processes with --nproc-per-node, or set device = "cpu"'
        raise TrainingError("this machine has fewer CUDA devices than processes", found=f"{devices} devices", hint=hint)
    torch.cuda.set_device(local_rank)


def _is_of_group(error: RuntimeError) -> bool:
    """Return whether an error comes from the group. gloo raises a plain RuntimeError, which only its words identify."""
    words = ("gloo", "nccl", "connection", "timed out", "timeout", "peer")
    return isinstance(error, distributed.DistError) or any(word in str(error).lower() for word in words)


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.cpu() for key, value in state.items()}
