"""A run whose metrics have options and read probabilities, in every place that computes them again."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import manyheads
from manyheads.errors import RecipeError
from manyheads.recipe.assemble import train
from manyheads.recipe.load import load_recipe
from manyheads.reports.compare import compare
from manyheads.reports.content import build_report
from manyheads.run.evaluations import read_evaluations
from manyheads.runs.measure import measure_run

METRICS = [
    'tasks.paraphrase.metric="auc"',
    'tasks.paraphrase.metrics=["log_loss", "brier", "f1"]',
    'tasks.sentiment.metric={kind = "f1", classes = [0, 4]}',
    'tasks.sentiment.metrics=["quadratic_kappa", "average_precision"]',
    'tasks.similarity.metrics=["mae"]',
    "training.max_steps=8",
    "training.evaluate_every=4",
]


@pytest.fixture(scope="module")
def run(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("metrics") / "run", changes=METRICS)


def test_every_evaluation_has_the_metrics_with_intervals(run: manyheads.Run) -> None:
    last = run.results["last"]
    kinds = {"accuracy", "macro_f1", "mcc"}
    assert last["tasks"]["paraphrase"].keys() == {*kinds, "auc", "log_loss", "brier", "f1"}
    assert last["tasks"]["sentiment"].keys() == {*kinds, "f1_0_4", "quadratic_kappa", "average_precision"}
    assert last["tasks"]["similarity"].keys() == {"pearson", "spearman", "rmse", "mae"}
    low, high = last["intervals"]["paraphrase"]["auc"]
    assert low < last["tasks"]["paraphrase"]["auc"] < high
    header = (run.folder.path / "results.csv").read_text().splitlines()[0]
    assert header == "epoch,step,sentiment.f1_0_4,paraphrase.auc,similarity.pearson,average"


def test_the_files_of_every_evaluation_have_probabilities_where_a_metric_needs_them(run: manyheads.Run) -> None:
    found = {
        task: read_evaluations(run.folder.path / "predictions" / f"{task}.dev.all.npz").probabilities
        for task in ("sentiment", "paraphrase", "similarity")
    }
    assert found["similarity"] is None
    for task, classes in (("sentiment", 5), ("paraphrase", 2)):
        shares = found[task]
        assert shares is not None
        assert (shares.shape[0], shares.shape[2]) == (2, classes)
        np.testing.assert_allclose(shares.sum(axis=2), 1, atol=1e-5)


def test_the_report_and_the_comparison_show_them(run: manyheads.Run, tmp_path: Path) -> None:
    report = build_report(run.folder.path)
    shown = {task.name: [each.name for each in task.measures] for task in report.tasks}
    assert shown["paraphrase"] == ["auc", "accuracy", "macro_f1", "mcc", "log_loss", "brier", "f1"]
    assert shown["sentiment"][0] == "f1_0_4"
    other = tmp_path / "other"
    shutil.copytree(run.folder.path, other)
    tasks = compare([run.folder.path, other]).tasks
    differences = {(task.name, each.metric): each.value for task in tasks for each in task.differences}
    assert {("paraphrase", "auc"), ("paraphrase", "log_loss"), ("sentiment", "f1_0_4")} <= differences.keys()
    assert set(differences.values()) == {0.0}


def test_the_bundle_is_evaluated_with_the_same_metrics(run: manyheads.Run) -> None:
    found, best = measure_run(run.folder.path).scores["tasks"], (run.results["best"] or run.results["last"])["tasks"]
    for task, values in best.items():
        assert found[task] == pytest.approx(values, abs=1e-4)
    assert "f1_0_4" in (run.folder.path / "model" / "README.md").read_text()
    assert {"kind": "f1", "classes": [0, 4]} in _manifest(run)["metrics"]


def _manifest(run: manyheads.Run) -> dict[str, list[object]]:
    files = [json.loads(file.read_text()) for file in (run.folder.path / "model").glob("*.json")]
    tasks = next(content["tasks"] for content in files if "tasks" in content)
    return dict(next(task for task in tasks if task["name"] == "sentiment"))


def test_a_resumed_run_ends_with_the_same_bytes(run: manyheads.Run, tiny_recipe: Path, tmp_path: Path) -> None:
    def stop(event: str, **fields: object) -> None:
        if event == "step" and fields["step"] == 6:
            raise InterruptedError

    out = tmp_path / "run"
    changes = [*METRICS, "training.checkpoint_every=2"]
    with pytest.raises(InterruptedError):
        train(load_recipe(tiny_recipe, changes), out, listeners=[stop])
    train(load_recipe(tiny_recipe, changes), out, resume=True)
    for file in sorted((run.folder.path / "predictions").iterdir()):
        assert (out / "predictions" / file.name).read_bytes() == file.read_bytes(), file.name


def test_a_metric_that_the_labels_of_the_file_do_not_fit_is_named(tiny_recipe: Path, tmp_path: Path) -> None:
    change = 'tasks.sentiment.metric={kind = "f1", classes = ["good"]}'
    with pytest.raises(RecipeError, match=r"not one of") as error:
        manyheads.train(tiny_recipe, tmp_path / "run", changes=[change])
    assert "tasks.sentiment.metric" in str(error.value)
