"""The menu of kinds."""

from __future__ import annotations

from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression

KINDS: dict[str, type[Kind]] = {kind.name: kind for kind in (Classification, Regression, Ordinal, Multilabel)}
