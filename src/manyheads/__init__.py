"""Train one shared text encoder on many tasks at once, and measure what each training choice is worth.

The public names are the functions `train(recipe) -> Run`, `pretrain(recipe) -> Pretrained`,
`power(file) -> StudyPower`, `run_study(file) -> Table` and `load(run) -> Predictor`, the types that they and the
predictor return, and the error `ManyheadsError`. They are imported when they are first used, so `import manyheads` is
fast.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from manyheads.errors import ManyheadsError
from manyheads.version import __version__

if TYPE_CHECKING:
    from manyheads.api import (
        Prediction,
        Predictions,
        Predictor,
        Pretrained,
        Run,
        StudyPower,
        Table,
        load,
        power,
        pretrain,
        run_study,
        train,
    )

__all__ = [
    "ManyheadsError",
    "Prediction",
    "Predictions",
    "Predictor",
    "Pretrained",
    "Run",
    "StudyPower",
    "Table",
    "__version__",
    "load",
    "power",
    "pretrain",
    "run_study",
    "train",
]

_LAZY = tuple(name for name in __all__ if name not in ("ManyheadsError", "__version__"))


def __getattr__(name: str) -> Any:
    if name in ("load", "Prediction", "Predictions", "Predictor"):
        # manyheads.api imports torch. These names work without it.
        import manyheads.inference.load

        return getattr(manyheads.inference.load, name)
    if name in _LAZY:
        import manyheads.api

        return getattr(manyheads.api, name)
    raise AttributeError(f"module 'manyheads' has no attribute {name!r}")
