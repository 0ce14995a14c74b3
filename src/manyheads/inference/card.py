"""The model card of a bundle: what it answers, how well, and from which encoder."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from manyheads.tasks.task import Task


def model_card(tasks: Sequence[Task], evaluation: Mapping[str, Any], encoder: Mapping[str, object]) -> str:
    """A README.md for the hub. `evaluation` is an entry of results.json: `epoch` and every task's metrics on dev."""
    lines = [
        "---",
        "library_name: manyheads",
        f"base_model: {encoder['name']}",
        "---",
        "",
        "# One encoder, " + (f"{len(tasks)} tasks" if len(tasks) > 1 else "one task"),
        "",
        f"Fine-tuned with manyheads from `{encoder['name']}` (weights SHA-256 `{encoder['sha256']}`).",
        "Load it with `manyheads.load(FOLDER)`; the encoder alone loads in transformers as it is.",
        "",
        f"## Results on the dev data (epoch {evaluation['epoch']})",
        "",
        "| task | question | head | metrics |",
        "|---|---|---|---|",
    ]
    lines += [_row(task, evaluation["tasks"][task.name]) for task in tasks]
    lines += [
        "",
        "The epoch was chosen on these same dev data, so the figures are somewhat optimistic. One seed: nothing",
        "follows from them about other seeds.",
        "",
    ]
    return "\n".join(lines)


def _row(task: Task, metrics: Mapping[str, float | None]) -> str:
    labels, value_range = task.kind.labels, task.kind.value_range
    if labels is not None:
        question = f"{len(labels)} classes of {' + '.join(task.text)}"
    else:
        low, high = value_range or (0.0, 1.0)
        question = f"{low:g} to {high:g} for {' + '.join(task.text)}"
    shown = ", ".join(f"{name} {'undefined' if value is None else f'{value:.4f}'}" for name, value in metrics.items())
    return f"| {task.name} | {question} | {task.head} | {shown} |"
