"""Training speed on this machine: `make bench`.

In one process, in turns, so that a machine whose speed drifts favours nobody: manyheads, and a plain loop over the
padded transformers model with the same encoder, batches, losses and dropouts. The share is 6 FLOP a parameter outside
the embeddings and a real token, over the rate at which this machine multiplies matrices.
"""

from __future__ import annotations

import argparse
import os
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from benchmarks.plain import PlainLoop
from manyheads.data.batch import Batch
from manyheads.data.batching import BATCHING
from manyheads.data.dataset import assemble
from manyheads.data.tokenizer import Tokenizer
from manyheads.model.weights import resolve
from manyheads.recipe.build import build_model, make_optimizer, make_stepper, settle, use_threads
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe

ROOT = Path(__file__).parents[1]
DATA = Path(os.environ.get("MANYHEADS_DATA", ROOT.parent / "shared" / "data"))
SHAPE = (960, 384, 1536)
"""The matrix product that the machine's rate is measured with: the feed-forward map of the offline encoder."""


@dataclass
class Timing:
    """Seconds, examples and real tokens of one program's counted steps, a round at a time."""

    seconds: list[float] = field(default_factory=list)
    examples: list[int] = field(default_factory=list)
    tokens: list[int] = field(default_factory=list)

    def rate(self, amounts: list[int]) -> float:
        """The median over rounds of amounts a second."""
        return statistics.median(amount / seconds for amount, seconds in zip(amounts, self.seconds, strict=True))


def matrix_rate(seconds: float = 0.5) -> float:
    """FLOP a second of a float32 product of SHAPE."""
    rows, inner, columns = SHAPE
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    for _ in range(10):
        left @ right
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        left @ right
        count += 1
    return 2 * rows * inner * columns * count / (time.perf_counter() - started)


def batches(recipe: Recipe, tokenizer: Tokenizer) -> Callable[[], Iterator[Batch]]:
    """The recipe's batches from the first on, as often as asked for."""
    prepared = tokenise_tasks(read_tasks(recipe, lambda *_, **__: None), tokenizer)
    sizes = {name: len(split) for name, split in prepared.train.items()}
    batching = BATCHING[recipe.batching.strategy](sizes, recipe.batching.batch_size, recipe.seed)

    def stream() -> Iterator[Batch]:
        for k in range(recipe.training.epochs * batching.steps_per_epoch):
            picks = [(prepared.train[task], rows) for task, rows in batching.batch(k)]
            yield assemble(prepared.store, tokenizer.template, recipe.model.max_length, picks)

    return stream


def measure(recipe: Recipe, rounds: int, steps: int) -> tuple[dict[str, Timing], list[float], int]:
    """Time both programs in turns: timings, matrix rates, and the encoder's parameters outside the embeddings."""
    recipe = settle(recipe, [each.task for each in read_tasks(recipe, lambda *_, **__: None)], use_threads(recipe))
    source = resolve(recipe.encoder, Path.cwd())
    tokenizer = Tokenizer.load(source.folder)
    prepared_tasks = [each.task for each in read_tasks(recipe, lambda *_, **__: None)]
    model = build_model(recipe, source, prepared_tasks)
    stepper = make_stepper(recipe, model, make_optimizer(recipe, model))
    plain = PlainLoop(recipe, source, prepared_tasks)
    programs: dict[str, Callable[[int, Batch], object]] = {
        "manyheads": lambda step, batch: stepper.update(step, [batch]),
        "plain padded loop": lambda step, batch: plain.update(batch),
    }
    timings = {name: Timing() for name in programs}
    rates = []
    stream = batches(recipe, tokenizer)()
    for number in range(rounds + 1):
        block = [next(stream) for _ in range(steps)]
        rates.append(matrix_rate())
        for name, update in programs.items():
            started = time.perf_counter()
            for step, batch in enumerate(block):
                update(step, batch)
            if number:  # the first round warms up
                timings[name].seconds.append(time.perf_counter() - started)
                timings[name].examples.append(sum(len(part.examples) for batch in block for part in batch.parts))
                timings[name].tokens.append(sum(batch.tokens for batch in block))
    return timings, rates[1:], outside_embeddings(model.encoder.model)


def outside_embeddings(model: nn.Module) -> int:
    """Parameters that are used for every token."""
    inside: set[Tensor] = {
        each for part in model.modules() if isinstance(part, nn.Embedding) for each in part.parameters()
    }
    return sum(parameter.numel() for parameter in model.parameters() if parameter not in inside)


def main() -> None:
    """Measure every batch size and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--recipe", default=str(ROOT / "recipes" / "minilm" / "cross.toml"))
    parser.add_argument("--batch-sizes", default="8,32")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--examples", type=int, default=640, help="examples a round")
    arguments = parser.parse_args()
    if not DATA.is_dir():
        raise SystemExit(f"the data folder {DATA} is absent: set MANYHEADS_DATA to the course's files")
    print(f"torch {torch.__version__}, {torch.get_num_threads()} threads, float32, median of {arguments.rounds} rounds")
    print("| batch | program | examples/s | real tokens/s | matrix products, GFLOP/s | share |")
    print("|---|---|---|---|---|---|")
    for size in map(int, arguments.batch_sizes.split(",")):
        recipe = load_recipe(arguments.recipe, [f"data_dir={DATA}", f"batching.batch_size={size}", "device=cpu"])
        timings, rates, parameters = measure(recipe, arguments.rounds, max(1, arguments.examples // size))
        machine = statistics.median(rates)
        for name, timing in timings.items():
            tokens = timing.rate(timing.tokens)
            share = 6 * parameters * tokens / machine
            cells = [size, name, f"{timing.rate(timing.examples):.1f}", f"{tokens:.0f}", f"{machine / 1e9:.0f}"]
            print("| " + " | ".join(map(str, cells)) + f" | {share:.0%} |")


if __name__ == "__main__":
    main()
