"""Assertions that are not removed by `python -O`, and data that fit a kind."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from manyheads.tasks.kind import Floats, Kind
from manyheads.tasks.kinds import KINDS


def ensure(condition: bool, message: str) -> None:
    """Raise an AssertionError with the message if the condition is false."""
    if not condition:
        raise AssertionError(message)


def kinds_of_texts() -> list[Kind]:
    """Return an instance of every kind on the menu whose targets and outputs have a fixed number per text."""
    samples = [kind.sample() for kind in KINDS.values()]
    return [each for each in samples if not (each.ragged_targets or each.ragged_outputs) and each.reads == "text"]


def kinds_of_candidates() -> list[Kind]:
    """Return an instance of every kind on the menu that reads candidates."""
    return [kind.sample() for kind in KINDS.values() if kind.reads == "candidates"]


def drawn_outputs(kind: Kind, outputs: int, examples: int, seed: int) -> Floats:
    """Return outputs[n, k] as a head may give them: scores from 0 to 1, or logits."""
    generator = np.random.default_rng(seed)
    if kind.unit:
        return generator.uniform(0.05, 0.95, (examples, outputs))
    return 2 * generator.standard_normal((examples, outputs))


def drawn_targets(kind: Kind, outputs: int, examples: int, seed: int) -> Tensor:
    """Return valid targets: those that drawn outputs predict."""
    values = kind.decode(drawn_outputs(kind, outputs, examples, seed)).values
    return torch.from_numpy(np.asarray(values, dtype=np.float32))
