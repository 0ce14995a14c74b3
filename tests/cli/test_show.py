"""Tables and commands that `train`, `demo` and `check` print, in wide and narrow terminals."""

from __future__ import annotations

import io
import shlex
from pathlib import Path

import pytest
from rich.console import Console
from rich.table import Table

from manyheads.api.checked import file_lines
from manyheads.checks.audit import FileAudit
from manyheads.cli.show import next_text, plural, results_table, stopped_text, width_of
from manyheads.cli.study import blocks_of
from manyheads.cli.train import _files_table
from manyheads.studies.render.sections import Cell, Column, Section

METRICS = {
    "sentiment": {"accuracy": -0.12345, "macro_f1": 0.5, "mcc": None},
    "similarity": {"pearson": 0.25, "spearman": -0.75, "rmse": 2.5},
}
INTERVALS = {
    "sentiment": {"accuracy": (-0.2, -0.1), "macro_f1": (0.4, 0.6), "mcc": None},
    "similarity": {"pearson": (0.1, 0.4), "spearman": (-0.8, -0.6), "rmse": (2.4, 2.6)},
}
LAST = {"epoch": 12.3456, "tasks": METRICS, "average": 0.0625, "course_score": 0.375, "intervals": INTERVALS}


def rendered(table: Table, width: int) -> str:
    """Return the text of a table in a terminal of `width` columns."""
    file = io.StringIO()
    Console(file=file, width=width, soft_wrap=True).print(table)
    return file.getvalue()


@pytest.mark.parametrize("width", [60, 80, 120])
def test_results_are_complete_at_every_width(width: int) -> None:
    text = rendered(results_table({"best": {**LAST, "epoch": 3}, "last": LAST}, width=width), width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    words = ["sentiment", "accuracy", "macro_f1", "similarity", "spearman", "-0.1235", "undefined", "average", "0.0625"]
    words += ["course_score", "0.3750", "-0.200 to -0.100", "2.400 to 2.600", "95% interval", "best", "last"]
    for word in words:
        assert word in text
    assert "best is epoch 3, chosen on dev; last is epoch 12.3456" in " ".join(text.split())


def test_results_without_a_best_epoch_and_without_a_course_score() -> None:
    text = rendered(results_table({"best": None, "last": {**LAST, "course_score": None}}, width=80), 80)
    assert "no epoch is best" in text
    assert "course_score" not in text
    assert text.count("undefined") == 8


def test_a_long_task_name_is_folded_and_not_truncated() -> None:
    name = "sentiment_of_reviews_from_several_shops"
    last = {**LAST, "tasks": {name: METRICS["sentiment"]}, "intervals": {name: INTERVALS["sentiment"]}}
    text = rendered(results_table({"best": last, "last": last}, width=60), 60)
    column = [line.split("│")[1].strip() for line in text.splitlines() if line.startswith("│")]
    assert "".join(column).startswith(name)
    assert "…" not in text


@pytest.mark.parametrize("width", [60, 160])
def test_next_commands_can_be_typed_as_printed(width: int) -> None:
    out = Path("my runs/it's")
    lines = next_text(out, ["sentiment", "paraphrase"], width).splitlines()
    commands = [shlex.split(line.strip(), comments=True) for line in lines if line.startswith("  manyheads ")]
    if width == 160:
        commands = [command[: command.index(str(out)) + 1] for command in commands]
        assert [command[2:] for command in commands] == [[str(out)]] * 4
    else:
        assert commands[0] == ["manyheads", "predict", str(out), "--task", "sentiment", "--input", "FILE"]
        assert commands[3] == ["manyheads", "export", str(out), "--to", "onnx"]
        assert len([line for line in lines if line.startswith("  # ")]) == 4
    assert [command[1] for command in commands] == ["predict", "evaluate", "serve", "export"]


def test_the_command_that_resumes_a_stopped_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    first, command = stopped_text(7, Path("my runs/a"), ["tensorboard"]).splitlines()
    assert first == "Stopped after step 7. Resume with:"
    words = ["manyheads", "train", "my runs/a/recipe.toml", "--out", "my runs/a", "--resume", "--track", "tensorboard"]
    assert shlex.split(command) == words
    monkeypatch.setenv("WORLD_SIZE", "2")
    assert "manyheads train" not in stopped_text(7, Path("my runs/a"))


AUDIT = FileAudit(
    task="paraphrase",
    split="train",
    source="quora.csv",
    rows=141_498,
    rejected=(),
    labels={},
    tokens=(23.4, 30.0, 512),
    cut=12_345,
    duplicates=1_234,
)


def test_the_files_table_of_check_fits_into_80_columns() -> None:
    table = _files_table([AUDIT])
    assert width_of(table) <= 80
    text = rendered(table, 80)
    for word in ("paraphrase", "train", "141,498", "12345", "1234", "23", "30", "512", "truncated", "rejected"):
        assert word in text


def test_the_file_lines_of_check_have_the_same_counts() -> None:
    lines = file_lines([AUDIT])
    assert max(map(len, lines)) <= 60
    assert lines == [
        "files",
        "  paraphrase train: 141,498 rows",
        "    0 rejected, 1234 repeated, 12345 truncated",
        "    tokens per example: mean 23, p99 30, max 512",
    ]


@pytest.mark.parametrize(("count", "text"), [(0, "0 steps"), (1, "1 step"), (2, "2 steps"), (1500, "1,500 steps")])
def test_counts_agree_with_their_nouns(count: int, text: str) -> None:
    assert plural(count, "step") == text


def test_every_block_of_a_section_names_its_rows() -> None:
    columns = [Column(name, numeric=False) for name in ("row", "task")] + [Column(name) for name in ("one", "two")]
    rows = [tuple(Cell(text) for text in (*names, ".1", ".2")) for names in (("even", "sst"), ("even", "sts"))]
    wide = Section("Gains", tuple(columns), tuple(rows))
    assert blocks_of(wide, 80) == [[0, 1, 2, 3]]
    assert blocks_of(wide, 14) == [[0, 1, 2], [0, 1, 3]]
    assert blocks_of(Section("Gains", tuple(columns), tuple(rows[:1])), 14) == [[0, 1, 2], [0, 3]]
