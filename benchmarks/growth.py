"""The training rate by length of texts and number of tasks: `python -m benchmarks.growth`.

Only manyheads is measured, on synthetic texts of common English words, with one text per example, batches of 32 and the
offline encoder.
"""

from __future__ import annotations

import argparse
import statistics
import tempfile
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.machine import matrix_rate, outside_embeddings
from benchmarks.programs.ours import Ours
from benchmarks.record import save, table
from benchmarks.work import load_work

TEXT = """
the of and to in a is that for it as was with be by on not he his but at are this have from or had an time year people
way day man thing woman life child world school state family student group country
"""
WORDS = TEXT.split()
ROWS = 1200


def corpus(folder: Path, tasks: int, words: int, rows: int = ROWS) -> Path:
    """Write a recipe for `tasks` files of random sentences of `words` words with two labels."""
    rng = np.random.default_rng([tasks, words])
    lines = ['encoder = "minilm-offline"', "[model]", "attention_dropout = 0.0", "[batching]", "batch_size = 32"]
    for number in range(tasks):
        content = [f"{' '.join(rng.choice(WORDS, words))},{row % 2}" for row in range(rows)]
        (folder / f"t{number}.csv").write_text("text,label\n" + "\n".join(content) + "\n", encoding="utf-8")
        lines += [f"[tasks.t{number}]", 'kind = "classification"', f'train = "t{number}.csv"', "dev = 0.05"]
        lines += ['text = "text"', 'label = "label"', "labels = [0, 1]"]
    recipe = folder / "recipe.toml"
    recipe.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return recipe


def row(tasks: int, words: int, steps: int) -> dict[str, Any]:
    """Measure the rate for `tasks` tasks with texts of `words` words. It is the median of three rounds."""
    with tempfile.TemporaryDirectory() as folder:
        work = load_work(corpus(Path(folder), tasks, words), [f"data_dir={folder}"])
        ours = Ours(work)
        blocks = work.blocks(steps)
        ours.train(next(blocks)[:5], 0)
        rates, machine = [], []
        for number in range(3):
            block = next(blocks)
            picks = [pick for batch in block for pick in batch]
            machine.append(matrix_rate(0.3))
            seconds = ours.train(block, number)
            rates.append((len(picks) / seconds, sum(work.tokens(picks)) / seconds))
        examples, tokens = (statistics.median(column) for column in zip(*rates, strict=True))
        share = 6 * outside_embeddings(ours.model.encoder.model) * tokens / statistics.median(machine)
    return {
        "tasks": tasks,
        "words": words,
        "tokens per example": round(tokens / examples),
        "examples/s": round(examples, 1),
        "tokens/s": round(tokens),
        "share": round(share, 3),
    }


def main() -> None:
    """Measure, print and save."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=8)
    arguments = parser.parse_args()
    cases = [(1, words) for words in (8, 16, 32, 64, 128, 240)] + [(tasks, 16) for tasks in (3, 10, 30)]
    rows = [row(tasks, words, arguments.steps) for tasks, words in cases]
    print(table(rows, tuple(rows[0])))
    save("growth", rows)


if __name__ == "__main__":
    main()
