"""Survey the files of one task: columns, kind, labels or range, usable rows and bad rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from manyheads.data.cache import cache_folder
from manyheads.data.examples import known_targets, labelled_rows, read_examples
from manyheads.data.reading import BadRow, Row, Source, TextFormat, from_here, listed_columns, open_source
from manyheads.data.reading.dotted import with_paths
from manyheads.data.reading.text_format import USUAL
from manyheads.data.strings import Joined
from manyheads.errors import DataError
from manyheads.model.losses import fitting_losses
from manyheads.ragged import Rows
from manyheads.recipe.tasks import gathered, label_cells
from manyheads.tasks.kind import Kind, LabelError, Target
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.task import Pairing, Task
from manyheads.wizard.columns import LABEL_WORD, Column, Layout, guess_labels, guess_layout, unlabelled_layout
from manyheads.wizard.file_groups import FileGroup, task_name

LISTED = 10

FIRST = 500
"""Rows in which columns of a kind's own are looked for."""


@dataclass(frozen=True)
class Survey:
    """One task as found in its files.

    `shares`: a summary of the training labels. `counts`: usable rows per split ("train", "dev", "test"). `bad`: the
    rows of all files that cannot be used. `written`: how the files are written. `warnings`: what is suspicious in them.
    """

    group: FileGroup
    layout: Layout
    kind: Kind
    shares: str
    counts: Mapping[str, int]
    bad: Sequence[BadRow]
    written: TextFormat = USUAL
    warnings: tuple[str, ...] = ()

    def rows(self, split: str) -> str:
        """Return the number of usable rows of a split, as text."""
        return f"{self.counts[split]:,} rows"


def surveys(
    group: FileGroup, *, text: Sequence[str] = (), label: str | None = None, written: TextFormat = USUAL
) -> list[Survey]:
    """Survey every label column of the files of a task. Each of several becomes a task with a name of its own.

    Raises:
        DataError: as `survey`.
    """
    if label is not None:
        return [survey(group, text=text, label=label, written=written)]
    sources = _sources(group, written, text, None)
    found_rows = None if text else _of_rows(sources["train"])
    if found_rows is not None:
        return [_with_candidates(group, *found_rows, written)]
    if not text and _without_labels(sources) is not None:
        return [survey(group, written=written)]
    labelled = [source for split, source in sources.items() if split != "test"]
    unlabelled = [source for split, source in sources.items() if split == "test"]
    labels = guess_labels(sources["train"], labelled, unlabelled, text=text)
    if len(labels) < 2:
        return [survey(group, text=text, written=written)]
    found = [survey(group, text=text, label=each, written=written, holes=True) for each in labels]
    names: list[str] = []
    for each in labels:
        name = f"{group.name}-{task_name(each)}"
        names.append(f"{name}-{len(names) + 1}" if name in names else name)
    return [
        replace(
            each,
            group=replace(group, name=name),
            layout=replace(each.layout, other=tuple(other for other in each.layout.other if other not in labels)),
        )
        for name, each in zip(names, found, strict=True)
    ]


def survey(
    group: FileGroup,
    *,
    text: Sequence[str] = (),
    label: str | None = None,
    written: TextFormat = USUAL,
    holes: bool = False,
) -> Survey:
    """Read the files of a task twice: to find the labels or the range, and to find the rows that cannot be used.

    Args:
        group: the files of the task.
        text: the text columns. Default: found by names and contents.
        label: the label column. Default: found by names and contents.
        written: how the files are written.
        holes: whether other tasks read other labels of the same rows, so that cells may be empty.

    Raises:
        DataError: a file cannot be read, its columns cannot be found, or the label column has no labels or range.
    """
    sources = _sources(group, written, text, label)
    labelled = [source for split, source in sources.items() if split != "test"]
    unlabelled = [source for split, source in sources.items() if split == "test"]
    if not text and label is None and (found := _without_labels(sources)) is not None:
        kind, texts = found
        return _unlabelled(group, kind, texts, sources, written)
    layout = guess_layout(sources["train"], labelled, unlabelled, text=text, label=label)
    if layout.label is None:
        raise AssertionError("a layout was guessed without a label")
    written = replace(written, decimal=layout.decimal) if written.decimal == "." else written
    sources = _sources(group, written, layout.text, layout.label)
    with_label = [source for source in sources.values() if layout.label in source.columns]
    cells = [cell for source in with_label for cell in label_cells(source, [layout.label])]
    typed = all(source.typed for source in with_label)
    kind = guess_kind(sources["train"].name, cells, typed=typed)
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=holes)
    train_cells = list(label_cells(sources["train"], [layout.label]))
    return Survey(group, layout, kind, kind.digest(_targets(kind, train_cells)), counts, bad, written, warnings)


def _of_rows(train: Source) -> tuple[Kind, tuple[str, ...], str] | None:
    """Return the kind, the text columns and the label column of rows that have columns of a kind's own."""
    columns = listed_columns(train)
    source = with_paths(train, columns)
    rows = [row.values for row, _ in zip(source.rows(), range(FIRST), strict=False) if isinstance(row, Row)]
    return next((found for kind in KINDS.values() if (found := kind.guess_rows(columns, rows)) is not None), None)


