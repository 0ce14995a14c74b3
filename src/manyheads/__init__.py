"""Train one shared text encoder on many tasks at once, and measure what each training choice is worth.

The commands that work on recipes, runs and studies have functions with their names. `asgi` is the server as an
application. Recipes are made with `Recipe` and `Task`, or are read from files. The names are imported when they are
first used, so `import manyheads` is fast.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from manyheads.errors import ManyheadsError, ManyheadsWarning
from manyheads.version import __version__

if TYPE_CHECKING:
    from manyheads.api.checked import Check
    from manyheads.api.finished import Comparison, compare, evaluate, export, predict, report
    from manyheads.api.keys import BatchingOptions, ModelOptions, PretrainingOptions, TrainingOptions
    from manyheads.api.planned import Study
    from manyheads.api.recipe import Recipe, Task
    from manyheads.api.run import Run, open_run
    from manyheads.api.server import asgi
    from manyheads.api.studies import open_study, power, run_study, study, table
    from manyheads.api.training import check, init, pretrain, train
    from manyheads.inference.load import load
    from manyheads.inference.predict_file import PredictedFile
    from manyheads.inference.predictions import Prediction, Predictions
    from manyheads.inference.predictor import Predictor
    from manyheads.plugins import register
    from manyheads.pretraining.cache import Pretrained
    from manyheads.studies.table import Power, Table

__all__ = [
    "BatchingOptions",
    "Check",
    "Comparison",
    "ManyheadsError",
    "ManyheadsWarning",
    "ModelOptions",
    "Power",
    "PredictedFile",
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
    "predict",
    "pretrain",
    "register",
    "report",
    "run_study",
    "study",
    "table",
    "train",
]

_MODULES = {
    "BatchingOptions": "api.keys",
    "Check": "api.checked",
    "Comparison": "api.finished",
    "ModelOptions": "api.keys",
    "Power": "studies.table",
    "PredictedFile": "inference.predict_file",
    "Prediction": "inference.predictions",
    "Predictions": "inference.predictions",
    "Predictor": "inference.predictor",
    "Pretrained": "pretraining.cache",
    "PretrainingOptions": "api.keys",
    "Recipe": "api.recipe",
    "Run": "api.run",
    "Study": "api.planned",
    "Table": "studies.table",
    "Task": "api.recipe",
    "TrainingOptions": "api.keys",
    "asgi": "api.server",
    "check": "api.training",
    "compare": "api.finished",
    "evaluate": "api.finished",
    "export": "api.finished",
    "init": "api.training",
    "load": "inference.load",
    "open_run": "api.run",
    "open_study": "api.studies",
    "power": "api.studies",
    "predict": "api.finished",
    "pretrain": "api.training",
    "register": "plugins",
    "report": "api.finished",
    "run_study": "api.studies",
    "study": "api.studies",
    "table": "api.studies",
    "train": "api.training",
}
"""The module of each name that is imported when it is first used. A name imports no more than it needs."""


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if not TYPE_CHECKING:
    # Type checkers do not see this function, so they report names that do not exist.
    def __getattr__(name: str) -> object:
        if name not in _MODULES:
            raise AttributeError(f"module 'manyheads' has no attribute {name!r}")
        return getattr(import_module(f"manyheads.{_MODULES[name]}"), name)
