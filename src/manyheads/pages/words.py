"""Words of pages: counts with their nouns, number formats, p values, and names of metrics."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.evaluation.interval import Measured
from manyheads.evaluation.metrics.resolve import title_of
from manyheads.tasks.written import fixed


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


def name_of(metric: str) -> str:
    """Return the display name of a metric."""
    return title_of(metric)


def number(value: float | None, digits: int = 3) -> str:
    """Format a metric. None gives "undefined"."""
    return "undefined" if value is None else fixed(value, digits)


def interval(measure: Measured) -> str:
    """Format the 95% confidence interval. An unknown interval gives an empty text."""
    if measure.low is None or measure.high is None:
        return ""
    return f"[{fixed(measure.low, 3)}, {fixed(measure.high, 3)}]"


def with_interval(measure: Measured) -> str:
    """Format a metric with its interval."""
    return f"{number(measure.value)} {interval(measure)}".rstrip()


def share(value: float) -> str:
    """Format a proportion as a percentage."""
    return f"{100 * value:.0f}%"


def duration(seconds: float) -> str:
    """Format a duration in seconds, minutes or hours."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def text_with_id(texts: Sequence[str], example: str) -> str:
    """Format the texts of an example with its id."""
    return f"{' ‖ '.join(texts)} ({example})".lstrip()
