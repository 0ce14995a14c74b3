"""Read a study file into a StudyPlan. Every error names the file, the line and the key."""

from __future__ import annotations

import functools
import itertools
import re
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from manyheads.data.reading import Row as FileRow
from manyheads.data.reading import files_name
from manyheads.errors import RecipeError, argument, did_you_mean
from manyheads.recipe.check_options import Fault, from_validation, head_of, label_columns, pairing_of, raise_faults
from manyheads.recipe.load import Change, applied, apply_override, file_place, merge, overrides, read_toml, recipe_from
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.recipe.tasks import groups_of, open_task_source
from manyheads.recipe.toml import agreement
from manyheads.run.names import user_path
from manyheads.studies.factors import differing, keys_of, levels_of, show_value
from manyheads.studies.schema import SELECT, Row, Select, StudyOptions, StudyPlan
from manyheads.tasks.cells import is_missing, label_cell
from manyheads.tasks.kinds import KINDS

ROW_NAME = re.compile(r"[^/\\\x00-\x1f.@~][^/\\\x00-\x1f@~]*")
"""The name of a row is the name of a folder. "@" is reserved for twins."""

TAKEN = frozenset({"figures", "study.json", *(f"table.{ending}" for ending in ("md", "csv", "json", "tex", "html"))})
"""Names in the folder of a study that no row can have."""

LONGEST_NAME = 200
"""Bytes of the name of a row. File systems allow 255; twins and temporary files have longer names than their rows."""

NOT_READ = ("test", "head", "loss", "metric", "loss_weight", "dev_rows")
"""Keys of a task that change neither which rows are held out nor which tasks read the same rows."""

REMARK = "provenance"
"""The only key of a row that is not part of a recipe: a remark for the table."""


def load_study(path: str | Path, changes: Sequence[str] = ()) -> StudyPlan:
    """Read a study file. `changes`: overrides (`"training.epochs=1"`) of the recipes of all rows.

    Raises:
        RecipeError: the study or its base cannot be read, or a key or value of a row is invalid.
    """
    content, source = read_study(path)
    return plan_study(content, source, overrides(changes))


@dataclass(frozen=True)
class StudySource:
    """What a study is made of.

    `file`: the study file, or a name in its place. `where`: names the place of a key of the study for messages.
    `base`: the keys of the base recipe. `home`: the folder that its paths are relative to. `base_where`: names the
    place of a key of the base recipe in a row.
    """

    file: Path
    where: Callable[[Sequence[str]], str]
    base: Mapping[str, Any]
    home: Path
    base_where: Callable[[Sequence[str], str], str]


def read_study(path: str | Path) -> tuple[dict[str, Any], StudySource]:
    """Read a study file and its base recipe. Return its keys, and where it comes from.

    Raises:
        RecipeError: A file cannot be read, or the key `base` is invalid.
    """
    file = Path(path)
    text, content = read_toml(file, "study")

    where = functools.partial(file_place, file, text)
    base = (file.parent / user_path(_options(content, where).base)).resolve()
    base_text, recipe = read_toml(base, "recipe")

    base_where = functools.partial(_base_place, file, base, base_text)
    return content, StudySource(file, where, recipe, base.parent, base_where)


def _base_place(file: Path, base: Path, text: str, key: Sequence[str], row: str) -> str:
    """Return the place of a key of the base recipe in a row of a study file. `text`: the text of the base recipe."""
    return f"{file_place(base, text, key)}, row {row} of {file}"


def plan_study(content: Mapping[str, Any], source: StudySource, changes: Sequence[Change]) -> StudyPlan:
    """Resolve a study. `changes`: changes of the recipes of all rows.

    Raises:
        RecipeError: A key or a value is invalid.
    """
    return _Reader(source, _options(content, source.where), tuple(changes)).plan()


def _options(content: Mapping[str, Any], where: Callable[[Sequence[str]], str]) -> StudyOptions:
    try:
        return StudyOptions.model_validate(dict(content))
    except ValidationError as error:
        raise_faults(from_validation(error, StudyOptions), where)
        raise


@dataclass(frozen=True)
class _Change:
    """A row as it is written: its name, its place in the study file, its partial recipe and its remark."""

    name: str
    place: tuple[str, ...]
    changes: Mapping[str, Any]
    remark: str | None = None


