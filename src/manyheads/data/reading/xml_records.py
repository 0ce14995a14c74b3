"""XML files: each record is an element. Its attributes and the texts of its child elements are the cells of a row."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from xml.parsers import expat

from manyheads.data.reading.lines import open_binary
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

PART = 1 << 16
"""Bytes that are parsed at a time."""


@dataclass
class _Record:
    """A record that is being read: its line, its cells by path, and its first fault."""

    line: int
    cells: dict[str, list[str]] = field(default_factory=dict)
    fault: str | None = None


@dataclass
class _Element:
    """An element that is open: its path, its text so far, and whether it has attributes and child elements."""

    path: str
    parts: list[str]
    attributes: bool
    children: bool = False


class XmlRecords:
    """An XML file. All cells are text.

    A record is a child element of the root, or with `text.record` an element of that name at any depth. A column is an
    attribute of the record or a path to an element in it, `question.stem`, or to an attribute of one, `question.id`. If
    a path occurs more than once in some record, its cells are lists of texts in all records. White space at the ends of
    a text is removed. A record in which text is next to an element is a bad row.

    A document type is allowed, but is not read. Entities are not expanded, other than the five of XML and those of
    characters: a file that declares one, or uses one that it does not declare, is an error (compare CWE-776 and
    CWE-611).

    Args:
        path: the file.
        text: how the file is written.

    Raises:
        DataError: The file is not valid XML, has or needs entities, or has no record.
    """

    typed = False
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL) -> None:
        self._path, self._text = path, text
        self.name = str(path)
        names: dict[str, bool] = {}
        for record in self._records():
            for name, cells in record.cells.items():
                names[name] = names.get(name, False) or len(cells) > 1
        if not names:
            wanted = "the root has no child elements" if text.record is None else f"no element is named {text.record!r}"
            raise DataError(
                "the file has no records", where=self.name, found=wanted, hint='name their element: record = "item"'
            )
        self._repeated = {name for name, repeated in names.items() if repeated}
        self.columns = tuple(names)

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding and the name of the records."""
        return {"encoding": self._text.encoding, "record": self._text.record}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the records. Only one of them is in memory."""
        for record in self._records():
            if record.fault is not None:
                yield BadRow(self.name, record.line, record.fault)
                continue
            yield Row(
                record.line,
                {name: cells if name in self._repeated else cells[0] for name, cells in record.cells.items()},
            )

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _records(self) -> Iterator[_Record]:
        parser = _Parser(self._text.record, self._text.encoding)
        try:
            with open_binary(self._path) as file:
                while part := file.read(PART):
                    parser.feed(part)
                    yield from parser.taken()
            parser.feed(b"", last=True)
            yield from parser.taken()
        except _EntityError as error:
            hint = "write the characters in place of the entity, or convert the file to JSON lines"
            raise DataError(str(error), where=f"{self.name}:{parser.line}", hint=hint) from None
        except (expat.ExpatError, LookupError, ValueError) as error:
            what, found = "the file is not valid XML", str(error)
            raise DataError(what, where=f"{self.name}:{parser.line}", found=found) from None


class _EntityError(Exception):
    """A file has or needs entities that are not expanded."""


class _Parser:
    """The events of expat as records. `record`: the name of their elements, None for the children of the root."""

    def __init__(self, record: str | None, encoding: str | None) -> None:
        self._parser = expat.ParserCreate(encoding)
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._add
        self._parser.EntityDeclHandler = self._declared
        self._parser.SkippedEntityHandler = self._skipped
        self._name = record
        self._depth = 0
        self._done: list[_Record] = []
        self._record: _Record | None = None
        self._open: list[_Element] = []

    @property
    def line(self) -> int:
        return self._parser.CurrentLineNumber

    def feed(self, part: bytes, *, last: bool = False) -> None:
        """Parse a part of the file."""
        self._parser.Parse(part, last)

    def taken(self) -> list[_Record]:
        """Return the records that are complete, once."""
        done, self._done = self._done, []
        return done

    def _start(self, name: str, attributes: Mapping[str, str]) -> None:
        self._depth += 1
        if self._record is not None:
            self._open[-1].children = True
            path = f"{self._open[-1].path}.{name}".removeprefix(".")
        elif self._depth == 2 if self._name is None else name == self._name:
            self._record, path = _Record(self.line), ""
        else:
            return
        self._open.append(_Element(path, [], bool(attributes)))
        for attribute, value in attributes.items():
            self._put(f"{path}.{attribute}".removeprefix("."), value)

    def _end(self, name: str) -> None:
        self._depth -= 1
        if self._record is None:
            return
        element = self._open.pop()
        text = "".join(element.parts).strip()
        if text and element.children:
            self._record.fault = self._record.fault or f"text and elements are mixed in <{name}>"
        elif text or not (element.children or element.attributes):
            self._put(element.path or name, text)
        if not self._open:
            self._done.append(self._record)
            self._record = None

    def _add(self, text: str) -> None:
        if self._open:
            self._open[-1].parts.append(text)

    def _put(self, path: str, text: str) -> None:
        if self._record is not None:
            self._record.cells.setdefault(path, []).append(text)

    def _declared(self, name: str, *_: object) -> None:
        raise _EntityError(f"the file declares the entity {name!r}, and entities are not expanded")

    def _skipped(self, name: str, is_parameter: bool) -> None:
        if not is_parameter:
            raise _EntityError(f"the file has the entity {name!r}, which it does not declare")
