"""Pages of the documentation as lists of code blocks, each with what the tests do with it.

A block is a fence of backticks or tildes. The line before it may be a comment that marks it:

    <!-- file: NAME -->           write the block to NAME in the page's folder
    <!-- output -->               the output of the block before
    <!-- not run: REASON -->      do not run the block
    <!-- background: URL -->      run the block (sh) until the page ends, and wait until URL responds

Unmarked blocks are run. Their language must be `sh` or `python`. `<!-- setup: NAME -->` before the first block names
the files with which the page's folder begins. A directive of MyST (a fence whose language is `{name}`) is not a block.
The blocks inside it are.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Role = Literal["run", "file", "output", "not run", "background"]

SETUPS = ("files", "run", "study")
RUNNABLE = ("sh", "python")
FENCE = re.compile(r"^(?P<indent>[ ]*)(?P<fence>`{3,}|~{3,})(?P<info>.*)$")
COMMENT = re.compile(
    r"^\s*<!--\s*(?P<name>file|output|not run|background|setup)\b\s*(?P<colon>:?)\s*(?P<text>.*?)\s*-->\s*$"
)
LITERAL_DIRECTIVES = ("code", "code-block", "code-cell", "sourcecode", "doctest", "literalinclude")


class PageError(Exception):
    """A page breaks the conventions for code blocks."""


@dataclass(frozen=True)
class Block:
    """A code block: its language, its text, the line of its fence, and what to do with it."""

    language: str
    code: str
    line: int
    role: Role = "run"
    argument: str = ""


@dataclass(frozen=True)
class Page:
    """The blocks of a page in order, and the files with which its folder begins ("" where it begins empty)."""

    name: str
    setup: str
    blocks: tuple[Block, ...]


def read_page(path: Path, name: str | None = None) -> Page:
    """Return the blocks of a Markdown file.

    Raises:
        PageError: a block has no language that can be run and no marker, or a marker has no block.
    """
    return parse(path.read_text(encoding="utf-8"), name or path.name)


def parse(text: str, name: str) -> Page:
    """Return the blocks of a page's text; see `read_page`."""
    return _Parser(name).parse(text.splitlines())


class _Parser:
    """Reads the lines of one page."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._blocks: list[Block] = []
        self._setup = ""
        self._marker: tuple[int, Role, str] | None = None

    def parse(self, lines: list[str]) -> Page:
        directives: list[str] = []  # the fences of the directives that are open
        number = 0
        while number < len(lines):
            line = lines[number]
            number += 1
            fence = FENCE.match(line)
            if fence is None:
                self._read_comment(line, number)
            elif directives and not fence["info"].strip() and _closes(fence["fence"], directives[-1]):
                directives.pop()
            elif fence["info"].strip().startswith("{"):
                self._check_directive(fence["info"].strip(), number)
                directives.append(fence["fence"])
            else:
                number = self._read_block(fence, lines, number)
        self._reject_marker()
        return Page(self._name, self._setup, tuple(self._blocks))

    def _error(self, line: int, reason: str) -> PageError:
        return PageError(f"{self._name}:{line}: {reason}")

    def _reject_marker(self) -> None:
        if self._marker is not None:
            raise self._error(self._marker[0], "no code block follows this comment")

    def _check_directive(self, info: str, line: int) -> None:
        if info[1:].split("}", maxsplit=1)[0] in LITERAL_DIRECTIVES:
            raise self._error(line, "write a plain fence (```python), so that the block is run")
        self._reject_marker()

    def _read_comment(self, line: str, number: int) -> None:
        comment = COMMENT.match(line)
        if comment is None:
            if line.strip():
                self._reject_marker()
            return
        role, text = comment["name"], comment["text"]
        if (role == "output") == bool(comment["colon"] or text) or (role != "output" and not text):
            raise self._error(number, f"`{role}` takes {'nothing' if role == 'output' else 'a text after a colon'}")
        self._reject_marker()
        if role != "setup":
            self._marker = (number, role, text)  # type: ignore[assignment]
        elif self._blocks or self._setup:
            raise self._error(number, "`setup` is written once, before the first block")
        elif text not in SETUPS:
            raise self._error(number, f"there is no setup {text!r}; there are {', '.join(SETUPS)}")
        else:
            self._setup = text

    def _read_block(self, fence: re.Match[str], lines: list[str], start: int) -> int:
        """Add the block whose opening fence is the line `start` (from 1); return the number of its last line."""
        indent, body = len(fence["indent"]), []
        for number in range(start, len(lines)):
            end = FENCE.match(lines[number])
            if end is not None and not end["info"].strip() and _closes(end["fence"], fence["fence"]):
                break
            body.append(lines[number][min(indent, len(lines[number]) - len(lines[number].lstrip())) :])
        else:
            raise self._error(start, "the block is not closed")
        language = fence["info"].strip().split(" ")[0]
        role, argument = self._marker[1:] if self._marker is not None else ("run", "")
        self._marker = None
        block = Block(language, "".join(f"{line}\n" for line in body), start, role, argument)
        self._check(block)
        self._blocks.append(block)
        return number + 1

    def _check(self, block: Block) -> None:
        if not block.language:
            raise self._error(block.line, "the block names no language")
        if block.role == "run" and block.language not in RUNNABLE:
            hint = "mark it with file, output or not run"
            raise self._error(block.line, f"a block of {block.language} cannot be run: {hint}")
        if block.role == "background" and block.language != "sh":
            raise self._error(block.line, "only a block of sh can run in the background")
        if block.role == "output" and (not self._blocks or self._blocks[-1].role != "run"):
            raise self._error(block.line, "an output must follow the block that is run")


def _closes(fence: str, opened: str) -> bool:
    return fence[0] == opened[0] and len(fence) >= len(opened)
