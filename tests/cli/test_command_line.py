"""The command line as a user meets it: processes, their exit statuses and their output."""

from __future__ import annotations

import ast
import csv
import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
import typer.main
from tests.cli.program import manyheads_
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import COMMANDS, app

pytestmark = pytest.mark.usefixtures("forked_commands")

REAL_PYTHON = sys.executable
"""The interpreter itself, for tests of what an import loads."""

CORPUS = Path(manyheads.__file__).parent / "demo" / "corpus"
NAMES = [command.__name__ for command in COMMANDS]


def test_help_names_every_command_and_loads_no_torch() -> None:
    done = manyheads_("--help")
    assert done.returncode == 0
    for name in NAMES:
        assert f"  {name} " in done.stdout
    program = (
        "import sys\n"
        "from manyheads.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)\n"
    )
    asked = subprocess.run([REAL_PYTHON, "-c", program], capture_output=True, text=True, check=True)
    assert asked.stdout.splitlines()[-1] == "False"


def test_version() -> None:
    assert manyheads_("--version").stdout.strip() == manyheads.__version__


def test_train_prints_metrics_and_refuses_an_existing_run_folder(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = manyheads_("train", tiny_recipe, "--out", out, "--set", "training.max_steps=4")
    assert done.returncode == 0, done.stderr
    for word in ("sentiment", "accuracy", "similarity", "pearson", "average", str(out), "examples/s"):
        assert word in done.stdout
    assert "course_score" not in done.stdout
    again = manyheads_("train", tiny_recipe, "--out", out, "--set", "training.max_steps=4")
    assert again.returncode == 1
    assert "already exists" in again.stderr
    assert str(out) in again.stderr
    assert "--resume" in again.stderr


def test_a_misspelt_key_is_one_short_error(tiny_recipe: Path, tmp_path: Path) -> None:
    file = tmp_path / "mistake.toml"
    file.write_text(tiny_recipe.read_text().replace('label = "sentiment"', 'lable = "sentiment"'))
    done = manyheads_("train", file, "--out", tmp_path / "run")
    assert done.returncode == 1
    assert "did you mean 'label'?" in done.stderr
    line = file.read_text().splitlines().index('lable = "sentiment"') + 1
    assert f"mistake.toml:{line}" in done.stderr
    assert "Traceback" not in done.stderr
    assert "Traceback" in manyheads_("train", file, "--debug").stderr
    assert not (tmp_path / "run").exists()


def test_evaluate_reports_the_difference_of_8_bit_weights(trained: manyheads.Run) -> None:
    done = manyheads_("evaluate", trained.folder.path, "--int8", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["int8"]["average"] == pytest.approx(found["average"], abs=0.05)
    assert found["int8"]["tasks"]["similarity"] != found["tasks"]["similarity"]
    assert "difference" in manyheads_("evaluate", trained.folder.path, "--int8").stdout


def test_evaluate_agrees_with_the_results_of_the_run(trained: manyheads.Run) -> None:
    done = manyheads_("evaluate", trained.folder.path, "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    for task, metrics in trained.results["best"]["tasks"].items():
        assert found["tasks"][task] == pytest.approx(metrics, abs=1e-5)
    one = manyheads_("evaluate", trained.folder.path, "--task", "sentiment", "--input", CORPUS / "sentiment-train.tsv")
    assert "800" in one.stdout
    assert "--task" in manyheads_("evaluate", trained.folder.path, "--input", CORPUS / "sentiment-dev.tsv").stderr
    test = manyheads_("evaluate", trained.folder.path, "--split", "test", "--task", "sentiment")
    assert test.returncode == 1
    assert "names no test file" in test.stderr


def test_predict_reads_files_and_standard_input(trained: manyheads.Run, tmp_path: Path) -> None:
    run, output = trained.folder.path, tmp_path / "predictions.jsonl"
    source = CORPUS / "sentiment-dev.tsv"
    done = manyheads_("predict", run, "--task", "sentiment", "--input", source, "--output", output, "--format", "jsonl")
    assert done.returncode == 0, done.stderr
    records = [json.loads(line) for line in output.read_text().splitlines()]
    assert len(records) == 250
    assert records[0]["id"].startswith("sent-dev-")
    piped = manyheads_("predict", run, "--task", "sentiment", text="A fine film.\nA dreadful soup.\n")
    assert all(line in "01234" for line in piped.stdout.splitlines())
    assert len(piped.stdout.splitlines()) == 2
    lines = '{"sentence1": "a", "sentence2": "b"}\n{"sentence1": "a"}\n'
    pairs = manyheads_("predict", run, "--task", "similarity", text=lines)
    assert pairs.returncode == 3
    assert json.loads(pairs.stdout.splitlines()[1]) == {
        "sentence1": "a",
        "line": 2,
        "error": "text 'sentence2' is missing",
    }
    assert "standard input:2: text 'sentence2' is missing" in pairs.stderr
    assert "rows without a prediction: 1 of 2" in pairs.stderr


def test_the_output_format_of_the_course(trained: manyheads.Run) -> None:
    done = manyheads_(
        "predict",
        trained.folder.path,
        "--task",
        "paraphrase",
        "--input",
        CORPUS / "paraphrase-dev.tsv",
        "--format",
        "course",
    )
    header, first, *_ = done.stdout.splitlines()
    assert header == "id \t Predicted_Is_Paraphrase "
    assert first.startswith("para-dev-0001 , ")
    assert first.endswith(("0.0 ", "1.0 "))


def test_predict_reports_wrong_names(trained: manyheads.Run, tmp_path: Path) -> None:
    run = trained.folder.path
    assert "did you mean 'sentiment'?" in manyheads_("predict", run, "--task", "sentimet", "--input", "x.tsv").stderr
    wrong = manyheads_("predict", run, "--task", "paraphrase", "--input", CORPUS / "sentiment-dev.tsv")
    assert wrong.returncode == 1
    assert "sentence1" in wrong.stderr
    assert "no such run" in manyheads_("evaluate", tmp_path / "none").stderr


def test_check_audits_without_training(tiny_recipe: Path, tmp_path: Path) -> None:
    done = manyheads_("check", tiny_recipe)
    assert done.returncode == 0, done.stderr
    assert "24 steps" in done.stdout
    assert "examples/s" in done.stdout
    assert "GiB" in done.stdout
    bad = tmp_path / "sentiment-train.tsv"
    with (CORPUS / "sentiment-train.tsv").open() as file:
        rows = list(csv.reader(file, delimiter="\t"))
    dev_text = (CORPUS / "sentiment-dev.tsv").read_text().splitlines()[1].split("\t")[1]
    rows[7][2], rows[9][1] = "9", dev_text
    bad.write_text("".join("\t".join(row) + "\n" for row in rows))
    found = manyheads_("check", tiny_recipe, "--set", f"tasks.sentiment.train={bad}")
    assert found.returncode == 1
    assert f"{bad}:8" in found.stdout
    assert "label '9'" in found.stdout
    assert "1 example of sentiment's training file is also in sentiment's dev file" in found.stdout
    assert "on_bad_rows" in found.stderr


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("width", [60, 120])
def test_help_shows_every_word_of_its_texts(name: str, width: int) -> None:
    """Markup or a narrow terminal must not remove words such as [pretraining]."""
    done = CliRunner().invoke(app, [name, "--help"], terminal_width=width)
    assert done.exit_code == 0
    shown = "".join(done.output.split())
    command = typer.main.get_group(app).commands[name]
    texts = [getattr(parameter, "help", None) for parameter in command.params]
    for text in (*texts, inspect.getdoc(COMMANDS[NAMES.index(name)])):
        assert "".join((text or "").split()) in shown
    assert max(map(len, done.output.splitlines())) <= width


@pytest.mark.parametrize("width", [60, 120])
def test_the_list_of_commands_shows_whole_summaries(width: int) -> None:
    shown = "".join(manyheads_("--help", columns=width).stdout.split())
    for command in COMMANDS:
        summary = (inspect.getdoc(command) or "").splitlines()[0]
        assert summary.endswith(".")
        assert "".join(f"{command.__name__}{summary}".split()) in shown


def _commands_in_strings() -> Iterator[tuple[str, str]]:
    """Every "manyheads WORD" and ["manyheads", WORD, ...] in the strings of the package, with its place."""
    source = Path(manyheads.__file__).parent
    for file in sorted(source.rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                named = re.findall(r"(?:`|: |  )manyheads ([a-z]+)", node.value)
            elif isinstance(node, ast.List) and [getattr(each, "value", None) for each in node.elts[:1]] == [
                "manyheads"
            ]:
                named = [each.value for each in node.elts[1:2] if isinstance(each, ast.Constant)]
            else:
                continue
            yield from ((f"{file.relative_to(source)}:{node.lineno}", str(name)) for name in named)


def test_every_command_named_in_a_message_exists() -> None:
    named = list(_commands_in_strings())
    assert len(named) > 20
    assert [(place, name) for place, name in named if name not in NAMES] == []


def test_a_run_stopped_by_ctrl_c_resumes_with_the_printed_command(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "my run"
    words = ["train", tiny_recipe, "--out", out, "--set", "training.max_steps=100000", "--set", "training.epochs=1000"]
    command = [sys.executable, "-m", "manyheads", *map(str, words)]
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment) as run:
        deadline = time.monotonic() + 120
        while not (out / "events.jsonl").is_file() or '"step"' not in (out / "events.jsonl").read_text():
            assert run.poll() is None
            assert time.monotonic() < deadline
            time.sleep(0.1)
        run.send_signal(signal.SIGINT)
        output, _ = run.communicate(timeout=120)
    assert run.returncode == 128 + signal.SIGINT
    stopped, printed = output.splitlines()[-2:]
    assert re.fullmatch(r"Stopped after step \d+\. Resume with:", stopped)
    resumed = shlex.split(printed)
    assert resumed == ["manyheads", "train", str(out / "recipe.toml"), "--out", str(out), "--resume"]
    for line in ("max_steps = 100000", "evaluate_every = 12"):
        assert line in (out / "recipe.toml").read_text()
    refused = manyheads_(*resumed[1:], "--set", "training.max_steps=9")
    assert refused.returncode == 1
    assert "the recipe has changed since the run started" in refused.stderr
    assert shlex.join(resumed) in refused.stderr


@pytest.mark.parametrize(("words", "status"), [([], 2), (["nosuch"], 2), (["train"], 2), (["train", "no.toml"], 1)])
def test_exit_statuses_of_mistakes(words: list[str], status: int) -> None:
    done = manyheads_(*words)
    assert done.returncode == status
    assert "Traceback" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["--set", 'data_dir="~nosuchuser/x"'], "~nosuchuser"),
        (["--set", 'encoder="~nosuchuser/x"'], "unknown encoder"),
        (["--set", f'tasks.sentiment.train="{"a" * 5000}.tsv"'], "file name too long"),
        (["--set", f'encoder="{"a" * 5000}"'], "file name too long"),
        (["--set", "threads=1000000"], "1024"),
        (["--set", f"threads={'9' * 30}"], "1024"),
    ],
    ids=["a home folder", "an encoder", "a long file", "a long encoder", "threads", "a huge number of threads"],
)
def test_values_that_the_system_refuses_are_short_errors(
    words: list[str], shown: str, tiny_recipe: Path, tmp_path: Path
) -> None:
    done = manyheads_("train", tiny_recipe, "--out", tmp_path / "run", *words)
    assert done.returncode == 1, done.stderr
    assert shown in done.stderr
    assert "Traceback" not in done.stderr


def test_a_run_folder_with_a_long_name_is_a_short_error(tiny_recipe: Path, tmp_path: Path) -> None:
    for words in (("report", "a" * 5000), ("train", tiny_recipe, "--out", tmp_path / ("a" * 300))):
        done = manyheads_(*words)
        assert (done.returncode, "file name too long" in done.stderr) == (1, True), done.stderr


def test_pretrain_without_its_table_shows_how_to_add_it(tiny_recipe: Path) -> None:
    done = manyheads_("pretrain", tiny_recipe)
    assert done.returncode == 1
    assert "the recipe has no [pretraining] table" in done.stderr
    assert "--set pretraining.epochs=3" in done.stderr
    assert "--resume" not in done.stderr
