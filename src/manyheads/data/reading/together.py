"""One pass over a file for several tasks that read it, each through a source of its own."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.dotted import Dotted
from manyheads.data.reading.grouped import Grouped
from manyheads.data.reading.parallel import Parallel
from manyheads.data.reading.rows import BadRow, Row, Source
from manyheads.data.reading.several import Several


class LabelDecidesError(Exception):
    """A record may be one row or two, which depends on the label column. Each source must read the file itself."""


def rows_together(sources: Sequence[Source]) -> Iterator[Sequence[Row | BadRow]]:
    """Yield for each record of a file its row in each of several sources, see `read_together`.

    Raises:
        LabelDecidesError: The sources may disagree about a record.
    """
    inner = [_inner(each) for each in sources]
    parts = inner[0].sources if isinstance(inner[0], Several) else (inner[0],)
    judges = [each for each in parts if isinstance(each, Delimited)]
    for row in inner[0].rows():
        if len(sources) > 1 and any(each.ambiguous for each in judges):
            raise LabelDecidesError
        yield [each.row_of(row) if isinstance(each, Dotted) else row for each in sources]


def read_together(sources: Sequence[Source]) -> bool:
    """Return whether one pass gives the rows of all sources: those of one file that differ in their label columns.

    They may have different paths into the cells of JSON. A decimal comma is that of the label column only, so sources
    with one are read apart, and so are sources of groups of lines.
    """
    if len(sources) > 1 and any(isinstance(each, Grouped) for each in sources):
        return False
    inner = [_inner(each) for each in sources]
    first = _whole(inner[0])
    return all(_whole(each) == first for each in inner[1:])


def _inner(source: Source) -> Source:
    return source.inner if isinstance(source, Dotted) else source


def _whole(source: Source) -> object:
    """Return what decides the rows of a source, apart from its label column."""
    files = dict(source.files) if isinstance(source, Parallel) else None
    return (type(source), source.name, source.columns, files, _without_label(dict(source.form)))


def _without_label(form: Any) -> Any:
    if isinstance(form, Mapping):
        comma = form.get("decimal") == ","
        return {key: _without_label(value) for key, value in form.items() if key != "label" or comma}
    return [_without_label(each) for each in form] if isinstance(form, list | tuple) else form
