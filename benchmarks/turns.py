"""Programs that take turns: each has a process of its own, and one works at a time.

So every program has its own memory peak and its own settings of threads and allocator. A machine whose speed drifts
favours none of them.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol, Self

from benchmarks.machine import outside_embeddings
from benchmarks.work import ROOT, Pick, Work, load_work

BI = [
    'tasks.para.pair="bi"',
    'tasks.para.head={kind="b2", dropout=0.3}',
    'tasks.sts.pair="bi"',
    'tasks.sts.head={kind="b2", dropout=0.3}',
]
CHANGES: dict[str, Sequence[str]] = {"cross": [], "bi": BI, "pairs": []}
"""The forms: all tasks cross-encoded or bi-encoded, or the one task of pairs that CrossEncoder can train."""

WARM = 4
"""Batches before the measurement."""

EVALUATED = 200
"""Dev examples of each task."""


class Program(Protocol):
    """A program that trains on blocks of batches and evaluates dev examples."""

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Train on a block and return the seconds."""

    def evaluate(self, picks: Sequence[Pick]) -> float:
        """Compute the outputs of dev examples and return the seconds."""


def _ours(work: Work) -> Program:
    from benchmarks.programs.ours import Ours

    return Ours(work)


def _plain(work: Work) -> Program:
    from benchmarks.programs.plain import Plain

    return Plain(work)


def _trainer(grouped: bool) -> Callable[[Work], Program]:
    def build(work: Work) -> Program:
        from benchmarks.programs.trainer import HubTrainer

        return HubTrainer(work, grouped=grouped)

    return build


def _pairs(work: Work) -> Program:
    from benchmarks.programs.cross_encoder import PairTrainer

    return PairTrainer(work)


OURS = "manyheads"
PROGRAMS: dict[str, Callable[[Work], Program]] = {
    OURS: _ours,
    "plain padded loop, same batches": _plain,
    "transformers Trainer, random batches": _trainer(grouped=False),
    "transformers Trainer, length-grouped batches": _trainer(grouped=True),
    "sentence-transformers CrossEncoder trainer": _pairs,
}


@dataclass(frozen=True)
class Turn:
    """The result of one turn."""

    seconds: float
    examples: int
    tokens: int


class Player:
    """The parent's handle to one program in its process."""

    def __init__(self, form: str, size: int, name: str, window: int) -> None:
        context = multiprocessing.get_context("spawn")
        self._here, there = context.Pipe()
        self._process = context.Process(target=_play, args=(there, form, size, name, window), daemon=True)
        self._process.start()
        there.close()
        self.parameters = int(self._here.recv())

    def ask(self, what: str) -> Any:
        """Return a Turn for "train" and "evaluate", and the peak of memory in megabytes for "memory"."""
        self._here.send(what)
        return self._here.recv()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._here.close()
        self._process.join(30)


def _play(pipe: Connection, form: str, size: int, name: str, window: int) -> None:
    work = load_work(ROOT / "recipes" / "minilm" / "cross.toml", [f"batching.batch_size={size}", *CHANGES[form]])
    if form == "pairs":
        work = work.alone(work.recipe.model_copy(update={"tasks": {"para": work.recipe.tasks["para"]}}))
    program, blocks, number = PROGRAMS[name](work), work.blocks(window), 0
    program.train(next(blocks)[:WARM], 0)
    dev = [(task, row) for task, split in work.prepared.dev.items() for row in range(min(EVALUATED, len(split)))]
    pipe.send(_parameters(work))
    while True:
        try:
            asked = pipe.recv()
        except EOFError:
            return
        if asked == "train":
            block, number = next(blocks), number + 1
            picks = [pick for batch in block for pick in batch]
            pipe.send(Turn(program.train(block, number), len(picks), sum(work.tokens(picks))))
        elif asked == "evaluate":
            pipe.send(Turn(program.evaluate(dev), len(dev), sum(work.tokens(dev, "dev"))))
        else:
            pipe.send(_peak_megabytes())


def _parameters(work: Work) -> int:
    from manyheads.recipe.build import build_model

    return outside_embeddings(build_model(work.recipe, work.source, work.prepared.tasks).encoder.model)


def _peak_megabytes() -> int:
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    (line,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) // 1024
