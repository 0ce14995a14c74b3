"""What works on a recipe: `train`, `pretrain`, `check` and `init`."""

from __future__ import annotations

import json
import os
import tempfile
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TextIO, cast

from manyheads.api.checked import Check
from manyheads.api.progress import Output, RunProgress, shown, warn, warned
from manyheads.api.recipe import Changes, Recipe
from manyheads.api.run import Run
from manyheads.api.values import Rows, text_format_of
from manyheads.checks.rehearse import Rehearsal, rehearse
from manyheads.data.given import given_row, given_table, is_table, naming_tables, remove_given, write_given
from manyheads.data.reading import BadRow, TextFormat
from manyheads.data.reading.text_format import as_argument, naming_arguments
from manyheads.errors import RecipeError, argument, by_caller, call
from manyheads.pretraining.cache import Pretrained
from manyheads.process_state import check_threads, left_as_found, one_training
from manyheads.recipe import schema
from manyheads.recipe.assemble import train as train_recipe
from manyheads.recipe.build import keep_freed_memory
from manyheads.recipe.given import LIMIT, in_temporary_folder, names_of
from manyheads.recipe.pretrain import pretrain as pretrain_recipe
from manyheads.recipe.toml import Noun
from manyheads.reports.document import write_report
from manyheads.run.atomic import write_text
from manyheads.run.folder import RunFolder
from manyheads.training.launch import Launch
from manyheads.training.listener import Listener
from manyheads.training.stop import Event, Interrupted
from manyheads.training.tracking import make_tracker
from manyheads.wizard.suggest import suggest

AnyRecipe = Recipe | schema.Recipe | Mapping[str, Any] | str | os.PathLike[str]
"""A recipe in any of its forms: made in Python, a dict with its keys, or the path of a file."""


@left_as_found(seeds=True)
def train(
    recipe: AnyRecipe,
    out: str | os.PathLike[str] | None = None,
    *,
    changes: Changes = (),
    resume: bool = False,
    track: Sequence[str] = (),
    listeners: Sequence[Listener] = (),
    stop: Event | None = None,
    tune_allocator: bool = False,
    data_limit: int = LIMIT,
    report: bool = True,
    progress: bool | None = None,
) -> Run:
    """Train one model on all tasks of a recipe.

    A finished run folder is not trained again if `resume` is true: its results are returned. One training at a time
    runs in a process. Torch's threads, random numbers and defaults, and the handlers of signals, are as before after
    the call.

    Args:
        recipe: The recipe: a `Recipe`, a dict with the keys of one, or the path of a file.
        out: The run folder. Default: `runs/NAME` for a recipe file `NAME.toml`. Required for other recipes.
        changes: Changes of the recipe: `{"training.epochs": 3}`, or as on the command line `["training.epochs=3"]`.
        resume: Resume from the last checkpoint in the run folder. Without a checkpoint, training starts from the
            beginning. If false, an existing run folder is an error.
        track: Trackers that also get the losses and metrics: "tensorboard", "trackio", "wandb", "mlflow", or the names
            of registered trackers.
        listeners: Functions that are called as `listener(event, **fields)` for every event.
        stop: An event such as `threading.Event()`. Once it is set, the run stops after a checkpoint.
        tune_allocator: Let the C library keep freed memory for the next step, which saves about 5% of a step with small
            batches (glibc only). The setting lasts for the rest of the process.
        data_limit: The largest number of bytes of a table that was given in memory. The run folder keeps a copy of it.
        report: Write the report of the run into its folder. If that fails, the call warns.
        progress: Show the progress in one line that is updated in place. Default: in a notebook, and if standard error
            is a terminal. True: also elsewhere, as lines.

    Returns:
        The finished run, which is a path, shows its metrics, and has its predictions and its model.

    Raises:
        ManyheadsError: The recipe, the data, the encoder or the run folder cannot be used, or another training is
            running in this process.
        TypeError: `out` is missing, and the recipe was not read from a file.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped the run after a checkpoint. Its message is the call
            that resumes the run. The class is `manyheads.training.stop.Interrupted`, with `step` and `signal_number`.
        Exception: A listener raised it. The run stopped after a checkpoint and can be resumed.

    Warns:
        ManyheadsWarning: Something may need attention, such as rows that were skipped.
    """
    made = recipe_of(recipe, changes)
    if out is None and made.name is None:
        raise TypeError("train() requires `out` if the recipe is not a file")
    loaded = made.options
    folder = Path("runs", str(made.name)) if out is None else Path(out)
    check_threads(_threads(loaded))
    home = RunFolder(folder).data.absolute()
    names = names_of(loaded, made.tables)
    keys = {str(home / f"{name}.parquet"): made.tables[mark].key for mark, name in names.items()}
    with one_training(folder), _explained(folder), shown(progress) as output:
        own = _with_progress(listeners, output, keys)
        trackers = [make_tracker(name, folder, _told(own)) for name in ([track] if isinstance(track, str) else track)]
        done = train_recipe(
            loaded,
            folder,
            resume=resume,
            listeners=[*own, *trackers],
            stop=stop,
            tune_allocator=tune_allocator,
            tables=made.tables,
            data_limit=data_limit,
        )
    run = Run(done.folder, done.results)
    if report and Launch.read().rank == 0:
        _write_report(run)
    return run


