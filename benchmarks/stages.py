"""Time per stage of a run: `python -m benchmarks.stages`.

The stages are reading, tokenising, batching, forward pass, backward pass, optimiser and evaluation. The recipe is that
of the other benchmarks.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from benchmarks.record import save, table
from benchmarks.updates import make_updates
from benchmarks.work import ROOT, load_work
from manyheads.data.batch import Batch
from manyheads.evaluation.evaluate import evaluate
from manyheads.model.multitask import MultitaskModel
from manyheads.recipe.prepare import read_tasks, tokenise_examples
from manyheads.training.step import Stepper


class TimedStepper(Stepper[Batch]):
    """A stepper that records the time at which its stages end."""

    forwarded = clipping = 0.0

    def __init__(
        self, model: MultitaskModel, losses: Callable[[Batch], Mapping[str, Tensor]], *rest: Any, **named: Any
    ):
        def forward(batch: Batch) -> Mapping[str, Tensor]:
            result = losses(batch)
            self.forwarded = time.perf_counter()
            return result

        super().__init__(model, forward, *rest, **named)

    def _clip(self, step: int, seen: Mapping[str, object]) -> float:
        self.clipping = time.perf_counter()
        return super()._clip(step, seen)


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch-size", type=int, default=32)
    parser.add_argument("--steps", type=int, default=40)
    arguments = parser.parse_args()
    work = load_work(ROOT / "recipes" / "minilm" / "cross.toml", [f"batching.batch_size={arguments.batch_size}"])
    spent: dict[str, float] = {}
    started = time.perf_counter()
    data = read_tasks(work.recipe, lambda *_, **__: None)
    spent["read"] = time.perf_counter() - started
    started = time.perf_counter()
    parts = [each.train for each in data]
    tokenise_examples(parts, {each.task.name: each.task for each in data}, work.tokenizer, None)
    spent["tokenise, without the cache"] = time.perf_counter() - started
    model, stepper = make_updates(work, TimedStepper)
    block = next(work.blocks(arguments.steps + 5))
    totals = dict.fromkeys(("batch", "forward", "backward", "optimiser"), 0.0)
    for step, picks in enumerate(block):
        begun = time.perf_counter()
        batch = work.assemble(picks)
        assembled = time.perf_counter()
        stepper.update(step, [batch])
        ended = time.perf_counter()
        if step >= 5:
            totals["batch"] += assembled - begun
            totals["forward"] += stepper.forwarded - assembled
            totals["backward"] += stepper.clipping - stepper.forwarded
            totals["optimiser"] += ended - stepper.clipping
    examples = sum(map(len, block[5:]))
    started = time.perf_counter()
    splits = {name: split.take(torch.arange(min(500, len(split))).numpy()) for name, split in work.prepared.dev.items()}
    store, template = work.prepared.store, work.tokenizer.template
    evaluate(model, store, template, splits, max_length=work.recipe.model.max_length, device=torch.device("cpu"))
    evaluated = sum(map(len, splits.values()))
    rows: list[dict[str, Any]] = [
        {"stage": name, "seconds": round(seconds, 2), "of": f"{sum(map(len, parts))} training rows"}
        for name, seconds in spent.items()
    ]
    rows += [
        {"stage": name, "seconds": round(seconds, 2), "of": f"{examples} examples, batch {arguments.batch_size}"}
        for name, seconds in totals.items()
    ]
    seconds = round(time.perf_counter() - started, 2)
    rows.append({"stage": "evaluation", "seconds": seconds, "of": f"{evaluated} dev examples"})
    print(table(rows, ("stage", "seconds", "of")))
    save("stages", rows)


if __name__ == "__main__":
    main()
