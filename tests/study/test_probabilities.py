"""A study whose primary metric reads probabilities: from records, and from the files of every evaluation."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from tests.study.conftest import BASE, SyntheticStudy

import manyheads
from manyheads.errors import RecipeError, RunError
from manyheads.evaluation.interval import measured
from manyheads.evaluation.metrics.resolve import resolve
from manyheads.recipe.tasks import kind_of
from manyheads.run.evaluations import read_evaluations, write_evaluations
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder, cells_of
from manyheads.studies.finished import read_dev, read_values
from manyheads.studies.tabulate import tabulate

LABELS = 'labels = ["bad", "fair", "good"]'

METRICS = {
    LABELS: LABELS + '\nmetric = { kind = "f1", classes = ["good"] }',
    "labels = [0, 1]": 'labels = [0, 1]\nmetric = "auc"\nmetrics = ["log_loss", "average_precision"]',
}


@pytest.fixture
def ranked(synthetic: SyntheticStudy) -> SyntheticStudy:
    text = BASE
    for old, new in METRICS.items():
        assert old in text
        text = text.replace(old, new)
    (synthetic.file.parent / "recipe.toml").write_text(text)
    return synthetic


def test_a_study_has_the_figures_of_metrics_with_options_and_probabilities(ranked: SyntheticStudy) -> None:
    plan = ranked.run()
    table = tabulate(plan, ranked.out)
    assert [task.metric for task in table.tasks] == ["f1_good", "auc", "pearson"]
    folder = RunFolder(cell_folder(ranked.out, "even", 1))
    results = folder.read_results()
    assert {"f1_good", "accuracy"} <= results["best"]["tasks"]["sst"].keys()
    assert {"auc", "log_loss", "average_precision"} <= results["best"]["tasks"]["para"].keys()
    even = table.row("even").best.tasks["para"]
    assert even is not None
    assert 0.5 < even.low < even.mean < even.high < 1


def test_cross_fitting_reads_the_probabilities_of_every_evaluation(ranked: SyntheticStudy) -> None:
    plan = ranked.run()
    ranked.keep_every_evaluation()
    table = tabulate(plan, ranked.out)
    assert table.chosen == "crossfit"
    one = table.row("even").figures.tasks["para"]
    assert one is not None
    assert 0.5 < one.mean < 1


def test_without_probabilities_in_the_files_a_study_reads_the_records(ranked: SyntheticStudy) -> None:
    plan = ranked.run()
    ranked.keep_every_evaluation()
    for cell in cells_of(plan, ranked.out):
        for file in RunFolder(cell.folder).predictions.glob("para.dev.all.npz"):
            write_evaluations(file, replace(read_evaluations(file), probabilities=None))
    table = tabulate(plan, ranked.out)
    assert table.chosen == "last"
    assert table.row("even").figures.tasks["para"] is not None


def test_a_changed_probability_is_found(ranked: SyntheticStudy) -> None:
    plan = ranked.run()
    for which in ("best", "last"):
        file = RunFolder(cell_folder(ranked.out, "even", 1)).prediction_file("para", "dev", which)
        lines = file.read_text().splitlines(keepends=True)
        file.write_text("".join(line.replace('"0": 1.0, "1": 0.0', '"0": 0.0, "1": 1.0') for line in lines))
    with pytest.raises(RunError, match=r"do not give the metric in results\.json"):
        tabulate(plan, ranked.out)


def test_an_interval_of_a_study_is_that_of_the_predictions(ranked: SyntheticStudy) -> None:
    plan = ranked.run()
    folder = RunFolder(cell_folder(ranked.out, "even", 1))
    file, options = folder.prediction_file("para", "dev", "best"), plan.row("even").recipe.tasks["para"]
    auc = resolve("auc", kind_of(options))
    dev = read_dev(file, "para", auc, kind_of(options))
    found = read_values(file, dev)
    assert found.probabilities is not None
    interval = measured(auc, found.values, dev.targets, None, found.probabilities)
    assert interval.value == pytest.approx(folder.read_results()["best"]["tasks"]["para"]["auc"])


def test_rows_with_other_classes_of_a_metric_are_not_compared(ranked: SyntheticStudy) -> None:
    ranked.rewrite("[rows.plain]", '[rows.plain]\ntasks.sst.metric = { kind = "f1", classes = ["bad"] }')
    with pytest.raises(RecipeError, match="different metrics") as error:
        ranked.run()
    assert error.value.found == "f1_bad in row plain, f1_good in row even"


def test_the_power_before_a_study_can_be_planned_for_a_ranking(tiny_study: Path) -> None:
    changes = '[changes]\ntasks.paraphrase.metric = "auc"\ntasks.paraphrase.metrics = ["brier"]'
    tiny_study.write_text(tiny_study.read_text().replace("[changes]", changes))
    found = manyheads.power(tiny_study)
    assert any("paraphrase" in line and "auc 0." in line for line in found.assumptions)
