"""The selection of a study: which epoch the figures are from, on which examples, and what the page says about it."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import RecipeError, RunError
from manyheads.evaluation.crossfit import best_evaluations, half_scores, swapped
from manyheads.evaluation.metrics import METRICS
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder, cells_of, state_of
from manyheads.studies.collect import collect
from manyheads.studies.load import load_study, require_test_labels
from manyheads.studies.render.formats import content_of, to_csv, to_markdown
from manyheads.studies.table import Interval
from manyheads.studies.tabulate import tabulate
from manyheads.tasks.kind import Predictions


def mean(interval: Interval | None) -> float:
    assert interval is not None
    return interval.mean


def select(synthetic: Any, name: str) -> Any:
    """Set the key `select` of the study."""
    synthetic.rewrite("seeds =", f'select = "{name}"\nseeds =')
    return synthetic.plan()


def test_the_epoch_is_chosen_on_one_half_and_measured_on_the_other(synthetic: Any) -> None:
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    table = tabulate(plan, synthetic.out)
    collected = collect(plan, synthetic.out)
    assert (table.chosen, table.select) == ("crossfit", None)
    folder = RunFolder(cell_folder(synthetic.out, "even", 2))
    every = {task: folder.read_evaluations(folder.read_results(), task, "dev") for task in ("sst", "para", "sts")}
    scores = [
        half_scores(dev.metric, every[task].values, dev.targets, collected.halves[task])
        for task, dev in collected.dev.items()
    ]
    chosen = best_evaluations(np.mean(scores, axis=0))
    assert chosen is not None
    for task, dev in collected.dev.items():
        values = swapped(every[task].values, collected.halves[task], chosen)
        parts = (collected.halves[task], ~collected.halves[task])
        found = [METRICS[dev.metric].function(Predictions(values[part], None), dev.targets[part]) for part in parts]
        assert table.row("even").points[task][1] == pytest.approx(np.mean(found), abs=1e-5)
    row = table.row("even")
    assert row.figures.half_epochs == ((2, 2), (2, 2), (2, 2))
    assert row.figures.epochs == (2, 2, 2)
    assert mean(row.figures.average) == pytest.approx(np.mean(row.points["average"]), abs=1e-6)
    assert row.optimism == pytest.approx(mean(row.best.average) - mean(row.figures.average), abs=2e-6)


def test_the_figures_of_the_table_are_those_of_the_selection(synthetic: Any) -> None:
    """Differences, effects and twins are of the selected epoch. The last epoch of a row is far worse than its best."""
    synthetic.run()
    synthetic.keep_every_evaluation()
    for seed in (1, 2, 3):
        folder = RunFolder(cell_folder(synthetic.out, "even", seed))
        results = folder.read_results()
        for task in results["last"]["tasks"]:
            every = folder.read_evaluations(results, task, "dev")
            assert every is not None
            file = folder.prediction_file(task, "dev", "last")
            lines = [json.loads(line) for line in file.read_text().splitlines()]
            labels = {"sst": ["bad", "fair", "good"], "para": [0, 1]}.get(task)
            first = [float(value) if labels is None else labels[int(value)] for value in every.values[0]]
            lines = [{**line, "prediction": each, "value": each} for line, each in zip(lines, first, strict=True)]
            file.write_text("".join(json.dumps(line) + "\n" for line in lines))
        curve = folder.results_csv.read_text().splitlines()
        names, values = curve[0].split(","), curve[1].split(",")
        last = {"epoch": 1.0, "step": 10, "tasks": {}, "average": float(values[-1]), "course_score": None}
        for name, value in zip(names[2:-1], values[2:-1], strict=True):
            task, metric = name.split(".")
            last["tasks"][task] = {metric: float(value)}  # type: ignore[index]
        folder.results.write_text(json.dumps({**results, "last": last}))
    differences = {}
    for name in ("best", "last", "crossfit"):
        synthetic.file.write_text(
            "\n".join(line for line in synthetic.file.read_text().splitlines() if not line.startswith("select"))
        )
        table = tabulate(select(synthetic, name), synthetic.out)
        assert table.chosen == name
        row, baseline = table.row("even"), table.row("plain")
        assert row.difference is not None
        assert row.difference.mean == pytest.approx(
            mean(row.figures.average) - mean(baseline.figures.average), abs=2e-6
        )
        gain = next(twin for twin in table.twins if twin.task == "sst")
        assert mean(gain.together) == mean(row.figures.tasks["sst"])
        differences[name] = row.difference.mean
        assert mean(row.last.average) < mean(row.best.average) - 0.05
    assert differences["last"] < -0.05 < differences["best"]
    assert differences["crossfit"] == pytest.approx(differences["best"], abs=0.03)


def test_runs_without_every_evaluation_show_the_last_epoch(synthetic: Any) -> None:
    plan = synthetic.run()
    synthetic.keep_every_evaluation(["plain", "even", "even_rescale0.1"])
    table = tabulate(plan, synthetic.out)
    assert table.chosen == "last"
    assert {row["chosen"] for row in content_of(table)["rows"]} == {"last"}
    note = next(note for note in table.notes if "Cross-fitting is not possible" in note)
    assert "plain_rescale0.1/1" in note
    assert "So all rows show the last epoch." in note
    synthetic.keep_every_evaluation()
    assert tabulate(plan, synthetic.out).chosen == "crossfit"
    for file in synthetic.out.glob("*/*/predictions/*.npz"):
        file.unlink()
    assert tabulate(plan, synthetic.out).chosen == "last"


def test_the_files_with_every_evaluation_are_enough_for_a_table(synthetic: Any) -> None:
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    expected = content_of(tabulate(plan, synthetic.out))
    for file in synthetic.out.glob("*/*/predictions/*.jsonl"):
        file.unlink()
    assert content_of(tabulate(plan, synthetic.out)) == expected


def test_a_study_of_runs_with_one_evaluation_chooses_nothing(synthetic: Any) -> None:
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    for curve in synthetic.out.glob("*/*/results.csv"):
        curve.write_text("\n".join(line for place, line in enumerate(curve.read_text().splitlines()) if place != 1))
    table = tabulate(plan, synthetic.out)
    assert table.chosen == "last"
    assert any("Every run has one evaluation" in note for note in table.notes)


def test_a_metric_that_is_undefined_on_a_half_selects_the_last_epoch(synthetic: Any) -> None:
    """Matthews' correlation needs two classes in each half."""
    base = synthetic.file.parent / "recipe.toml"
    base.write_text(base.read_text().replace("labels = [0, 1]", 'metric = "mcc"\nlabels = [0, 1]'))
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    first = collect(plan, synthetic.out).halves["para"]
    for cell in cells_of(plan, synthetic.out):
        if cell.row == "even" and cell.seed == 1:
            folder = RunFolder(cell.folder)
            file = folder.evaluations_file("para", "dev")
            content = dict(np.load(file))
            content["values"][:, first] = 1
            content["values"][:, ~first] = np.maximum(content["values"][:, ~first], 0)
            np.savez_compressed(file, **content)
            results = folder.read_results()
            known = Predictions(content["values"][1].astype(float), None)
            value = METRICS["mcc"].function(known, content["targets"].astype(float))
            for which in ("best", "last"):
                results[which]["tasks"]["para"]["mcc"] = value
            folder.results.write_text(json.dumps(results))
    table = tabulate(plan, synthetic.out)
    assert table.chosen == "last"
    assert table.row("even").figures.tasks["para"] is not None
    assert any("a metric of even" in note and "undefined on a half" in note for note in table.notes)


