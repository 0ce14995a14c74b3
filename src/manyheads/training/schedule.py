"""Learning-rate schedules: the factor on the base rate at each step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def build_schedule(name: str, *, total_steps: int, warmup: float) -> Schedule:
    """The factor of every step 0..total_steps-1.

    The first `warmup` share of all steps rises in a straight line from 1/w to 1 (w warm-up steps); after it the
    rate stays ("constant"), or falls to zero in a straight line ("linear") or a half cosine ("cosine"), reaching
    zero one step after the last.
    """
    warmup_steps = math.ceil(total_steps * warmup)
    shape = SHAPES[name]

    def factor(step: int) -> float:
        if step < warmup_steps:
            return (step + 1) / warmup_steps
        return shape((step - warmup_steps) / max(1, total_steps - warmup_steps))

    return factor


def _constant(_done: float) -> float:
    return 1.0


def _linear(done: float) -> float:
    return 1.0 - done


def _cosine(done: float) -> float:
    return 0.5 * (1.0 + math.cos(math.pi * done))


SHAPES: dict[str, Callable[[float], float]] = {"constant": _constant, "linear": _linear, "cosine": _cosine}
