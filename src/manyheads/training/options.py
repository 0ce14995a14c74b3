"""The `[training]` table of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from manyheads.options import Options


class TrainingOptions(Options):
    """How long, how fast and how carefully to train.

    `max_steps` ends the run early, schedule included. `warmup` is the share of all steps in which the rate rises.
    `clip_norm` 0 means no clipping. `accumulation`: batches an update. `early_stopping`: evaluations without a better
    average before the run ends. `evaluate_every` and `checkpoint_every`: steps; left out, each epoch and after each
    evaluation. `keep`: checkpoints that stay while the run goes on.
    """

    epochs: int = Field(default=3, ge=1)
    max_steps: int | None = Field(default=None, ge=1)
    learning_rate: float = Field(default=5e-5, gt=0)
    schedule: str = "linear"
    warmup: float = Field(default=0.1, ge=0, le=1)
    weight_decay: float = Field(default=0.01, ge=0)
    clip_norm: float = Field(default=1.0, ge=0)
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(default=[0.9, 0.999], min_length=2, max_length=2)
    eps: float = Field(default=1e-6, gt=0)
    weighting: str = "fixed"
    accumulation: int = Field(default=1, ge=1)
    early_stopping: int | None = Field(default=None, ge=1)
    evaluate_every: int | None = Field(default=None, ge=1)
    checkpoint_every: int | None = Field(default=None, ge=1)
    keep: int = Field(default=1, ge=1)
