"""The `[training]` table of a recipe."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from manyheads.options import Options, choice
from manyheads.training.optimizer import SHAPES
from manyheads.training.weighting import WEIGHTING
from manyheads.training.weighting.options import WeightingOptions

WEIGHTING_CHOICE = choice(WEIGHTING)


class TrainingOptions(Options):
    """Length of training, optimiser, learning rate, evaluations and checkpoints."""

    epochs: int = Field(default=3, ge=1, description="Number of passes over the training rows of all tasks.")
    max_steps: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of steps (updates of the weights). A lower limit than the steps of all epochs "
        "ends training early, and the learning-rate schedule is computed for the lower number. Default: no limit.",
    )
    learning_rate: float = Field(
        default=5e-5, gt=0, description="Highest learning rate of the AdamW optimiser, reached after warm-up."
    )
    schedule: str = Field(
        default="linear",
        description='How the learning rate changes after warm-up. "constant": it stays. "linear": it falls to 0 in a '
        'straight line. "cosine": it falls to 0 along half a cosine.',
        json_schema_extra={"enum": [*SHAPES]},
    )
    warmup: float = Field(
        default=0.1,
        ge=0,
        le=1,
        description="Fraction of all steps in which the learning rate rises in a straight line to `learning_rate`.",
    )
    weight_decay: float = Field(
        default=0.01,
        ge=0,
        description="Weight decay of AdamW. It applies to weight matrices, not to biases and layer norms.",
    )
    clip_norm: float = Field(
        default=1.0,
        ge=0,
        description="Maximum norm of the gradient. A longer gradient is scaled down to this norm. 0 turns clipping "
        "off.",
    )
    betas: list[Annotated[float, Field(ge=0, lt=1)]] = Field(
        default=[0.9, 0.999],
        min_length=2,
        max_length=2,
        description="Decay rates of the two running means of AdamW: of the gradient and of its square.",
    )
    eps: float = Field(
        default=1e-6, gt=0, description="Small number that AdamW adds to its denominator for numerical stability."
    )
    weighting: Annotated[WeightingOptions, WEIGHTING_CHOICE] = Field(
        default=WeightingOptions(kind="fixed"),
        description="How the losses of the tasks are combined: a name, or a table with `kind` and the options of the "
        'weighting. "fixed": their sum, each multiplied by the `loss_weight` of its task.',
    )
    accumulation: int = Field(
        default=1,
        ge=1,
        description="Number of batches whose gradients are accumulated for one step. The last step of an epoch may "
        "have fewer. Every row of a step counts the same, also in a short batch.",
    )
    early_stopping: int | None = Field(
        default=None,
        ge=1,
        description="Stop training after this number of evaluations without a better average on the dev sets since the "
        "best one. Evaluations whose average is undefined do not count. Default: train for all epochs.",
    )
    evaluate_every: int | None = Field(
        default=None,
        ge=1,
        description="Number of steps between evaluations. Default: evaluate after each epoch. The end of training is "
        "always evaluated.",
    )
    checkpoint_every: int | None = Field(
        default=None,
        ge=1,
        description="Number of steps between checkpoints, in addition to the checkpoint after each evaluation. "
        "Default: only after evaluations.",
    )
    keep: int = Field(
        default=1,
        ge=1,
        description="Number of most recent checkpoints to keep while the run is not finished. A finished run keeps "
        "none.",
    )
