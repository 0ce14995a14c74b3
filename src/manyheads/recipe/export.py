"""Exporting a finished run, and checking the export on the run's dev data."""

from __future__ import annotations

from pathlib import Path

from manyheads.data.tokenised import tokenise_examples
from manyheads.inference.bundle import load_bundle
from manyheads.inference.export.onnx import export_onnx, largest_difference
from manyheads.inference.onnx_engine import OnnxEngine
from manyheads.inference.torch_engine import TorchEngine
from manyheads.recipe.load import load_recipe
from manyheads.recipe.measure import _read
from manyheads.run.folder import RunFolder


def export_run(folder: Path, out: Path) -> float:
    """Export a run's model to ONNX; the largest difference of its outputs from the model's on the dev data.

    Raises:
        RunError: it is no finished run. BundleError: the export cannot be made, or differs from the model.
    """
    run = RunFolder(folder)
    run.require("model")
    recipe, bundle = load_recipe(run.recipe), load_bundle(run.model)
    tasks = bundle.model.tasks
    export_onnx(bundle, run.model, out)
    read = {name: _read(recipe, task, "dev", None) for name, task in tasks.items()}
    examples = {name: found for name, found in read.items() if found is not None}
    store, splits = tokenise_examples(list(examples.values()), tasks, bundle.tokenizer, None)
    return largest_difference(TorchEngine(bundle), OnnxEngine(out), store, list(splits))
