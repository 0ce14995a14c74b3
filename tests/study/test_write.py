"""`write_table` and `manyheads table`: all files, reproducible bytes, and the output on the terminal."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from manyheads.cli.main import main
from manyheads.studies.load import load_study
from manyheads.studies.run import local_runner, run_study, survey
from manyheads.studies.tabulate import write_table

pytestmark = pytest.mark.usefixtures("forked_commands")

FORMS = ["table.csv", "table.html", "table.json", "table.md", "table.tex"]


def test_all_formats_and_figures_are_written_with_reproducible_bytes(synthetic: Any) -> None:
    plan = synthetic.run()
    write_table(plan, synthetic.out)
    files = [*(synthetic.out / name for name in FORMS), *sorted((synthetic.out / "figures").iterdir())]
    assert [file.name for file in files[5:]] == [
        f"{name}.{ending}"
        for name in ("curves", "differences", "profiles", "time", "twins")
        for ending in ("png", "svg")
    ]
    before = {file: file.read_bytes() for file in files}
    write_table(plan, synthetic.out)
    assert {file: file.read_bytes() for file in files} == before


def test_a_figure_that_has_nothing_to_show_is_removed(synthetic: Any) -> None:
    plan = synthetic.run()
    write_table(plan, synthetic.out)
    synthetic.rewrite('twins = ["even"]', "twins = []")
    write_table(synthetic.plan(), synthetic.out)
    assert not (synthetic.out / "figures" / "twins.svg").exists()
    assert (synthetic.out / "figures" / "time.svg").exists()


@pytest.mark.usefixtures("without_figures")
@pytest.mark.parametrize("width", [40, 80, 240])
def test_the_table_is_shown_at_any_width(
    synthetic: Any, width: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    synthetic.run({"even": 0.2})
    synthetic.rewrite("title =", 'changes.score = "course"\ntitle =')
    with pytest.raises(SystemExit) as ended:
        main(["table", str(synthetic.file), "--out", str(synthetic.out)])
    assert ended.value.code in (0, None)
    shown = capsys.readouterr().out
    assert str(synthetic.out / "table.html") in shown
    words = shown.split()
    for column in ("task", "(accuracy)", "(pearson)", "average", "course", "(Holm)", "kind", "alone", "best"):
        assert column in words, column
    assert ("Not shown in this width: EB, LR." in shown) == (width < 240)
    lines = [line for line in shown.splitlines() if str(synthetic.out) not in line]
    assert max(len(line.rstrip()) for line in lines) <= width


def test_without_runs_the_hint_is_a_command_that_can_be_run(synthetic: Any, capsys: pytest.CaptureFixture[str]) -> None:
    """Paths with spaces are quoted, and overrides are repeated."""
    folder = synthetic.file.parent / "a folder"
    folder.mkdir()
    file = synthetic.file.rename(folder / "my study.toml")
    (synthetic.file.parent / "recipe.toml").rename(folder / "recipe.toml")
    override = "data_dir=/some where"
    with pytest.raises(SystemExit):
        main(["table", str(file), "--out", str(folder / "out"), "--set", override])
    hint = capsys.readouterr().err.split("run the study: ")[1].strip()
    expected = ["manyheads", "study", str(file), "--set", override, "--out", str(folder / "out")]
    assert shlex.split(hint) == expected


def test_without_a_course_score_nothing_shows_it(
    synthetic: Any, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COLUMNS", "240")
    synthetic.run()
    with pytest.raises(SystemExit):
        main(["table", str(synthetic.file), "--out", str(synthetic.out)])
    shown = capsys.readouterr().out
    pages = [(synthetic.out / f"table.{form}").read_text() for form in ("html", "md", "tex")]
    assert not any("course score" in text for text in (shown, *pages))
    lines = list(csv.DictReader((synthetic.out / "table.csv").read_text().splitlines()))
    assert {line["best.course_score.mean"] for line in lines} == {""}
    assert {row["course_score"] for row in json.loads((synthetic.out / "table.json").read_text())["rows"]} == {None}


def test_real_runs_give_a_table(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    assert run_study(plan, out, local_runner(plan, 2, 0), lambda _event, **_fields: None, survey(plan, out)) == 0
    table = write_table(plan, out)
    rows = json.loads((out / "table.json").read_text())["rows"]
    assert [row["name"] for row in rows] == ["plain", "rescaled"]
    for row in rows:
        assert row["seeds"] == [1, 2]
        assert set(row["tasks"]) == {"sentiment", "paraphrase", "similarity"}
        assert row["average"] is None or row["average"]["low"] < row["average"]["high"]
    assert "Encoder" in table.setting
    assert "/" not in table.setting