def _with_candidates(group: FileGroup, kind: Kind, texts: tuple[str, ...], label: str, written: TextFormat) -> Survey:
    """Survey files whose rows have columns of the kind's own."""
    own = tuple(each for each in (*kind.input_columns, kind.names, kind.gathered_by) if each is not None)
    opened = _sources(group, written, (*texts, *own), label)
    listed = (*kind.input_columns, label)
    sources = {split: gathered(source, kind.gathered_by, listed, texts) for split, source in opened.items()}
    others = [name for name in listed_columns(opened["train"]) if name not in (*texts, *own, label)]
    id_ = next((name for name in others if name == "id"), None)
    layout = Layout(texts, label, id_, tuple(name for name in others if name != id_))
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=False)
    train = read_examples(
        _task(group.name, layout, kind), sources["train"], on_bad_rows="skip", labelled=True, cache=cache_folder()
    )[0]
    return Survey(group, layout, kind, kind.digest(known_targets(train)), counts, bad, written, warnings)


def _without_labels(sources: Mapping[str, Source]) -> tuple[Kind, tuple[str, ...]] | None:
    """Return the kind and the text columns of rows that need no label, if the columns are named so."""
    columns = sources["train"].columns
    if any(Column(name).named(LABEL_WORD) for name in columns):
        return None
    return next((found for kind in KINDS.values() if (found := kind.guess_unlabelled(columns)) is not None), None)


def _unlabelled(
    group: FileGroup, kind: Kind, texts: tuple[str, ...], sources: Mapping[str, Source], written: TextFormat
) -> Survey:
    """Survey files whose rows have no labels. The dev and test files need not have what only training reads."""
    layout = unlabelled_layout(sources["train"], texts)
    counts, bad, warnings = _audit(group.name, layout, kind, sources, holes=False)
    return Survey(group, layout, kind, "", counts, bad, written, warnings)


def _sources(group: FileGroup, written: TextFormat, text: Sequence[str], label: str | None) -> dict[str, Source]:
    named = {"train": group.train, "dev": group.dev, "test": group.test}
    wanted = {split: [*text, *([] if label is None or split == "test" else [label])] for split in named}
    return {
        split: open_source(from_here(str(file)), Path(), written, wanted=wanted[split], label=label)
        for split, file in named.items()
        if file is not None
    }


def guess_kind(name: str, cells: Sequence[object], *, typed: bool = False) -> Kind:
    """Return the first kind of the menu that the cells of a label column look like.

    Args:
        name: the name of the file in messages.
        cells: the cells that are not missing.
        typed: whether text is text. Otherwise it may spell a number.

    Raises:
        DataError: there are fewer than two labels, or too many for a classification.
    """
    for kind in KINDS.values():
        found = kind.guess(cells, name=name, typed=typed)
        if found is not None:
            return found
    raise DataError("the label column fits no kind of task", where=name, allowed=", ".join(KINDS))


def _targets(kind: Kind, cells: Sequence[object]) -> Rows:
    """Return the targets of the cells that are labels."""
    return kind.targets([target for cell in cells if (target := _target(kind, cell)) is not None])


def _target(kind: Kind, cell: object) -> Target | None:
    try:
        return kind.parse(cell)
    except LabelError:
        return None


def _pairing(kind: Kind) -> Pairing:
    """Return how a kind encodes several texts by default."""
    return "bi" if kind.pairings[0] == "bi" else "cross"


def _task(name: str, layout: Layout, kind: Kind) -> Task:
    return Task(
        name=name,
        kind=kind,
        text=layout.text,
        label=() if layout.label is None else layout.label,
        id=layout.id,
        pair=None if len(layout.text) == 1 and kind.reads != "candidates" else _pairing(kind),
        head="",
        dropout=0.0,
        loss=fitting_losses(kind)[0],
        metric=kind.metrics[0],
    )


def _audit(
    name: str, layout: Layout, kind: Kind, sources: Mapping[str, Source], *, holes: bool
) -> tuple[dict[str, int], Sequence[BadRow], tuple[str, ...]]:
    """Return the number of usable rows per split, all other rows, and warnings.

    Training reads the files in the same way.
    """
    task = _task(name, layout, kind)
    counts: dict[str, int] = {}
    rejected: list[Sequence[BadRow]] = []
    warnings = kind.warnings()
    for split, source in sources.items():
        labelled = split != "test"
        own = task if split == "train" else task.predicting
        examples, bad = read_examples(
            own, source, on_bad_rows="skip", labelled=labelled, cache=cache_folder(), holes=holes and labelled
        )
        counts[split] = len(labelled_rows(examples)) if holes and labelled else len(examples)
        rejected.append(bad)
        warnings += examples.warnings
        if split == "train":
            absent = [label for label, count in kind.counts(known_targets(examples)).items() if not count]
            if absent:
                names = ", ".join(map(repr, absent[:LISTED])) + (", ..." if len(absent) > LISTED else "")
                warnings.append(f"no training row has the label {names}: only other files have it")
    return counts, Joined(rejected), tuple(warnings)
