"""How numbers and text of users are written for readers.

Text of users in terminals, Markdown and CSV has no effect: what it contains is shown. The precision of a number follows
its size, so small numbers keep their digits.
"""

from __future__ import annotations

import re

import numpy as np

CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u200e\u200f\u202a-\u202e\u2066-\u2069\ud800-\udfff]")
"""Control characters other than tab and line feed, marks that change the direction of text, and lone surrogates."""

MARKUP = re.compile(r"[\\|<>*`\[\]&~$#]|(?<![^\W_])_|_(?![^\W_])")
"""What Markdown may read as markup. An underscore within a word has no effect."""

INTERVAL = re.compile(r"(\[[-+\u2212]?[\d.,]+(?:e-?\d+)?, [-+\u2212]?[\d.,]+(?:e-?\d+)?\](?![(\[:]))")
"""An interval such as [0.785, 0.931]. It cannot be a link, so it is left as it is."""

BLOCK_START = re.compile(r"([-+=]|\d+(?=[.)]))")
"""What begins a list or a heading at the start of a line."""

FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")

NUMBER = re.compile(r"[+-]?(\d+([.,]\d*)?|[.,]\d+)([eE][+-]?\d+)?")


def visible(text: str) -> str:
    """Return a text for a terminal. Control characters are written as JSON writes them: an escape is `\\u001b`."""
    return CONTROL.sub(lambda found: f"\\u{ord(found[0]):04x}", text)


def markdown(text: str) -> str:
    """Return a text on one line of Markdown. Markup characters are escaped."""
    parts = INTERVAL.split(visible(" ".join(text.split())))
    return "".join(part if place % 2 else MARKUP.sub(r"\\\g<0>", part) for place, part in enumerate(parts))


def markdown_block(text: str) -> str:
    """Return a text as a paragraph or an item of a list in Markdown, which does not begin another block."""
    line = markdown(text)
    start = BLOCK_START.match(line)
    if start is None:
        return line
    return f"{line[: start.end()]}\\{line[start.end() :]}" if start[0].isdigit() else f"\\{line}"


def markdown_code(text: str) -> str:
    """Return a text as inline code of Markdown, also for a cell of a table."""
    line = visible(" ".join(text.split())).replace("|", "\\|")
    longest = max(map(len, re.findall("`+", line)), default=0)
    fence = "`" * (longest + 1)
    return f"{fence} {line} {fence}" if longest or not line else f"{fence}{line}{fence}"


def without_formula(cell: str) -> str:
    """Return a cell of CSV that no spreadsheet reads as a formula: a quote is put before it. Numbers do not change."""
    return f"'{cell}" if cell.startswith(FORMULA_STARTS) and not NUMBER.fullmatch(cell) else cell


def shortest(value: float | np.floating) -> float:
    """Return the shortest decimal that gives the same float32: 2.4 for 2.4000000953674316."""
    return float(str(np.float32(value)))


def resolved(low: float, high: float) -> bool:
    """Return whether float32 has a million steps or more within a range, also at its far end."""
    largest = max(abs(low), abs(high))
    limits = np.finfo(np.float32)
    return (
        largest < float(limits.max)
        and high - low > 1e6 * float(limits.tiny)
        and float(np.spacing(np.float32(largest))) <= 1e-6 * (high - low)
    )


def fixed(value: float, digits: int) -> str:
    """Format a number with fixed decimals, or with that number of significant digits if the decimals would be zeros."""
    small = value != 0 and abs(value) < 10.0**-digits
    return f"{value:.{digits}g}" if small else f"{value:.{digits}f}"
