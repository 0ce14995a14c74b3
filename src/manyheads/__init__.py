"""Train one shared text encoder on many tasks at once, and measure what each training choice is worth.

Every command of the program has a function with its name. Recipes are made with `Recipe` and `Task`, or are read from
files. The names are imported when they are first used, so `import manyheads` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from manyheads.errors import ManyheadsError, ManyheadsWarning
from manyheads.version import __version__

if TYPE_CHECKING:
    from manyheads.api import (
        BatchingOptions,
        Check,
        Comparison,
        ModelOptions,
        Power,
        Prediction,
        Predictions,
        Predictor,
        Pretrained,
        PretrainingOptions,
        Recipe,
        Run,
        Study,
        Table,
        Task,
        TrainingOptions,
        asgi,
        check,
        compare,
        evaluate,
        export,
        init,
        load,
        open_run,
        open_study,
        power,
        pretrain,
        report,
        run_study,
        study,
        table,
        train,
    )
    from manyheads.plugins import register

__all__ = [
    "BatchingOptions",
    "Check",
    "Comparison",
    "ManyheadsError",
    "ManyheadsWarning",
    "ModelOptions",
    "Power",
    "Prediction",
    "Predictions",
    "Predictor",
    "Pretrained",
    "PretrainingOptions",
    "Recipe",
    "Run",
    "Study",
    "Table",
    "Task",
    "TrainingOptions",
    "__version__",
    "asgi",
    "check",
    "compare",
    "evaluate",
    "export",
    "init",
    "load",
    "open_run",
    "open_study",
    "power",
    "pretrain",
    "register",
    "report",
    "run_study",
    "study",
    "table",
    "train",
]

_WITHOUT_TORCH = {
    "Prediction": "inference.predictions",
    "Predictions": "inference.predictions",
    "Predictor": "inference.predictor",
    "load": "inference.load",
    "register": "plugins",
}
"""The modules of names that work without torch, which `manyheads.api` imports."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:
    # Type checkers do not see this function, so they report names that do not exist.
    def __getattr__(name: str) -> object:
        if name not in __all__:
            raise AttributeError(f"module 'manyheads' has no attribute {name!r}")
        module = import_module(f"manyheads.{_WITHOUT_TORCH.get(name, 'api')}")
        return getattr(module, name)
