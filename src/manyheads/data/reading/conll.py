"""CoNLL files: one token per line with its columns, and blank lines between sentences. A row is a sentence."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from manyheads.data.reading.lines import Line, read_lines, uncompressed_name
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.errors import DataError

DOCUMENT = "-DOCSTART-"
"""Begins a line between documents, which is not a token (Tjong Kim Sang and De Meulder, 2003)."""

UNIVERSAL = ".conllu"
"""The ending of CoNLL-U files (https://universaldependencies.org/format.html)."""

NOT_A_WORD = re.compile(r"\d+[-.]\d+")
"""The id of a line of CoNLL-U that repeats words (`1-2`) or is not in the text (`1.1`)."""

BLANKS = re.compile(r"[ \t]+")

SAMPLE = 1000
"""Lines at the beginning of a file in which the separator and the number of columns are found."""

COMMENTED = 3
"""If at least this number of sentences, and all of those in the first lines, begin with "# ", these are comments."""

MOST_TOKENS = 100_000
"""A sentence with more tokens is a bad row: the file probably has no blank lines between sentences."""

NAMES_HINT = 'name every column of the file in the key columns, and those that are not used ""'


@dataclass
class _Sentence:
    """The lines of a sentence so far: the line of its first token, its tokens, its text, and its first fault."""

    line: int = 0
    tokens: list[list[str]] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    fault: tuple[int, str, str | None] | None = None

    @property
    def begun(self) -> bool:
        return self.line > 0


class Conll:
    """A CoNLL file. A cell of a row is the list of the words, the tags, ... of a sentence. Its line is the first one.

    The columns are named by their places: "1", "2", ..., or as `text.columns` says. They are separated by a tab or by
    blanks, whichever the file has, or by `text.delimiter`. A line of white space ends a sentence. A line is a comment
    only if it is before the first token of a sentence, begins with "# " and has another number of columns than a token:
    a hashtag is a token. If all of the first sentences begin with such lines, these are comments whatever they have. A
    sentence with a wrong line is one bad row.

    Args:
        path: the file.
        text: how the file is written.
        universal: whether the file is CoNLL-U, also if its ending is not .conllu. Ranges and empty nodes are then
            skipped, and every line that begins with # before a sentence is a comment.

    Raises:
        DataError: The file has no token, or `text` has a header.
    """

    typed = False
    warnings: tuple[str, ...] = ()

    def __init__(self, path: Path, text: TextFormat = USUAL, *, universal: bool = False) -> None:
        self._path, self._text = path, text
        self.name = str(path)
        self._universal = universal or uncompressed_name(path).suffix.lower() == UNIVERSAL
        if text.header:
            hint = "remove header = true, and the header from the file"
            raise DataError("a CoNLL file has no header", where=self.name, found="header = true", hint=hint)
        lines, self._commented = self._sample()
        self._separator = text.delimiter or _separator(lines)
        self._names = text.columns or tuple(str(place) for place in range(1, self._width(lines) + 1))
        self.columns = tuple(name for name in self._names if name)

    @property
    def form(self) -> Mapping[str, object]:
        """The format, the separator that was found (None: blanks), and the names of the columns."""
        return {
            **self._text.key(),
            "separator": self._separator,
            "names": self._names,
            "universal": self._universal,
        }

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield the sentences. Only one sentence is in memory."""
        sentence = _Sentence()
        for line in read_lines(self._path, self._text.encoding):
            if line.fault is None and (not line.text.strip() or line.text.startswith(DOCUMENT)):
                if sentence.begun:
                    yield self._row(sentence)
                sentence = _Sentence()
            else:
                self._add(sentence, line)
        if sentence.begun:
            yield self._row(sentence)

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)

    def _add(self, sentence: _Sentence, line: Line) -> None:
        """Add a line to a sentence, unless it is a comment or is not a token."""
        cells = self._cells(line.text)
        if line.fault is None:
            if not sentence.begun and self._is_comment(line.text, cells):
                return
            if self._universal and NOT_A_WORD.fullmatch(cells[0]):
                return
        sentence.line = sentence.line or line.number
        if sentence.fault is not None:
            return
        sentence.text.append(line.text.rstrip("\r\n"))
        if line.fault is not None:
            sentence.fault = (line.number, line.fault, line.hint)
        elif len(cells) != len(self._names):
            columns = "1 column" if len(cells) == 1 else f"{len(cells)} columns"
            hint = NAMES_HINT if self._text.columns is not None else None
            sentence.fault = (line.number, f"{columns} where {len(self._names)} are expected", hint)
        elif len(sentence.tokens) == MOST_TOKENS:
            hint = "separate the sentences by blank lines"
            sentence.fault = (line.number, f"a sentence with more than {MOST_TOKENS:,} tokens", hint)
        else:
            sentence.tokens.append(cells)

    def _row(self, sentence: _Sentence) -> Row | BadRow:
        if sentence.fault is not None:
            number, reason, hint = sentence.fault
            if number != sentence.line:
                reason += f" (in the sentence that begins on line {sentence.line})"
            return BadRow(self.name, number, reason, hint, ("\n".join(sentence.text),))
        columns = zip(self._names, zip(*sentence.tokens, strict=True), strict=True)
        return Row(sentence.line, {name: list(cells) for name, cells in columns if name})

    def _cells(self, text: str) -> list[str]:
        return _split(text, self._separator)

    def _is_comment(self, text: str, cells: list[str]) -> bool:
        """Whether a line before the first token of a sentence is a comment."""
        if self._universal:
            return text.startswith("#") and len(cells) < len(self._names)
        return text.startswith("# ") and (self._commented or len(cells) != len(self._names))

    def _sample(self) -> tuple[list[str], bool]:
        """Return the first lines that may be tokens, and whether each of several sentences begins with a comment.

        Lines that may be comments are used only if there are no others.

        Raises:
            DataError: There is no line that may be a token.
        """
        tokens: list[str] = []
        others: list[str] = []
        begins, sentences, commented = True, 0, 0
        for line in read_lines(self._path, self._text.encoding):
            blank = not line.text.strip() or line.text.startswith(DOCUMENT)
            if line.fault is None and not blank:
                comment = line.text.startswith("#" if self._universal else "# ")
                (others if comment else tokens).append(line.text)
                sentences, commented = sentences + begins, commented + (begins and comment)
            begins = blank
            if len(tokens) == SAMPLE:
                break
            del others[SAMPLE:]
        if not tokens and not others:
            what, hint = "the file has no tokens", "check that the file was written completely"
            raise DataError(what, where=self.name, allowed="one token per line with its columns", hint=hint)
        return tokens or others, bool(tokens) and sentences >= COMMENTED and commented == sentences

    def _width(self, lines: list[str]) -> int:
        """Return the number of columns that most lines have."""
        return Counter(len(self._cells(line)) for line in lines).most_common(1)[0][0]


def _separator(lines: list[str]) -> str | None:
    """Return the tab if most lines have one, otherwise None for blanks."""
    return "\t" if 2 * sum("\t" in line.strip() for line in lines) > len(lines) else None


def _split(text: str, separator: str | None) -> list[str]:
    """Return the columns of a line. White space that is not a blank, such as a no-break space, is part of a word."""
    if separator is None:
        return BLANKS.split(text.strip(" \t\r\n"))
    return text.rstrip("\r\n").split(separator)