def test_labelled_test_files_give_the_figures(synthetic: Any) -> None:
    synthetic.add_test_files()
    plan = synthetic.run()
    table = tabulate(plan, synthetic.out)
    assert table.chosen == "test"
    assert [task.test_examples for task in table.tasks] == [150, 200, 120]
    row = table.row("even")
    lines = []
    for seed in (1, 2, 3):
        file = RunFolder(cell_folder(synthetic.out, "even", seed)).prediction_file("sst", "test", "best")
        lines.append([json.loads(line) for line in file.read_text().splitlines()])
    shares = [np.mean([line["prediction"] == line["target"] for line in each]) for each in lines]
    assert mean(row.figures.tasks["sst"]) == pytest.approx(np.mean(shares), abs=1e-6)
    assert mean(row.best.tasks["sst"]) != mean(row.figures.tasks["sst"])
    assert row.figures.epochs == (2, 2, 2)
    assert "labelled test examples: sst 150" in table.setting
    assert tabulate(select(synthetic, "best"), synthetic.out).chosen == "best"


def test_test_files_without_labels_are_not_selected(synthetic: Any) -> None:
    synthetic.add_test_files(labelled=False)
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    assert tabulate(plan, synthetic.out).chosen == "crossfit"
    plan = select(synthetic, "test")
    with pytest.raises(RunError, match=r"needs labelled test predictions[^$]*150 of 150 test examples of sst") as error:
        tabulate(plan, synthetic.out)
    assert 'select = "crossfit"' in str(error.value)