@left_as_found(seeds=True)
def pretrain(
    recipe: AnyRecipe,
    out: str | os.PathLike[str] | None = None,
    *,
    changes: Changes = (),
    listeners: Sequence[Listener] = (),
    stop: Event | None = None,
    tune_allocator: bool = False,
    progress: bool | None = None,
) -> Pretrained:
    """Pretrain the encoder of a recipe on the texts of its tasks.

    The `[pretraining]` table of the recipe sets the options. An encoder that is already in the cache is not
    pretrained again. A call that was interrupted resumes when it is repeated.

    Args:
        recipe: The recipe, as in `train`.
        out: A new or empty folder to copy the encoder to. Default: the encoder is in the cache only.
        changes: Changes of the recipe, as in `train`.
        listeners: Functions that are called as `listener(event, **fields)` for every event.
        stop: An event such as `threading.Event()`. Once it is set, pretraining stops after a checkpoint.
        tune_allocator: As in `train`.
        progress: As in `train`.

    Returns:
        The pretrained encoder, with its key in the cache, its folder, and a summary of the pretraining.

    Raises:
        ManyheadsError: The recipe has no `[pretraining]` table, or the recipe, the data, the encoder or the folder
            cannot be used, or another training is running in this process.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped pretraining after a checkpoint. The class is
            `manyheads.training.stop.Interrupted`.
        Exception: A listener raised it. Pretraining stopped after a checkpoint.
    """
    made = recipe_of(recipe, changes)
    folder = None if out is None else Path(out)
    check_threads(_threads(made.options))
    with (
        one_training(folder),
        _explained(None),
        in_temporary_folder(made.options, made.tables) as loaded,
        naming_tables(),
        shown(progress) as output,
    ):
        own = _with_progress(listeners, output, _keys(loaded) if made.tables else {})
        return pretrain_recipe(loaded, folder, listeners=own, stop=stop, tune_allocator=tune_allocator)


@left_as_found(seeds=True)
def check(recipe: AnyRecipe, *, changes: Changes = (), tune_allocator: bool = False) -> Check:
    """Check a recipe and its data, and estimate time and memory. Nothing is trained.

    Args:
        recipe: The recipe, as in `train`.
        changes: Changes of the recipe, as in `train`.
        tune_allocator: As in `train`, whose time is estimated.

    Returns:
        What was found, which shows itself as `manyheads check` prints it. `check.stops`: whether training would stop at
        a rejected row.

    Raises:
        ManyheadsError: The recipe, the data or the encoder cannot be used.
    """
    made = recipe_of(recipe, changes)
    check_threads(_threads(made.options))
    if tune_allocator:
        keep_freed_memory()
    with in_temporary_folder(made.options, made.tables) as loaded, naming_tables():
        found = rehearse(loaded)
        return Check(_named(found, loaded) if made.tables else found)


