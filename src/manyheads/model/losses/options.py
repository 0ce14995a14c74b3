"""The `loss` of a task in a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class LossOptions(Options):
    """The training loss of a task."""

    kind: str = Field(description="The name of the loss.")