def test_selecting_test_without_a_test_file_is_an_error_before_any_run(synthetic: Any) -> None:
    with pytest.raises(RecipeError, match=r"no key `test` of para, sst, sts") as error:
        select(synthetic, "test")
    assert "key select" in str(error.value)


@pytest.mark.parametrize(("label", "fault"), [("", "line 3"), ("1", "")])
def test_a_test_file_without_labels_is_found_before_any_run(tiny_study: Path, label: str, fault: str) -> None:
    """The other two tasks of the recipe get the same kind of file."""
    folder = tiny_study.parent
    rows = ["sentence\tsentence1\tsentence2\tsentiment\tis_paraphrase\tsimilarity", "a\tb\tc\t1\t1\t1"]
    (folder / "t.tsv").write_text("\n".join([*rows, f"d\te\tf\t{label}\t{label}\t{label}"]) + "\n")
    tests = "".join(f'tasks.{task}.test = "{folder}/t.tsv"\n' for task in ("sentiment", "paraphrase", "similarity"))
    text = tiny_study.read_text().replace("[changes]\n", f"[changes]\n{tests}")
    tiny_study.write_text(text.replace("seeds =", 'select = "test"\nseeds ='))
    plan = load_study(tiny_study)
    if not fault:
        require_test_labels(plan)
        return
    with pytest.raises(RecipeError, match=fault) as error:
        require_test_labels(plan)
    assert "key select" in str(error.value)


def test_the_selection_of_finished_runs_can_be_changed(synthetic: Any) -> None:
    synthetic.run()
    plan = select(synthetic, "last")
    assert {state_of(cell) for cell in cells_of(plan, synthetic.out)} == {"done"}
    assert tabulate(plan, synthetic.out).chosen == "last"


def test_an_unknown_selection_is_an_error(synthetic: Any) -> None:
    with pytest.raises(RecipeError, match="select"):
        select(synthetic, "dev")


def test_every_form_of_the_table_names_the_selection_and_the_optimism(synthetic: Any) -> None:
    plan = synthetic.run()
    synthetic.keep_every_evaluation()
    table = tabulate(plan, synthetic.out)
    page = to_markdown(table)
    assert "values: cross-fitted" in page
    assert "optimism of the best epoch in average" in page
    assert "Optimism of the best epoch, which is chosen and measured on the same dev examples" in page
    lines = list(csv.DictReader(io.StringIO(to_csv(table))))
    assert {line["chosen"] for line in lines} == {"crossfit"}
    assert float(lines[0]["chosen.average.mean"]) == mean(table.rows[0].figures.average)
    content = content_of(table)
    row = content["rows"][0]
    assert (content["chosen"], row["chosen"]) == ("crossfit", "crossfit")
    assert row["average"]["mean"] == mean(table.rows[0].figures.average)
    assert row["best"]["average"]["mean"] == mean(table.rows[0].best.average)
    assert row["last"]["average"]["mean"] == mean(table.rows[0].last.average)
    assert row["optimism"] == table.rows[0].optimism
    assert row["half_epochs"] == [[2, 2]] * 3


def test_the_default_of_the_shipped_studies_is_read(tmp_path: Path) -> None:
    study = Path(__file__).parents[2] / "studies" / "minilm.toml"
    assert load_study(study).select is None