def init(
    data: str | os.PathLike[str] | Rows | Sequence[str | os.PathLike[str]] | Mapping[str, Rows],
    out: str | os.PathLike[str] | TextIO | None = None,
    *,
    encoder: str | os.PathLike[str] | None = None,
    text: str | Sequence[str] = (),
    label: str | None = None,
    text_format: Mapping[str, Any] | None = None,
    force: bool = False,
) -> Recipe:
    """Suggest a recipe for data. Each label column becomes a task.

    Args:
        data: Files, folders, patterns, or data sets of the hub such as "hub:OWNER/NAME@train". The files of one task
            share a name, followed by train, dev or test. Or a table in memory, or a dict of tables by name. The tables
            `NAME_train`, `NAME_dev` and `NAME_test` are those of one task.
        out: Write the recipe with comments to this file, and its JSON Schema for editors to the same folder. Tables in
            memory are written next to it, as `NAME.data/*.parquet`. Or a stream, such as `sys.stdout`. Default: nothing
            is written. `recipe.save(FILE)` writes the recipe without comments.
        encoder: The encoder. Default: the offline encoder if it is installed, otherwise one from the hub.
        text: The text column, or two of them. Default: found by names and contents.
        label: The label column. Default: found by names and contents.
        text_format: How the files are written, as the keys of a task: `{"delimiter": ";"}`. Default: found in the
            files.
        force: Replace existing files.

    Returns:
        The recipe.

    Raises:
        DataError: A file cannot be read, or its columns cannot be found.
        RecipeError: `out` exists, or a file that manyheads did not write has the name of the schema.

    Warns:
        ManyheadsWarning: Something in the data may need attention.
    """
    columns = [text] if isinstance(text, str) else list(text)
    own = None if encoder is None else os.fspath(encoder)
    written = TextFormat(**text_format_of(text_format))
    file = Path(out) if isinstance(out, str | os.PathLike) else None
    if file is not None:
        _check_free(file, force)
    found: list[str] = []
    with _files(data, file) as (files, tables), naming_arguments(), naming_tables():
        folder = None if file is None else file.parent
        suggested = suggest(files, folder, encoder=own, text=columns, label=label, written=written, warn=found.append)
        if file is not None:
            write_text(file, f"#:schema ./{Noun.RECIPE.file_name}\n{suggested}")
            write_text(file.with_name(Noun.RECIPE.file_name), Noun.RECIPE.schema)
            recipe = Recipe.load(file)
        else:
            if out is not None:
                cast(TextIO, out).write(suggested)
            recipe = _suggested(suggested, tables)
    for each in found:
        warn(as_argument(each))
    return recipe


def _check_free(file: Path, force: bool) -> None:
    """Check that a recipe and its schema can be written.

    Raises:
        RecipeError: Another file is there.
    """
    if file.exists() and not file.is_file():
        hint = by_caller("leave out --output to print the recipe", "name a file")
        raise RecipeError("the output is not a file", where=str(file), hint=hint)
    overwrite = f"overwrite it with {argument('force', True)}"
    if file.exists() and not force:
        hint = f"choose another file with {argument('out', option='output')}, or {overwrite}"
        raise RecipeError("the output file already exists", where=str(file), hint=hint)
    schema = file.with_name(Noun.RECIPE.file_name)
    if force or not schema.exists():
        return
    try:
        content = json.loads(schema.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("title") != json.loads(Noun.RECIPE.schema)["title"]:
        raise RecipeError(
            "a file that manyheads did not write has the name of the schema file",
            where=str(schema),
            hint=f"move it, write the recipe to another folder with {argument('out', option='output')}, or {overwrite}",
        )


def _suggested(written: str, tables: Mapping[str, Any]) -> Recipe:
    """Return a recipe that was suggested, with tables in memory in place of their temporary files."""
    content = tomllib.loads(written)
    folder = Path(content.get("data_dir", "."))
    for task in content["tasks"].values():
        for split in ("train", "dev", "test"):
            spec = task.get(split)
            file = str((folder / spec).absolute()) if isinstance(spec, str) else ""
            task.update({split: tables[file]} if file in tables else {})
    if tables:
        content.pop("data_dir", None)  # the temporary folder of their files
    return Recipe.of(content)


@contextmanager
def _files(data: Any, out: Path | None) -> Iterator[tuple[list[Path], dict[str, Any]]]:
    """Give the files of data, and the tables that were given by their files. `out`: the recipe that keeps the files."""
    if isinstance(data, Iterator):
        data = list(data)
    several = isinstance(data, Mapping) and bool(data) and all(map(is_table, data.values()))
    named = isinstance(data, Sequence | Mapping) and not several and not is_table(data)
    if named or isinstance(data, str | os.PathLike):
        yield [Path(each) for each in ([data] if isinstance(data, str | os.PathLike) else data)], {}
        return
    if several:
        tables = {str(name): given_table(each, f'data["{name}"]') for name, each in data.items()}
    else:
        tables = {"data": given_table(data, "data")}
    with ExitStack() as stack:
        if out is None:
            # Tasks of tables that are named "train" and "test" have the name of their folder.
            home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="manyheads-")), "data")
        else:
            home = out.with_name(f"{out.stem}.data")
            remove_given(home)
        write_given(tables, home, LIMIT)
        files = {str((home / f"{name}.parquet").absolute()): table for name, table in tables.items()}
        yield [Path(each) for each in files], dict(files)


