"""Training with several processes, as started by torchrun: shares of batches, updates, checkpoints and outputs.

A single process has no process group. Every process builds the same batch and keeps its own examples.
"""

from __future__ import annotations

import gc
import heapq
import os
import traceback
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, distributed, nn
from torch.nn.parallel import DistributedDataParallel
from torch.optim import AdamW

from manyheads.data.batch import Batch
from manyheads.data.dataset import Split, lengths
from manyheads.data.shared import rows_of, same_rows
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Template
from manyheads.errors import ManyheadsError, TrainingError, argument
from manyheads.model.forward import forward_streams
from manyheads.model.multitask import MultitaskModel
from manyheads.process_state import borrowing
from manyheads.ragged import Ragged, Rows, offsets_of
from manyheads.training.checkpoint import Checkpoints, Progress
from manyheads.training.launch import Launch
from manyheads.training.step import Stepper, StepResult, TaskLosses, UpdateCounts, check_finite
from manyheads.training.stop import StopFlag
from manyheads.training.weighting import Weighting

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


Ints = NDArray[np.int64]


def assign(sizes: Sequence[int] | NDArray[np.integer], processes: int) -> Ints:
    """Return the process of each example: int64[n].

    The longest example is assigned first, each to the process with the fewest tokens so far: Graham's
    longest-processing-time rule (1969). Ties go to the earlier example and to the lower process.
    """
    owner = np.empty(len(sizes), dtype=np.int64)
    loads = [(0, process) for process in range(processes)]
    for example in np.argsort(-np.asarray(sizes, dtype=np.int64), kind="stable"):
        load, process = loads[0]
        owner[example] = process
        heapq.heapreplace(loads, (load + int(sizes[example]), process))
    return owner


def share(batch: Batch, process: int, processes: int, whole: Collection[str] = ()) -> Batch:
    """Return the examples of a batch that one process trains on. There are no parts if it has no examples.

    A row that several tasks read has one process for all of them. `whole`: the tasks whose examples in a batch are not
    divided, because their loss compares them with one another.
    """
    lengths = np.diff(batch.offsets).astype(np.int64)
    sizes = {part.source: part.sizes(lengths) for part in batch.parts}
    undivided = {part.source for part in batch.parts if part.task in whole}
    pieces = [each.sum(keepdims=True) if source in undivided else each for source, each in sizes.items()]
    owner = assign(np.concatenate(pieces), processes)
    split = np.split(owner, np.cumsum([len(each) for each in pieces])[:-1])
    owners = {
        source: np.broadcast_to(each, size.shape) for (source, size), each in zip(sizes.items(), split, strict=True)
    }
    return _take(batch, [np.flatnonzero(owners[part.source] == process) for part in batch.parts])


def _take(batch: Batch, rows: Sequence[Ints]) -> Batch:
    """Return a batch of some examples. `rows`: the positions to keep in each part. Empty parts are dropped."""
    used = np.zeros(batch.sequences, dtype=bool)
    for part, kept in zip(batch.parts, rows, strict=True):
        used[part.used(kept)] = True
    places = np.cumsum(used) - 1
    lengths = np.diff(batch.offsets)
    tokens = np.repeat(used, lengths)
    parts = tuple(part.take(kept, places) for part, kept in zip(batch.parts, rows, strict=True) if len(kept))
    return Batch(
        token_ids=batch.token_ids[tokens],
        position_ids=batch.position_ids[tokens],
        segment_ids=batch.segment_ids[tokens],
        offsets=np.concatenate([[0], np.cumsum(lengths[used])]).astype(np.int32),
        max_length=int(lengths[used].max(initial=0)),
        parts=parts,
        cut=batch.cut,
    )


class SharedStop(StopFlag):
    """A stop flag that all processes set at the same place. A signal of any process counts once all know of it.

    `own`: the flag of this process's signals.
    """

    def __init__(self, own: StopFlag, processes: Processes) -> None:
        super().__init__()
        self.own, self._processes = own, processes

    def protected(self) -> AbstractContextManager[None]:
        """Let no signal interrupt the block."""
        return self.own.protected()

    def requests(self) -> list[float]:
        """Return what this process's signals ask for, to be summed over all processes: a number for each process."""
        numbers = [0.0] * (self._processes.size + 1)
        # An event has no number. Half is below the number of every signal.
        numbers[self._processes.rank] = float(self.own.signal_number or (0.5 if self.own else 0.0))
        numbers[-1] = float(self.own.save_wanted)
        self.own.saved()
        return numbers

    def agree(self, totals: Sequence[float]) -> None:
        """Set the flag from the sum of all processes' requests."""
        highest = max(totals[:-1])
        if highest > 0 and not self:
            self._asked, self.signal_number = True, int(highest) or None
        self.save_wanted = self.save_wanted or totals[-1] > 0

    def meet(self) -> None:
        """Exchange requests with all processes. Every process must call this at the same place."""
        self.agree(self._processes.total(self.requests()))


