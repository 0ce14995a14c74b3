"""Lines of a text file, checked one by one. A byte that is not UTF-8 makes only its own line bad."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

BOM = "\ufeff"


@dataclass(frozen=True)
class Line:
    """A physical line: its number (from 1), its text with the line end, and the reason if it cannot be used."""

    number: int
    text: str
    fault: str | None


def read_lines(path: Path) -> Iterator[Line]:
    """Yield the lines of a file in order. A byte-order mark at the start is skipped."""
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
