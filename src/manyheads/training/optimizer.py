"""AdamW for the trained parameters, with weight decay on matrices only, and the schedules of its learning rate."""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor, nn
from torch.optim import AdamW


def build_optimizer(
    model: nn.Module,
    *,
    learning_rate: float,
    betas: tuple[float, float],
    eps: float,
    weight_decay: float,
) -> AdamW:
    """Make a fused AdamW.

    Biases and the gains of layer norms (all parameters of one dimension) have no weight decay.

    Source: Loshchilov and Hutter, 2019, Decoupled Weight Decay Regularization.
    """
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    groups = [
        {"params": [parameter for parameter in trained if parameter.ndim > 1], "weight_decay": weight_decay},
        {"params": [parameter for parameter in trained if parameter.ndim <= 1], "weight_decay": 0.0},
    ]
    groups = [group for group in groups if group["params"]]
    return AdamW(groups, lr=learning_rate, betas=betas, eps=eps, fused=True)


def set_learning_rate(optimizer: AdamW, rate: float) -> None:
    """Set the learning rate of the next step in every group."""
    for group in optimizer.param_groups:
        if isinstance(group["lr"], Tensor):
            group["lr"].fill_(rate)
        else:
            group["lr"] = rate


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
