"""Recipe: the options that determine one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BeforeValidator,
    Field,
    SerializeAsAny,
    ValidatorFunctionWrapHandler,
    WrapValidator,
    create_model,
)
from pydantic_core import PydanticCustomError

from manyheads.data.batching import BatchingOptions
from manyheads.data.reading.formats import FORMATS
from manyheads.data.reading.text_format import (
    TextFormat,
    check_columns,
    check_delimiter,
    check_encoding,
)
from manyheads.errors import RecipeError
from manyheads.model.heads import HEADS
from manyheads.model.heads.options import HeadOptions
from manyheads.model.losses import LOSSES
from manyheads.model.losses.options import LossOptions
from manyheads.model.options import ModelOptions
from manyheads.options import Options, choice, validated
from manyheads.pretraining.options import PretrainingOptions
from manyheads.run.names import MOST_THREADS
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.metric_choice import MetricChoice
from manyheads.training.options import TrainingOptions


def _listed(value: Any) -> Any:
    """Accept one column name instead of a list."""
    return [value] if isinstance(value, str) else value


def _short_metric(value: Any) -> Any:
    """Write a metric without options as its name, so that both forms are equal."""
    short = isinstance(value, dict) and [*value] == ["kind"] and isinstance(value["kind"], str)
    return value["kind"] if short else value


def _checked(check: Callable[[Any], None]) -> AfterValidator:
    """Check a value that is not None. A ValueError is reported as a fault of the key."""

    def validate(value: Any) -> Any:
        if value is not None:
            check(value)
        return value

    return AfterValidator(validate)


METRIC = Annotated[str | dict[str, Any], AfterValidator(_short_metric)]
"""A metric: its name, or a table with `kind` and the options of the metric."""

FILES = Annotated[list[str], Field(min_length=1)]
"""Several files, read in order."""


def _sorted(value: dict[str, str]) -> dict[str, str]:
    """Sort the files of columns by column, so that equal recipes are written equally."""
    return dict(sorted(value.items()))


COLUMN_FILES = Annotated[
    dict[Annotated[str, Field(min_length=1)], Annotated[str, Field(min_length=1)]],
    Field(min_length=1),
    AfterValidator(_sorted),
]
"""The file of each column."""


def _none_without_epochs(value: PretrainingOptions | None) -> PretrainingOptions | None:
    """Treat 0 epochs of pretraining as no pretraining, so that both recipes are equal."""
    return None if value is not None and value.epochs == 0 else value


def _known_kind(value: str) -> str:
    if value not in KINDS:
        names = [repr(name) for name in KINDS]
        expected = f"{', '.join(names[:-1])} or {names[-1]}"
        raise PydanticCustomError("literal_error", "Input should be {expected}", {"expected": expected})
    return value


LOSS_CHOICE = choice(LOSSES)
HEAD_CHOICE = choice(HEADS, without_kind=HeadOptions)


class TaskOptions(Options):
    """One task: its files, columns, labels, head, loss and metric."""

    # The keys of the kind are added by `task_model`.

    kind: Annotated[str, AfterValidator(_known_kind)] = Field(
        description="What the task predicts. " + " ".join(f'"{name}": {kind.summary}.' for name, kind in KINDS.items()),
        json_schema_extra={"enum": [*KINDS]},
    )
    train: str | FILES | COLUMN_FILES = Field(
        description="Training file, relative to `data_dir` or absolute: .csv, .tsv, .tab, .txt, .jsonl, .ndjson, "
        ".json, .parquet, .conll, .conllu, .bio, .iob or .iob2, and all but .parquet also compressed as .gz or .zst. "
        'Or a folder of such files, a pattern such as "part-*.parquet", or a data set of the Hugging Face hub: '
        '"hub:OWNER/NAME@SPLIT" or "hub:OWNER/NAME/CONFIG@SPLIT". Or a list of these, which are read in order. Or a '
        'table with a file of lines for each column: { text = "seq.in", label = "label" }. Line k of each is row k.'
    )
    dev: str | FILES | COLUMN_FILES | Annotated[float, Field(gt=0, lt=1)] = Field(
        description="Dev file, like `train`. Or a fraction between 0 and 1: that share of the training rows is held "
        "out. All runs and all tasks that read the file hold out the same rows, with about the same share of each "
        "label. Rows with equal texts stay together. Must not be the training file."
    )
    test: str | FILES | COLUMN_FILES | None = Field(
        default=None,
        description="Test file, like `train`. Its labels may be absent. Every evaluation predicts it, which takes as "
        "long per row as the dev file. Must not be the training file.",
    )
    text: Annotated[
        list[str],
        BeforeValidator(_listed, json_schema_input_type=str | list[str]),
        Field(min_length=1, max_length=3),
    ] = Field(
        description="Text column, or a list of two different columns for a task on pairs of texts, or of three for "
        "triplets. Two columns of a choice are joined to one text. A cell may be a list of words, which are joined by "
        "blanks. In JSON and Parquet files, this and "
        "`label`, `id` and `group` may be paths such as `question.stem`, `choices[0].text` or `choices[].text`.",
        json_schema_extra={"uniqueItems": True},
    )
    label: str | Annotated[list[str], Field(min_length=1, json_schema_extra={"uniqueItems": True})] | None = Field(
        default=None,
        description="Column with the labels. Must not be a text column. For `multilabel` also a list of columns, one "
        "per label, with 0 or 1 in each row; for `classification` a list of columns with the probability of each "
        "label. Required, except for kinds whose rows need no labels.",
    )
    id: str | None = Field(
        default=None,
        description='Column that names the rows in the prediction files. Default: the column "id" if the file '
        "has one, otherwise the line number.",
    )
    group: str | None = Field(
        default=None,
        description="Column that names what the rows belong to, for example documents or users. Rows with the same "
        "value are never divided when rows are held out, and are one cluster in all intervals. Tasks whose `group` has "
        "the same name share its values. The dev file must have the column, and the training file if rows are held "
        "out. Must not be the label column. Default: none.",
    )
    weight: str | None = Field(
        default=None,
        description="Column with the weight of each training row: a number of at least 0. The loss of a row is "
        "multiplied by its weight, divided by the mean weight of the training rows. Only the training file must have "
        "the column, and metrics do not use it. Default: every row has the same weight.",
    )
    pair: Literal["cross", "bi"] | None = Field(
        default=None,
        description='How two texts, or a text and each of its candidates, are encoded. "cross": both in one sequence. '
        '"bi": each in its own sequence. Only for two text columns, or for a choice. Default: the encoding that the '
        'head reads, "cross" if no head is given.',
    )
    head: Annotated[HeadOptions, HEAD_CHOICE] = Field(
        default=HeadOptions(),
        description='Head of the task: a table such as { kind = "linear", dropout = 0.3 }, or only the kind as a '
        'string such as "linear".',
    )
    loss: Annotated[LossOptions | None, LOSS_CHOICE] = Field(
        default=None,
        description='Training loss: its name, or a table such as { kind = "cross_entropy", label_smoothing = 0.1 }. '
        'For classification: "cross_entropy", and for two labels also '
        '"binary_cross_entropy" or "l1". For regression: "mse" or "l1". Default: "binary_cross_entropy" for two '
        'labels, "cross_entropy" for more, "mse" for regression; with head "b1" it is "l1" where that is allowed.',
    )
    metric: METRIC | None = Field(
        default=None,
        description="Primary metric of the task. The average over the tasks uses it. A name, or a table with `kind` "
        'and the options of the metric, such as { kind = "f1", classes = ["favor", "against"] }. It must be a metric '
        "that fits the labels, for which higher is better, and which has a fixed range. Default: "
        '"accuracy" for classification, "pearson" for regression.',
    )
    metrics: list[METRIC] | None = Field(
        default=None,
        min_length=1,
        description="Further metrics, each a name or a table as in `metric`. Every evaluation computes them with "
        'intervals, and in any case the primary metric and "accuracy", "macro_f1" and "mcc" for classification, '
        '"pearson", "spearman" and "rmse" for regression. Default: none.',
    )
    train_rows: int | None = Field(
        default=None,
        ge=1,
        description="Maximum number of training rows. They are sampled once with a fixed seed, so every run uses the "
        "same rows. Default: all rows.",
    )
    dev_rows: int | None = Field(
        default=None,
        ge=2,
        description="Maximum number of dev rows. They are sampled once with a fixed seed, so every run uses the same "
        "rows. Default: all rows.",
    )
    loss_weight: float = Field(
        default=1.0,
        ge=0,
        description="Factor on the loss of this task. At least one task must have a weight above 0.",
    )
    labels_unknown: Literal["wrong", "error", "skip"] | None = Field(
        default=None,
        description="What to do with a row of the dev or test file with a label that training does not know. The "
        'labels are named with their numbers. "wrong": the label counts as one that is never predicted. "error": '
        'it is a row that cannot be used, see `on_bad_rows`. "skip": the row is left out. Default: "error" for the dev '
        'file, "wrong" for the test file. A cell `-`, `-1` or `?` of a test file is not a label.',
    )
    on_bad_rows: Literal["error", "skip"] = Field(
        default="error",
        description='What to do with rows that cannot be used, for example without a label. "error": stop before '
        'training. "skip": skip them and list them in events.jsonl.',
    )
    format: str | None = Field(
        default=None,
        description="Format of the task's files, whatever their endings are. Not for tables with a file for each "
        "column. Default: found from the ending of each file.",
        json_schema_extra={"enum": [*FORMATS]},
    )
    delimiter: Annotated[str | None, _checked(check_delimiter)] = Field(
        default=None,
        description="Character between the fields of the task's delimited files, or between the columns of its CoNLL "
        "files. Default: found from the header, the columns that the task names, and the first rows.",
    )
    quoting: Literal["minimal", "none"] = Field(
        default="minimal",
        description='Quotes in the task\'s delimited files. "minimal": a field may be in double quotes. "none": a '
        "quote is a character like any other.",
    )
    encoding: Annotated[str | None, _checked(check_encoding)] = Field(
        default=None,
        description='Encoding of the task\'s text files, as Python names it, such as "cp1252". Default: UTF-8, or what '
        "a byte-order mark at the start of the file says.",
    )
    decimal: Literal[".", ","] = Field(
        default=".",
        description="Decimal mark of the numbers in the label column of the task's delimited files.",
    )
    header: bool | None = Field(
        default=None,
        description="Whether the first line of the task's delimited files has the names of the columns. Default: true, "
        "or false if `columns` are given. Without `columns`, the columns of a file without a header are 1, 2, ...",
    )
    columns: Annotated[list[str] | None, _checked(check_columns)] = Field(
        default=None,
        description="Names of the columns of the task's delimited or CoNLL files, in order. A name may be empty. Only "
        "for files without a header, or with `header = true` to replace its names.",
    )

    record: str | None = Field(
        default=None,
        min_length=1,
        description="Name of the elements of the task's XML files that are records. Default: the child elements of the "
        "root.",
    )

    @property
    def metric_name(self) -> str:
        """The name of the primary metric in results. Empty if the recipe does not set it."""
        return "" if self.metric is None else MetricChoice.of(self.metric).name

    @property
    def choices(self) -> tuple[MetricChoice, ...]:
        """The metrics of the recipe that have options, and those in addition to the metrics of the kind."""
        primary = None if self.metric is None else MetricChoice.of(self.metric)
        own = (primary,) if primary is not None and primary.options else ()
        return (*own, *map(MetricChoice.of, self.metrics or ()))

    @property
    def text_format(self) -> TextFormat:
        """How the text files of the task are written."""
        return TextFormat(
            delimiter=self.delimiter,
            quoting=self.quoting,
            encoding=self.encoding,
            decimal=self.decimal,
            header=self.header,
            columns=None if self.columns is None else tuple(self.columns),
            format=self.format,
            record=self.record,
        )

    def __reduce__(self) -> Any:
        """Pickle the class by its kind, because it has no name in a module. Processes of a run send recipes."""
        return _restored, (None if type(self) is TaskOptions else self.kind, self.__getstate__())


def _restored(kind: str | None, state: dict[Any, Any]) -> TaskOptions:
    model = TaskOptions if kind is None else task_model(kind)
    options = model.__new__(model)
    options.__setstate__(state)
    return options


def task_model(kind: str) -> type[TaskOptions]:
    """Return the options of a task of this kind: those of every task, and the keys of the kind.

    Raises:
        RecipeError: A kind from outside has a key that every task has.
    """
    return _model_with(KINDS[kind])


@lru_cache
def _model_with(kind: type[Kind]) -> type[TaskOptions]:
    shared = sorted(set(kind.options.model_fields) & set(TaskOptions.model_fields))
    if shared:
        found = ", ".join(shared)
        raise RecipeError(f"the kind {kind.name} has keys of its own that every task has", found=found)
    bases: Any = (kind.options, TaskOptions)
    model: type[TaskOptions] = create_model(f"{kind.name.title()}Task", __base__=bases)
    return model


def keys_of_kinds() -> dict[str, list[str]]:
    """Return the keys that only some kinds have, with the names of these kinds."""
    kinds: dict[str, list[str]] = {}
    for name, kind in KINDS.items():
        for key in kind.options.model_fields:
            kinds.setdefault(key, []).append(name)
    return kinds


def _task_options(value: Any, handler: ValidatorFunctionWrapHandler) -> Any:
    """Validate the table of a task with the keys of its kind."""
    if not isinstance(value, Mapping):
        return handler(value)
    kind, own = value.get("kind"), keys_of_kinds()
    if not isinstance(kind, str) or kind not in KINDS:
        # Without a known kind, the keys that only some kinds have cannot be judged.
        return validated(TaskOptions, {key: each for key, each in value.items() if key not in own})
    model = task_model(kind)
    others = {key: {"noun": KINDS[kind].noun} for key in value if key in own and key not in model.model_fields}
    return validated(model, value, others)


TaskTable = SerializeAsAny[Annotated[TaskOptions, WrapValidator(_task_options)]]


class Recipe(Options):
    """The options that determine one run: an encoder, the tasks, and how to train them."""

    encoder: str = Field(
        description='Pretrained encoder: an id on the Hugging Face hub such as "google-bert/bert-base-uncased", a '
        'folder with a checkpoint, or "minilm-offline", a small encoder that is installed with the extra `offline`.'
    )
    seed: int = Field(
        default=1,
        ge=0,
        lt=2**63,
        description="Random seed of the run: new weights, dropout and the order of batches. A study sets it for each "
        "run.",
    )
    threads: int | None = Field(
        default=None,
        ge=1,
        le=MOST_THREADS,
        description="Number of CPU threads. Results are reproducible for the same number of threads. Default: all "
        "available cores, or 1 in a study. The recipe in the run folder contains the number that was used.",
    )
    device: Literal["auto", "cpu", "cuda"] = Field(
        default="auto",
        description='Device for training. "auto": "cuda" if a CUDA device is available, otherwise "cpu".',
    )
    precision: Literal["auto", "float32", "bfloat16"] = Field(
        default="auto",
        description='Number format of the computations. "auto": "bfloat16" on CUDA devices, "float32" on CPUs.',
    )
    data_dir: str = Field(
        default=".",
        description="Folder of the data files, relative to the recipe or absolute. Default: the folder of the recipe.",
    )
    score: Literal["course"] | None = Field(
        default=None,
        description='"course" also computes `course_score`, the average that the course of the reference study uses. '
        "In it, a correlation r (pearson or spearman) counts as (r + 1) / 2. Default: only the plain average.",
    )
    tasks: dict[str, TaskTable] = Field(
        min_length=1,
        description="The tasks, one table [tasks.NAME] each. Names have letters, digits, - and _, begin with a "
        "letter or a digit, and have at most 128 characters.",
    )
    held_out_with: dict[str, TaskTable] | None = Field(
        default=None,
        description="Tasks that are read but not trained, one table [held_out_with.NAME] each. They take part when "
        "rows of a shared training file are held out, so that runs with fewer tasks hold out the same rows. A study "
        "sets this for rows and twins that lack a task of another row. Default: none.",
    )
    members: dict[str, dict[str, str]] | None = Field(
        default=None,
        description="Members of menus that are not in the package, by menu and name, with the file or package that "
        "adds each. A run writes it into its own recipe. A recipe whose members are not available is refused. Nothing "
        "is imported because of it. Default: none.",
    )
    model: ModelOptions = Field(default=ModelOptions(), description="How the encoder is used and regularised.")
    batching: BatchingOptions = Field(
        default=BatchingOptions(), description="How the training rows of all tasks are divided into batches."
    )
    training: TrainingOptions = Field(
        default=TrainingOptions(),
        description="Length of training, optimiser, learning rate, evaluations and checkpoints.",
    )
    pretraining: Annotated[PretrainingOptions | None, AfterValidator(_none_without_epochs)] = Field(
        default=None,
        description="Additional pretraining: masked language modelling on the training texts of the tasks before "
        "fine-tuning. Texts of the dev and test files are not used. Default: no additional pretraining.",
    )

    @property
    def readers(self) -> dict[str, TaskOptions]:
        """The tasks whose training files are read: those that are trained, and those of `held_out_with`."""
        others = (self.held_out_with or {}).items()
        return {**self.tasks, **{name: options for name, options in others if name not in self.tasks}}
