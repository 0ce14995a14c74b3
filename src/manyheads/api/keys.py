"""The keys of recipes and studies as types.

`python -m manyheads.studies.json_schema` writes this file.
"""

# fmt: off

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Required, TypedDict, Unpack

from manyheads.api.values import Files, Integer, Number, Path_, Rows, Table

if TYPE_CHECKING:
    from manyheads.api.recipe import Recipe, Task


class ModelKeys(TypedDict, total=False):
    """The keywords of `Model`."""

    pooling: Literal["auto", "pooler", "first", "mean"]
    max_length: Integer
    dropout: Number | None
    attention_dropout: Number | None
    untested: bool
    freeze_encoder: bool


class ModelOptions(Table):
    """How the encoder is used and regularised."""

    def __init__(self, **keys: Unpack[ModelKeys]) -> None:
        super().__init__(**keys)


class BatchingKeys(TypedDict, total=False):
    """The keywords of `Batching`."""

    strategy: str | Mapping[str, Any]
    streams: Literal["joint", "separate"]
    batch_size: Integer


class BatchingOptions(Table):
    """How the training rows of all tasks are divided into batches."""

    def __init__(self, **keys: Unpack[BatchingKeys]) -> None:
        super().__init__(**keys)


class TrainingKeys(TypedDict, total=False):
    """The keywords of `Training`."""

    epochs: Integer
    max_steps: Integer | None
    learning_rate: Number
    schedule: str
    warmup: Number
    weight_decay: Number
    clip_norm: Number
    betas: Sequence[Number]
    eps: Number
    weighting: str | Mapping[str, Any]
    accumulation: Integer
    early_stopping: Integer | None
    evaluate_every: Integer | None
    checkpoint_every: Integer | None
    keep: Integer


class TrainingOptions(Table):
    """Length of training, optimiser, learning rate, evaluations and checkpoints."""

    def __init__(self, **keys: Unpack[TrainingKeys]) -> None:
        super().__init__(**keys)


class PretrainingKeys(TypedDict, total=False):
    """The keywords of `Pretraining`."""

    epochs: Integer
    batch_size: Integer
    learning_rate: Number
    eps: Number
    schedule: str
    warmup: Number
    clip_norm: Number
    weight_decay: Number
    max_length: Integer
    min_characters: Integer
    masking: Literal["whole_word", "subword"]
    mask_share: Number
    replace_share: Number
    random_share: Number
    deduplicate: bool
    files: Sequence[str]
    seed: Integer
    head_epochs: Integer
    head_learning_rate: Number
    checkpoint_every: Integer


class PretrainingOptions(Table):
    """Masked language modelling on the training texts of the tasks. The defaults are those of the reference study."""

    def __init__(self, **keys: Unpack[PretrainingKeys]) -> None:
        super().__init__(**keys)


class TaskKeys(TypedDict, total=False):
    """The keywords of `Task`."""

    kind: Required[str]
    train: Required[Files | Rows]
    dev: Required[Files | Rows | Number]
    test: Files | Rows | None
    text: Required[str | Sequence[str]]
    label: str | Sequence[str] | None
    id: str | None
    group: str | None
    weight: str | None
    pair: Literal["cross", "bi"] | None
    head: str | Mapping[str, Any]
    loss: str | Mapping[str, Any] | None
    metric: str | Mapping[str, Any] | None
    metrics: Sequence[str | Mapping[str, Any]] | None
    train_rows: Integer | None
    dev_rows: Integer | None
    loss_weight: Number
    labels_unknown: Literal["wrong", "error", "skip"] | None
    on_bad_rows: Literal["error", "skip"]
    format: str | None
    delimiter: str | None
    quoting: Literal["minimal", "none"]
    encoding: str | None
    decimal: Literal[".", ","]
    header: bool | None
    columns: Sequence[str] | None
    record: str | None
    labels: Sequence[str | Integer | Number | bool] | None
    soft: bool | None
    class_weights: Sequence[Number] | Literal["balanced"] | None
    range: Sequence[Number] | None
    scheme: Literal["tags", "bio", "bioes"] | None
    split: Literal["blanks", "punctuation"] | None
    group_by: str | None
    separator: str | None
    threshold: Number | Sequence[Number] | Literal["search"] | None
    search_share: Number
    rows: Literal["pairs", "triplets", "scored"] | None
    candidates: str | Sequence[str] | None
    candidate_names: str | None
    label_as: Literal["index", "letter", "text", "name", "relevance"] | None
    label_from: Literal[0, 1] | None


class RecipeKeys(TypedDict, total=False):
    """The keywords of `Recipe`."""

    encoder: Required[Path_]
    seed: Integer
    threads: Integer | None
    device: Literal["auto", "cpu", "cuda"]
    precision: Literal["auto", "float32", "bfloat16"]
    data_dir: Path_
    score: Literal["course"] | None
    tasks: Required[Mapping[str, Task | Mapping[str, Any]]]
    held_out_with: Mapping[str, Task | Mapping[str, Any]] | None
    members: Mapping[str, Mapping[str, str]] | None
    model: ModelOptions | Mapping[str, Any]
    batching: BatchingOptions | Mapping[str, Any]
    training: TrainingOptions | Mapping[str, Any]
    pretraining: PretrainingOptions | Mapping[str, Any] | None


class StudyKeys(TypedDict, total=False):
    """The keywords of `Study`."""

    base: Required[Recipe | Mapping[str, Any] | Path_]
    title: str | None
    caption: str
    seeds: Required[Iterable[Integer]]
    baseline: str | None
    metric: str
    select: Literal["test", "crossfit", "last", "best"] | None
    looks: Sequence[Integer]
    spending: Literal["obrien-fleming", "pocock"]
    primary: Literal["baseline", "twins", "effects"]
    margin: Number | Mapping[str, Number] | None
    twins: Sequence[str] | None
    keep_models: bool
    changes: Mapping[str, Any]
    factors: Mapping[str, str | Sequence[str] | Mapping[str, Any]]
    rows: Mapping[str, Mapping[str, Any]]
    grid: Mapping[str, Iterable[Any]]
