"""The contracts of the members of menus, as functions that tests call for members of their own.

Each function raises an AssertionError that says what is wrong. The tests of manyheads call them for its own members.
"""

from __future__ import annotations

from manyheads.testing.batchings import check_batching
from manyheads.testing.exporters import check_exporter
from manyheads.testing.formats import check_format
from manyheads.testing.heads import check_head
from manyheads.testing.kinds import check_kind
from manyheads.testing.losses import check_loss
from manyheads.testing.metrics import check_metric
from manyheads.testing.trackers import check_tracker
from manyheads.testing.weightings import check_weighting

__all__ = [
    "check_batching",
    "check_exporter",
    "check_format",
    "check_head",
    "check_kind",
    "check_loss",
    "check_metric",
    "check_tracker",
    "check_weighting",
]
