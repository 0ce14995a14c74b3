"""Learning-rate schedules: the factor of the base rate at each step."""

from __future__ import annotations

import math
from collections.abc import Callable

Schedule = Callable[[int], float]


def build_schedule(name: str, *, total_steps: int, warmup: float) -> Schedule:
    """Return a function from a step (0 to total_steps - 1) to its factor.

    In the first `warmup` share of all steps the factor rises linearly from 1/w to 1 (w warm-up steps). Then it stays 1
    ("constant"), or falls to zero linearly ("linear") or as a half cosine ("cosine"). It would reach zero one step
    after the last.
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
