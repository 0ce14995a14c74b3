"""The options of a study file, and the plan that is made from them: rows with complete recipes, and seeds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import BeforeValidator, Field

from manyheads.evaluation.looks import Spending
from manyheads.options import Options
from manyheads.recipe.schema import Recipe

Select = Literal["test", "crossfit", "last", "best"]
"""The evaluation of each run that the primary figures of a study are from."""

SELECT: tuple[Select, ...] = get_args(Select)


def _listed(value: Any) -> Any:
    """Accept one key instead of a list."""
    return [value] if isinstance(value, str) else value


def _factor_table(value: Any) -> Any:
    """Accept the key of a factor instead of a table."""
    return {"key": value} if isinstance(value, str) else value


class FactorOptions(Options):
    """A column of the study's table that shows the value of one or several recipe keys."""

    key: Annotated[list[str], BeforeValidator(_listed, json_schema_input_type=str | list[str]), Field(min_length=1)] = (
        Field(
            description='Recipe key with dots, such as "batching.strategy", or a list of keys that are shown '
            "together. The recipe of at least one row must have the key."
        )
    )
    levels: dict[str, Any] = Field(
        default_factory=dict,
        description="Names for values: { NAME = VALUE }. For several keys, VALUE is a list with one value per key. "
        'Values without a name are shown as they are. The names "yes" and "no" are shown as a tick and an empty cell.',
    )


class StudyOptions(Options):
    """A study file: a base recipe, named changes to it, and seeds."""

    base: str = Field(description="Recipe that the rows change. The path is relative to the study file.")
    title: str | None = Field(
        default=None, description="Title of the study's tables. Default: the name of the study file without .toml."
    )
    caption: str = Field(default="", description="Description of the study, shown with its tables.")
    seeds: list[Annotated[int, Field(ge=0, lt=2**63)]] = Field(
        min_length=1,
        description="Random seeds, all different. Each row is trained once per seed.",
        json_schema_extra={"uniqueItems": True},
    )
    baseline: str | None = Field(
        default=None,
        description="Name of the row that the other rows are compared with. Default: the first row.",
    )
    metric: str = Field(
        default="average",
        description='What rows are compared by: "average", the name of a task (its primary metric), or "course_score" '
        'if the recipe has score = "course".',
    )
    select: Select | None = Field(
        default=None,
        description='Which epoch of each run the main figures are from. "test": the best epoch by dev average, '
        'measured on the test files, which must be labelled. "crossfit": the epoch is chosen on one half of the dev '
        'examples and measured on the other half, and the halves are swapped. "last": the last epoch. "best": the best '
        'epoch, measured on the dev examples that it was chosen on, which is optimistic. Default: "test" if every '
        'task of every row has a labelled test file, else "crossfit". Runs without predictions of every evaluation '
        'have "last" instead of "crossfit". The key can be changed when the runs are finished.',
    )
    looks: list[Annotated[int, Field(ge=2)]] = Field(
        default_factory=list,
        description="Planned looks: increasing numbers of seeds, such as [3, 5, 10], at which the study is tested. The "
        "last one is the number of seeds. `manyheads study --seeds 3` runs the first look. The tests of all looks "
        "together keep 5%. Default: one test with all seeds.",
    )
    spending: Spending = Field(
        default="obrien-fleming",
        description="How the error of 5% is spent over the looks (Lan and DeMets 1983). `obrien-fleming`: hardly "
        "anything at the first looks, so that the last one is nearly an ordinary test. `pocock`: about as much at "
        "every look.",
    )
    primary: Literal["baseline", "twins", "effects"] = Field(
        default="baseline",
        description="The primary family of tests, for which the probability of any false significance is at most 5%. "
        '"baseline": the rows against the baseline, in `metric`. "twins": the gains over single-task twins. "effects": '
        "the main effects and interactions of the factors. All other tests are marked as exploratory. Name it before "
        "the results are known.",
    )
    margin: Annotated[float, Field(gt=0)] | dict[str, Annotated[float, Field(gt=0)]] | None = Field(
        default=None,
        description="The smallest difference from the baseline that matters, in units of the metric of the study, such "
        "as 0.005. Or a table with a margin per metric: { average = 0.005, TASK = 0.01 }. With a margin, the table has "
        "tests of non-inferiority and equivalence. Default: none.",
    )
    twins: list[str] | None = Field(
        default=None,
        description="Names of rows whose tasks are also trained separately, each in a run of its own, to measure what "
        "training the tasks together changes. Default: the baseline row. [] turns these runs off.",
    )
    keep_models: bool = Field(
        default=False,
        description="Keep the weights of finished runs. By default only their results and predictions are kept.",
    )
    changes: dict[str, Any] = Field(
        default_factory=dict,
        description="Changes to the base recipe for all rows: a partial recipe. The changes of a row are applied "
        "after them.",
    )
    factors: dict[
        str,
        Annotated[FactorOptions, BeforeValidator(_factor_table, json_schema_input_type=str | FactorOptions)],
    ] = Field(
        default_factory=dict,
        description="Columns of the table that show in which keys the rows differ: { NAME = { key = ..., levels = "
        "{...} } }, or only the key as a string. Default: one column per key in which the recipes differ.",
    )
    rows: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="The rows of the study, one table [rows.NAME] each: a partial recipe with the keys that differ "
        "from the base. An empty table is the base itself. A row may also have the key `provenance`, a remark for the "
        "table. If a change sets another `kind`, it replaces the whole table with that `kind`. Names cannot contain "
        "/, \\, @ or ~ and cannot begin with a dot, because they are folder names.",
    )
    grid: dict[str, Annotated[list[Any], Field(min_length=1)]] = Field(
        default_factory=dict,
        description='Recipe keys in quotes, such as "batching.batch_size", each with a list of values. Every '
        "combination of values is an additional row, named KEY=VALUE,KEY=VALUE.",
    )


@dataclass(frozen=True)
class Row:
    """One row of the table.

    `recipe`: complete except for the seed, which each run sets. `same_as`: an earlier row with the same recipe; both
    rows share its runs. `twin_of`: (row, task) if this row is a single-task twin, which trains one task of a row alone.
    `levels`: the level of each factor, "" if the recipe of the row lacks the key. `provenance`: a remark for the table.
    """

    name: str
    recipe: Recipe
    same_as: str | None
    twin_of: tuple[str, str] | None
    levels: Mapping[str, str]
    provenance: str | None = None


@dataclass(frozen=True)
class StudyPlan:
    """A resolved study.

    `metric`: "average", "course_score" or the name of a task. `baseline`: the name of a row. `overrides`: the overrides
    ("training.epochs=1") with which the study was loaded. `select`: the key of the study file, None by default.
    `looks`: the planned looks, as numbers of seeds, empty without a plan. `spending`: how the error is spent over them.
    `listed`: all seeds of the study file. `seeds` may be a part of them.
    `primary`: the primary family of tests, "baseline", "twins"
    or "effects". `margins`: differences that do not matter, by metric: that of the study, or tasks.
    """

    file: Path
    title: str
    caption: str
    seeds: tuple[int, ...]
    baseline: str
    metric: str
    rows: tuple[Row, ...]
    factors: tuple[str, ...]
    keep_models: bool
    overrides: tuple[str, ...] = ()
    select: Select | None = None
    looks: tuple[int, ...] = ()
    spending: Spending = "obrien-fleming"
    listed: tuple[int, ...] = ()
    primary: str = "baseline"
    margins: Mapping[str, float] = field(default_factory=dict)

    def row(self, name: str) -> Row:
        """Return the row with this name."""
        return next(row for row in self.rows if row.name == name)
