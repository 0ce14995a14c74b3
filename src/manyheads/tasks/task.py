"""Task: what is predicted from which text columns, and how."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from manyheads.tasks.kind import Kind
from manyheads.tasks.metric_choice import MetricChoice

Pairing = Literal["cross", "bi"]


@dataclass(frozen=True)
class Task:
    """A task: its kind, columns, label space, pair encoding, head, loss and metric.

    `text`: the text columns; those of a kind that reads candidates are joined to one context.
    `label`: the label column, or the columns of several labels; () for a kind without labels. `pair`: None for one text
    column. For several columns, "cross" puts both texts into one sequence and "bi" encodes each in its own sequence.
    `group`: the column of what the examples belong to. `metric`: the name of the primary metric in results. `metrics`:
    metrics with options, and metrics that are computed in addition to those of the kind. `form`: the form of the head's
    outputs, which the loss trains. Default: the first one of the kind. `head_options`: the options that
    only the head has.
    """

    name: str
    kind: Kind
    text: tuple[str, ...]
    label: str | tuple[str, ...]
    id: str | None
    pair: Pairing | None
    head: str
    dropout: float
    loss: str
    metric: str
    group: str | None = None
    metrics: tuple[MetricChoice, ...] = ()
    form: str | None = None
    head_options: Mapping[str, Any] = field(default_factory=dict, hash=False)

    @property
    def label_columns(self) -> tuple[str, ...]:
        """The columns with the labels: one, one per label, or none."""
        return (self.label,) if isinstance(self.label, str) else self.label

    @property
    def outputs(self) -> int:
        """The number of outputs that the task's head has per example."""
        forms = self.kind.forms
        return next(iter(forms.values())) if self.form is None else forms[self.form]

    @property
    def encoding(self) -> Literal["single", "cross", "bi", "tokens"]:
        """What the head reads: a pair as it is encoded, the vector of one text, or that of each word's first token."""
        return self.pair or ("tokens" if self.kind.reads == "tokens" else "single")

    @property
    def sequences(self) -> int:
        """The number of sequences per example: one per text if they are bi-encoded, otherwise 1."""
        if self.pair != "bi":
            return 1
        return 2 if self.kind.reads == "candidates" else len(self.text)

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns that predictions read: the text columns, and those with candidates."""
        return (*self.text, *self.kind.input_columns)

    @property
    def predicting(self) -> Task:
        """The task as predictions read it, without the text columns that only training reads."""
        return replace(self, text=self.text[: self.kind.read_texts])
