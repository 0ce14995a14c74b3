"""`evaluate` names and counts the rows that it skips, on the screen and in JSON."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

import manyheads
from manyheads.cli.main import app
from manyheads.errors import RunError


@pytest.fixture(scope="module")
def skipping(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    """A run whose task skips bad rows."""
    changes = ["training.max_steps=1", "training.evaluate_every=1", "tasks.sentiment.on_bad_rows=skip"]
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("runs") / "skipping", changes=changes)


def evaluate(run: manyheads.Run, *options: object) -> Result:
    result: Result = CliRunner().invoke(app, ["evaluate", str(run.folder.path), *map(str, options)])
    return result


def test_skipped_rows_are_named_and_counted(skipping: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    rows = [f"film number {row},{'-' if row == 4 else row % 5}" for row in range(10)]
    file.write_text("\n".join(["sentence,sentiment", *rows]) + "\n")
    options = ("--task", "sentiment", "--input", file)
    shown = evaluate(skipping, *options)
    assert shown.exit_code == 0, shown.output
    assert f"{file}:6: label '-' is not one of 0, 1, 2, 3, 4" in shown.stderr
    assert "sentiment: 1 row without a usable text and label, not measured" in shown.stderr
    content = json.loads(evaluate(skipping, *options, "--json").stdout)
    assert content["examples"] == {"sentiment": 9}
    assert content["bad_rows"]["sentiment"]["count"] == 1
    (row,) = content["bad_rows"]["sentiment"]["rows"]
    assert (row["file"], row["line"]) == (str(file), 6)
    assert "'-'" in row["reason"]


def test_many_skipped_rows_are_counted(skipping: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    rows = [f"film number {row},{'x' if row < 30 else row % 5}" for row in range(40)]
    file.write_text("\n".join(["sentence,sentiment", *rows]) + "\n")
    shown = evaluate(skipping, "--task", "sentiment", "--input", file)
    assert shown.stderr.count("label 'x'") == 10
    assert "30 rows without a usable text and label, not measured (the first 10 are named)" in shown.stderr
    content = json.loads(evaluate(skipping, "--task", "sentiment", "--input", file, "--json").stdout)
    assert len(content["bad_rows"]["sentiment"]["rows"]) == 30


def test_without_bad_rows_nothing_is_named(skipping: manyheads.Run) -> None:
    done = evaluate(skipping, "--task", "sentiment", "--json")
    assert done.stderr == ""
    assert json.loads(done.stdout)["bad_rows"] == {"sentiment": {"count": 0, "rows": []}}


def test_another_file_is_read_as_the_options_say(skipping: manyheads.Run, tmp_path: Path) -> None:
    file = tmp_path / "labelled.csv"
    rows = [f'"so" it is, caf\u00e9 {row}|{row % 5}' for row in range(10)]
    file.write_bytes("\n".join(["sentence|sentiment", *rows]).encode("cp1252"))
    options = ("--task", "sentiment", "--input", file, "--json")
    plain = evaluate(skipping, *options)
    assert plain.exit_code == 1
    described = evaluate(skipping, *options, "--encoding", "cp1252", "--quoting", "none", "--delimiter", "|")
    assert json.loads(described.stdout)["examples"] == {"sentiment": 10}
    assert json.loads(described.stdout)["bad_rows"] == {"sentiment": {"count": 0, "rows": []}}


def test_a_pattern_and_a_data_set_are_read(skipping: manyheads.Run, tmp_path: Path) -> None:
    for part in range(2):
        rows = [f"film {row} of {part},{row % 5}" for row in range(10)]
        (tmp_path / f"part-{part}.csv").write_text("\n".join(["sentence,sentiment", *rows]) + "\n")
    done = evaluate(skipping, "--task", "sentiment", "--input", tmp_path / "part-*.csv", "--json")
    assert json.loads(done.stdout)["examples"] == {"sentiment": 20}
    pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    done = evaluate(skipping, "--task", "sentiment", "--input", f"hub:{tmp_path}@train", "--json")
    assert json.loads(done.stdout)["examples"] == {"sentiment": 20}


@pytest.mark.parametrize("recorded", [True, False])
def test_a_recipe_that_lost_a_task_is_refused(trained: manyheads.Run, tmp_path: Path, recorded: bool) -> None:
    run = tmp_path / "run"
    shutil.copytree(trained.folder.path, run)
    recipe = (run / "recipe.toml").read_text()
    start = recipe.index("[tasks.similarity]")
    (run / "recipe.toml").write_text(recipe[:start] + recipe[recipe.index("\n[batching]") :])
    if not recorded:  # as another program may write a run folder
        (run / "provenance.json").unlink()
    for words in (["evaluate", run], ["export", run, "--to", "hub", "--out", tmp_path / "hub"]):
        with pytest.raises(RunError) as caught:
            CliRunner().invoke(app, [*map(str, words)], catch_exceptions=False)
        assert caught.value.where == str(run / "recipe.toml")
        assert "was changed or is damaged" in caught.value.what if recorded else caught.value.found == "similarity"
