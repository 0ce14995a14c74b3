"""One shared text encoder, many tasks: train it on all of them at once, and know what the numbers are worth.

The public surface: `train(recipe) -> Run`, `pretrain(recipe) -> Pretrained`, `run_study(file) -> Table`,
`load(run) -> Predictor`, their results' types, and the errors. Names are imported when they are first used, so that
`import manyheads` is instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manyheads.errors import ManyheadsError
from manyheads.version import __version__

if TYPE_CHECKING:
    from manyheads.api import Predictor, Pretrained, Run, Table, load, pretrain, run_study, train

_LAZY = ("Predictor", "Pretrained", "Run", "Table", "load", "pretrain", "run_study", "train")

__all__ = [
    "ManyheadsError",
    "Predictor",
    "Pretrained",
    "Run",
    "Table",
    "__version__",
    "load",
    "pretrain",
    "run_study",
    "train",
]


def __getattr__(name: str) -> Any:
    if name in ("load", "Predictor"):
        # Not through api: these two work without torch.
        import manyheads.inference.load

        return getattr(manyheads.inference.load, name)
    if name in _LAZY:
        import manyheads.api

        return getattr(manyheads.api, name)
    raise AttributeError(f"module 'manyheads' has no attribute {name!r}")
