"""The numbers of a table: values, differences, twins and effects, and the notes about missing runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.metrics import f1_score

from manyheads.errors import RunError
from manyheads.evaluation.interval import measured
from manyheads.pages.words import counted
from manyheads.recipe.tasks import kind_of
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder, cells_of, state_of
from manyheads.studies.finished import read_dev, read_values
from manyheads.studies.render.formats import content_of
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Table, TableRow
from manyheads.studies.tabulate import tabulate, write_table

pytestmark = pytest.mark.usefixtures("without_figures")


def results(out: Path, row: str, seed: int) -> dict[str, Any]:
    return RunFolder(cell_folder(out, row, seed)).read_results()["best"]  # type: ignore[return-value]


def row_of(table: Table, name: str) -> TableRow:
    return next(row for row in table.rows if row.name == name)


def test_values_are_the_means_of_the_runs(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    for name in ("plain", "even_rescale0.1"):
        runs = [results(synthetic.out, name, seed) for seed in (1, 2, 3)]
        best = row_of(table, name).best
        for task, metric in (("sst", "accuracy"), ("para", "accuracy"), ("sts", "pearson")):
            figure = best.tasks[task]
            assert figure is not None
            assert figure.mean == pytest.approx(np.mean([run["tasks"][task][metric] for run in runs]), abs=1e-5)
            assert figure.low < figure.mean < figure.high
        assert best.average is not None
        assert best.average.mean == pytest.approx(np.mean([run["average"] for run in runs]), abs=1e-5)
        assert best.epochs == (2, 2, 2)


def test_a_true_gain_is_significant_and_no_gain_is_not(synthetic: Any) -> None:
    plan = synthetic.run({"even": 0.2, "even@sst": 0.2, "even@para": 0.0, "even@sts": 0.2})
    table = tabulate(plan, synthetic.out)
    even, same = row_of(table, "even").difference, row_of(table, "plain_rescale0.1").difference
    assert even is not None
    assert even.significant
    assert even.low > 0.05
    assert same is not None
    assert not same.significant
    assert same.low < 0 < same.high
    assert row_of(table, "plain").difference is None
    gains = {gain.task: gain.gain for gain in table.twins}
    assert set(gains) == {"sst", "para", "sts", "average"}
    assert gains["para"] is not None
    assert gains["para"].significant
    assert gains["para"].mean > 0.1
    assert gains["sst"] is not None
    assert not gains["sst"].significant
    assert {row.name: row.may_be_best for row in table.listed} == {
        "plain": False,
        "even": True,
        "plain_rescale0.1": False,
        "even_rescale0.1": False,
        "again": True,
    }


def test_the_correction_is_over_the_rows_with_their_own_runs(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    differences = [row.difference for row in table.listed if row.difference is not None and row.same_as is None]
    tested = sorted((difference.p or 0, difference.p_holm or 0) for difference in differences)
    assert len(tested) == 3
    assert tested[0][1] == pytest.approx(min(1, 3 * tested[0][0]), abs=1e-5)
    assert all(p_holm >= p for p, p_holm in tested)


def test_the_notes_count_the_comparisons_that_have_a_p_value(synthetic: Any) -> None:
    skipped = {("even", 2), ("even", 3)}
    table = tabulate(synthetic.run(skip=skipped), synthetic.out)
    even = row_of(table, "even")
    assert even.difference is not None
    assert even.difference.p is None
    assert any("corrected over the 2 comparisons" in note for note in table.notes)


def test_a_row_left_with_one_seed_has_no_interval(synthetic: Any) -> None:
    table = tabulate(synthetic.run(skip={("even", 2), ("even", 3)}), synthetic.out)
    even = row_of(table, "even")
    assert even.best.average is not None
    assert even.best.average.low is None
    assert even.difference is not None
    assert (even.difference.low, even.difference.high, even.difference.p) == (None, None, None)
    assert any("No intervals for even: one finished seed" in note for note in table.notes)
    write_table(synthetic.plan(), synthetic.out)


def test_a_study_with_one_seed_and_the_report_of_its_run_have_the_same_intervals(synthetic: Any) -> None:
    synthetic.rewrite("[1, 2, 3]", "[1]")
    plan = synthetic.run()
    row = row_of(tabulate(plan, synthetic.out), "even")
    folder = RunFolder(cell_folder(synthetic.out, "even", 1))
    for task, metric in (("sst", "accuracy"), ("sts", "pearson")):
        options = plan.row("even").recipe.tasks[task]
        dev = read_dev(folder.prediction_file(task, "dev", "best"), task, metric, kind_of(options))
        found = measured(metric, read_values(folder.prediction_file(task, "dev", "best"), dev).values, dev.targets)
        interval = row.best.tasks[task]
        assert interval is not None
        assert (interval.low, interval.high) == pytest.approx((found.low, found.high), abs=1e-6)


@pytest.mark.parametrize("order", [("plain", "even"), ("even", "plain")])
def test_rows_with_different_extra_tasks_are_compared_only_in_what_they_share(
    synthetic: Any, order: tuple[str, str]
) -> None:
    """Two rows have four tasks each, but not the same four, with the same number of examples."""
    extra = 'kind = "classification"\ntrain = "x.csv"\ndev = "y.csv"\ntext = "s"\nlabel = "l"\nlabels = [0, 1]\n'
    for row, name in zip(order, ("one", "other"), strict=True):
        synthetic.file.write_text(synthetic.file.read_text() + f"[rows.{row}.tasks.{name}]\n{extra}")
    synthetic.rewrite('twins = ["even"]', "twins = []")
    synthetic.rewrite('[rows.again]\nbatching.strategy = "even"', "")
    table = tabulate(synthetic.run(), synthetic.out)
    even = row_of(table, "even")
    assert even.difference is None
    assert even.differences["sst"] is not None
    assert even.best.average is not None
    assert even.may_be_best in (None, True)
    assert any("different tasks" in note for note in table.notes)
    write_table(synthetic.plan(), synthetic.out)


EXTRA = 'kind = "classification"\ntrain = "x.csv"\ndev = "y.csv"\ntext = "s"\nlabel = "l"\nlabels = [0, 1]\n'


@pytest.mark.parametrize("baseline", ["plain", "even"])
def test_rows_and_twins_that_add_or_drop_tasks_are_paired_by_task(synthetic: Any, baseline: str) -> None:
    """The row even has a fourth task, which all other rows lack, and twins of all four."""
    synthetic.file.write_text(synthetic.file.read_text() + f"[rows.even.tasks.one]\n{EXTRA}")
    synthetic.rewrite('baseline = "plain"', f'baseline = "{baseline}"')
    table = tabulate(synthetic.run({"even_rescale0.1": 0.2}), synthetic.out)
    even, other = row_of(table, "even"), row_of(table, "even_rescale0.1")
    apart = even if baseline == "plain" else other
    assert apart.difference is None
    assert {task for task, each in apart.differences.items() if each is not None} == {"sst", "para", "sts"}
    for task, metric in (("sst", "accuracy"), ("para", "accuracy"), ("sts", "pearson")):
        first, second = (
            np.mean([results(synthetic.out, name, seed)["tasks"][task][metric] for seed in (1, 2, 3)])
            for name in (apart.name, baseline)
        )
        difference = apart.differences[task]
        assert difference is not None
        assert difference.mean == pytest.approx(first - second, abs=1e-5)
    gains = {twin.task: twin for twin in table.twins}
    assert set(gains) == {"sst", "para", "sts", "one", "average"}
    for task, gain in gains.items():
        assert gain.gain is not None
        assert gain.together is not None
        assert gain.alone is not None
        assert gain.gain.mean == pytest.approx(gain.together.mean - gain.alone.mean, abs=2e-6), task
    # A row with other tasks has another average, so it is not among the best rows of the study.
    assert row_of(table, "even").may_be_best is (None if baseline == "plain" else True)
    if baseline == "plain":
        assert other.may_be_best is True
        assert row_of(table, "plain").may_be_best is False
    assert any("different tasks" in note for note in table.notes)
    write_table(synthetic.plan(), synthetic.out)


def test_a_p_value_is_never_zero(synthetic: Any) -> None:
    table = tabulate(synthetic.run({"even": 0.3, "even_rescale0.1": 0.3}), synthetic.out)
    values = [p for row in table.rows for each in row.differences.values() if each for p in (each.p, each.p_holm)]
    assert values
    assert all(p is not None and p >= 1e-6 for p in values)


def test_runs_with_the_earlier_macro_f1_are_read(synthetic: Any) -> None:
    """Version 0.4.0 counted a class that is predicted and has no target. Any other value is refused."""
    base = synthetic.file.parent / "recipe.toml"
    base.write_text(base.read_text().replace('labels = ["bad"', 'metric = "macro_f1"\nlabels = ["bad"'))
    plan = synthetic.run()
    folder = RunFolder(cell_folder(synthetic.out, "even", 1))
    lines = []
    for which in ("best", "last"):
        file = folder.prediction_file("sst", "dev", which)
        lines = [json.loads(line) for line in file.read_text().splitlines()]
        lines = [{**line, "target": "bad"} if line["target"] == "good" else line for line in lines]
    for row, seed in [(cell.row, cell.seed) for cell in cells_of(plan, synthetic.out) if "sst" in cell.recipe.tasks]:
        folder = RunFolder(cell_folder(synthetic.out, row, seed))
        found = folder.read_results()
        for which in ("best", "last"):
            file = folder.prediction_file("sst", "dev", which)
            own = [json.loads(line) for line in file.read_text().splitlines()]
            own = [{**each, "target": line["target"]} for each, line in zip(own, lines, strict=True)]
            file.write_text("".join(json.dumps(each) + "\n" for each in own))
            names = [str(each["prediction"]) for each in own], [str(each["target"]) for each in own]
            found[which]["tasks"]["sst"]["macro_f1"] = f1_score(*reversed(names), average="macro")
        folder.results.write_text(json.dumps(found))
    assert row_of(tabulate(plan, synthetic.out), "even").best.tasks["sst"] is not None
    found["best"]["tasks"]["sst"]["macro_f1"] += 0.01
    folder.results.write_text(json.dumps(found))
    with pytest.raises(RunError, match="do not give the metric"):
        tabulate(plan, synthetic.out)


def test_rows_with_the_same_recipe_have_the_same_values(synthetic: Any) -> None:
    table = tabulate(synthetic.run(), synthetic.out)
    even, again = row_of(table, "even"), row_of(table, "again")
    assert again.same_as == "even"
    assert (again.best, again.difference, again.seeds) == (even.best, even.difference, even.seeds)


def test_effects_are_those_of_the_factors(synthetic: Any) -> None:
    table = tabulate(synthetic.run({"even": 0.2, "even_rescale0.1": 0.2}), synthetic.out)
    effects = {effect.name: effect for effect in table.effects}
    assert effects["EB"].value.significant
    assert effects["EB"].value.low > 0.05
    assert not effects["LR = 0.1"].value.significant
    assert effects["EB x LR = 0.1"].kind == "interaction"


def test_failed_and_missing_runs_are_reported_and_excluded(synthetic: Any) -> None:
    synthetic.fail("even", 2, "the loss is not finite\n  where:   step 3")
    plan = synthetic.run(
        skip={("even", 2), ("plain_rescale0.1", 3), *(("even_rescale0.1", seed) for seed in (1, 2, 3))}
    )
    table = tabulate(plan, synthetic.out)
    even, rescaled, none = (row_of(table, name) for name in ("even", "plain_rescale0.1", "even_rescale0.1"))
    assert (even.seeds, even.failed, even.missing) == ((1, 3), (2,), ())
    assert (rescaled.seeds, rescaled.failed, rescaled.missing) == ((1, 2), (), (3,))
    assert none.seeds == ()
    assert none.best.average is None
    assert none.difference is None
    assert [(failure.row, failure.seed) for failure in table.failures] == [("even", 2)]
    assert "failed: even, seed 2\nthe loss is not finite" in repr(table)
    assert "failed: even, seed 2" in table._repr_html_()
    assert "1 of 21 runs failed and is excluded" in table.notes[0]
    assert "4 of 21 runs are not finished" in table.notes[1]


def test_a_baseline_without_runs_leaves_no_differences(synthetic: Any) -> None:
    table = tabulate(synthetic.run(skip={("plain", seed) for seed in (1, 2, 3)}), synthetic.out)
    assert all(row.difference is None for row in table.rows)
    assert row_of(table, "even").best.average is not None


def test_one_seed_gives_no_p_values(synthetic: Any) -> None:
    synthetic.rewrite("[1, 2, 3]", "[1]")
    table = tabulate(synthetic.run({"even": 0.2}), synthetic.out)
    assert "the seed variance is unknown" in table.notes[0]
    assert not any("Holm" in note or "seed variance (" in note for note in table.notes)
    even = row_of(table, "even")
    assert even.difference is not None
    assert even.difference.p is None
    assert even.difference.p_holm is None
    assert {row.may_be_best for row in table.rows} == {None}
    assert table.smallest_difference is None


def test_an_undefined_metric_is_null_and_has_a_note(synthetic: Any) -> None:
    plan = synthetic.run()
    folder = RunFolder(cell_folder(synthetic.out, "even_rescale0.1", 2))
    for which in ("best", "last"):
        file = folder.prediction_file("sts", "dev", which)
        lines = [{**json.loads(line), "prediction": 1.0, "value": 1.0} for line in file.read_text().splitlines()]
        file.write_text("".join(json.dumps(line) + "\n" for line in lines))
    content = folder.read_results()
    for which in ("best", "last"):
        content[which]["tasks"]["sts"]["pearson"] = None  # type: ignore[index]
        content[which]["average"] = None  # type: ignore[index]
    folder.results.write_text(json.dumps(content))
    table = tabulate(plan, synthetic.out)
    row = row_of(table, "even_rescale0.1")
    assert row.best.tasks["sts"] is None
    assert row.best.tasks["sst"] is not None
    assert row.best.average is None
    assert row.difference is None
    assert any("even_rescale0.1" in note and "undefined" in note for note in table.notes)


def test_predictions_that_do_not_give_the_reported_metric_are_refused(synthetic: Any) -> None:
    plan = synthetic.run()
    folder = RunFolder(cell_folder(synthetic.out, "even", 2))
    content = folder.read_results()
    content["best"]["tasks"]["para"]["accuracy"] += 0.01  # type: ignore[index]
    folder.results.write_text(json.dumps(content))
    with pytest.raises(RunError, match="predictions of para do not give the metric"):
        tabulate(plan, synthetic.out)


def test_runs_of_another_recipe_and_studies_without_runs_are_refused(synthetic: Any) -> None:
    with pytest.raises(RunError, match="no run of this study is finished"):
        tabulate(synthetic.plan(), synthetic.out)
    synthetic.run()
    synthetic.rewrite("loss_weight = 0.1", "loss_weight = 0.2")
    with pytest.raises(RunError, match=r"another recipe than the study[^$]*loss_weight: 0.1 in the run, 0.2"):
        tabulate(synthetic.plan(), synthetic.out)


def test_the_folder_of_the_data_may_differ(synthetic: Any) -> None:
    synthetic.run()
    synthetic.rewrite("title =", 'changes.data_dir = "elsewhere"\ntitle =')
    assert tabulate(synthetic.plan(), synthetic.out).rows


def test_a_study_by_one_task_compares_that_task(synthetic: Any) -> None:
    synthetic.rewrite("seeds =", 'metric = "para"\nseeds =')
    table = tabulate(synthetic.run({"even": 0.1}), synthetic.out)
    row = row_of(table, "even")
    assert row.difference is not None
    assert row.differences["para"] is not None
    assert row.difference.mean == row.differences["para"].mean


def test_times_and_the_order_of_files_change_no_row(synthetic: Any) -> None:
    plan: StudyPlan = synthetic.run()
    before = content_of(tabulate(plan, synthetic.out))
    for seed in (3, 1):
        folder = RunFolder(cell_folder(synthetic.out, "even", seed))
        folder.results.write_text(json.dumps({**folder.read_results(), "seconds": 1234.5}))
    after = content_of(tabulate(plan, synthetic.out))
    assert json.dumps(before["rows"]) == json.dumps(after["rows"])
    assert before["timings"] != after["timings"]


def test_the_course_score_is_null_unless_the_recipe_asks_for_it(synthetic: Any) -> None:
    """The runs have a number in results.json, as runs of older versions do."""
    plan = synthetic.run()
    table = tabulate(plan, synthetic.out)
    assert not table.has_course_score
    assert {figures.course_score for row in table.rows for figures in (row.best, row.last)} == {None}
    assert {row["course_score"] for row in content_of(table)["rows"]} == {None}


def test_the_course_score_maps_correlations(synthetic: Any) -> None:
    synthetic.run()
    synthetic.rewrite("title =", 'changes.score = "course"\nmetric = "course_score"\ntitle =')
    table = tabulate(synthetic.plan(), synthetic.out)
    assert table.has_course_score
    for name in ("plain", "even_rescale0.1"):
        runs = [results(synthetic.out, name, seed)["tasks"] for seed in (1, 2, 3)]
        expected = [
            (run["sst"]["accuracy"] + run["para"]["accuracy"] + (run["sts"]["pearson"] + 1) / 2) / 3 for run in runs
        ]
        score = row_of(table, name).best.course_score
        assert score is not None
        assert score.mean == pytest.approx(np.mean(expected), abs=1e-5)
    even, plain = row_of(table, "even"), row_of(table, "plain")
    assert even.difference is not None
    assert even.best.course_score is not None
    assert plain.best.course_score is not None
    assert even.difference.mean == pytest.approx(even.best.course_score.mean - plain.best.course_score.mean, abs=2e-6)


def test_counts_have_singular_and_plural(synthetic: Any) -> None:
    synthetic.rewrite("[1, 2, 3]", "[1]")
    table = tabulate(synthetic.run(), synthetic.out)
    assert "1 seed per row (1)" in table.setting
    assert "2 epochs" in table.setting
    for cell in synthetic.out.glob("*/*/results.csv"):
        cell.write_text("\n".join(cell.read_text().splitlines()[:2]) + "\n")
    assert ", 1 epoch, " in tabulate(synthetic.plan(), synthetic.out).setting


@pytest.mark.parametrize(("count", "text"), [(0, "0 runs"), (1, "1 run"), (2, "2 runs"), (1200, "1,200 runs")])
def test_a_count_has_its_noun(count: int, text: str) -> None:
    assert counted(count, "run") == text


def test_runs_from_before_the_score_key_are_read(synthetic: Any) -> None:
    synthetic.run()
    synthetic.rewrite("title =", 'changes.score = "course"\ntitle =')
    plan = synthetic.plan()
    assert row_of(tabulate(plan, synthetic.out), "even").best.course_score is not None
    assert {state_of(cell) for cell in cells_of(plan, synthetic.out)} == {"done"}