class SharedStepper(Stepper[Batch]):
    """Updates with each batch divided among processes.

    Each task's loss is the sum over its examples in all batches and processes, divided by their number.
    DistributedDataParallel computes the mean over processes, so each share is multiplied by the number of processes. A
    process without an example computes one of another process with weight zero, so that it takes part in the reduction.
    The rows of a task whose loss compares them with one another are on one process, so that the loss is the same.
    """

    def __init__(
        self,
        model: nn.Module,
        losses: TaskLosses,
        optimizer: AdamW,
        weighting: Weighting,
        *,
        seed: int,
        clip_norm: float,
        processes: Processes,
        stop: SharedStop,
    ) -> None:
        super().__init__(model, losses, optimizer, weighting, seed=seed, clip_norm=clip_norm)
        self._processes, self._stop = processes, stop
        self._whole = losses.whole
        self._parallel = DistributedDataParallel(
            _LossModule(model, losses), forward_sync_buffers=False, find_unused_parameters=True
        )

    def update(self, step: int, batches: Sequence[Batch]) -> StepResult:
        """Make one update, the same on every process.

        Dropout is a function of (seed, step, example), so it is the same as with one process.

        Raises:
            TrainingError: a loss or the gradient is not finite on a process. All processes raise it.
        """
        processes = self._processes
        counts = UpdateCounts.of(batches)
        seen: list[float] = []
        with borrowing():
            self._begin(step, processes.rank)
            for number, batch in enumerate(batches):
                with self._parallel.no_sync() if number < len(batches) - 1 else nullcontext():
                    seen += self._backward(batch, counts)
        totals = processes.total([*seen, *self._stop.requests()])
        self._stop.agree(totals[len(seen) :])
        sums: dict[str, float] = {}
        names = [(number, part.task) for number, batch in enumerate(batches) for part in batch.parts]
        for (number, task), loss in zip(names, totals, strict=False):
            if counts.labels[task]:
                sums[task] = sums.get(task, 0.0) + check_finite(loss, task, step, number)
        norm = self._clip(step, sums)
        self._optimizer.step()
        return StepResult(
            losses=sums,
            gradient_norm=norm,
            examples=sum(batch.examples for batch in batches),
            tokens=sum(batch.tokens for batch in batches),
        )

    def close(self) -> None:
        """Drop the reducer. It must not outlive the group of the processes: its destruction would wait for them."""
        del self._parallel
        gc.collect()

    def _backward(self, batch: Batch, counts: UpdateCounts) -> list[float]:
        """Return this process's share of each task's loss, in the order of the batch's parts."""
        own = share(batch, self._processes.rank, self._processes.size, self._whole)
        if not own.parts:
            # One row has a label of at least one of its tasks.
            rows = [np.arange(1 if part.source == batch.parts[0].source else 0) for part in batch.parts]
            losses = self._parallel(_take(batch, rows), counts.labels)
            (self._weighting(losses) * 0.0).backward()  # type: ignore[no-untyped-call]
            return [0.0] * len(batch.parts)
        losses = self._parallel(own, counts.labels)
        loss = self._weighting(counts.scaled(losses)) * self._processes.size
        loss.backward()  # type: ignore[no-untyped-call]
        return [losses[part.task].item() if part.task in losses else 0.0 for part in batch.parts]


class _LossModule(nn.Module):
    """Losses as a module, because DistributedDataParallel needs a forward pass."""

    def __init__(self, model: nn.Module, losses: TaskLosses) -> None:
        super().__init__()
        self.model = model
        self._losses = losses

    def forward(self, batch: Batch, labels: Mapping[str, int]) -> dict[str, Tensor]:
        return self._losses(batch, labels)


