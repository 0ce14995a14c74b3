"""Joint batches against separate ones: `python -m benchmarks.streams`.

Two classification tasks read the same synthetic rows. `--recipe` takes the tasks of a recipe instead:
`--recipe recipes/more/atis.toml --set data_dir=FOLDER_OF_JOINTBERT/data/atis`. In each round, both forms train on the
same number of labels, one after the other. The ratio is the median over rounds of the ratio within a round. An example
is a row with one label.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import save, table
from manyheads.data.batching import build_batching
from manyheads.recipe.build import (
    Steps,
    build_model,
    make_optimizer,
    make_steps,
    open_encoder,
    resolve_recipe,
    use_threads,
)
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks, tokenise_tasks

TASK = """
[tasks.{name}]
kind = "classification"
train = "rows.csv"
dev = 0.1
text = "text"
label = "{name}"
"""

COLUMNS = ("data", "encoder", "batch", "joint examples/s", "separate examples/s", "ratio", "low", "high")

WARM = 3
"""Steps before the measurement."""


def write(folder: Path, encoder: str, rows: int, words: int) -> Path:
    """Write the rows and the recipe. A text has `words` words on average."""
    rng = np.random.default_rng(0)
    vocabulary = ["the", "a", "of", "and", "good", "bad", "film", "story", "this", "that", "it", "was", "not", "very"]
    lines = ["text,mood,topic"]
    for row in range(rows):
        text = " ".join(rng.choice(vocabulary, size=max(3, int(rng.poisson(words)))))
        lines.append(f"{text} {row},m{rng.integers(3)},t{rng.integers(5)}")
    (folder / "rows.csv").write_text("\n".join(lines) + "\n")
    file = folder / "recipe.toml"
    file.write_text(f'encoder = "{encoder}"\n' + "".join(TASK.format(name=name) for name in ("mood", "topic")))
    return file


@dataclass
class Form:
    """One form of training, with the number of the next step."""

    steps: Steps
    step: int = 0

    def rate(self, labels: int) -> float:
        """Train until `labels` labels were used. Return the labels per second."""
        used, started = 0, time.perf_counter()
        while used < labels:
            batch = self.steps.batch(self.step)
            self.steps.stepper.advance(self.step, [batch])
            used += batch.examples
            self.step += 1
        self.steps.stepper.wait()
        return used / (time.perf_counter() - started)


def form_of(file: Path, changes: list[str], streams: str, batch_size: int) -> Form:
    """Prepare one form of training."""
    own = [f"batching.streams={streams}", f"batching.batch_size={batch_size}", "threads=1"]
    recipe = load_recipe(file, [*changes, *own])
    data = read_tasks(recipe, lambda *_, **__: None)
    recipe = resolve_recipe(recipe, [each.task for each in data], use_threads(recipe))
    source, tokenizer = open_encoder(recipe)
    prepared = tokenise_tasks(data, tokenizer)
    model = build_model(recipe, source, prepared.tasks)
    sizes = {name: len(stream) for name, stream in prepared.streams.items()}
    batching = build_batching(recipe.batching.strategy, sizes, batch_size, recipe.seed)
    length = min(recipe.model.max_length, model.encoder.max_length)
    optimizer = make_optimizer(recipe, model)
    return Form(make_steps(recipe, model, optimizer, prepared, tokenizer.template, length, batching))


def measure(file: Path, changes: list[str], batch_size: int, rounds: int, labels: int) -> dict[str, Any]:
    """Measure both forms of a recipe in turns."""
    forms = {streams: form_of(file, changes, streams, batch_size) for streams in ("joint", "separate")}
    for form in forms.values():
        form.rate(WARM * batch_size)
    rates = [{streams: form.rate(labels) for streams, form in forms.items()} for _ in range(rounds)]
    ratios = sorted(each["joint"] / each["separate"] for each in rates)
    return {
        "batch": batch_size,
        "joint examples/s": round(statistics.median(each["joint"] for each in rates), 1),
        "separate examples/s": round(statistics.median(each["separate"] for each in rates), 1),
        "ratio": round(statistics.median(ratios), 3),
        "low": round(ratios[0], 3),
        "high": round(ratios[-1], 3),
        "rounds": rates,
    }


def main() -> None:
    """Measure the encoders, print a table and save it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--encoders", nargs="+", default=["minilm-offline"], help="names or folders of encoders")
    parser.add_argument("--batch", type=int, default=32, help="rows per batch")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--labels", type=int, default=512, help="labels per round and form")
    parser.add_argument("--words", type=int, default=12, help="mean number of words of a text")
    parser.add_argument("--recipe", type=Path, help="a recipe in place of the synthetic rows")
    parser.add_argument(
        "--set", action="append", default=[], metavar="KEY=VALUE", help="override a value of the recipe"
    )
    parser.add_argument("--out", default="streams")
    own = parser.parse_args()
    if own.recipe is not None:
        recipe = load_recipe(own.recipe, own.set)
        named = {"data": own.recipe.stem, "encoder": recipe.encoder}
        rows = [{**named, **measure(own.recipe, own.set, own.batch, own.rounds, own.labels)}]
    else:
        with tempfile.TemporaryDirectory() as name:
            rows = [
                {
                    "data": f"{own.words} words",
                    "encoder": Path(each).name,
                    **measure(write(Path(name), each, 2000, own.words), [], own.batch, own.rounds, own.labels),
                }
                for each in own.encoders
            ]
    print(table(rows, COLUMNS), flush=True)
    save(own.out, rows)


if __name__ == "__main__":
    main()
