"""The model card of a bundle: what it answers, how well and on what, where it ends, and whose encoder it is."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.inference.sentence_modules import cosine_task
from manyheads.tasks.task import Task


@dataclass(frozen=True)
class TaskFiles:
    """What a task was trained and measured on: names of files as the recipe has them, and their examples."""

    train: str
    train_examples: int
    dev: str
    dev_examples: int


def model_card(
    tasks: Sequence[Task],
    evaluation: Mapping[str, Any],
    encoder: Mapping[str, object],
    data: Mapping[str, TaskFiles],
    *,
    max_length: int,
    licence: str | None,
) -> str:
    """A README.md for the hub. `evaluation` is an entry of results.json: `epoch`, all metrics and their intervals.

    `licence`: of the encoder, as its own card names it; None where it names none.
    """
    lines = [
        *_front_matter(tasks, evaluation, encoder, data, licence),
        "",
        "# One encoder, " + (f"{len(tasks)} tasks" if len(tasks) > 1 else "one task"),
        "",
        f"Fine-tuned with manyheads from `{encoder['name']}` (weights SHA-256 `{encoder['sha256']}`).",
        "",
        "```python",
        "import manyheads",
        "",
        'model = manyheads.load("FOLDER")',
        f"print(model.predict({tasks[0].name!r}, [{_example(tasks[0])}]))",
        "```",
        "",
        "The encoder alone loads in transformers as it is.",
        *_sentence_transformers(tasks),
        "",
        "## What it answers",
        "",
        "| task | answer | reads | head |",
        "|---|---|---|---|",
        *(f"| {task.name} | {_answer(task)} | {' + '.join(task.text)} | {task.head} |" for task in tasks),
        "",
        "## Data",
        "",
        "| task | train | examples | dev | examples |",
        "|---|---|---|---|---|",
        *(_data_row(task, data[task.name]) for task in tasks),
        "",
        f"## Results on the dev data (epoch {evaluation['epoch']:g})",
        "",
        "| task | metric | value | 95% interval |",
        "|---|---|---|---|",
        *(row for task in tasks for row in _result_rows(task, evaluation)),
        "",
        "The intervals hold the chance of these examples alone.",
        "",
        *_limits(max_length),
        "",
        *_licence(licence),
        "",
    ]
    return "\n".join(lines)


def encoder_licence(folder: Path) -> str | None:
    """The licence that the card (README.md) of an encoder names at its top, or None."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    found = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), flags=re.DOTALL)
    named = None if found is None else re.search(r"^license:\s*[\"']?([\w.+-]+)", found[1], flags=re.MULTILINE)
    return None if named is None else named[1]


def _front_matter(
    tasks: Sequence[Task],
    evaluation: Mapping[str, Any],
    encoder: Mapping[str, object],
    data: Mapping[str, TaskFiles],
    licence: str | None,
) -> list[str]:
    """The hub's YAML. JSON strings are YAML strings, whatever a name holds."""
    lines = ["---", "library_name: manyheads"]
    if encoder["revision"] is not None:  # it came from the hub, so its name is the hub's
        lines.append(f"base_model: {json.dumps(encoder['name'])}")
    if licence:
        lines.append(f"license: {licence}")
    lines += ["tags:", "- multi-task", "model-index:", "- name: manyheads", "  results:"]
    for task in tasks:
        kind = "text-classification" if task.kind.labels is not None else "sentence-similarity"
        name = json.dumps(Path(data[task.name].dev).name)
        lines += [
            f"  - task: {{type: {kind}, name: {json.dumps(task.name)}}}",
            f"    dataset: {{type: dev, name: {name}}}",
        ]
        known = {name: value for name, value in evaluation["tasks"][task.name].items() if value is not None}
        lines.append("    metrics:" if known else "    metrics: []")
        lines += [f"    - {{type: {name}, value: {value:.6g}}}" for name, value in known.items()]
    return [*lines, "---"]


def _limits(max_length: int) -> list[str]:
    return [
        "## Limits",
        "",
        "- The epoch was chosen on these same dev data, so the figures are somewhat optimistic. One seed: nothing",
        "  follows from them about other seeds, and nothing about texts unlike the training data.",
        f"- A sequence holds {max_length} tokens; what is longer is cut, a pair on its longer side first.",
        "- Probabilities are the model's own and were not calibrated. It always answers, whatever it is asked.",
        "- It has its encoder's language, and whatever the encoder and the training data have of prejudice.",
    ]


def _licence(named: str | None) -> list[str]:
    return [
        "## Licence",
        "",
        f"The encoder's own card names {named}."
        if named
        else "The encoder came without a statement of its licence: ask where it came from before passing it on.",
        "The heads and the changed weights belong to whoever trained them, as far as their data allow.",
    ]


def _sentence_transformers(tasks: Sequence[Task]) -> list[str]:
    if all(task.sequences == 1 for task in tasks):
        return []
    mapped = cosine_task(tasks)
    what = "the vector that the bi-encoded heads read"
    if mapped is not None:
        what = f"vectors whose cosine is the answer to {mapped}, before it is put into its range"
    return [f"`SentenceTransformer(FOLDER)` reads it too, and gives {what}."]


def _example(task: Task) -> str:
    return '"A text."' if len(task.text) == 1 else '["A text.", "Another."]'


def _answer(task: Task) -> str:
    labels, value_range = task.kind.labels, task.kind.value_range
    if labels is not None:
        shown = ", ".join(f"`{label}`" for label in labels[:8])
        return f"one of {len(labels)}: {shown}{', ...' if len(labels) > 8 else ''}"
    low, high = value_range or (0.0, 1.0)
    return f"a value from {low:g} to {high:g}"


def _data_row(task: Task, data: TaskFiles) -> str:
    names = [f"`{Path(name).name}`" for name in (data.train, data.dev)]
    return f"| {task.name} | {names[0]} | {data.train_examples:,} | {names[1]} | {data.dev_examples:,} |"


def _result_rows(task: Task, evaluation: Mapping[str, Any]) -> list[str]:
    rows = []
    for metric, value in evaluation["tasks"][task.name].items():
        bounds = evaluation["intervals"][task.name][metric]
        shown = "undefined" if value is None else f"{value:.4f}"
        interval = "" if bounds is None else f"{bounds[0]:.4f} to {bounds[1]:.4f}"
        rows.append(f"| {task.name} | {metric} | {shown} | {interval} |")
    return rows