def recipe_of(recipe: AnyRecipe, changes: Changes) -> Recipe:
    """Return a recipe in any of its forms, with changes."""
    if isinstance(recipe, str | os.PathLike):
        return Recipe.load(recipe, changes)
    made = Recipe.of(recipe)
    return made.with_(changes) if changes else made


def _with_progress(listeners: Sequence[Listener], output: Output | None, keys: Mapping[str, str]) -> Sequence[Listener]:
    """Return listeners and those that warn and show the progress. These name the files `keys` by their keys.

    Raises:
        TypeError: Something is not a listener.
    """
    odd = [listeners] if callable(listeners) else [each for each in listeners if not callable(each)]
    if odd:
        raise TypeError(f"listeners is a list of functions, found {odd[0]!r}")
    own: list[Listener] = [warned, *([] if output is None else [RunProgress(output)])]

    def tell(event: str, **fields: Any) -> None:
        if isinstance(fields.get("text"), str):
            fields["text"] = _with_keys(fields["text"], keys)
        for listener in own:
            listener(event, **fields)

    return [*listeners, tell]


def _told(listeners: Sequence[Listener]) -> Listener:
    """Return a listener that calls several."""

    def tell(event: str, **fields: Any) -> None:
        for listener in listeners:
            listener(event, **fields)

    return tell


@contextmanager
def _explained(folder: Path | None) -> Iterator[None]:
    """Let the exception of a call that was stopped say how to resume it. `folder`: the run folder, or None."""
    try:
        yield
    except Interrupted as stopped:
        raise Interrupted(stopped.step, stopped.signal_number, _resumed_by(folder, stopped.step)) from None


def _resumed_by(folder: Path | None, step: int) -> str:
    """Return how a call that was stopped is resumed."""
    run = None if folder is None else RunFolder(folder)
    if run is not None and run.finished:
        return f"stopped. The run in {run.path} is finished"
    if run is None or not run.recipe.exists():
        return f"stopped after step {step}. The same call resumes it"
    return f"stopped after step {step}. To resume: {call('train', run.recipe, out=run.path, resume=True)}"


def _write_report(run: Run) -> None:
    """Write the report of a run. If that fails, warn: the run itself is complete."""
    try:
        write_report(run.path)
    except Exception as error:
        warn(f"the report of {run.path} could not be written: {error}")


def _threads(recipe: schema.Recipe) -> int:
    """Return the number of threads of a training."""
    return recipe.threads or len(os.sched_getaffinity(0))


@dataclass(frozen=True)
class _GivenRow(BadRow):
    """A bad row of a table in memory. `place`: its key and index."""

    place: str = ""

    def __str__(self) -> str:
        return f"{self.place}: {self.reason}"


def _keys(recipe: schema.Recipe) -> dict[str, str]:
    """Return the keys of the files of a recipe, by their paths."""
    return {
        str(Path(recipe.data_dir, spec)): f'tasks["{name}"].{split}'
        for name, task in recipe.tasks.items()
        for split in ("train", "dev", "test")
        if isinstance(spec := getattr(task, split), str)
    }


def _with_keys(text: str, keys: Mapping[str, str]) -> str:
    """Return a text with keys in place of the files that have them."""
    for file, key in keys.items():
        text = text.replace(file, key)
    return text


def _named(found: Rehearsal, recipe: schema.Recipe) -> Rehearsal:
    """Return a rehearsal that names tables by their keys and not by their temporary files."""
    keys = _keys(recipe)

    def named(text: str) -> str:
        return _with_keys(text, keys)

    def row(bad: BadRow) -> BadRow:
        place = given_row(bad.source, bad.line)
        return bad if place is None else _GivenRow(bad.source, bad.line, bad.reason, bad.hint, place=place)

    files = [
        replace(each, source=named(each.source), rejected=[row(bad) for bad in each.rejected]) for each in found.files
    ]
    return replace(found, files=files, warnings=[named(each) for each in found.warnings])
