"""Training on a device without waiting for it: data on the device, steps of fixed shapes, and losses read later.

The host passes only the rows of a batch. Everything else (the tokens, their places and sequences) is computed on the
device with shapes that do not depend on the rows. So nothing waits for the host, and a task's step of one shape is
captured once and replayed as a graph. The rest of a shape is filled with sequences of the padding token that no loss
reads.

Nothing is read right after a replay. The loss and the gradient's norm are copied to pinned memory and read some steps
later. An update whose loss or gradient is not finite is masked on the device: AdamW leaves weights and moments
unchanged. So the error is reported late and does no harm. The optimiser and clipping are part of the graph.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.optim import AdamW

from manyheads.data.dataset import Stream, lengths, sequences_of
from manyheads.data.texts import TextStore
from manyheads.data.tokenizer import Form, Template
from manyheads.model.dropout import sequence_keys, stream_key, token_keys
from manyheads.model.flat import FlatTokens, Layout
from manyheads.model.losses import LossFunction
from manyheads.model.multitask import MultitaskModel
from manyheads.process_state import borrowing
from manyheads.tasks.kind import known
from manyheads.training.step import Stepper, StepResult, autocast, check_finite, dropout_seed
from manyheads.training.weighting import Weighting

STEP, GROWTH = 64, 1.25
"""Shapes are multiples of STEP tokens, and each is about GROWTH times the one before. On average a tenth is filling."""


@dataclass(frozen=True)
class ResidentStream:
    """n rows of a stream on a device, each of `sides` sequences of `columns` texts.

    `starts`, `kept`: int64[n, sides, columns], where each text begins in the tokens and how many tokens are kept.
    `keys`: int64[n, sides], the keys of the sequences' dropout masks. `targets`: float32[n, ...] of each task, 0 for a
    row without a target. `labelled`: bool[n] of each task, whether a row has a target. `tokens`: int32[n] in host
    memory, the number of tokens of each row in a batch.
    `weights`: float32[n] of the tasks that have factors of the losses. `soft`: float32[n, ...] of the tasks with soft
    labels, 0 for a row without.
    """

    form: Form
    starts: Tensor
    kept: Tensor
    keys: Tensor
    targets: Mapping[str, Tensor]
    labelled: Mapping[str, Tensor]
    tokens: NDArray[np.int32]
    weights: Mapping[str, Tensor]
    soft: Mapping[str, Tensor]

    @property
    def sides(self) -> int:
        """Sequences per example."""
        return self.kept.shape[1]


@dataclass(frozen=True)
class Resident:
    """Tokens (int32) and streams on one device."""

    token_ids: Tensor
    streams: Mapping[str, ResidentStream]
    max_length: int
    device: torch.device

    @classmethod
    def of(
        cls,
        store: TextStore,
        template: Template,
        streams: Mapping[str, Stream],
        *,
        max_length: int,
        device: torch.device,
    ) -> Resident:
        """Copy a store's tokens and some streams to a device."""
        placed = {name: _place(store, template, max_length, stream, device) for name, stream in streams.items()}
        return cls(torch.from_numpy(np.array(store.token_ids)).to(device), placed, max_length, device)

    def shape(self, name: str, rows: NDArray[np.int64], size: int) -> int:
        """Return the smallest fixed shape, in tokens, for these rows of a stream in a batch of up to `size` rows."""
        stream = self.streams[name]
        needed = int(stream.tokens[rows].sum()) + (size - len(rows)) * stream.sides
        shape = STEP
        while shape < needed + self.spare(shape):
            shape = _grown(shape)
        return shape

    def spare(self, shape: int) -> int:
        """Return the number of filling sequences of a shape. They have room for all its tokens."""
        return -(-shape // self.max_length)

    def tokens(self, name: str, rows: Tensor, count: Tensor, shape: int) -> FlatTokens:
        """Make a batch of `shape` tokens from rows[:count] (int64[size] and int64[]), one side after another.

        Its first size * sides sequences belong to the rows. All others, and those after `count`, are filling.
        """
        split = self.streams[name]
        size, spare = len(rows), self.spare(shape)
        present = torch.arange(size, device=self.device) < count
        kept = split.kept[rows]
        own = torch.where(present[:, None], kept.sum(dim=2) + split.form.specials, 1).T.reshape(-1)
        rest = shape - spare - own.sum()
        filling = 1 + (rest - torch.arange(spare, device=self.device) * (self.max_length - 1)).clamp(
            0, self.max_length - 1
        )
        sizes = torch.cat([own, filling])
        ends = sizes.cumsum(0)
        place = torch.arange(shape, device=self.device)
        sequence = torch.searchsorted(ends, place, right=True)
        position = place - (ends - sizes)[sequence]
        column = sequence.clamp(max=size * split.sides - 1)
        example, side = column % size, column // size
        real = (sequence < size * split.sides) & present[example]
        token_ids, segments = self._write(split, kept[example, side], split.starts[rows[example], side], position)
        keys = token_keys(split.keys[rows[example], side], position)
        starts = ends - sizes
        layout = Layout(
            offsets=torch.cat([ends.new_zeros(1), ends]).to(torch.int32),
            slots=sequence * self.max_length + position,
            starts=starts,
            lengths=sizes,
            sizes=None,
            max_length=self.max_length,
            ragged=True,
            keys=keys,
        )
        return FlatTokens(torch.where(real, token_ids, 0), position, torch.where(real, segments, 0), layout)

    def _write(self, split: ResidentStream, kept: Tensor, starts: Tensor, position: Tensor) -> tuple[Tensor, Tensor]:
        """Return the token and segment at each position of a sequence.

        The sequence's texts begin at `starts` and keep `kept` tokens each.
        """
        token_ids, segments = torch.zeros_like(position), torch.zeros_like(position)
        at = torch.zeros_like(position)
        for number, (special, special_segments) in enumerate(
            zip(split.form.special, split.form.special_segments, strict=True)
        ):
            for token, segment in zip(special, special_segments, strict=True):
                here = position == at
                token_ids = torch.where(here, token, token_ids)
                segments = torch.where(here, segment, segments)
                at = at + 1
            if number < kept.shape[1]:
                within = position - at
                here = (within >= 0) & (within < kept[:, number])
                text = self.token_ids[torch.where(here, starts[:, number] + within, 0)].long()
                token_ids = torch.where(here, text, token_ids)
                segments = torch.where(here, split.form.text_segments[number], segments)
                at = at + kept[:, number]
        return token_ids, segments


def _place(
    store: TextStore, template: Template, max_length: int, stream: Stream, device: torch.device
) -> ResidentStream:
    form, texts, kept = sequences_of(store, template, max_length, stream.splits[0])
    sides = np.arange(texts.shape[1])
    keys = np.stack([sequence_keys(stream.name, np.arange(len(stream)), int(side)) for side in sides], axis=1)
    targets = {split.task.name: split.targets for split in stream.splits}
    return ResidentStream(
        form=form,
        starts=torch.from_numpy(store.offsets[texts].astype(np.int64)).to(device),
        kept=torch.from_numpy(kept).to(device),
        keys=torch.from_numpy(keys.view(np.int64)).to(device),
        targets={task: torch.from_numpy(np.nan_to_num(each)).to(device) for task, each in targets.items()},
        labelled={task: torch.from_numpy(known(each)).to(device) for task, each in targets.items()},
        tokens=lengths(store, template, max_length, stream.splits[0]),
        weights={
            split.task.name: torch.from_numpy(split.weights).to(device)
            for split in stream.splits
            if split.weights is not None
        },
        soft={
            split.task.name: torch.from_numpy(np.nan_to_num(split.soft)).to(device)
            for split in stream.splits
            if split.soft is not None
        },
    )


def _grown(shape: int) -> int:
    return max(shape + STEP, int(shape * GROWTH) // STEP * STEP)


LATE = 8
"""Steps that the host may be ahead of the device."""

WARM = 3
"""Masked steps before a capture. torch chooses kernels and allocates memory while they run."""


@dataclass(frozen=True)
class Picks:
    """The rows of one stream for one step.

    `places`: int64[n], the rows in the stream. `tokens`: the number of their tokens. `label_counts`: the number of
    labels of each task of the stream among them.
    """

    stream: str
    places: NDArray[np.int64]
    tokens: int
    label_counts: Mapping[str, int]

    @property
    def examples(self) -> int:
        """The number of examples: the pairs of a row and a label of it."""
        return sum(self.label_counts.values())

    @property
    def rows(self) -> int:
        """The number of rows."""
        return len(self.places)

    @property
    def row_counts(self) -> dict[str, int]:
        """The number of rows of each task."""
        return dict.fromkeys(self.label_counts, self.rows)

    @property
    def tasks(self) -> tuple[str, ...]:
        """The tasks that have a label among the rows."""
        return tuple(task for task, count in self.label_counts.items() if count)


@dataclass
class _Inputs:
    """A step's inputs and results, at fixed addresses on the device.

    `rows`: int64[size]. `count`: int64[]. `key`: int32[], the key of dropout. `hold`: 1 to leave the weights unchanged.
    `results`: float32[1 + tasks], the gradient's norm and the loss of each task of the step.
    """

    rows: Tensor
    count: Tensor
    key: Tensor
    hold: Tensor
    results: Tensor


@dataclass
class _Request:
    """A step that was requested from the device."""

    step: int
    picks: Picks
    results: Tensor
    done: torch.cuda.Event | None

    def known(self) -> bool:
        return self.done is None or bool(self.done.query())  # type: ignore[no-untyped-call]

    def wait(self) -> None:
        if self.done is not None:
            self.done.synchronize()


@dataclass
class _Ring:
    """Pieces of host memory that are used in turn, pinned on a GPU. Each is free again after LATE steps."""

    pieces: list[Tensor]
    turn: int = field(default=0)

    @classmethod
    def of(cls, size: int, dtype: torch.dtype, *, pinned: bool) -> _Ring:
        return cls([torch.zeros(size, dtype=dtype, pin_memory=pinned) for _ in range(LATE + 2)])

    def next(self) -> Tensor:
        self.turn = (self.turn + 1) % len(self.pieces)
        return self.pieces[self.turn]


class DeviceStepper(Stepper[Picks]):
    """Updates one model from data on its device, with one stream per update.

    On a CUDA device steps are graphs in one memory pool, one per stream, tasks with labels, and shape. On other devices
    the same steps run without graphs.
    """

    def __init__(
        self,
        model: MultitaskModel,
        resident: Resident,
        optimizer: AdamW,
        losses: Mapping[str, LossFunction],
        weighting: Weighting,
        *,
        size: int,
        seed: int,
        clip_norm: float,
        precision: str,
    ) -> None:
        super().__init__(model, _refuse, optimizer, weighting, seed=seed, clip_norm=clip_norm)
        self._multitask, self._resident, self._precision = model, resident, precision
        self._task_losses = losses
        device = resident.device
        self._cuda = device.type == "cuda"
        zero = torch.zeros((), device=device)
        self._inputs = _Inputs(
            rows=torch.zeros(size, dtype=torch.int64, device=device),
            count=torch.zeros((), dtype=torch.int64, device=device),
            key=torch.zeros((), dtype=torch.int32, device=device),
            hold=zero.clone(),
            results=torch.zeros(1 + len(losses), device=device),
        )
        self._scale, self._masked = zero.clone(), zero.clone()
        optimizer.grad_scale, optimizer.found_inf = self._scale, self._masked  # type: ignore[attr-defined]
        for group in optimizer.param_groups:
            group["lr"] = torch.tensor(float(group["lr"]), device=device)
            group["capturable"] = self._cuda
        self._pool = torch.cuda.graph_pool_handle() if self._cuda else None
        self._programs: dict[tuple[str, tuple[str, ...], int], Callable[[], None]] = {}
        self._rows_sent = _Ring.of(size, torch.int64, pinned=self._cuda)
        self._results = _Ring.of(1 + len(losses), torch.float32, pinned=self._cuda)
        self._requests: deque[_Request] = deque()

    def update(self, step: int, batches: Sequence[Picks]) -> StepResult:
        """Make one update and wait for it."""
        *_, last = [*self.advance(step, batches), *self.wait()]
        return last

    def advance(self, step: int, batches: Sequence[Picks]) -> list[StepResult]:
        """Request one update. Return the results of earlier updates that are known by now, in order.

        Raises:
            TrainingError: a loss or the gradient of an earlier update was not finite. That update was masked.
        """
        (picks,) = batches
        self._into_training()
        inputs, rows = self._inputs, self._rows_sent.next()
        rows.zero_()
        rows[: picks.rows] = torch.from_numpy(picks.places)
        inputs.rows.copy_(rows, non_blocking=True)
        inputs.count.fill_(picks.rows)
        inputs.key.fill_(stream_key(dropout_seed(self._seed, step)))
        with borrowing():
            torch.manual_seed(dropout_seed(self._seed, step))
            shape = self._resident.shape(picks.stream, picks.places, len(inputs.rows))
            self._program(picks.stream, picks.tasks, shape)()
        results = self._results.next()
        results.copy_(inputs.results, non_blocking=True)
        done = torch.cuda.Event() if self._cuda else None  # type: ignore[no-untyped-call]
        if done is not None:
            done.record()
        self._requests.append(_Request(step, picks, results, done))
        return self._read(at_most=LATE)

    def wait(self) -> list[StepResult]:
        """Wait for all requested updates and return their results, in order."""
        return self._read(at_most=0)

    def _read(self, *, at_most: int) -> list[StepResult]:
        results = []
        while self._requests and (len(self._requests) > at_most or self._requests[0].known()):
            request = self._requests.popleft()
            request.wait()
            picks, (norm, *numbers) = request.picks, request.results.tolist()
            losses = dict(zip(picks.tasks, numbers, strict=False))
            for task, loss in losses.items():
                check_finite(loss, task, request.step, 0)
            self._check_norm(norm, request.step, losses)
            results.append(StepResult(losses, norm, picks.examples, picks.tokens))
        return results

    def _program(self, stream: str, tasks: tuple[str, ...], shape: int) -> Callable[[], None]:
        key = (stream, tasks, shape)
        if key not in self._programs:
            self._programs[key] = self._capture(*key) if self._cuda else lambda: self._step(*key)
        return self._programs[key]

    def _capture(self, stream: str, tasks: tuple[str, ...], shape: int) -> Callable[[], None]:
        self._inputs.hold.fill_(1.0)
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARM):
                self._step(stream, tasks, shape)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=self._pool):
            self._step(stream, tasks, shape)
        self._inputs.hold.fill_(0.0)
        return graph.replay

    def _step(self, stream: str, tasks: tuple[str, ...], shape: int) -> None:
        """Make one update from the inputs. Nothing here reads from the device."""
        inputs = self._inputs
        for masks in self._streams:
            masks.begin(inputs.key)
        for parameter in self._dense:
            parameter.grad = None
        rows = self._resident.streams[stream]
        tokens = self._resident.tokens(stream, inputs.rows, inputs.count, shape)
        present = torch.arange(len(inputs.rows), device=inputs.rows.device) < inputs.count
        losses: dict[str, Tensor] = {}
        with autocast(self._resident.device, self._precision):
            outputs = self._multitask.first_outputs(tokens, stream, tasks, len(inputs.rows))
            for task, output in zip(tasks, outputs, strict=True):
                # The place of a target that is not there has a number from which a loss can be computed.
                counted = present & rows.labelled[task][inputs.rows]
                targets = rows.soft.get(task, rows.targets[task])
                each = self._task_losses[task](output.float(), targets[inputs.rows])
                if task in rows.weights:
                    each = each * rows.weights[task][inputs.rows]
                losses[task] = torch.where(counted, each, 0.0).sum() / counted.sum()
        self._weighting(losses).backward()  # type: ignore[no-untyped-call]
        gradients = [parameter.grad for parameter in self._dense if parameter.grad is not None]
        norm = torch.nn.utils.get_total_norm(gradients)
        reported = torch.stack([norm, *(loss.detach() for loss in losses.values())])
        finite = torch.isfinite(reported).all()
        limit = self._clip_norm if self._clip_norm > 0 else float("inf")
        self._scale.copy_(((norm + 1e-6) / limit).clamp(min=1.0))
        self._masked.copy_(torch.maximum((~finite).float(), inputs.hold))
        self._optimizer.step()
        inputs.results[: len(reported)].copy_(reported)


def _refuse(picks: Picks, _labels: Mapping[str, int]) -> dict[str, Tensor]:
    raise AssertionError(f"the losses of {picks.stream} are computed within its step")
