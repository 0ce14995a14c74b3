"""Updates on a device that the host only asks for: a task's step of one shape is captured once and replayed.

After a replay nothing is read. A loss and the gradient's norm go to pinned memory and are looked at some steps later;
an update whose loss or gradient is not finite was masked on the device by then (AdamW leaves weights and moments as
they were), so the error comes late and nothing is spoilt. The optimiser, clipping included, is part of the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW

from manyheads.model.dropout import stream_key
from manyheads.model.losses import task_loss
from manyheads.model.multitask import MultitaskModel
from manyheads.training.device.resident import Resident
from manyheads.training.step import Stepper, StepResult, autocast, check_finite, dropout_seed
from manyheads.training.weighting import Weighting

LATE = 8
"""Steps that the host may be ahead of the device."""

WARM = 3
"""Masked steps before a capture: kernels are chosen and memory is taken while they run."""


@dataclass(frozen=True)
class Picks:
    """The rows of one task that a step is to learn from; `tokens` is what they take."""

    task: str
    rows: NDArray[np.int64]
    tokens: int

    @property
    def examples(self) -> int:
        """The number of examples."""
        return len(self.rows)


@dataclass
class _Inputs:
    """What the host tells a step, and what it hears of it, at fixed places on the device.

    `rows`: int64[size]; `count`: int64[]; `key`: int32[], of dropout; `hold`: 1 to leave the weights as they are;
    `heard`: float32[2], the loss and the gradient's norm.
    """

    rows: Tensor
    count: Tensor
    key: Tensor
    hold: Tensor
    heard: Tensor


@dataclass
class _Asked:
    """A step that the device was asked for."""

    step: int
    picks: Picks
    heard: Tensor
    done: torch.cuda.Event | None

    def known(self) -> bool:
        return self.done is None or bool(self.done.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        if self.done is not None:
            self.done.synchronize()


@dataclass
class _Ring:
    """Pieces of host memory that take turns, pinned where the device is a GPU: each is free again after LATE steps."""

    pieces: list[Tensor]
    turn: int = field(default=0)

    @classmethod
    def of(cls, size: int, dtype: torch.dtype, *, pinned: bool) -> _Ring:
        return cls([torch.zeros(size, dtype=dtype, pin_memory=pinned) for _ in range(LATE + 2)])

    def next(self) -> Tensor:
        self.turn = (self.turn + 1) % len(self.pieces)
        return self.pieces[self.turn]


class DeviceStepper(Stepper[Picks]):
    """Makes updates of one model from rows of data that lie on its device, one task an update.

    On a CUDA device steps are graphs in one memory pool, one a task and shape; elsewhere the same steps run as they
    are.
    """

    def __init__(
        self,
        model: MultitaskModel,
        resident: Resident,
        optimizer: AdamW,
        weighting: Weighting,
        *,
        size: int,
        seed: int,
        clip_norm: float,
        precision: str,
    ) -> None:
        super().__init__(model, _refuse, optimizer, weighting, seed=seed, clip_norm=clip_norm)
        self._multitask, self._resident, self._precision = model, resident, precision
        device = resident.device
        self._cuda = device.type == "cuda"
        zero = torch.zeros((), device=device)
        self._inputs = _Inputs(
            rows=torch.zeros(size, dtype=torch.int64, device=device),
            count=torch.zeros((), dtype=torch.int64, device=device),
            key=torch.zeros((), dtype=torch.int32, device=device),
            hold=zero.clone(),
            heard=torch.zeros(2, device=device),
        )
        self._scale, self._masked = zero.clone(), zero.clone()
        optimizer.grad_scale, optimizer.found_inf = self._scale, self._masked  # type: ignore[attr-defined]
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=device)
            group["capturable"] = self._cuda
        self._pool = torch.cuda.graph_pool_handle() if self._cuda else None
        self._programs: dict[tuple[str, int], Callable[[], None]] = {}
        self._asking = _Ring.of(size, torch.int64, pinned=self._cuda)
        self._hearing = _Ring.of(2, torch.float32, pinned=self._cuda)
        self._asked: deque[_Asked] = deque()

    def update(self, step: int, batches: Sequence[Picks]) -> StepResult:
        """One update, waited for."""
        *_, last = [*self.advance(step, batches), *self.settle()]
        return last

    def advance(self, step: int, batches: Sequence[Picks]) -> list[StepResult]:
        """Ask for one update; what is known by now of those asked for before.

        Raises:
            TrainingError: a loss or the gradient of an earlier update was not finite; that update was masked.
        """
        (picks,) = batches
        self._into_training()
        inputs, rows = self._inputs, self._asking.next()
        rows.zero_()
        rows[: len(picks.rows)] = torch.from_numpy(picks.rows)
        inputs.rows.copy_(rows, non_blocking=True)
        inputs.count.fill_(len(picks.rows))
        inputs.key.fill_(stream_key(dropout_seed(self._seed, step)))
        torch.manual_seed(dropout_seed(self._seed, step))
        shape = self._resident.shape(picks.task, picks.rows, len(inputs.rows))
        self._program(picks.task, shape)()
        heard = self._hearing.next()
        heard.copy_(inputs.heard, non_blocking=True)
        done = torch.cuda.Event() if self._cuda else None  # type: ignore[no-untyped-call]
        if done is not None:
            done.record()
        self._asked.append(_Asked(step, picks, heard, done))
        return self._read(at_most=LATE)

    def settle(self) -> list[StepResult]:
        """Wait for all updates that were asked for."""
        return self._read(at_most=0)

    def _read(self, *, at_most: int) -> list[StepResult]:
        found = []
        while self._asked and (len(self._asked) > at_most or self._asked[0].known()):
            asked = self._asked.popleft()
            asked.wait()
            loss, norm = asked.heard.tolist()
            check_finite(loss, asked.picks.task, asked.step, 0)
            self._check_norm(norm, asked.step, [asked.picks.task])
            found.append(StepResult({asked.picks.task: loss}, norm, asked.picks.examples, asked.picks.tokens))
        return found

    def _program(self, task: str, shape: int) -> Callable[[], None]:
        if (task, shape) not in self._programs:
            self._programs[task, shape] = self._capture(task, shape) if self._cuda else lambda: self._step(task, shape)
        return self._programs[task, shape]

    def _capture(self, task: str, shape: int) -> Callable[[], None]:
        self._inputs.hold.fill_(1.0)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                self._step(task, shape)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._step(task, shape)
        self._inputs.hold.fill_(0.0)
        return graph.replay

    def _step(self, task: str, shape: int) -> None:
        """One update, from what the inputs hold; nothing here reads from the device."""
        inputs = self._inputs
        for stream in self._streams:
            stream.begin(inputs.key)
        for parameter in self._dense:
            parameter.grad = None
        split = self._resident.splits[task]
        tokens = self._resident.tokens(task, inputs.rows, inputs.count, shape)
        with autocast(self._resident.device, self._precision):
            outputs = self._multitask.first_outputs(tokens, task, len(inputs.rows))
            losses = task_loss(self._multitask.tasks[task], outputs.float(), split.targets[inputs.rows])
        present = torch.arange(len(losses), device=losses.device) < inputs.count
        loss = torch.where(present, losses, 0.0).sum() / inputs.count
        self._weighting({task: loss}).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self._dense if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        finite = torch.isfinite(norm) & torch.isfinite(loss.detach())
        limit = self._clip_norm if self._clip_norm > 0 else float("inf")
        self._scale.copy_(((norm + 1e-6) / limit).clamp(min=1.0))
        self._masked.copy_(torch.maximum((~finite).float(), inputs.hold))
        self._optimizer.step()
        inputs.heard.copy_(torch.stack([loss.detach(), norm]))


def _refuse(picks: Picks) -> dict[str, Tensor]:
    raise AssertionError(f"the losses of {picks.task} are computed within its step")