class SharedCheckpoints(Checkpoints):
    """Checkpoints that the main process writes and reads. The other processes wait until it is done."""

    def __init__(self, folder: Path, processes: Processes, *, keep: int = 1) -> None:
        super().__init__(folder, keep=keep)
        self._processes = processes

    def save(self, model: nn.Module, optimizer: AdamW, progress: Progress) -> None:
        """Write a checkpoint. No process continues or ends before it is on the disk."""
        self._processes.from_main(lambda: super(SharedCheckpoints, self).save(model, optimizer, progress))

    def save_best(self, model: nn.Module, step: int) -> None:
        """Write the best weights, on the main process."""
        if self._processes.main:
            super().save_best(model, step)

    def latest(self) -> Path | None:
        """Return the newest checkpoint that the main process finds."""
        return self._processes.from_main(super().latest)

    def restore(self, folder: Path, model: nn.Module, optimizer: AdamW) -> Progress:
        """Read a checkpoint on the main process and copy weights, optimiser and progress to all processes."""
        read = super().restore
        progress = self._processes.from_main(lambda: read(folder, model, optimizer))
        self._processes.same_weights(model)
        self._processes.same_state(model, optimizer)
        return progress

    def drop(self) -> None:
        """Remove all checkpoints, on the main process."""
        if self._processes.main:
            super().drop()


class _Rounds:
    """Rounds in which all processes exchange requests: one after each batch of each process, until all are done."""

    def __init__(self, processes: Processes, stop: SharedStop) -> None:
        self._processes, self._stop = processes, stop

    def after_batch(self) -> None:
        """Take part in a round.

        Raises:
            Stopping: a signal of any process asked to stop. All processes raise it in the same round.
        """
        self._round(1.0)

    def finish(self) -> None:
        """Take part in the rounds of the processes that still have batches."""
        while self._round(0.0):
            pass

    def _round(self, working: float) -> float:
        at_work, *requests = self._processes.total([working, *self._stop.requests()])
        self._stop.agree(requests)
        self._stop.check()
        return at_work


class SharedForward:
    """`forward_streams` with the rows divided among processes by their tokens. Every process gets all outputs."""

    def __init__(self, processes: Processes, stop: SharedStop) -> None:
        self._processes, self._stop = processes, stop

    def __call__(
        self,
        model: MultitaskModel,
        store: TextStore,
        template: Template,
        splits: Sequence[Split],
        *,
        max_length: int,
        device: torch.device,
    ) -> list[Rows]:
        """Return the outputs for every example of every split, in their order.

        Raises:
            Stopping: a signal asked to stop.
        """
        outputs: list[Rows] = [None] * len(splits)
        options: dict[str, Any] = {"max_length": max_length, "device": device}
        for group in same_rows(splits):
            several = [splits[place] for place in group]
            if len(several) == 1:
                owners = [assign(lengths(store, template, max_length, several[0]), self._processes.size)]
            else:
                _, places, sizes = rows_of(store, template, max_length, several)
                owner = assign(sizes, self._processes.size)
                owners = [owner[each] for each in places]
            rounds = _Rounds(self._processes, self._stop)
            rank = self._processes.rank
            own = [split.take(np.flatnonzero(owner == rank)) for split, owner in zip(several, owners, strict=True)]
            read = [place for place, each in enumerate(own) if len(each)]
            found = forward_streams(
                model, store, template, [own[place] for place in read], after_batch=rounds.after_batch, **options
            )
            rounds.finish()
            parts = self._processes.gather(dict(zip(read, found, strict=True)))
            for number, place in enumerate(group):
                outputs[place] = _placed([each.get(number) for each in parts], owners[number])
        return outputs


def _placed(parts: Sequence[Rows | None], owner: NDArray[np.int64]) -> Rows:
    """Return the outputs of examples in their order. `parts`: those of each process, None if it has no example."""
    of_rank = {rank: part for rank, part in enumerate(parts) if part is not None}
    first = next(iter(of_rank.values()))
    if not isinstance(first, Ragged):
        outputs = np.empty((len(owner), *first.shape[1:]), dtype=np.float32)
        for rank, part in of_rank.items():
            outputs[owner == rank] = part
        return outputs
    sizes = np.zeros(len(owner), dtype=np.int64)
    for rank, part in of_rank.items():
        sizes[owner == rank] = part.lengths
    ragged = Ragged(np.empty((int(sizes.sum()), *first.values.shape[1:]), dtype=np.float32), offsets_of(sizes))
    for rank, part in of_rank.items():
        ragged.values[ragged.places(owner == rank)[0]] = part.values
    return ragged
