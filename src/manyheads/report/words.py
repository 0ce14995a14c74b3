"""Numbers and measures in words."""

from __future__ import annotations

from collections.abc import Sequence

from manyheads.evaluation.interval import Measured

NAMES = {
    "accuracy": "accuracy",
    "macro_f1": "macro F1",
    "mcc": "Matthews correlation",
    "pearson": "Pearson r",
    "spearman": "Spearman rho",
    "rmse": "RMSE",
    "f1": "F1",
}


def name_of(metric: str) -> str:
    """A metric as a reader knows it."""
    return NAMES.get(metric, metric)


def number(value: float | None, digits: int = 3) -> str:
    """A figure, or a word where it is undefined."""
    return "undefined" if value is None else f"{value:.{digits}f}"


def interval(found: Measured) -> str:
    """The 95% interval in brackets, nothing where there is none."""
    if found.low is None or found.high is None:
        return ""
    return f"[{found.low:.3f}, {found.high:.3f}]"


def with_interval(found: Measured) -> str:
    """A figure with its interval."""
    return f"{number(found.value)} {interval(found)}".rstrip()


def share(value: float) -> str:
    """A share as a percentage."""
    return f"{100 * value:.0f}%"


def duration(seconds: float) -> str:
    """Seconds, minutes or hours, whichever is readable."""
    if seconds < 120:
        return f"{seconds:.1f} s"
    return f"{seconds / 60:.1f} min" if seconds < 7200 else f"{seconds / 3600:.1f} h"


def text_with_id(texts: Sequence[str], example: str) -> str:
    """An example's texts, and the id that finds it again."""
    return f"{' ‖ '.join(texts)} ({example})".lstrip()