@dataclass(frozen=True)
class _Reader:
    """Resolves one study."""

    source: StudySource
    options: StudyOptions
    changes: tuple[Change, ...]

    def plan(self) -> StudyPlan:
        """Resolve the rows, their twins and the names that the study refers to."""
        rows = [self._row(change) for change in self._changes()]
        tasks = {name: options for _, recipe, _ in reversed(rows) for name, options in recipe.tasks.items()}
        rows = [(name, _drawn_with(recipe, tasks), remark) for name, recipe, remark in rows]
        if not rows:
            raise RecipeError("the study has no rows", where=str(self.source.file), hint="add [rows.NAME] or a [grid]")
        names = [name for name, _, _ in rows]
        baseline = self._known("baseline", self.options.baseline or names[0], names)
        twins = [baseline] if self.options.twins is None else self.options.twins
        for twin in twins:
            self._known("twins", twin, names)
        self._check_metrics({name: recipe for name, recipe, _ in rows})
        metric = self._metric(rows[names.index(baseline)][1], {name: recipe for name, recipe, _ in rows})
        factors = self.options.factors or differing([_plain(recipe) for _, recipe, _ in rows])
        self._check_factors([_plain(recipe) for _, recipe, _ in rows])
        entries: list[tuple[str, Recipe, tuple[str, str] | None, str | None]]
        entries = [(name, recipe, None, remark) for name, recipe, remark in rows]
        entries += [
            (f"{name}@{task}", _alone(recipe, task), (name, task), None)
            for name, recipe, _ in rows
            if name in twins and len(recipe.tasks) > 1
            for task in recipe.tasks
        ]
        known: dict[str, str] = {}
        resolved = []
        for name, recipe, twin_of, remark in entries:
            first = known.setdefault(_identity(recipe), name)
            levels = levels_of(_plain(recipe), factors)
            resolved.append(Row(name, recipe, None if first == name else first, twin_of, levels, remark))
        return StudyPlan(
            file=self.source.file,
            title=self.options.title or self.source.file.stem,
            caption=self.options.caption,
            seeds=self._seeds(),
            baseline=baseline,
            metric=metric,
            rows=tuple(resolved),
            factors=tuple(factors),
            keep_models=self.options.keep_models,
            overrides=tuple(each.text for each in self.changes if each.text is not None),
            select=self._select(resolved),
            looks=self._looks(),
            spending=self.options.spending,
            listed=self._seeds(),
            primary=self._primary(resolved, factors),
            margins=self._margins(metric, list(tasks)),
        )

    def _select(self, rows: Sequence[Row]) -> Select | None:
        """Return the key `select`, which needs test files if it is "test".

        Raises:
            RecipeError: a task of a row has no test file.
        """
        if self.options.select == "test":
            lacking = {task for row in rows for task, options in row.recipe.tasks.items() if options.test is None}
            if lacking:
                raise RecipeError(
                    'select = "test" needs a labelled test file of every task',
                    where=self._where(("select",)),
                    found=f"no key `test` of {', '.join(sorted(lacking))}",
                    allowed=", ".join(SELECT),
                    hint='set `test` of these tasks in the base recipe, or use select = "crossfit"',
                )
        return self.options.select

    def _margins(self, metric: str, tasks: Sequence[str]) -> dict[str, float]:
        """Return the margin of each metric that has one. A number is the margin of the metric of the study."""
        given = self.options.margin
        if given is None or isinstance(given, float):
            return {} if given is None else {metric: given}
        allowed = list(dict.fromkeys([metric, *tasks]))
        for name in given:
            if name not in allowed:
                raise RecipeError(
                    "the study does not compare rows in this metric, so it has no margin",
                    where=self._where(("margin", name)),
                    found=name,
                    allowed=", ".join(allowed),
                    hint=did_you_mean(name, allowed),
                )
        return dict(given)

    def _primary(self, rows: Sequence[Row], factors: Collection[str]) -> str:
        """Check that the study has tests of its primary family."""
        primary = self.options.primary
        lacking = {
            "twins": "no row has single-task twins" if all(row.twin_of is None for row in rows) else None,
            "effects": None if factors else "the rows have no factors",
        }.get(primary)
        if lacking is not None:
            hint = {"twins": "name rows with several tasks in `twins`", "effects": "add [factors], or rows that differ"}
            raise RecipeError(
                "the study has no tests of its primary family",
                where=self._where(("primary",)),
                found=f"{primary}, but {lacking}",
                allowed="baseline, twins, effects",
                hint=hint[primary],
            )
        return primary

    def _check_factors(self, recipes: Sequence[Mapping[str, Any]]) -> None:
        """Check that the keys of every factor exist, because a misspelt key would give an empty column.

        Raises:
            RecipeError: no row has the key in its recipe.
        """
        known = sorted({key for recipe in recipes for key in keys_of(recipe)})
        for name, factor in self.options.factors.items():
            for key in factor.key:
                # If a table is absent in all rows (such as [pretraining]), its keys cannot be checked.
                if key not in known and key.split(".")[0] not in known:
                    raise RecipeError(
                        f"no recipe of the study has the key of factor {name}",
                        where=self._where(("factors", name)),
                        found=key,
                        hint=did_you_mean(key, known),
                    )

    def _changes(self) -> Iterator[_Change]:
        """Yield the listed rows, then the rows of the grid."""
        for name, table in self.options.rows.items():
            if not ROW_NAME.fullmatch(name) or name in TAKEN:
                raise RecipeError(
                    "the name of a row is invalid as the name of a folder",
                    where=self._where(("rows", name)),
                    found=name,
                    allowed=f"names without slash, @ or ~ that do not begin with a dot; not {', '.join(sorted(TAKEN))}",
                )
            self._check_length(name, ("rows", name), "choose a shorter name")
            partial = {key: value for key, value in table.items() if key != REMARK}
            remark = table.get(REMARK)
            yield _Change(name, ("rows", name), partial, None if remark is None else str(remark))
        if not self.options.grid:
            return
        for values in itertools.product(*self.options.grid.values()):
            named = dict(zip(self.options.grid, values, strict=True))
            partial = {}
            for key, value in named.items():
                partial = apply_override(partial, key.split("."), value)
            name = ",".join(f"{key}={show_value(value)}" for key, value in named.items()).replace("/", "%")
            if name in self.options.rows:
                raise RecipeError(
                    "a row of the grid has the name of a listed row", where=self._where(("grid",)), found=name
                )
            self._check_length(name, ("grid",), "write the rows as [rows.NAME], with names of their own")
            yield _Change(name, ("grid",), partial)

    def _check_length(self, name: str, key: tuple[str, ...], hint: str) -> None:
        length = len(name.encode())
        if length > LONGEST_NAME:
            raise RecipeError(
                "the name of a row is too long for the name of a folder",
                where=self._where(key),
                found=f"{length} bytes: {name}",
                allowed=f"at most {LONGEST_NAME} bytes",
                hint=hint,
            )

    def _row(self, change: _Change) -> tuple[str, Recipe, str | None]:
        content = applied(merge(merge(self.source.base, self.options.changes), change.changes), self.changes)

        def where(key: Sequence[str]) -> str:
            """Return the place that set a key last: an override, the row, the changes of the study, or the base."""
            for override in self.changes:
                if agreement(override.parts, key) == len(override.parts):
                    return f"{override.place}, row {change.name}"
            for place, partial in ((change.place, change.changes), (("changes",), self.options.changes)):
                if _sets(partial, key):
                    return self._where((*place, *key))
            return self.source.base_where(key, change.name)

        recipe = recipe_from(content, self.source.home, where)
        # Parallel runs share the cores. The default is one thread per run, independent of --jobs.
        return change.name, recipe.model_copy(update={"threads": recipe.threads or 1, "seed": 0}), change.remark

    def _seeds(self) -> tuple[int, ...]:
        seeds = self.options.seeds
        if len(set(seeds)) < len(seeds):
            raise_faults([Fault(("seeds",), "a seed is listed twice", seeds)], self._where)
        return tuple(seeds)

    def _looks(self) -> tuple[int, ...]:
        """Return the planned looks, which end with all seeds."""
        looks, seeds = self.options.looks, len(self.options.seeds)
        if looks and (sorted(set(looks)) != looks or looks[-1] != seeds):
            raise RecipeError(
                "the looks are not increasing numbers of seeds up to the number of seeds of the study",
                where=self._where(("looks",)),
                found=str(looks),
                allowed=f"increasing numbers, the last one {seeds}",
                hint=f"list the seeds of all looks in `seeds`, and run the first look with {argument('seeds')}",
            )
        return tuple(looks)

    def _known(self, key: str, name: str, names: Sequence[str]) -> str:
        if name not in names:
            hint = did_you_mean(name, names)
            raise RecipeError(
                "the study has no such row", where=self._where((key,)), found=name, allowed=", ".join(names), hint=hint
            )
        return name

    def _metric(self, recipe: Recipe, rows: Mapping[str, Recipe]) -> str:
        allowed = ["average", "course_score", *recipe.tasks]
        metric = self.options.metric
        if metric not in allowed:
            raise RecipeError(
                "unknown metric to compare rows by",
                where=self._where(("metric",)),
                found=metric,
                allowed=", ".join(allowed),
                hint=did_you_mean(metric, allowed),
            )
        without = [name for name, each in rows.items() if each.score != "course"]
        if metric == "course_score" and without:
            raise RecipeError(
                'the metric course_score needs score = "course" in the recipe of every row',
                where=self._where(("metric",)),
                found=f"not set in {', '.join(without)}",
                hint='add score = "course" to the base recipe, or to [changes] of the study',
            )
        return metric

    def _check_metrics(self, rows: Mapping[str, Recipe]) -> None:
        """Check that all rows measure a task by the same metric, as far as their recipes name it.

        Raises:
            RecipeError: the primary metric of a task differs between rows.
        """
        first: dict[str, tuple[str, str]] = {}
        for row, recipe in rows.items():
            for task, options in recipe.tasks.items():
                metric = _metric_of(options)
                if metric is None:
                    continue
                before = first.setdefault(task, (row, metric))
                if before[1] != metric:
                    raise RecipeError(
                        f"two rows have different metrics for task {task}, so they cannot be compared",
                        where=str(self.source.file),
                        found=f"{before[1]} in row {before[0]}, {metric} in row {row}",
                        hint=f"set tasks.{task}.metric in the base recipe, to one that fits the labels of all rows",
                    )

    def _where(self, key: Sequence[str]) -> str:
        return self.source.where(key)


