"""Studies that are made in Python: a base recipe, named changes to it, and seeds."""

from __future__ import annotations

import functools
import json
import os
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any, Unpack

import tomli_w

from manyheads.api.keys import StudyKeys
from manyheads.api.progress import StudyProgress, shown
from manyheads.api.recipe import Changes, Recipe, read_changes
from manyheads.api.values import check_number, place, plain
from manyheads.data.given import GivenTable, naming_tables, remove_given
from manyheads.errors import RecipeError, RunError, by_caller
from manyheads.process_state import left_as_found
from manyheads.recipe.given import (
    LIMIT,
    SPLITS,
    Tables,
    names_of,
    naming_files,
    renamed_files,
    take_tables,
    with_tables,
    write_tables,
)
from manyheads.recipe.load import Change, dotted_key, merge, without_none
from manyheads.run.atomic import write_json, write_text
from manyheads.run.checksum import OWN_SUM, own_checksum
from manyheads.run.names import user_path
from manyheads.studies.cells import STUDY_FILE, Notify
from manyheads.studies.load import REMARK, StudySource, plan_study, read_study, require_test_labels
from manyheads.studies.power import study_power
from manyheads.studies.run import opening, runner_for, survey
from manyheads.studies.run import run_study as run_cells
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Power, Table
from manyheads.studies.tabulate import write_table
from manyheads.training.stop import Event, Interrupted, StopFlag


