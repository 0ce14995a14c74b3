"""Numbers with a decimal comma as text with a decimal point."""

from __future__ import annotations

import re

HINT = "write the numbers of the file with one decimal mark, and without marks between thousands"

WITH_COMMA, WITH_POINT = re.compile(r"\s*[+-]?\d*,\d+\s*"), re.compile(r"\s*[+-]?\d*\.\d+\s*")


class PointError(ValueError):
    """A number has a decimal point, although its file has decimal commas. `hint`: what to do."""

    hint = HINT


def with_point(cell: str) -> str:
    """Return a cell with a decimal point if it is a number with a decimal comma. Other text is unchanged.

    Raises:
        PointError: It is a number with a decimal point.
    """
    if WITH_POINT.fullmatch(cell):
        raise PointError(f"the number {cell.strip()!r} has a point, and decimal is ','")
    return cell.replace(",", ".") if WITH_COMMA.fullmatch(cell) else cell