def _metric_of(options: TaskOptions) -> str | None:
    """Return the name of the primary metric of a task. None if the labels of the training file may decide it."""
    if options.metric_name:
        return options.metric_name
    kind = KINDS[options.kind]
    known = kind.of(options)
    metrics: object = getattr(kind, "metrics", None) if known is None else known.metrics
    return metrics[0] if isinstance(metrics, tuple) else None


def _alone(recipe: Recipe, task: str) -> Recipe:
    """Return the recipe with one task only. Its loss weight is 1, because it would only scale every gradient."""
    options = recipe.tasks[task].model_copy(update={"loss_weight": 1.0})
    others = {**recipe.tasks, **(recipe.held_out_with or {})}
    return _drawn_with(recipe.model_copy(update={"tasks": {task: options}, "held_out_with": None}), others)


def _drawn_with(recipe: Recipe, others: Mapping[str, TaskOptions]) -> Recipe:
    """Return the recipe so that its held-out rows are those that it would draw with these other tasks.

    The draw depends on the labels of all tasks that read a file. Rows of a study can only be compared on equal rows.
    Tasks that read the same rows decide together whether a row without a label is usable.
    """
    files = [options.train for options in recipe.tasks.values() if isinstance(options.dev, float)]
    groups = [set(names) for names in groups_of({**others, **recipe.tasks})]
    partners = {name for names in groups if names & recipe.tasks.keys() for name in names}
    shared = {
        name: _without(options, (*NOT_READ, *KINDS[options.kind].training_keys)).model_copy(
            update={"pair": pairing_of(options)}
        )
        for name, options in sorted(others.items())
        if name not in recipe.tasks and (options.train in files or name in partners)
    }
    return recipe.model_copy(update={"held_out_with": {**shared, **(recipe.held_out_with or {})} or None})