class Study:
    """A recipe, named changes to it, and seeds, by keywords: the keys of a study file.

    `base` is a `Recipe`, a dict with the keys of one, or the path of a file. The keys of `rows`, `changes` and `grid`
    may be dotted: `rows={"sequential": {"batching.strategy": "sequential"}}`.

    Raises:
        RecipeError: A key or a value is invalid. The error names it as `rows["sequential"].batching.strategy`.
    """

    def __init__(self, **keys: Unpack[StudyKeys]) -> None:
        if "base" not in keys:
            raise RecipeError("the key 'base' is missing", where="Study", hint="add base=RECIPE")
        base = Recipe.of(keys["base"])
        content = {name: plain(value) for name, value in keys.items() if name != "base"}
        tables = dict(base.tables)
        for name, partial in _partials(content):
            _set(content, name, take_tables(_nested(partial, name), tables))
        self._fill({**content, "base": base.name or "base"}, base, tables, ())

    @classmethod
    def load(cls, path: str | os.PathLike[str], changes: Changes = ()) -> Study:
        """Read a study file.

        Args:
            path: The TOML file.
            changes: Changes of the recipe of every row, as in `Recipe.with_`.

        Raises:
            RecipeError: A file cannot be read, or a key or a value is invalid.
        """
        study = cls.__new__(cls)
        study._content, study._source = read_study(Path(path))
        study._changes, study._tables = read_changes(changes), {}
        study._plan = plan_study(study._content, study._source, study._changes)
        return study

    @classmethod
    def open(cls, out: str | os.PathLike[str]) -> Study:
        """Return the study of a folder, finished or not.

        Raises:
            RunError: The folder has no study, or one of a version before 0.5.0.
        """
        file = Path(out, STUDY_FILE)
        try:
            kept = json.loads(file.read_bytes())
            if kept.get(OWN_SUM, own_checksum(kept)) != own_checksum(kept):
                raise ValueError("its content does not have its checksum")
            content, base, home = dict(kept["study"]), dict(kept["base"]), Path(out, str(kept["home"]))
            changes = [Change(tuple(key), value, f"changes of {file}") for key, value in kept["changes"]]
        except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
            hint = "name the folder of a study; for one of an earlier version, load its file: Study.load(FILE)"
            raise RunError(
                "the study of the folder cannot be read", where=str(file), found=str(error), hint=hint
            ) from None
        study = cls.__new__(cls)
        name = Path(str(kept.get("file", "study")))
        study._content, study._changes, study._tables, study._out = content, changes, {}, Path(out)
        study._source = StudySource(name, functools.partial(_where, str(file)), base, home, _base_where)
        study._plan = plan_study(content, study._source, changes)
        return study

    _content: Mapping[str, Any]
    _source: StudySource
    _changes: Sequence[Change] = ()
    _tables: Tables
    _plan: StudyPlan
    _out: Path | None = None

    def _fill(
        self, content: Mapping[str, Any], base: Recipe, tables: Mapping[str, GivenTable], changes: Sequence[Change]
    ) -> None:
        marked = without_none(base.options.model_dump(exclude_unset=True))
        source = StudySource(Path("study"), place, marked, Path.cwd(), _base_where)
        self._content, self._source, self._changes = content, source, changes
        self._tables = dict(tables)
        self._plan = plan_study(content, source, changes)

    def __setattr__(self, name: str, value: Any) -> None:
        if not name.startswith("_"):
            raise AttributeError(f"a study does not change: make another one, Study(..., {name}=VALUE)")
        super().__setattr__(name, value)

    @property
    def plan(self) -> StudyPlan:
        """The rows with their complete recipes, and the seeds."""
        return self._plan

    @property
    def name(self) -> str | None:
        """The name of the study file without its ending. None for a study that was made in Python."""
        return None if self._source.file == Path("study") else self._source.file.stem

    def to_dict(self) -> dict[str, Any]:
        """Return the study as a dict of its keys. `base` is the dict of the base recipe."""
        content = dict(self._content)
        for name, partial in _partials(content):
            _set(content, name, with_tables(partial, self._tables))
        return {**content, "base": self.base.to_dict()}

    @property
    def base(self) -> Recipe:
        """The base recipe."""
        content = with_tables(self._source.base, self._tables)
        folder = self._source.home / str(content.get("data_dir", "."))
        return Recipe.of({**content, "data_dir": str(folder.absolute())})

    def save(self, path: str | os.PathLike[str], *, data_limit: int = LIMIT) -> Path:
        """Write the study to a TOML file, its base recipe to `NAME.base.toml`, and given tables to `NAME.data`.

        Args:
            path: The file. It is replaced if it exists.
            data_limit: The largest number of bytes of a table in memory.

        Raises:
            DataError: A table is larger than the limit.
            RecipeError: The study has changes, which no study file has, or the path is that of a folder.
        """
        file = Path(path)
        if file.is_dir():
            raise RecipeError("the place of the study is a folder", where=str(file), hint="name a file in it")
        if self._changes:
            hint = "save a study without changes, and set the values in its base recipe"
            raise RecipeError("a study file cannot have changes of the command line", where="changes", hint=hint)
        folder = file.with_name(f"{file.stem}.data")
        names = self._names()
        if names:
            remove_given(folder)
            write_tables(names, self._tables, folder, data_limit)
        content, base = self._with_files(names, folder.name)
        own = file.with_name(f"{file.stem}.base.toml")
        write_text(own, tomli_w.dumps(base))
        write_text(file, tomli_w.dumps(without_none({**content, "base": own.name})))
        return file

    def begin(self, out: str | os.PathLike[str], *, data_limit: int = LIMIT) -> StudyPlan:
        """Write the tables that were given into the folder of the runs. Return the rows with the files of these.

        Raises:
            DataError: A table is larger than the limit.
            RunError: The folder has other tables.
        """
        names = self._names()
        if names:
            write_tables(names, self._tables, Path(out, "data"), data_limit)
        return self._placed(names, Path(out))

    def keep(self, out: str | os.PathLike[str]) -> None:
        """Write the study into the folder of its runs, for `Study.open`."""
        names = self._names()
        content, base = self._with_files(names, "data")
        home = "." if names else str(self._source.home.absolute())
        changes = [[list(change.parts), change.value] for change in self._changes]
        kept = {"file": str(self._source.file), "home": home, "study": content, "base": base, "changes": changes}
        Path(out).mkdir(parents=True, exist_ok=True)
        write_json(Path(out, STUDY_FILE), {**kept, OWN_SUM: own_checksum(kept)})

    def run(
        self,
        out: str | os.PathLike[str] | None = None,
        *,
        jobs: int | None = None,
        ray: str | None = None,
        only: Sequence[str] = (),
        seeds: int | None = None,
        retry_failed: bool = False,
        notify: Notify | None = None,
        stop: Event | None = None,
        data_limit: int = LIMIT,
        progress: bool | None = None,
    ) -> Table:
        """Run the missing runs in processes of this machine or on a Ray cluster, and write the table.

        Finished runs are kept. Runs that failed are not repeated unless `retry_failed` is true.

        Args:
            out: The folder of the study. Default: `runs/NAME` for a study file `NAME.toml`.
            jobs: Number of runs at a time. Default: the CUDA devices if the recipes use them, otherwise cores of this
                machine / threads per run.
            ray: Run on the Ray cluster with this address, or "auto". Default: on this machine.
            only: Names of the rows to run. Default: all.
            seeds: Run only the first seeds, this number of them. Default: all.
            retry_failed: Run failed cells again.
            notify: A function that is called as `notify(event, **fields)` for every event of the study and its runs.
            stop: An event such as `threading.Event()`. Once it is set, every run stops after a checkpoint.
            data_limit: The largest number of bytes of a table that was given in memory. The folder keeps a copy of it.
            progress: Show the number of finished runs, as in `train`.

        Raises:
            ManyheadsError: The data or the encoder cannot be used, the folder has other runs, or a number is below 1.
            KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped the study. The same call resumes it. The class
                is `manyheads.training.stop.Interrupted`.
        """
        check_number("jobs", jobs, 1, whole=True)
        check_number("seeds", seeds, 1, whole=True)
        only = [only] if isinstance(only, str) else only
        folder = self.folder(out)
        with left_as_found(), naming_tables():
            plan = self.begin(folder, data_limit=data_limit)
            chosen = replace(plan, seeds=plan.seeds[:seeds])
            cells = survey(chosen, folder, only=only, retry_failed=retry_failed)
            if cells.todo:
                require_test_labels(plan)
            self.keep(folder)
            flag = StopFlag.of(stop)
            runner, how = runner_for(plan, jobs, ray, flag)
            with shown(progress) as output:
                listener = StudyProgress(output, len(cells.todo), notify or _ignore)
                states = [(cell.row, cell.seed, state) for cell, state in zip(cells.cells, cells.states, strict=True)]
                listener("start", text=opening(chosen, cells, how), cells=states, todo=len(cells.todo))
                run_cells(chosen, folder, runner, listener, cells)
                if flag:
                    resume = by_caller("repeat the same command", f"manyheads.open_study({str(folder)!r}).run()")
                    text = f"the study was stopped. Finished runs are kept. To resume: {resume}"
                    raise Interrupted(0, flag.signal_number or 0, text)
                listener("table", text="computing the table")
                return write_table(chosen, folder)

    def table(self, out: str | os.PathLike[str] | None = None) -> Table:
        """Write the table and the figures of the study from its finished runs, and return the table.

        Raises:
            ManyheadsError: The folder has runs of another study, or a run is damaged.
        """
        folder = self.folder(out)
        with left_as_found():
            return write_table(self._placed(self._names(), folder), folder)

    def power(
        self,
        *,
        pilot: str | os.PathLike[str] | None = None,
        seed_sd: float | None = None,
        correlation: float | None = None,
        difference: float | None = None,
    ) -> Power:
        """Compute which differences the study can find, by number of seeds. The arguments are those of `power`.

        Raises:
            ManyheadsError: The dev files or the pilot cannot be used, or a number is not in its range.
        """
        check_number("seed_sd", seed_sd, 0)
        check_number("correlation", correlation, 0, 1)
        check_number("difference", difference, -2, 2)
        own = None if pilot is None else Path(pilot)
        with left_as_found(), self._readable() as plan, naming_tables():
            return study_power(plan, pilot=own, seed_sd=seed_sd, correlation=correlation, difference=difference)

    def folder(self, out: str | os.PathLike[str] | None = None) -> Path:
        """Return the folder of the runs: `out`, the folder that the study was opened from, or `runs/NAME`.

        Raises:
            TypeError: There is none, because the study was made in Python.
        """
        if out is None and self._out is None and self.name is None:
            raise TypeError("a study that is not a file requires `out`, the folder of its runs")
        return Path(out) if out is not None else self._out or Path("runs", str(self.name))

    def _names(self) -> dict[str, str]:
        return names_of({row.name: row.recipe for row in self._plan.rows}, self._tables) if self._tables else {}

    def _placed(self, names: Mapping[str, str], home: Path) -> StudyPlan:
        """Return the rows with the files of given tables in the folder `home/data`."""
        if not names:
            return self._plan
        rows = [replace(row, recipe=naming_files(row.recipe, names, home, "data")) for row in self._plan.rows]
        return replace(self._plan, rows=tuple(rows))

    @contextmanager
    def _readable(self) -> Iterator[StudyPlan]:
        """Give the rows with the files of given tables in a temporary folder."""
        names = self._names()
        if not names:
            yield self._plan
            return
        with tempfile.TemporaryDirectory(prefix="manyheads-") as home:
            write_tables(names, self._tables, Path(home, "data"), sys.maxsize)
            yield self._placed(names, Path(home))

    def _with_files(self, names: Mapping[str, str], folder: str) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the keys of the study and of its base recipe, with names of files in place of tables."""
        content = dict(self._content)
        if not names:
            return content, self._absolute_base()
        options = Recipe.of(with_tables(self._source.base, self._tables)).options
        base = naming_files(options, names, Path.cwd(), folder).model_copy(update={"data_dir": "."})
        for name, partial in _partials(content):
            _set(content, name, _renamed(partial, names, Path(options.data_dir), folder))
        return content, without_none(base.model_dump(exclude_unset=True))

    def _absolute_base(self) -> dict[str, Any]:
        """Return the keys of the base recipe with absolute paths of the data and of an encoder folder."""
        base = dict(self._source.base)
        base["data_dir"] = str((self._source.home / user_path(str(base.get("data_dir", ".")))).absolute())
        encoder = self._source.home / str(base.get("encoder", ""))
        return {**base, "encoder": str(encoder.absolute())} if (encoder / "config.json").is_file() else base

    def __repr__(self) -> str:
        rows = ", ".join(row.name for row in self._plan.rows if row.twin_of is None)
        return f"Study({self._plan.title!r}, rows: {rows}; seeds: {', '.join(map(str, self._plan.seeds))})"


def _partials(content: Mapping[str, Any]) -> list[tuple[tuple[str, ...], Mapping[str, Any]]]:
    """Return the partial recipes of a study with their keys: the changes of all rows, and those of each row."""
    rows = content.get("rows")
    found: list[tuple[tuple[str, ...], Any]] = [(("changes",), content.get("changes"))]
    found += [(("rows", name), partial) for name, partial in rows.items()] if isinstance(rows, Mapping) else []
    return [(key, partial) for key, partial in found if isinstance(partial, Mapping)]


def _set(content: dict[str, Any], key: tuple[str, ...], partial: dict[str, Any]) -> None:
    if len(key) == 1:
        content[key[0]] = partial
    else:
        content["rows"] = {**content["rows"], key[1]: partial}


def _nested(partial: Mapping[str, Any], at: tuple[str, ...]) -> dict[str, Any]:
    """Return a partial recipe with tables in place of dotted keys."""
    nested: dict[str, Any] = {}
    for key, value in partial.items():
        parts = [key] if key == REMARK else dotted_key(str(key), f'{place(at)}["{key}"]')
        table: Any = value
        for part in reversed(parts):
            table = {part: table}
        nested = merge(nested, table)
    return nested


def _renamed(partial: Mapping[str, Any], names: Mapping[str, str], before: Path, folder: str) -> dict[str, Any]:
    changed = dict(partial)
    if isinstance(partial.get("tasks"), Mapping):
        changed["tasks"] = {
            name: {
                key: renamed_files(value, names, before, folder)
                if key in SPLITS and value is not None and not isinstance(value, int | float)
                else value
                for key, value in task.items()
            }
            for name, task in partial["tasks"].items()
        }
    return changed


def _where(file: str, key: Sequence[str]) -> str:
    return f"{file}, key {'.'.join(key)}"


def _base_where(key: Sequence[str], row: str) -> str:
    return f"{place(key)} of the base recipe, row {row}"


def _ignore(event: str, **fields: object) -> None:
    """Ignore the event."""


AnyStudy = Study | Mapping[str, Any] | str | os.PathLike[str]
"""A study in any of its forms: made in Python, a dict with its keys, or the path of a file."""


def study_of(study: AnyStudy, changes: Changes = ()) -> Study:
    """Return a study in any of its forms, with changes of the recipes of all rows.

    Raises:
        RecipeError: A key or a value is invalid.
        TypeError: The value is not a study.
    """
    if isinstance(study, str | os.PathLike):
        return Study.load(study, changes)
    if isinstance(study, Mapping):
        study = Study(**{str(key): value for key, value in study.items()})
    if not isinstance(study, Study):
        raise TypeError(f"a study is a Study, a dict or the path of a file, not a {type(study).__name__}")
    if not changes:
        return study
    changed = Study.__new__(Study)
    changed.__dict__.update(study.__dict__)
    changed._changes = [*study._changes, *read_changes(changes)]
    changed._plan = plan_study(changed._content, changed._source, changed._changes)
    return changed
