"""Training speed, program against program: `python -m benchmarks.training`.

In one process and in turns, so that a machine whose speed drifts favours nobody. A round gives every program the same
examples; the machine's own rate is measured before each round. Rates are medians over rounds.
"""

from __future__ import annotations

import argparse
import statistics
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from benchmarks.machine import matrix_rate, outside_embeddings
from benchmarks.programs.cross_encoder import PairTrainer
from benchmarks.programs.ours import Ours
from benchmarks.programs.plain import Plain
from benchmarks.programs.trainer import HubTrainer
from benchmarks.record import save, table
from benchmarks.work import ROOT, Pick, Work, load_work

BI = [
    'tasks.para.pair="bi"',
    'tasks.para.head={kind="b2", dropout=0.3}',
    'tasks.sts.pair="bi"',
    'tasks.sts.head={kind="b2", dropout=0.3}',
]
REFERENCE = {8: 8.0, 32: 14.6}
"""Examples a second of the reference study's program, cross encoding, measured on the same kind of machine."""


class Program(Protocol):
    """A program that trains on blocks of batches."""

    name: str

    def train(self, block: Sequence[Sequence[Pick]], seed: int) -> float:
        """Seconds for a block."""


FORMS: dict[str, tuple[Sequence[str], Callable[[Work], list[Program]]]] = {
    "cross": (
        [],
        lambda work: [Ours(work), Plain(work), HubTrainer(work, grouped=False), HubTrainer(work, grouped=True)],
    ),
    "bi": (
        BI,
        lambda work: [Ours(work), Plain(work), HubTrainer(work, grouped=False), HubTrainer(work, grouped=True)],
    ),
    "pairs": ([], lambda work: [Ours(work), PairTrainer(work)]),
}
"""What is trained: all tasks cross-encoded or bi-encoded, or the one task of pairs that CrossEncoder can train."""


@dataclass
class Timing:
    """Seconds, examples and real tokens of one program's rounds."""

    seconds: list[float] = field(default_factory=list)
    examples: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def rate(self, amounts: Sequence[int]) -> float:
        """The median over rounds of amounts a second."""
        return statistics.median(amount / seconds for amount, seconds in zip(amounts, self.seconds, strict=True))


def measure(work: Work, programs: Sequence[Program], rounds: int, window: int) -> tuple[dict[str, Timing], list[float]]:
    """Time the programs in turns over blocks of `window` batches; a short round before warms up."""
    blocks = work.blocks(window)
    warm = next(blocks)[:4]
    for program in programs:
        program.train(warm, 0)
    timings = {program.name: Timing() for program in programs}
    rates = []
    for number in range(rounds):
        block = next(blocks)
        picks = [pick for batch in block for pick in batch]
        tokens = sum(work.tokens(picks))
        rates.append(matrix_rate())
        for program in programs:
            timing = timings[program.name]
            timing.seconds.append(program.train(block, number))
            timing.examples.append(len(picks))
            timing.tokens.append(tokens)
    return timings, rates


def rows(form: str, size: int, rounds: int, window: int) -> list[dict[str, Any]]:
    """Measure one batch size of one form: a row a program."""
    changes, programs = FORMS[form]
    path = ROOT / "recipes" / "minilm" / "cross.toml"
    work = load_work(path, [f"batching.batch_size={size}", *changes])
    if form == "pairs":
        only = work.recipe.model_copy(update={"tasks": {"para": work.recipe.tasks["para"]}})
        work = work.alone(only)
    running = programs(work)
    timings, rates = measure(work, running, rounds, window)
    machine = statistics.median(rates)
    ours = next(each for each in running if isinstance(each, Ours))
    parameters = outside_embeddings(ours.model.encoder.model)
    found = []
    for name, timing in timings.items():
        tokens = timing.rate(timing.tokens)
        examples = timing.rate(timing.examples)
        found.append(
            {
                "form": form,
                "batch": size,
                "program": name,
                "examples/s": round(examples, 1),
                "tokens/s": round(tokens),
                "of it": round(timings["manyheads"].rate(timing.examples) / examples, 2),
                "GFLOP/s": round(machine / 1e9),
                "share": round(6 * parameters * tokens / machine, 3),
                "reference": REFERENCE.get(size) if form == "cross" else None,
                "rounds": [round(each, 3) for each in timing.seconds],
            }
        )
    return found


def main() -> None:
    """Measure forms and batch sizes, print a table and keep it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--forms", default="cross,bi,pairs")
    parser.add_argument("--batch-sizes", default="8,16,32,64")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--batches", type=int, default=50, help="batches a round")
    parser.add_argument("--most", type=int, default=1600, help="examples a round at most")
    parser.add_argument("--out", default="training")
    arguments = parser.parse_args()
    found: list[dict[str, Any]] = []
    for form in arguments.forms.split(","):
        for size in map(int, arguments.batch_sizes.split(",")):
            window = min(arguments.batches, arguments.most // size)
            new = rows(form, size, arguments.rounds, window)
            print(table(new, ("form", "batch", "program", "examples/s", "tokens/s", "of it", "GFLOP/s", "share")))
            found += new
            save(arguments.out, found)


if __name__ == "__main__":
    main()
