"""Tasks, and the menu of their kinds."""

from __future__ import annotations

from manyheads.tasks.classification import Classification
from manyheads.tasks.regression import Regression

KINDS = {"classification": Classification, "regression": Regression}