def _without(options: TaskOptions, keys: Iterable[str]) -> TaskOptions:
    """Return the table of a task with the defaults of some keys."""
    fields = type(options).model_fields
    return options.model_copy(update={key: fields[key].get_default(call_default_factory=True) for key in keys})


def _plain(recipe: Recipe) -> dict[str, Any]:
    """Return the values of a recipe with default pairings and heads filled in, so that equal recipes compare equal."""
    plain = recipe.model_dump(exclude={"held_out_with"})
    for name, options in recipe.tasks.items():
        plain["tasks"][name]["pair"] = pairing_of(options)
        plain["tasks"][name]["head"]["kind"] = head_of(options)
    return plain


def _identity(recipe: Recipe) -> str:
    return repr((_plain(recipe), recipe.held_out_with))


def _sets(partial: Mapping[str, Any], key: Sequence[str]) -> bool:
    """Return whether a partial recipe sets a key, or a table or value that contains it."""
    at: Any = partial
    for part in key:
        if not isinstance(at, Mapping):
            return True
        if part not in at:
            return False
        at = at[part]
    return True


def require_test_labels(plan: StudyPlan) -> None:
    """Check that every row of every test file has a label if the study selects "test".

    Raises:
        RecipeError: A row has no label.
        DataError: A test file cannot be read.
    """
    if plan.select != "test":
        return
    seen = set()
    for row in plan.rows:
        for task, options in row.recipe.tasks.items():
            file = (row.recipe.data_dir, repr(options.test), label_columns(options))
            if options.test is None or file in seen:
                continue
            seen.add(file)
            source = open_task_source(options, options.test, Path(row.recipe.data_dir), labelled=False)
            for each in source.rows():
                if isinstance(each, FileRow) and is_missing(label_cell(each.values, label_columns(options))):
                    raise RecipeError(
                        f'select = "test" needs labelled test files, and one of {task} has rows without a label',
                        where=f"{plan.file}, key select",
                        found=f"no {', '.join(label_columns(options))} in {files_name(options.test)}, line {each.line}",
                        hint='add the labels, or set select = "crossfit"',
                    )
