"""Comparisons: paired differences and disagreements, on the same examples only."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from tests.older import without_checksums
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import RunError
from manyheads.reports.compare import compare
from manyheads.reports.document import comparison_text


@pytest.fixture(scope="module")
def runs(trained: manyheads.Run, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("compare")
    shutil.copytree(trained.folder.path, folder / "one")
    manyheads.train(tiny_recipe, folder / "two", changes=["seed=7"])
    return [folder / "one", folder / "two"]


def test_differences_are_differences_of_the_metrics(runs: list[Path]) -> None:
    comparison = compare(runs)
    assert {task.name for task in comparison.tasks} == {"sentiment", "paraphrase", "similarity"}
    assert comparison.excluded == ()
    for task in comparison.tasks:
        assert task.runs == ("one", "two")
        for difference in task.differences:
            values = [
                next(each.value for each in measures if each.name == difference.metric) for measures in task.measures
            ]
            assert difference.value == pytest.approx(values[1] - values[0], abs=1e-9)
            assert difference.low < difference.value < difference.high
            assert difference.all_low < difference.low
            assert difference.high < difference.all_high


def test_disagreements_are_counted_from_the_predictions(runs: list[Path]) -> None:
    (task,) = (each for each in compare(runs).tasks if each.name == "sentiment")
    records = [
        [json.loads(line) for line in (run / "predictions" / "sentiment.dev.best.jsonl").read_text().splitlines()]
        for run in runs
    ]
    pairs = list(zip(*records, strict=True))
    (disagreements,) = task.disagreements
    assert disagreements.count == sum(a["prediction"] != b["prediction"] for a, b in pairs)
    correct = [[each["prediction"] == each["target"] for each in pair] for pair in pairs]
    assert disagreements.first_correct == sum(a and not b for a, b in correct)
    assert disagreements.other_correct == sum(b and not a for a, b in correct)
    for each in disagreements.shown:
        assert each.predictions[0] != each.predictions[1]
        assert each.texts


def test_a_run_does_not_differ_from_itself(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "again")
    for task in compare([runs[0], tmp_path / "again"]).tasks:
        assert all(each.value == 0 and each.low <= 0 <= each.high for each in task.differences)
        # No interval of a share has zero width: two models may differ on examples that are not in the dev file.
        assert all(each.low < 0 < each.high for each in task.differences if each.metric == "accuracy")
        assert task.disagreements[0].count == 0
        assert task.disagreements[0].shown == ()


def test_the_same_run_twice_is_refused(runs: list[Path], tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(runs[0])
    for second in (runs[0], runs[0] / ".." / "one", tmp_path / "link"):
        with pytest.raises(RunError, match="cannot be compared with itself") as caught:
            compare([runs[0], runs[1], second])
        assert caught.value.found == str(second)


def test_other_examples_are_not_compared(runs: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "short"
    shutil.copytree(runs[1], copy)
    file = without_checksums(copy) / "predictions" / "sentiment.dev.best.jsonl"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    comparison = compare([runs[0], copy])
    assert {task.name for task in comparison.tasks} == {"paraphrase", "similarity"}
    assert any("sentiment: short has other dev examples" in each for each in comparison.excluded)
    with pytest.raises(RunError, match="at least two runs"):
        compare(runs[:1])


def test_other_kinds_of_a_task_are_named(tiny_encoder: Path, tmp_path: Path) -> None:
    (tmp_path / "stars.csv").write_text("text,stars\n" + "".join(f"film {n},{n % 3}\n" for n in range(24)))
    task = {"train": str(tmp_path / "stars.csv"), "dev": 0.25, "text": "text", "label": "stars"}
    for kind in ("ordinal", "classification"):
        recipe = {"encoder": str(tiny_encoder), "tasks": {"t": {"kind": kind, **task}}, "training": {"epochs": 1}}
        manyheads.train(recipe, tmp_path / kind, report=False)
    with pytest.raises(RunError, match="share no task") as caught:
        compare([tmp_path / "ordinal", tmp_path / "classification"])
    reason = "t: classification has the kind classification, and ordinal the kind ordinal"
    assert str(caught.value.found) == reason


def test_texts_of_a_changed_file_are_not_shown(runs: list[Path], tmp_path: Path) -> None:
    copies = []
    for run in runs:
        copies.append(tmp_path / run.name)
        shutil.copytree(run, copies[-1])
        without_checksums(copies[-1])
        provenance = json.loads((run / "provenance.json").read_text())
        provenance["data"]["sentiment-dev.tsv"] = "0" * 64
        (copies[-1] / "provenance.json").write_text(json.dumps(provenance))
    shown = {task.name: task.disagreements[0].shown for task in compare(copies).tasks}
    assert all(each.texts == () for each in shown["sentiment"])
    assert all(each.texts for each in shown["paraphrase"])


def test_the_command_prints_and_writes(runs: list[Path], tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["compare", *map(str, runs)])
    assert printed.exit_code == 0
    assert "| two | accuracy |" in printed.stdout
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["compare", *map(str, runs), "--output", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert not re.search(r'(src|href)="(?!#)', page.read_text())
    assert json.loads(comparison_text(compare(runs), "json"))["runs"] == ["one", "two"]


def test_the_output_may_be_a_pipe_or_a_device(runs: list[Path], tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        result = CliRunner().invoke(app, ["compare", *map(str, runs), "--output", str(pipe)])
        assert result.exit_code == 0, result.output
        assert reader.communicate(timeout=30)[0].startswith("# ")
    assert list(tmp_path.iterdir()) == [pipe]


def test_json_has_the_documented_keys(runs: list[Path]) -> None:
    content = json.loads(comparison_text(compare(runs), "json"))
    assert set(content) == {"runs", "tasks", "apart"}
    task = content["tasks"][0]
    assert set(task) == {"name", "examples", "runs", "measures", "differences", "partings"}
    assert set(task["differences"][0]) == {"run", "metric", "value", "low", "high", "all_low", "all_high"}
    keys = {"run", "answered_differently", "first_right", "other_right", "shown"}
    assert {frozenset(each) for each in task["partings"]} == {frozenset(keys)}
    shown = [each for task in content["tasks"] for partings in task["partings"] for each in partings["shown"]]
    assert {frozenset(each) for each in shown} == {frozenset({"id", "texts", "target", "answers", "chances"})}
