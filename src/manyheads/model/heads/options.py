"""The `head` of a task in a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class HeadOptions(Options):
    """A task's head. `kind` left out: "linear" for one text, "cross" or "b2" for a pair, as it is encoded.

    `dropout` is the task dropout of the reference study.
    """

    kind: str | None = None
    dropout: float = Field(default=0.1, ge=0, lt=1)
