"""Comparisons: paired, honest about what they cannot know, and about the same examples only."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import RunError
from manyheads.report.compare import compare
from manyheads.report.compared import comparison_text


@pytest.fixture(scope="module")
def runs(trained: manyheads.Run, tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("compare")
    shutil.copytree(trained.folder.path, folder / "one")
    manyheads.train(tiny_recipe, folder / "two", changes=["seed=7"])
    return [folder / "one", folder / "two"]


def test_differences_are_of_the_figures(runs: list[Path]) -> None:
    found = compare(runs)
    assert {task.name for task in found.tasks} == {"sentiment", "paraphrase", "similarity"}
    assert found.apart == ()
    for task in found.tasks:
        assert task.runs == ("one", "two")
        for difference in task.differences:
            values = [
                next(each.value for each in measures if each.name == difference.metric) for measures in task.measures
            ]
            assert difference.value == pytest.approx(values[1] - values[0], abs=1e-9)
            assert difference.low < difference.value < difference.high


def test_partings_are_counted_from_the_predictions(runs: list[Path]) -> None:
    (task,) = (each for each in compare(runs).tasks if each.name == "sentiment")
    records = [
        [json.loads(line) for line in (run / "predictions" / "sentiment.dev.best.jsonl").read_text().splitlines()]
        for run in runs
    ]
    pairs = list(zip(*records, strict=True))
    (found,) = task.partings
    assert found.answered_differently == sum(a["prediction"] != b["prediction"] for a, b in pairs)
    right = [[each["prediction"] == each["target"] for each in pair] for pair in pairs]
    assert found.first_right == sum(a and not b for a, b in right)
    assert found.other_right == sum(b and not a for a, b in right)
    for parting in found.shown:
        assert parting.answers[0] != parting.answers[1]
        assert parting.texts


def test_a_run_does_not_differ_from_itself(runs: list[Path], tmp_path: Path) -> None:
    shutil.copytree(runs[0], tmp_path / "again")
    for task in compare([runs[0], tmp_path / "again"]).tasks:
        assert all(each.value == each.low == each.high == 0 for each in task.differences)
        assert task.partings[0].answered_differently == 0
        assert task.partings[0].shown == ()


def test_other_examples_are_not_compared(runs: list[Path], tmp_path: Path) -> None:
    copy = tmp_path / "short"
    shutil.copytree(runs[1], copy)
    file = copy / "predictions" / "sentiment.dev.best.jsonl"
    file.write_text("\n".join(file.read_text().splitlines()[:-1]) + "\n")
    found = compare([runs[0], copy])
    assert {task.name for task in found.tasks} == {"paraphrase", "similarity"}
    assert any("sentiment: short answered other dev examples" in each for each in found.apart)
    with pytest.raises(RunError, match="two runs"):
        compare(runs[:1])


def test_texts_of_a_file_that_has_changed_are_left_out(runs: list[Path], tmp_path: Path) -> None:
    copies = []
    for run in runs:
        copies.append(tmp_path / run.name)
        shutil.copytree(run, copies[-1])
        provenance = json.loads((run / "provenance.json").read_text())
        provenance["data"]["sentiment-dev.tsv"] = "0" * 64
        (copies[-1] / "provenance.json").write_text(json.dumps(provenance))
    found = {task.name: task.partings[0].shown for task in compare(copies).tasks}
    assert all(each.texts == () for each in found["sentiment"])
    assert all(each.texts for each in found["paraphrase"])


def test_the_command_prints_and_writes(runs: list[Path], tmp_path: Path) -> None:
    printed = CliRunner().invoke(app, ["compare", *map(str, runs)])
    assert printed.exit_code == 0
    assert "| two | accuracy |" in printed.stdout
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["compare", *map(str, runs), "--output", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert not re.search(r'(src|href)="(?!#)', page.read_text())
    assert json.loads(comparison_text(compare(runs), "json"))["runs"] == ["one", "two"]
