"""Files of fastText: a text per line, whose labels are words that begin with a prefix (fasttext.cc/docs)."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from pathlib import Path

from manyheads.data.reading.lines import read_lines
from manyheads.data.reading.plain import EMPTY_LINE
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

PREFIX = "__label__"

LABEL = re.compile(rf"(?<!\S){PREFIX}(\S+)\s*")

COLUMNS = ("text", "label")

SAMPLE = 1000
"""Lines at the beginning of a file that show whether a line may have several labels."""


class FastText:
    """A file of fastText as rows with the columns `text` and `label`, or with the two names in `text.columns`.

    A word that begins with `__label__` is a label, wherever it is in the line. A cell of labels is the label without
    the prefix, or None without one. If the line or one of the first lines of the file has several, it is a list. A
    blank line is a bad row.

    Raises:
        DataError: `text` has a header, or not two columns.
    """

    typed = False
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL) -> None:
        self._path, self._encoding = path, text.encoding
        self.name = str(path)
        self.columns = text.columns or COLUMNS
        if text.header:
            hint = "remove header = true, and the header from the file"
            raise DataError("a file of fastText has no header", where=self.name, found="header = true", hint=hint)
        if len(self.columns) != len(COLUMNS) or not all(self.columns):
            found = ", ".join(map(repr, self.columns))
            what = "a file of fastText has two columns"
            raise DataError(what, where=self.name, found=found, allowed="a name for the texts and one for the labels")
        first = islice(read_lines(path, text.encoding), SAMPLE)
        self._several = any(len(LABEL.findall(line.text)) > 1 for line in first)

    @property
    def form(self) -> Mapping[str, object]:
        """The encoding, the names of the columns, and whether cells of labels are lists."""
        return {"encoding": self._encoding, "names": self.columns, "several": self._several}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield one row per line."""
        for line in read_lines(self._path, self._encoding):
            whole = line.text.strip()
            labels = LABEL.findall(whole)
            label = labels if len(labels) > 1 or (self._several and labels) else next(iter(labels), None)
            if line.fault is not None:
                yield BadRow(self.name, line.number, line.fault, line.hint, (whole,))
            elif not whole:
                yield BadRow(self.name, line.number, EMPTY_LINE, None, (whole,))
            else:
                yield Row(line.number, dict(zip(self.columns, (LABEL.sub("", whole).strip(), label), strict=True)))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)
