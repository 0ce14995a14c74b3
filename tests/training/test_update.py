"""The loss of an update does not depend on how the update is divided into batches and processes."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file
from tests.training.test_distributed import ended, torchrun

import manyheads
from manyheads.run.events import read_events

TASKS = ("a", "b")

RECIPE = """
encoder = "{encoder}"
threads = 1

{tasks}
[model]
dropout = 0.0
attention_dropout = 0.0

[batching]
strategy = "sequential"

[training]
epochs = 1
learning_rate = 1e-3
warmup = 0.0
"""

TASK = """
[tasks.{name}]
kind = "classification"
train = "{name}.tsv"
dev = "{name}.tsv.dev.tsv"
text = "text"
label = "label"
labels = [0, 1, 2]
loss_weight = {weight}
head = {{ kind = "linear", dropout = 0.0 }}
"""

WORDS = ["the", "a", "of", "and", "good", "bad", "film", "story", "this", "that"]


def write_recipe(folder: Path, encoder: Path, rows: Sequence[int]) -> Path:
    """Write a recipe with one task for each number of training rows."""
    tables = []
    for name, count, weight in zip(TASKS, rows, (1.0, 0.5), strict=False):
        lines = [f"{WORDS[row % 10]} {WORDS[(row * 7) % 9]} {name}{row}\t{row * row % 3}" for row in range(count)]
        (folder / f"{name}.tsv").write_text("\n".join(["text\tlabel", *lines]) + "\n")
        (folder / f"{name}.tsv.dev.tsv").write_text("text\tlabel\nthe film\t0\nthe story\t1\nbad\t2\n")
        tables.append(TASK.format(name=name, weight=weight))
    file = folder / "recipe.toml"
    file.write_text(RECIPE.format(encoder=encoder, tasks="".join(tables)))
    return file


def changes(batch_size: int, accumulation: int) -> list[str]:
    return [f"batching.batch_size={batch_size}", f"training.accumulation={accumulation}"]


def update_of(run: Path) -> tuple[dict[str, float], float]:
    (step,) = (event for event in read_events(run / "events.jsonl") if event["event"] == "step")
    return step["losses"], step["gradient_norm"]  # type: ignore[return-value]


def assert_same_update(one: Path, other: Path) -> None:
    (losses, norm), (other_losses, other_norm) = update_of(one), update_of(other)
    assert other_losses == pytest.approx(losses, rel=1e-5)
    assert other_norm == pytest.approx(norm, rel=1e-4)
    for name in ("heads", "model"):
        weights = load_file(one / "model" / f"{name}.safetensors")
        for key, tensor in load_file(other / "model" / f"{name}.safetensors").items():
            if "key.bias" not in key:  # its gradient is zero but for rounding
                torch.testing.assert_close(tensor, weights[key], rtol=1e-3, atol=2e-5, msg=key)


def train(recipe: Path, name: str, batch_size: int, accumulation: int) -> Path:
    folder = recipe.parent / name
    return manyheads.train(recipe, folder, changes=changes(batch_size, accumulation)).folder.path


@pytest.mark.parametrize(("batch_size", "accumulation"), [(8, 2), (4, 3), (2, 5), (1, 9)])
def test_a_short_last_batch_weighs_its_rows_and_not_more(
    batch_size: int, accumulation: int, tiny_encoder: Path, tmp_path: Path
) -> None:
    recipe = write_recipe(tmp_path, tiny_encoder, [9])
    whole = train(recipe, "whole", 16, 1)
    assert_same_update(whole, train(recipe, "parts", batch_size, accumulation))


def test_tasks_share_an_update_by_their_rows(tiny_encoder: Path, tmp_path: Path) -> None:
    """With 9 and 3 rows, the loss is 9/12 of the mean of one task and 3/12 of the other's, times their weights."""
    recipe = write_recipe(tmp_path, tiny_encoder, [9, 3])
    runs = {size: train(recipe, f"size{size}", size, count) for size, count in ((16, 2), (4, 4), (2, 7), (1, 12))}
    for size in (4, 2, 1):
        assert_same_update(runs[16], runs[size])


@pytest.mark.usefixtures("forked_commands")
@pytest.mark.parametrize("rows", [[9], [9, 3]])
def test_processes_make_the_same_update(rows: list[int], tiny_encoder: Path, tmp_path: Path) -> None:
    recipe = write_recipe(tmp_path, tiny_encoder, rows)
    alone = train(recipe, "alone", 8, 3)
    output = ended(process := torchrun(2, recipe, tmp_path / "two", *changes(8, 3)))
    assert process.returncode == 0, output
    assert_same_update(alone, tmp_path / "two")
