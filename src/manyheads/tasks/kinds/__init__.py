"""The menu of kinds."""

from __future__ import annotations

from manyheads.menu import Menu, require
from manyheads.options import Options
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.embedding import TextEmbedding
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.kinds.words import WordTags

NEEDED = ("noun", "summary", "options", "target")
"""Class attributes without a default."""


def _check(kind: type[Kind]) -> None:
    lacking = [*sorted(kind.__abstractmethods__), *(name for name in NEEDED if not hasattr(kind, name))]
    require(not lacking, f"it lacks {', '.join(lacking)}")
    require(issubclass(kind.options, Options), "options is not a subclass of Options")
    undescribed = [key for key, field in kind.options.model_fields.items() if not field.description]
    require(not undescribed, f"keys without a description: {', '.join(undescribed)}")
    sample = kind.sample()
    require(bool(sample.metrics), "it has no metrics")
    require(kind.of(kind.options.model_validate(sample.space())) == sample, "of(space()) is not the same kind")


KINDS: Menu[type[Kind]] = Menu(
    "kind of task", (Classification, Regression, Ordinal, WordTags, Multilabel, TextEmbedding, Choice), _check
)
