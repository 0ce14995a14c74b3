"""The `[model]` table of a recipe."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from manyheads.options import Options


class ModelOptions(Options):
    """How the encoder is read and regularised.

    `pooling`: "auto" is the checkpoint's own pooler where it has one, else the first token. `max_length`: tokens a
    sequence, special ones counted, at most what the encoder has positions for. Dropouts left out are the
    checkpoint's. `freeze_encoder`: only the heads are trained.
    """

    pooling: Literal["auto", "pooler", "first", "mean"] = "auto"
    max_length: int = Field(default=256, ge=4)
    dropout: float | None = Field(default=None, ge=0, lt=1)
    attention_dropout: float | None = Field(default=None, ge=0, lt=1)
    freeze_encoder: bool = False
