"""Processes: those that train one run together, as torchrun starts them; one alone has no process group at all."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import torch
from torch import Tensor, distributed, nn

from manyheads.errors import ManyheadsError, TrainingError

T = TypeVar("T")

TIMEOUT = 600.0
"""Seconds that a process waits for the others before it gives the run up; `MANYHEADS_TIMEOUT` sets another."""


@dataclass(frozen=True)
class Processes:
    """Which of how many processes this one is, over all machines and on this one, and what they do together.

    Every method but `main` is a meeting: all processes must call it in the same order. With one process each is free.
    """

    rank: int = 0
    size: int = 1
    local_rank: int = 0
    local_size: int = 1

    @property
    def main(self) -> bool:
        """Whether this is the one that writes the run folder and speaks."""
        return self.rank == 0

    def total(self, values: Sequence[float]) -> list[float]:
        """The sums over all processes, in 64-bit floats, the same bytes on each."""
        if self.size == 1:
            return list(values)
        numbers = torch.tensor(values, dtype=torch.float64)
        distributed.all_reduce(numbers)
        return [float(number) for number in numbers]

    def gather(self, value: T) -> list[T]:
        """What each process brings, in the order of their ranks."""
        if self.size == 1:
            return [value]
        found: list[Any] = [None] * self.size
        distributed.all_gather_object(found, value)
        return found

    def from_main(self, work: Callable[[], T]) -> T:
        """Do something on the main process alone, and give its result to all; its error is raised by all."""
        if self.size == 1:
            return work()
        found: list[Any] = [None, None]
        if self.main:
            try:
                found[0] = work()
            except ManyheadsError as error:
                found[1] = error
        distributed.broadcast_object_list(found, src=0)
        if found[1] is not None:
            raise found[1]
        result: T = found[0]
        return result

    def same_weights(self, model: nn.Module) -> None:
        """Give every process the main one's weights."""
        if self.size > 1:
            for tensor in model.state_dict().values():
                distributed.broadcast(tensor, src=0)

    def same_state(self, model: nn.Module, optimizer: torch.optim.Optimizer) -> None:
        """Give every process the main one's optimiser state."""
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
        """Go on when all have come here."""
        self.total([0.0])


ALONE = Processes()


@contextmanager
def joined(device: str) -> Iterator[Processes]:
    """The processes that torchrun started, as one group while the block runs; `ALONE` where it started none.

    `device`: the recipe's. On CUDA each process takes the device of its local rank.

    Raises:
        TrainingError: a process was lost, or did not answer in time.
    """
    size = int(os.environ.get("WORLD_SIZE", "1"))
    if size == 1 or "RANK" not in os.environ or "MASTER_ADDR" not in os.environ:
        yield ALONE
        return
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    found = Processes(int(os.environ["RANK"]), size, local_rank, int(os.environ.get("LOCAL_WORLD_SIZE", "1")))
    cuda = device != "cpu" and torch.cuda.is_available()
    if cuda:
        _take_device(local_rank)
    timeout = timedelta(seconds=float(os.environ.get("MANYHEADS_TIMEOUT", TIMEOUT)))
    try:
        distributed.init_process_group("cpu:gloo,cuda:nccl" if cuda else "gloo", timeout=timeout)
        yield found
    except RuntimeError as error:
        if not _is_of_group(error):
            raise
        raise TrainingError(
            "another process of this run was lost",
            where=f"process {found.rank} of {size}",
            found=str(error).splitlines()[0],
            hint="start all of them again with the same command and --resume: the run goes on from its last checkpoint",
        ) from error
    finally:
        if distributed.is_initialized():
            distributed.destroy_process_group()


def _take_device(local_rank: int) -> None:
    devices = torch.cuda.device_count()
    if local_rank >= devices:
        hint = 'start fewer processes with --nproc-per-node, or set device = "cpu"'
        raise TrainingError("there are more processes than CUDA devices here", found=f"{devices} devices", hint=hint)
    torch.cuda.set_device(local_rank)


def _is_of_group(error: RuntimeError) -> bool:
    """Whether an error comes from the group: its own class, or gloo's words in a plain RuntimeError."""
    words = ("gloo", "nccl", "connection", "timed out", "timeout", "peer")
    return isinstance(error, distributed.DistError) or any(word in str(error).lower() for word in words)


def _on_cpu(state: dict[str, Tensor]) -> dict[str, Tensor]:
    return {key: value.cpu() for key, value in state.items()}
