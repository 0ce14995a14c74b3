"""The label space of a task, found in the cells of its label column."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from manyheads.data.reading import Row, Source
from manyheads.errors import DataError
from manyheads.recipe.check_options import label_columns
from manyheads.recipe.schema import TaskOptions
from manyheads.tasks.cells import is_missing, label_cell, quoted
from manyheads.tasks.kind import Kind
from manyheads.tasks.kinds import KINDS


@dataclass(frozen=True)
class LabelSpace:
    """The kind of a task with its label space, and notes for the user about how it was found."""

    kind: Kind
    notes: tuple[str, ...] = ()


def label_cells(source: Source, columns: Sequence[str]) -> Iterator[object]:
    """Yield the cells of the label column that are not missing, or mappings of the cells of several columns."""
    cells = (label_cell(row.values, columns) for row in source.rows() if isinstance(row, Row))
    return (cell for cell in cells if not is_missing(cell))


def label_space(options: TaskOptions, source: Source) -> LabelSpace:
    """Return the label space of a task, from its table or from its training file.

    Raises:
        DataError: the cells have no label space, for example because they have several labels each.
    """
    kind = KINDS[options.kind]
    named = kind.of(options)
    if named is not None:
        return LabelSpace(named)
    try:
        found, note = kind.infer(
            options, label_cells(source, label_columns(options)), name=source.name, typed=source.typed
        )
    except DataError:
        _refuse_cells(kind, source, label_columns(options))
        raise
    return LabelSpace(found, (note,))


def _refuse_cells(kind: type[Kind], source: Source, columns: Sequence[str]) -> None:
    for row in source.rows():
        cell = label_cell(row.values, columns) if isinstance(row, Row) else None
        error = kind.refused(cell)
        if error is not None and isinstance(row, Row):
            where = f"{row.file or source.name}:{row.line}"
            raise DataError(str(error), where=where, found=quoted(cell), hint=error.hint)
