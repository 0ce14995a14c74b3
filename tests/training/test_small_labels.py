"""Labels of any size: the prediction files, the metrics and a study's table have their full precision."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

import manyheads
import manyheads.demo
from manyheads.cli.show import number
from manyheads.evaluation.evaluate import measure
from manyheads.pages.words import with_interval
from manyheads.reports.content import build_report
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.records import read_records

pytestmark = pytest.mark.usefixtures("forked_commands")

CORPUS = Path(manyheads.demo.__file__).parent / "corpus"

RECIPE = """
encoder = "{encoder}"
threads = 1

[tasks.likeness]
kind = "regression"
train = "train.csv"
dev = "dev.csv"
text = ["sentence1", "sentence2"]
pair = "cross"
label = "score"
range = [0, 1e-5]

[batching]
batch_size = 16

[training]
epochs = 1
max_steps = 2
"""


@pytest.fixture(scope="module")
def recipe(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("small")
    for name in ("train", "dev"):
        with (CORPUS / f"similarity-{name}.tsv").open(newline="") as file:
            rows = list(csv.DictReader(file, delimiter="\t"))[:40]
        with (folder / f"{name}.csv").open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow(["sentence1", "sentence2", "score"])
            for row in rows:
                score = f"{float(row['similarity']) * 2e-6 * 0.999:.8g}"
                writer.writerow([row["sentence1"], row["sentence2"], score])
    (folder / "small.toml").write_text(RECIPE.format(encoder=tiny_encoder))
    return folder / "small.toml"


def test_the_predictions_of_small_labels_give_the_metrics_of_the_run(recipe: Path, tmp_path: Path) -> None:
    run = manyheads.train(recipe, tmp_path / "run")
    found = read_records(
        run.folder.prediction_file("likeness", "dev", "last"), Regression(0, 1), probabilities=False, hint="none"
    )
    with (recipe.parent / "dev.csv").open(newline="") as file:
        written = [float(row["score"]) for row in csv.DictReader(file)]
    assert found.targets.tolist() == pytest.approx(written, rel=1e-7, abs=0)
    assert len(np.unique(found.predictions)) > 30
    task = build_report(run.folder.path).tasks[0]
    metrics = run.results["last"]["tasks"]["likeness"]
    predictor = manyheads.load(run)
    computed = measure(predictor.task("likeness"), Predictions(found.predictions, None), found.targets)
    assert computed == pytest.approx(metrics, rel=1e-5, abs=1e-7 * 1e-5)
    assert None not in metrics.values()
    shown = {each.name: with_interval(each) for each in task.measures}
    assert float(shown["rmse"].split()[0]) == pytest.approx(metrics["rmse"], rel=0.01)
    assert float(number(metrics["rmse"])) == pytest.approx(metrics["rmse"], rel=0.001)


def test_a_study_of_small_labels_has_a_table(recipe: Path, tmp_path: Path) -> None:
    study = recipe.parent / "study.toml"
    study.write_text('base = "small.toml"\nseeds = [1]\n\n[rows.base]\n')
    table = manyheads.study(study, tmp_path / "study", jobs=1)
    (row,) = table.rows
    assert row.failed == ()
    assert row.best.tasks["likeness"] is not None
