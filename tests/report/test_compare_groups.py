"""Comparisons of two groups of runs: the seeds are covered, and paired where both groups have the same."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from tests.study.conftest import SyntheticStudy
from typer.testing import CliRunner

from manyheads.cli.finished import repeated
from manyheads.cli.main import app
from manyheads.errors import RunError
from manyheads.evaluation.significance import holm
from manyheads.reports.compare_groups import compare_groups
from manyheads.reports.document import comparison_text
from manyheads.studies.tabulate import tabulate


@pytest.fixture(scope="module")
def study(tmp_path_factory: pytest.TempPathFactory) -> SyntheticStudy:
    """The rows plain and even with seeds 1 to 3, and better with seeds 4 to 6."""
    found = SyntheticStudy(tmp_path_factory.mktemp("groups"))
    found.rewrite('twins = ["even"]', "twins = []")
    found.run({"even": 0.1})
    return found


def runs(study: SyntheticStudy, row: str) -> list[Path]:
    return [study.out / row / str(seed) for seed in (1, 2, 3)]


def test_groups_with_the_same_seeds_give_the_difference_of_a_study_of_two_rows(
    study: SyntheticStudy, tmp_path: Path
) -> None:
    other = SyntheticStudy(tmp_path)
    other.file.write_text(other.file.read_text().partition('[rows."plain_rescale0.1"]')[0].replace('["even"]', "[]"))
    for row in ("plain", "even"):
        shutil.copytree(study.out / row, other.out / row)
    row = next(each for each in tabulate(other.plan(), other.out).rows if each.name == "even")
    found = compare_groups(runs(study, "plain"), runs(study, "even")[::-1])
    assert found.paired
    assert (found.first.name, found.second.name) == ("plain", "even")
    assert found.second.seeds == (3, 2, 1)
    average = next(each for each in found.differences if each.task == "average")
    assert row.difference is not None
    expected = (row.difference.mean, row.difference.low, row.difference.high, row.difference.p)
    assert (average.value, average.low, average.high, average.p) == pytest.approx(expected, abs=2e-6)
    assert average.first.low < average.first.value < average.first.high
    corrected = holm([each.p for each in found.differences])
    assert [each.p_holm for each in found.differences] == corrected
    assert {each.task for each in found.differences} == {"sst", "para", "sts", "average"}


def test_groups_with_other_seeds_are_independent(study: SyntheticStudy, tmp_path: Path) -> None:
    """Welch's test does not use that a seed of both groups is the same."""
    shutil.copytree(study.out / "even", tmp_path / "even")
    for old, new in ((1, 11), (2, 12)):
        recipe = tmp_path / "even" / str(old) / "recipe.toml"
        recipe.write_text(recipe.read_text().replace(f"seed = {old}\n", f"seed = {new}\n"))
    found = compare_groups(runs(study, "plain"), [tmp_path / "even" / str(seed) for seed in (1, 2, 3)])
    same = compare_groups(runs(study, "plain"), runs(study, "even"))
    assert not found.paired
    assert [each.value for each in found.differences] == pytest.approx([each.value for each in same.differences])
    assert any(one.p != other.p for one, other in zip(found.differences, same.differences, strict=True))


def test_groups_that_are_no_groups_are_refused(study: SyntheticStudy, tmp_path: Path) -> None:
    plain, even = runs(study, "plain"), runs(study, "even")
    with pytest.raises(RunError, match="at least two runs"):
        compare_groups(plain, even[:1])
    with pytest.raises(RunError, match="compared with itself"):
        compare_groups(plain, [even[0], plain[0]])
    shutil.copytree(even[0], tmp_path / "copy")
    with pytest.raises(RunError, match="same seed"):
        compare_groups(plain, [*even, tmp_path / "copy"])


def test_other_dev_examples_are_not_compared(study: SyntheticStudy, tmp_path: Path) -> None:
    shutil.copytree(study.out / "even", tmp_path / "even")
    for task in ("sst", "para", "sts"):
        file = tmp_path / "even" / "2" / "predictions" / f"{task}.dev.best.jsonl"
        file.write_text("".join(file.read_text().splitlines(keepends=True)[1:]))
        if task == "sst":
            found = compare_groups(runs(study, "plain"), [tmp_path / "even" / str(seed) for seed in (1, 2, 3)])
            assert {each.task for each in found.differences} == {"para", "sts"}
            assert any("sst: other dev examples" in each for each in found.excluded)
    with pytest.raises(RunError, match="no task with the same dev examples"):
        compare_groups(runs(study, "plain"), [tmp_path / "even" / str(seed) for seed in (1, 2, 3)])


def test_runs_of_several_recipes_in_a_group_are_named(study: SyntheticStudy, tmp_path: Path) -> None:
    shutil.copytree(study.out / "plain_rescale0.1" / "3", tmp_path / "three")
    found = compare_groups([*runs(study, "plain")[:2], tmp_path / "three"], runs(study, "even"))
    assert any("differ in more than the seed (tasks.para.loss_weight" in note for note in found.notes)


def test_the_command_takes_groups_as_a_shell_expands_them(study: SyntheticStudy, tmp_path: Path) -> None:
    words = [*map(str, runs(study, "plain")), "--with", *map(str, runs(study, "even"))]
    printed = CliRunner().invoke(app, ["compare", *words])
    assert printed.exit_code == 0, printed.output
    assert "# Comparison of plain and even" in printed.stdout
    assert "paired by seed" in printed.stdout
    content = json.loads(CliRunner().invoke(app, ["compare", *words, "--json"]).stdout)
    assert set(content) == {"first", "second", "paired", "differences", "excluded", "notes"}
    assert content["first"]["seeds"] == [1, 2, 3]
    assert {"task", "metric", "examples", "first", "second", "value", "low", "high", "p", "p_holm"} == set(
        content["differences"][0]
    )
    page = tmp_path / "page.html"
    assert CliRunner().invoke(app, ["compare", *words, "--output", str(page)]).exit_code == 0
    assert page.read_text().startswith("<!doctype html>")
    assert "p (Holm)" in comparison_text(compare_groups(runs(study, "plain"), runs(study, "even")), "md")


def test_the_arguments_after_with_are_the_second_group() -> None:
    assert repeated(["a", "b", "--with", "c", "d"]) == ["a", "b", "--with", "c", "--with", "d"]
    assert repeated(["a", "--with", "c", "d", "--json"]) == ["a", "--with", "c", "--with", "d", "--json"]
    assert repeated(["a", "--with", "c", "--output", "x"]) == ["a", "--with", "c", "--output", "x"]
    assert repeated(["a", "--with"]) == ["a", "--with"]
