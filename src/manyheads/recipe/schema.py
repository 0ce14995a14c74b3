"""Recipe: everything that decides one run, typed."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BeforeValidator, Field

from manyheads.data.batching.options import BatchingOptions
from manyheads.model.heads.options import HeadOptions
from manyheads.model.options import ModelOptions
from manyheads.options import Options
from manyheads.pretraining.options import PretrainingOptions
from manyheads.training.options import TrainingOptions


def _listed(value: Any) -> Any:
    """One column may be written without brackets."""
    return [value] if isinstance(value, str) else value


def _head_table(value: Any) -> Any:
    """A head may be written as its kind alone."""
    return {"kind": value} if isinstance(value, str) else value


def _none_of_none(value: PretrainingOptions | None) -> PretrainingOptions | None:
    """No epochs of pretraining are no pretraining: the same recipe as one that says nothing of it."""
    return None if value is not None and value.epochs == 0 else value


class TaskOptions(Options):
    """One task: `[tasks.NAME]`.

    `dev` is a file, or the share of the training rows to hold out. `labels` left out are those that stand in the
    training file; `range` left out is that of the training labels. `pair` is "cross" or "bi" for two text columns.
    `train_rows`, `dev_rows`: use so many rows at most, drawn once with a fixed seed: the same for every run.
    """

    kind: Literal["classification", "regression"]
    train: str
    dev: str | Annotated[float, Field(gt=0, lt=1)]
    test: str | None = None
    text: Annotated[list[str], BeforeValidator(_listed), Field(min_length=1, max_length=2)]
    label: str
    id: str | None = None
    labels: list[str | int | float | bool] | None = None
    range: list[float] | None = Field(default=None, min_length=2, max_length=2)
    pair: Literal["cross", "bi"] | None = None
    head: Annotated[HeadOptions, BeforeValidator(_head_table)] = HeadOptions()
    loss: str | None = None
    metric: str | None = None
    train_rows: int | None = Field(default=None, ge=1)
    dev_rows: int | None = Field(default=None, ge=2)
    loss_weight: float = Field(default=1.0, ge=0)
    class_weights: list[float] | None = None
    on_bad_rows: Literal["error", "skip"] = "error"


class Recipe(Options):
    """Everything that decides one run. `threads` left out: all cores at hand, written into the run's own recipe."""

    encoder: str
    seed: int = Field(default=1, ge=0, lt=2**63)
    threads: int | None = Field(default=None, ge=1)
    device: Literal["auto", "cpu", "cuda"] = "auto"
    precision: Literal["auto", "float32", "bfloat16"] = "auto"
    data_dir: str = "."
    score: Literal["course"] | None = Field(
        default=None,
        description='"course" also computes `course_score`, the average that the course of the reference study uses. '
        "In it, a correlation r (pearson or spearman) counts as (r + 1) / 2. Default: only the plain average.",
    )
    tasks: dict[str, TaskOptions] = Field(min_length=1)
    model: ModelOptions = ModelOptions()
    batching: BatchingOptions = BatchingOptions()
    training: TrainingOptions = TrainingOptions()
    pretraining: Annotated[PretrainingOptions | None, AfterValidator(_none_of_none)] = None
