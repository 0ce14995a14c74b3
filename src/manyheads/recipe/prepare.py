"""Read and tokenise the data of a recipe: everything before training."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data.arrays import Joined
from manyheads.data.cache import cache_folder
from manyheads.data.dataset import Split, Stream
from manyheads.data.examples import (
    Examples,
    bad_rows_error,
    examples_warnings,
    known_targets,
    labelled_rows,
    read_examples,
    with_columns,
)
from manyheads.data.reading import BadRow, Files, Source, files_name
from manyheads.data.split import draw, held_out_in_0_4, hold_out, strata_of
from manyheads.data.table import Reading, Unknown, fill_tables
from manyheads.data.texts import TextStore
from manyheads.data.tokenised import tokenise_examples
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import DataError, RecipeError
from manyheads.ragged import Ragged, flat
from manyheads.recipe import held_out
from manyheads.recipe.schema import Recipe, TaskOptions
from manyheads.recipe.tasks import (
    build_task,
    common_rows,
    groups_of,
    is_balanced,
    joined,
    label_spaces,
    open_task_source,
    partners,
    streams_of,
    unlabelled_rows,
    with_a_label,
)
from manyheads.tasks.kind import known
from manyheads.tasks.task import Task

Notify = Callable[..., None]

NAMED = 10
"""Labels that a message lists. The others are counted."""


@dataclass(frozen=True)
class TaskData:
    """One task with its examples.

    `rejected`: rejected rows, by file. `fingerprints`: SHA-256 of every file, and of the held-out rows. `stream`: the
    name of the stream of the training examples. They are the same rows for all tasks of a stream, and the target of a
    row without a label of this task is NaN.
    `class_weights`: the weights of the classes if they are balanced, see `Kind.balanced_weights`. `held`: training
    examples that were held out of training to tune the decoding, see `Kind.tuning_share`.
    """

    task: Task
    train: Examples
    dev: Examples
    test: Examples | None
    rejected: Mapping[str, Sequence[BadRow]]
    fingerprints: Mapping[str, str]
    stream: str
    class_weights: NDArray[np.float64] | None = None
    held: Examples | None = None

    @property
    def holes(self) -> int:
        """The number of training rows without a label of this task."""
        return len(self.train) - len(known_targets(self.train))


@dataclass(frozen=True)
class Prepared:
    """The tokenised splits of every task, over one store of distinct texts."""

    data: tuple[TaskData, ...]
    store: TextStore
    train: Mapping[str, Split]
    dev: Mapping[str, Split]
    test: Mapping[str, Split]
    held: Mapping[str, Split]

    @property
    def tasks(self) -> tuple[Task, ...]:
        """The tasks, in the order of the recipe."""
        return tuple(each.task for each in self.data)

    @property
    def class_weights(self) -> dict[str, NDArray[np.float64]]:
        """The weights of the classes of the tasks whose weights are balanced."""
        return {each.task.name: each.class_weights for each in self.data if each.class_weights is not None}

    @property
    def streams(self) -> dict[str, Stream]:
        """The training rows by the name of their stream, in the order of the recipe."""
        names: dict[str, list[str]] = {}
        for each in self.data:
            names.setdefault(each.stream, []).append(each.task.name)
        return {name: Stream(name, tuple(self.train[task] for task in tasks)) for name, tasks in names.items()}

    @property
    def fingerprints(self) -> dict[str, str]:
        """SHA-256 of every file, by its name in the recipe, and of the ids of the held-out rows."""
        return {name: value for each in self.data for name, value in each.fingerprints.items()}


SAME_ROWS = (
    "the dev data is the training data. The dev metrics do not show how well the model predicts other texts. Use other "
    "rows, or dev = 0.1 to hold out some"
)


def read_tasks(recipe: Recipe, notify: Notify, check: Callable[[], None] = lambda: None) -> tuple[TaskData, ...]:
    """Read every file of every task. `check` is called before each file, and may raise an exception to end the call.

    Raises:
        DataError: A file is missing or empty, or has invalid rows and the task does not set `on_bad_rows = "skip"`.
        RecipeError: Tasks hold out different shares of one file.
    """
    readers = _readers(recipe, notify, check)
    _divide(list(readers.values()))
    _read_dev(recipe, readers)
    drawn = {name: draw(readers[name].train, options.train_rows) for name, options in recipe.tasks.items()}
    held = _hold_out_to_tune(recipe, readers, drawn)
    trained: dict[str, tuple[Examples, str]] = {}
    for stream, names in streams_of(recipe).items():
        own = [drawn[name] for name in names]
        several = with_a_label(joined(own)) if len(names) > 1 else [labelled_rows(own[0])]
        trained |= {name: (each, stream) for name, each in zip(names, several, strict=True)}
    _fill_tests(recipe, readers)
    data = tuple(readers[name].finish(*trained[name], held.get(name)) for name in recipe.tasks)
    for each in data:
        count = sum(map(len, each.rejected.values()))
        if count:
            rows = "1 invalid row was skipped" if count == 1 else f"{count} invalid rows were skipped"
            notify("warning", text=f"{each.task.name}: {rows}", rejected=count)
        for examples in (each.train, each.dev, each.test):
            for text in examples_warnings(examples, each.task) if examples is not None else ():
                notify("warning", text=f"{each.task.name}: {text}")
        if each.dev.fingerprint == each.train.fingerprint and not isinstance(recipe.tasks[each.task.name].dev, float):
            notify("warning", text=f"{each.task.name}: {SAME_ROWS}")
    return data


def _hold_out_to_tune(
    recipe: Recipe, readers: Mapping[str, _Reader], drawn: dict[str, Examples]
) -> dict[str, Examples]:
    """Take the examples on which the decoding of tasks is tuned out of their training examples. Return them by task.

    Tasks that read the same rows lose the same ones, and the largest of their shares.
    """
    held: dict[str, Examples] = {}
    for names in groups_of(recipe.tasks):
        kinds = {name: readers[name].task.kind for name in names}
        shares = [share for kind in kinds.values() if (share := kind.tuning_share) is not None]
        if not shares:
            continue
        examples = [drawn[name] for name in names]
        strata = [strata_of(each, readers[name].task) for name, each in zip(names, examples, strict=True)]
        for name, (train, rows) in zip(names, hold_out(examples, max(shares), strata), strict=True):
            count = len(drawn[name])
            drawn[name] = train
            if kinds[name].tuning_share is not None:
                held[name] = labelled_rows(rows)
                text = (
                    f"{len(rows):,} of {count:,} training rows are held out of training, to tune the decoding on them"
                )
                readers[name].notify("note", text=f"{name}: {text}")
    return held


def rejected_rows(data: Sequence[TaskData]) -> Iterator[dict[str, Any]]:
    """Yield every rejected row as the fields of its event. There may be very many, so no list is built."""
    for each in data:
        for bad in each.rejected.values():
            for row in bad:
                yield {"task": each.task.name, "file": row.source, "line": row.line, "reason": row.reason}


def tokenise_tasks(data: Sequence[TaskData], tokenizer: Tokenizer) -> Prepared:
    """Tokenise every distinct text of all tasks once, or read the tokens from the cache."""
    parts = [
        (name, examples)
        for each in data
        for name, examples in (("train", each.train), ("dev", each.dev), ("test", each.test), ("held", each.held))
        if examples is not None
    ]
    tasks = {each.task.name: each.task for each in data}
    store, splits = tokenise_examples([examples for _, examples in parts], tasks, tokenizer, cache_folder())
    tokenised: dict[str, dict[str, Split]] = {"train": {}, "dev": {}, "test": {}, "held": {}}
    for (name, examples), split in zip(parts, splits, strict=True):
        tokenised[name][examples.task] = split if name == "train" else replace(split, task=split.task.predicting)
    return Prepared(tuple(data), store, **tokenised)


def held_out_examples(recipe: Recipe, name: str) -> tuple[Examples, Sequence[BadRow]]:
    """Return the dev rows of a task that holds out a share of its training file, and the bad rows of that file."""
    folder = Path(recipe.data_dir)
    files = {
        each: open_task_source(options, options.train, folder, labelled=True).fingerprint()
        for each, options in recipe.readers.items()
    }
    readers = _readers(recipe, _ignore, only=[each for each in files if files[each] == files[name]])
    _divide(list(readers.values()))
    reader = readers[name]
    if reader.dev is None:
        raise AssertionError(f"{name} holds out no rows")
    bad = [row for rows in reader.rejected.values() for row in rows]
    dev = with_columns(labelled_rows(reader.dev), len(reader.task.predicting.text))
    return draw(dev, recipe.tasks[name].dev_rows), bad


def examples_held_out_in_0_4(recipe: Recipe, name: str) -> Examples:
    """Return the dev rows of a task as version 0.4.0 drew them."""
    options = recipe.tasks[name]
    if not isinstance(options.dev, float):
        raise AssertionError(f"{name} holds out no rows")
    readers = _readers(recipe, _ignore, only=partners(recipe.readers, name, options.train))
    whole = labelled_rows(readers[name].train)
    return draw(held_out_in_0_4(whole, options.dev), options.dev_rows)


def _readers(
    recipe: Recipe, notify: Notify, check: Callable[[], None] = lambda: None, *, only: Sequence[str] | None = None
) -> dict[str, _Reader]:
    """Read the training files of the tasks of a recipe and of the tasks that take part in the choice of held-out rows.

    Tasks that read the same rows have the same examples. `only`: the tasks to read. Default: all.

    Raises:
        DataError: A row has no label of any task, and `on_bad_rows` of one of them is "error".
    """
    tasks = recipe.readers
    readers: dict[str, _Reader] = {}
    chosen = {name: options for name, options in tasks.items() if only is None or name in only}
    for group in groups_of(chosen):
        check()
        folder = Path(recipe.data_dir)
        opened = {
            name: (chosen[name], open_task_source(chosen[name], chosen[name].train, folder, labelled=True))
            for name in group
        }
        for name, space in label_spaces(opened).items():
            options, source = opened[name]
            own = notify if name in recipe.tasks else _ignore
            for text in space.notes:
                own("note", text=f"{name}: {text}")
            task = build_task(name, options, space.kind)
            for text in task.kind.warnings():
                own("warning", text=f"{name}: {text}")
            readers[name] = _Reader(task, options, folder, source, own, check)
        _fill([readers[name].training(recipe) for name in group])
    readers = {name: readers[name] for name in chosen}
    for reader in readers.values():
        reader.read_training(recipe)
    for group in groups_of(chosen):
        several = [readers[name] for name in group]
        if len(several) > 1:
            rows = _join(several, [each.train for each in several])
            for each, train in zip(several, rows, strict=True):
                each.train = train
    return readers


def _read_dev(recipe: Recipe, readers: Mapping[str, _Reader]) -> None:
    """Read the dev files. In a file of which several tasks have labels, a row may lack the labels of some of them.

    Raises:
        DataError: A row has no label of any task, and `on_bad_rows` of one of them is "error".
    """
    for name, options in recipe.tasks.items():
        if isinstance(options.dev, float) or readers[name].dev is not None:
            continue
        several = [readers[each] for each in partners(recipe.readers, name, options.dev)]
        readings = [each.reading(options.dev, labelled=True, holes=len(several) > 1) for each in several]
        _fill(readings)
        rows = [each.read(options.dev, reading) for each, reading in zip(several, readings, strict=True)]
        for each, dev in zip(several, _join(several, rows) if len(several) > 1 else rows, strict=True):
            each.dev = dev


def _join(readers: Sequence[_Reader], several: Sequence[Examples]) -> list[Examples]:
    """Return examples of tasks that read the same rows, without the rows of which no task has a label.

    Raises:
        DataError: There is such a row, and `on_bad_rows` of a task is "error".
    """
    source = several[0].source
    several = common_rows(several)
    bad = unlabelled_rows(several, [each.rejected.get(source, ()) for each in readers])
    if bad and any(each.options.on_bad_rows == "error" for each in readers):
        raise bad_rows_error(bad)
    if bad:
        readers[0].rejected[source] = Joined([readers[0].rejected.get(source, ()), bad])
    return with_a_label(joined(several))


def _fill(readings: Sequence[Reading]) -> None:
    """Read a file once for several tasks."""
    fill_tables(readings, cache_folder())


def _fill_tests(recipe: Recipe, readers: Mapping[str, _Reader]) -> None:
    """Read each test file once for all tasks of a stream that name it."""
    for names in groups_of(recipe.tasks):
        files: dict[str, list[Reading]] = {}
        for name in names:
            spec = recipe.tasks[name].test
            if spec is not None:
                reading = readers[name].reading(spec, labelled=False)
                readers[name].test = reading
                files.setdefault(files_name(spec), []).append(reading)
        for readings in files.values():
            _fill(readings)


@dataclass
class _Reader:
    """A task whose files are read. `source`: its training file. `test`: how its test file is read.

    `train`, `dev`: its rows, once they are read or drawn. `dev` are the held-out rows, or those of a file.
    """

    task: Task
    options: TaskOptions
    folder: Path
    source: Source
    notify: Notify
    check: Callable[[], None]
    read_rows: Examples | None = None
    dev: Examples | None = None
    test: Reading | None = None
    rejected: dict[str, Sequence[BadRow]] = field(default_factory=dict)
    fingerprints: dict[str, str] = field(default_factory=dict)

    @property
    def train(self) -> Examples:
        """The training rows."""
        if self.read_rows is None:
            raise AssertionError(f"the training file of {self.task.name} was not read")
        return self.read_rows

    @train.setter
    def train(self, rows: Examples) -> None:
        self.read_rows = rows

    def training(self, recipe: Recipe) -> Reading:
        """Return how the training file is read."""
        holes = len(partners(recipe.readers, self.task.name, self.options.train)) > 1
        grouped = _divided(self.options, recipe)
        return Reading(self.task, self.source, True, grouped, self.options.weight, holes)

    def read_training(self, recipe: Recipe) -> None:
        """Read the training file."""
        self.check()
        self.train = self._examples(self.options.train, self.training(recipe))

    def reading(self, spec: Files, *, labelled: bool, holes: bool = False) -> Reading:
        """Return how another file of the task is read. The file of dev examples must have the groups of the task."""
        task = self.task.predicting
        source = open_task_source(self.options, spec, self.folder, labelled=labelled)
        grouped = labelled or task.group in source.columns
        unknown = unknown_labels(self.task, self.options, "dev" if labelled else "test")
        return Reading(task, source, labelled, grouped, None, holes, unknown)

    def read(self, spec: Files, reading: Reading) -> Examples:
        """Read another file of the task."""
        self.check()
        if reading.task.group is not None and not reading.grouped:
            text = f"{reading.source.name} has no column {reading.task.group!r}, so its rows are taken as independent"
            self.notify("warning", text=f"{self.task.name}: {text}")
        return self._examples(spec, reading)

    def _examples(self, spec: Files, reading: Reading) -> Examples:
        """Read a file. Keep its fingerprint and its bad rows."""
        examples, bad = read_examples(
            reading.task,
            reading.source,
            on_bad_rows=self.options.on_bad_rows,
            labelled=reading.labelled,
            cache=cache_folder(),
            grouped=reading.grouped,
            weight=reading.weight,
            holes=reading.holes,
            unknown=reading.unknown,
        )
        self.fingerprints[files_name(spec)] = examples.fingerprint
        if bad:
            self.rejected[reading.source.name] = bad
        for text in examples.warnings:
            self.notify("warning", text=f"{self.task.name}: {text}")
        return examples

    def finish(self, train: Examples, stream: str, held: Examples | None) -> TaskData:
        """Read the test file, and draw the sample of dev examples that the recipe asks for.

        `train`, `stream`: the training examples, and the name of their stream. `held`: those to tune the decoding on.

        Raises:
            DataError: No training row has a label of the task.
        """
        task, options = self.task, self.options
        if self.dev is None:
            raise AssertionError(f"the rows of {task.name} were not divided")
        dev = draw(with_columns(labelled_rows(self.dev), len(task.predicting.text)), options.dev_rows)
        if not len(known_targets(train)):
            hint = "increase `train_rows`"
            raise DataError(f"no training row has a label of {task.name}", where=train.source, hint=hint)
        train = _with_mean_one(train, task)
        if isinstance(options.dev, float):
            self.fingerprints[held_out.mark(task.name, files_name(options.train))] = held_out.fingerprint(dev)
        sampled = held is not None or options.train_rows is not None or options.dev_rows is not None
        if isinstance(options.dev, float) or sampled:
            for text in _lacking(task, train, dev):
                self.notify("warning", text=f"{task.name}: {text}")
        test = None if options.test is None or self.test is None else self.read(options.test, self.test)
        weights = None
        if is_balanced(options):
            weights = balanced_weights(task, train)
            self.notify("note", text=f"{task.name}: {_weights_note(task, train, weights)}")
        return TaskData(task, train, dev, test, self.rejected, self.fingerprints, stream, weights, held)


def unknown_labels(task: Task, options: TaskOptions, split: str) -> Unknown | None:
    """Return what to do with labels that training does not know. None: a row with one has no usable label."""
    if options.labels_unknown is not None:
        return options.labels_unknown
    if split == "dev":
        return "error"
    return "wrong" if task.kind.counts_unknown else None


def _divided(options: TaskOptions, recipe: Recipe) -> bool:
    """Return whether a task holds out rows of the training file of a task. Its groups must then be known."""
    own = files_name(options.train)
    return any(isinstance(each.dev, float) and files_name(each.train) == own for each in recipe.readers.values())


def _divide(readers: Sequence[_Reader]) -> None:
    """Hold out rows of every training file of which a task asks for a share.

    All tasks that read a file, by its content, have the same dev rows. A task with a dev file of its own does not train
    on rows that another task holds out.

    Raises:
        RecipeError: Two tasks ask for different shares of one file.
        DataError: A side has no row of a task.
    """
    for fingerprint in dict.fromkeys(each.train.fingerprint for each in readers):
        # The order is that of the names, so that the draw does not depend on the order of the recipe.
        own = sorted(
            (each for each in readers if each.train.fingerprint == fingerprint), key=lambda each: each.task.name
        )
        shares = {each.options.dev: each for each in own if isinstance(each.options.dev, float)}
        if not shares:
            continue
        if len(shares) > 1:
            raise RecipeError(
                "tasks hold out different shares of one file, so that a row would be in dev for one and in train for "
                "the other",
                where=" and ".join(f"tasks.{each.task.name}.dev" for each in shares.values()),
                found=", ".join(f"{share:g}" for share in shares),
                hint=f"set the same share for all tasks that read {files_name(own[0].options.train)}",
            )
        (share,) = shares
        sides = hold_out([each.train for each in own], float(share), [strata_of(each.train, each.task) for each in own])
        for each, (train, dev) in zip(own, sides, strict=True):
            in_train, in_dev = len(known_targets(train)), len(known_targets(dev))
            if not in_train or (not in_dev and isinstance(each.options.dev, float)):
                raise DataError(
                    f"all rows of the task are {'held out' if in_dev else 'in training'}",
                    where=f"{train.source}, task {each.task.name}",
                    found=f"{in_train + in_dev} usable rows",
                    hint="set `dev` of the task to a file, or another share",
                )
            each.train = train
            if isinstance(each.options.dev, float):
                each.dev = dev
            elif len(dev):
                rows = "1 row" if len(dev) == 1 else f"{len(dev)} rows"
                text = f"{rows} of {files_name(each.options.train)} left out of training"
                each.notify("note", text=f"{each.task.name}: {text}, because another task holds out these rows")


def _with_mean_one(train: Examples, task: Task) -> Examples:
    """Divide the weights of training examples by their mean over all labels.

    Raises:
        DataError: All weights are 0.
    """
    if train.weights is None:
        return train
    per_word = isinstance(train.targets, Ragged) and train.candidates is None
    labels = train.targets.lengths if per_word else known(train.targets)
    mean = float(np.average(train.weights, weights=labels))
    if mean == 0:
        raise DataError(
            "all training rows have the weight 0", where=f"{train.source}, task {task.name}", found=f"{len(train)} rows"
        )
    return replace(train, weights=np.asarray(train.weights) / mean)


def balanced_weights(task: Task, train: Examples) -> NDArray[np.float64]:
    """Return the weights with which each class of a task has the same share in the loss of the training examples."""
    labelled = known(train.targets)
    rows = np.ones(len(train)) if train.weights is None else np.asarray(train.weights)
    targets, rows = (train.targets if train.soft is None else train.soft)[labelled], rows[labelled]
    rows = np.repeat(rows, targets.lengths) if isinstance(targets, Ragged) else rows
    weights = task.kind.balanced_weights(flat(targets), rows)
    if weights is None:
        raise AssertionError(f"{task.kind.noun} has no classes")
    return weights


def _weights_note(task: Task, train: Examples, weights: NDArray[np.float64]) -> str:
    """Return a sentence with the weights of the first labels. Of rows without and with a label, those with it."""
    own = weights if weights.ndim == 1 else weights[1]
    labels = task.kind.counts(known_targets(train))
    shown = [f"{name}: {weight:.4g}" for name, weight in zip(labels, own, strict=True)]
    more = ", ..." if len(shown) > NAMED else ""
    noun = "class weights" if weights.ndim == 1 else "class weights of rows with the label"
    return f"{noun}, balanced over {len(train):,} training rows: {', '.join(shown[:NAMED])}{more}"


def _lacking(task: Task, train: Examples, dev: Examples) -> Iterator[str]:
    """Yield a sentence for each side that lacks classes which the other side has."""
    of_train, of_dev = (task.kind.counts(known_targets(each)) for each in (train, dev))
    for name, own, other in (("training", of_train, of_dev), ("dev", of_dev, of_train)):
        absent = [label for label, count in other.items() if count and not own[label]]
        if absent:
            shown = ", ".join(map(repr, absent[:NAMED]))
            more = f" and {len(absent) - NAMED} more" if len(absent) > NAMED else ""
            noun = "label" if len(absent) == 1 else "labels"
            yield f"no {name} row has the {noun} {shown}{more}"


def _ignore(event: str, **fields: object) -> None:
    """Ignore an event."""
