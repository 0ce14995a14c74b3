"""Words and number formats of pages: counts with their nouns, and p values."""

from __future__ import annotations


def counted(count: int, noun: str) -> str:
    """Return a count with its noun in the singular or plural: "1 run", "1,200 runs"."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def p_value(p: float | None) -> str:
    """Format a p value with three decimals. Smaller ones give "<.001"."""
    if p is None:
        return ""
    return "<.001" if p < 0.001 else without_zero(f"{p:.3f}")


def without_zero(number: str) -> str:
    """Remove the zero before the decimal point: .4850, -.0123, +.0040."""
    return number.replace("0.", ".", 1) if number.lstrip("+-").startswith("0.") else number
