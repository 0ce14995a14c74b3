"""The model card of a bundle: tasks, data, metrics, limits and licence."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from manyheads.inference.sentence_modules import cosine_task
from manyheads.plugins import MAIN, VARIABLE, menu_of, origins_of
from manyheads.tasks.task import Task
from manyheads.tasks.written import fixed, markdown, markdown_code


@dataclass(frozen=True)
class TaskFiles:
    """The training and dev file of a task, as named in the recipe, and their numbers of examples."""

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
    untested: str | None = None,
) -> str:
    """Return the text of a README.md for the hub.

    Args:
        tasks: the tasks of the model.
        evaluation: an entry of results.json, with `epoch`, `tasks` and `intervals`.
        encoder: `name`, `revision` and `sha256` of the encoder.
        data: files and numbers of examples by task.
        max_length: longest sequence in tokens.
        licence: the licence that the encoder's model card names, if any.
        untested: the encoder's architecture, if it was never tried with manyheads.
    """
    name = markdown_code(str(encoder["name"]))
    lines = [
        *_front_matter(tasks, evaluation, encoder, data, licence),
        "",
        "# One encoder, " + (f"{len(tasks)} tasks" if len(tasks) > 1 else "one task"),
        "",
        f"Fine-tuned with manyheads from {name} (weights SHA-256 `{encoder['sha256']}`).",
        "",
        "```python",
        "import manyheads",
        "",
        'model = manyheads.load("FOLDER")',
        f"print(model.predict({tasks[0].name!r}, [{_example(tasks[0])}]))",
        "```",
        "",
        *_plugins(tasks),
        "transformers loads the encoder from the same folder.",
        *_sentence_transformers(tasks),
        "",
        "## Tasks",
        "",
        "| task | prediction | reads | head |",
        "|---|---|---|---|",
        *(f"| {task.name} | {task.kind.described()} | {_columns(task)} | {task.head} |" for task in tasks),
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
        "The intervals cover the sampling variance of the dev examples. They do not cover seed variance.",
        "",
        *_limits(max_length, tasks),
        *_untested(untested),
        "",
        *_licence(licence),
        "",
    ]
    return "\n".join(lines)


def encoder_licence(folder: Path) -> str | None:
    """Return the licence named in the front matter of an encoder's README.md, or None."""
    card = folder / "README.md"
    if not card.is_file():
        return None
    front_matter = re.match(r"---\n(.*?)\n---", card.read_text(encoding="utf-8", errors="replace"), flags=re.DOTALL)
    named = (
        None
        if front_matter is None
        else re.search(r"^license:\s*[\"']?([\w.+-]+)", front_matter[1], flags=re.MULTILINE)
    )
    return None if named is None else named[1]


def _front_matter(
    tasks: Sequence[Task],
    evaluation: Mapping[str, Any],
    encoder: Mapping[str, object],
    data: Mapping[str, TaskFiles],
    licence: str | None,
) -> list[str]:
    """Return the YAML front matter for the hub. Names are written as JSON strings, which are valid YAML."""
    lines = ["---", "library_name: manyheads"]
    if encoder["revision"] is not None:  # the encoder came from the hub, so its name is a hub id
        lines.append(f"base_model: {json.dumps(encoder['name'])}")
    if licence:
        lines.append(f"license: {licence}")
    lines += ["tags:", "- multi-task", "model-index:", "- name: manyheads", "  results:"]
    for task in tasks:
        kind = task.kind.hub_task
        name = json.dumps(Path(data[task.name].dev).name)
        lines += [
            f"  - task: {{type: {kind}, name: {json.dumps(task.name)}}}",
            f"    dataset: {{type: dev, name: {name}}}",
        ]
        known = {name: value for name, value in evaluation["tasks"][task.name].items() if value is not None}
        lines.append("    metrics:" if known else "    metrics: []")
        lines += [f"    - {{type: {name}, value: {value:.6g}}}" for name, value in known.items()]
    return [*lines, "---"]


def _limits(max_length: int, tasks: Sequence[Task]) -> list[str]:
    tagged = [markdown(task.name) for task in tasks if task.kind.reads == "tokens"]
    longer = "Longer texts are truncated, the longer text of a pair first."
    if tagged:
        longer += f" For {', '.join(tagged)}, they are read in overlapping windows."
    return [
        "## Limits",
        "",
        "- The epoch was chosen on the same dev data, so the metrics are optimistic. They were measured with one seed",
        "  and do not describe other seeds, or texts that differ from the training data.",
        f"- A sequence has at most {max_length} tokens. {longer}",
        "- The probabilities are not calibrated. The model always predicts, also for texts that no label fits.",
        "- The model supports the languages of its encoder. It can repeat biases of the encoder and the training data.",
    ]


def _untested(architecture: str | None) -> list[str]:
    if architecture is None:
        return []
    return [f"- The encoder's architecture, {architecture}, was never tried with manyheads (`model.untested = true`)."]


def _licence(named: str | None) -> list[str]:
    return [
        "## Licence",
        "",
        f"The model card of the encoder names the licence {named}."
        if named
        else "The encoder does not state its licence. Check its origin before you distribute this model.",
        "The heads and the fine-tuned weights belong to whoever trained them, subject to the licences of the data.",
    ]


def _plugins(tasks: Sequence[Task]) -> list[str]:
    """Return a paragraph about the code that the kinds and heads of the tasks need and a bundle does not have."""
    used = [member for task in tasks for member in (("kind", task.kind.name), ("head", task.head))]
    origins = origins_of(used)
    if not origins:
        return []
    members = [
        f"the {menu_of(key).noun} `{name}` ({'a program' if origin == MAIN else markdown_code(origin)})"
        for key, found in origins.items()
        for name, origin in found.items()
    ]
    return [
        f"The model needs code that is not in this folder: {', '.join(members)}. Import these files before `load`, or",
        f"name them in `{VARIABLE}` or with `--plugin`. Packages only need to be installed.",
        "",
    ]


def _sentence_transformers(tasks: Sequence[Task]) -> list[str]:
    if all(task.sequences == 1 for task in tasks):
        return []
    mapped = cosine_task(tasks)
    vectors = "the vectors that the bi-encoded heads read"
    if mapped is not None:
        vectors = f"vectors whose cosine is the prediction of {mapped}"
        if next(task for task in tasks if task.name == mapped).kind.unit:
            vectors += ", before it is scaled to its range"
    return [f"sentence-transformers loads it, too: `SentenceTransformer(FOLDER)` returns {vectors}."]


def _example(task: Task) -> str:
    if task.kind.reads == "candidates":
        return '["A text.", "A candidate.", "Another candidate."]'
    return '"A text."' if len(task.text) == 1 else '["A text.", "Another."]'


def _columns(task: Task) -> str:
    return " + ".join(map(markdown, task.columns))


def _data_row(task: Task, data: TaskFiles) -> str:
    names = [markdown_code(Path(name).name) for name in (data.train, data.dev)]
    return f"| {task.name} | {names[0]} | {data.train_examples:,} | {names[1]} | {data.dev_examples:,} |"


def _result_rows(task: Task, evaluation: Mapping[str, Any]) -> list[str]:
    rows = []
    for metric, value in evaluation["tasks"][task.name].items():
        bounds = evaluation["intervals"][task.name][metric]
        shown = "undefined" if value is None else fixed(value, 4)
        interval = "" if bounds is None else f"{fixed(bounds[0], 4)} to {fixed(bounds[1], 4)}"
        rows.append(f"| {task.name} | {metric} | {shown} | {interval} |")
    return rows
