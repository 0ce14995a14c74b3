"""The public names of the package: recipes and studies made in Python, and a function for every command."""

from __future__ import annotations

from manyheads.api.checked import Check
from manyheads.api.finished import Comparison, compare, evaluate, export, report
from manyheads.api.keys import BatchingOptions, ModelOptions, PretrainingOptions, TrainingOptions
from manyheads.api.planned import Study
from manyheads.api.recipe import Recipe, Task
from manyheads.api.run import Run, open_run
from manyheads.api.server import asgi
from manyheads.api.studies import open_study, power, run_study, study, table
from manyheads.api.training import check, init, pretrain, train
from manyheads.inference.load import load
from manyheads.inference.predictions import Prediction, Predictions
from manyheads.inference.predictor import Predictor
from manyheads.pretraining.cache import Pretrained
from manyheads.studies.table import Power, Table

__all__ = [
    "BatchingOptions",
    "Check",
    "Comparison",
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
    "report",
    "run_study",
    "study",
    "table",
    "train",
]
