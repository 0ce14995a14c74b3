"""Lines of a text file, checked one by one: a byte that is not UTF-8 costs its line, not the file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOM = "\ufeff"


@dataclass(frozen=True)
class Line:
    """A physical line: its number (from 1), its text with its end, and why it cannot be used, if so."""

    number: int
    text: str
    fault: str | None


def read_lines(path: Path) -> Iterator[Line]:
    """The lines of a file in order; a byte-order mark at its start is passed over."""
    with path.open("rb") as file:
        for number, content in enumerate(file, start=1):
            try:
                text = content.decode("utf-8")
            except UnicodeDecodeError as error:
                fault = f"not UTF-8 (byte 0x{content[error.start]:02x} at column {error.start + 1})"
                yield Line(number, content.decode("utf-8", errors="replace"), fault)
                continue
            if number == 1:
                text = text.removeprefix(BOM)
            yield Line(number, text, "a NUL byte" if "\0" in text else None)
