"""The machine's own matrix-product rate, for the share that a program reaches."""

from __future__ import annotations

import time

import torch
from torch import Tensor, nn

SHAPE = (960, 384, 1536)
"""The matrix product whose rate is measured: the feed-forward map of the offline encoder."""


def matrix_rate(seconds: float = 0.5) -> float:
    """Measure the FLOP per second of a float32 product of SHAPE."""
    rows, inner, columns = SHAPE
    left, right = torch.randn(rows, inner), torch.randn(inner, columns)
    for _ in range(10):
        left @ right
    started, count = time.perf_counter(), 0
    while time.perf_counter() - started < seconds:
        left @ right
        count += 1
    return 2 * rows * inner * columns * count / (time.perf_counter() - started)


def outside_embeddings(model: nn.Module) -> int:
    """Count the parameters that are used for every token."""
    inside: set[Tensor] = {
        each for part in model.modules() if isinstance(part, nn.Embedding) for each in part.parameters()
    }
    return sum(parameter.numel() for parameter in model.parameters() if parameter not in inside)


def processor() -> str:
    """Return the processor's name."""
    with open("/proc/cpuinfo", encoding="utf-8") as file:  # noqa: PTH123
        return next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "unknown")
