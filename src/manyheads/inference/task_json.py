"""Tasks as JSON, for the manifest of a bundle or an export."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    TypeAdapter,
    model_validator,
)

from manyheads.plugins import changed_since, load, origins_of, records_of, require_members
from manyheads.run.names import TASK_NAME, TASK_NAMES
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.tasks.task import Task


def task_to_json(task: Task) -> dict[str, Any]:
    """Return a task as JSON values."""
    return {
        "name": task.name,
        "kind": {"name": task.kind.name, **task.kind.space(), **_tuned(task.kind)},
        "text": list(task.text),
        "label": task.label if isinstance(task.label, str) else list(task.label),
        "id": task.id,
        "pair": task.pair,
        "head": task.head,
        "dropout": task.dropout,
        **({"head_options": dict(task.head_options)} if task.head_options else {}),
        "loss": task.loss,
        "form": task.form or next(iter(task.kind.forms)),
        "metric": task.metric,
        **({} if task.group is None else {"group": task.group}),
        **({"metrics": [choice.table for choice in task.metrics]} if task.metrics else {}),
    }


def _tuned(kind: Kind) -> dict[str, Any]:
    return {"tuned": dict(kind.tuned)} if kind.tuned else {}


class KindContent(BaseModel):
    """The kind of a task in a manifest: its name, and the keys of its label space."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
    name: str
    tuned: dict[str, Any] | None = None


class MetricContent(BaseModel):
    """A metric in a manifest. Its other keys are the options of the metric, which only an evaluation reads."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False, extra="allow")
    kind: str


class TaskContent(BaseModel):
    """A task in a manifest. A later version may add keys, so unknown keys are ignored."""

    model_config = ConfigDict(strict=True, allow_inf_nan=False)
    name: str = Field(pattern=f"^(?:{TASK_NAME.pattern})$", description=TASK_NAMES)
    kind: KindContent
    text: list[str] = Field(min_length=1, max_length=3)
    label: str | list[str]
    id: str | None
    pair: Literal["cross", "bi"] | None
    head: str
    dropout: float = Field(ge=0, lt=1)
    head_options: dict[str, Any] = Field(default_factory=dict)
    loss: str
    form: str | None = None
    metric: str
    group: str | None = None
    metrics: list[MetricContent] = Field(default_factory=list)

    @model_validator(mode="after")
    def _pair_fits(self) -> Self:
        kind = KINDS.get(self.kind.name)
        paired = len(self.text) > 1 or (kind is not None and kind.reads == "candidates")
        if paired != (self.pair is not None):
            raise ValueError("a task has `pair` if it has several text columns or candidates, and only then")
        return self


def members_to_json(tasks: Iterable[Task]) -> dict[str, Any]:
    """Return the members of tasks from outside the package, and their plug-ins, for a manifest. Empty if none is."""
    used: list[tuple[str, str]] = []
    for task in tasks:
        used += [("kind", task.kind.name), ("head", task.head), ("loss", task.loss)]
        used += [("metric", choice.kind) for choice in task.metrics]
    origins = origins_of(used)
    return {"members": origins, "plugins": records_of(origins)} if origins else {}


def tasks_of(folder: Path, manifest: Mapping[str, Any], *, heads: bool) -> list[Task]:
    """Return the tasks of a manifest, whose members from outside must be available. No code is imported for them.

    `heads`: whether the heads are needed. Exported graphs contain them.

    Raises:
        PluginError: a kind of task or a head is not available.
        KeyError, ValueError: the manifest has no valid tasks.
    """
    load()
    members = manifest.get("members")
    require_members(members, str(folder), ("kind", "head") if heads else ("kind",))
    tasks = tasks_from_json(manifest["tasks"])
    if members:
        used = [("kind", task.kind.name) for task in tasks] + [("head", task.head) for task in tasks if heads]
        changed, notes = changed_since(manifest.get("plugins"), origins_of(used))
        notes += [f"the plug-in {name} has other code than when the model was trained" for name in changed]
        for note in notes:
            logging.getLogger("manyheads").warning("note: %s: %s", folder, note)
    return tasks


def tasks_from_json(content: object) -> list[Task]:
    """Return the tasks of a manifest.

    Raises:
        ValueError: the content is not a list of tasks, or two tasks have the same name.
    """
    tasks = [_task(each) for each in _TASKS.validate_json(json.dumps(content))]
    if len({task.name for task in tasks}) < len(tasks):
        raise ValueError("two tasks have the same name")
    return tasks


def task_from_json(content: object) -> Task:
    """Return the task that `task_to_json` wrote.

    Raises:
        ValueError: the content is not a task.
    """
    return _task(TaskContent.model_validate_json(json.dumps(content)))


_TASKS = TypeAdapter(Annotated[list[TaskContent], Field(min_length=1)])


def _task(content: TaskContent) -> Task:
    kind = _kind(content.kind)
    return Task(
        name=content.name,
        kind=kind,
        text=tuple(content.text),
        label=content.label if isinstance(content.label, str) else tuple(content.label),
        id=content.id,
        pair=content.pair,
        head=content.head,
        dropout=content.dropout,
        loss=content.loss,
        form=_form(content, kind),
        metric=content.metric,
        group=content.group,
        metrics=tuple(MetricChoice.of(each.model_dump()) for each in content.metrics),
        head_options=content.head_options,
    )


def _form(content: TaskContent, kind: Kind) -> str | None:
    """Return the form of the outputs of a task. Manifests of version 0.4.0 have only the loss."""
    if content.form is None:
        return "logits" if content.loss == "cross_entropy" and "logits" in kind.forms else None
    if content.form not in kind.forms:
        raise ValueError(f"a {kind.name} has no outputs of the form {content.form!r}; it has {', '.join(kind.forms)}")
    return content.form


def _kind(content: KindContent) -> Kind:
    if content.name not in KINDS:
        raise ValueError(f"this version has no kind {content.name!r}; it has {', '.join(KINDS)}")
    kind = KINDS[content.name]
    own = {key: value for key, value in (content.model_extra or {}).items() if key in kind.options.model_fields}
    found = kind.of(kind.options.model_validate_json(json.dumps(own)))
    if found is None:
        raise ValueError(f"a {content.name} has {' and '.join(kind.sample().space())}")
    try:
        return found if content.tuned is None else found.with_tuned(content.tuned)
    except (KeyError, TypeError) as error:
        raise ValueError(f"what was tuned for a {content.name} cannot be read: {error}") from error
