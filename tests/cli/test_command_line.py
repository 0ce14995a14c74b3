"""The command line as a user meets it: a process, its exit status, and what it prints."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

import manyheads

CORPUS = Path(manyheads.__file__).parent / "demo" / "corpus"


def manyheads_(*words: str | Path, text: str | None = None) -> subprocess.CompletedProcess[str]:
    """Run the command line."""
    environment = {**os.environ, "COLUMNS": "160", "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "manyheads", *map(str, words)]
    return subprocess.run(
        command, capture_output=True, text=True, input=text, env=environment, check=False, timeout=240
    )


def test_help_names_every_verb_and_loads_no_torch() -> None:
    done = manyheads_("--help")
    assert done.returncode == 0
    for verb in ("demo", "init", "check", "train", "evaluate", "predict"):
        assert verb in done.stdout
    program = (
        "import sys\n"
        "from manyheads.cli.main import main\n"
        "try: main(['--help'])\n"
        "except SystemExit: print('torch' in sys.modules)\n"
    )
    asked = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert asked.stdout.splitlines()[-1] == "False"


def test_version() -> None:
    assert manyheads_("--version").stdout.strip() == manyheads.__version__


def test_train_from_a_recipe_to_answers(tiny_recipe: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    done = manyheads_("train", tiny_recipe, "--out", out, "--set", "training.max_steps=4")
    assert done.returncode == 0, done.stderr
    for word in ("sentiment", "accuracy", "similarity", "pearson", "average", "course_score", str(out), "examples/s"):
        assert word in done.stdout
    again = manyheads_("train", tiny_recipe, "--out", out, "--set", "training.max_steps=4")
    assert again.returncode == 1
    assert "already exists" in again.stderr
    assert "--resume" in again.stderr


def test_a_typing_mistake_is_one_short_error(tiny_recipe: Path, tmp_path: Path) -> None:
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


def test_evaluate_tells_what_eight_bits_cost(trained: manyheads.Run) -> None:
    done = manyheads_("evaluate", trained.folder.path, "--int8", "--json")
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout)
    assert found["int8"]["average"] == pytest.approx(found["average"], abs=0.05)
    assert found["int8"]["tasks"]["similarity"] != found["tasks"]["similarity"]
    assert "difference" in manyheads_("evaluate", trained.folder.path, "--int8").stdout


def test_evaluate_gives_the_run_s_own_figures(trained: manyheads.Run) -> None:
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
    run, output = trained.folder.path, tmp_path / "answers.jsonl"
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


def test_the_course_s_form(trained: manyheads.Run) -> None:
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


def test_predict_names_mistakes(trained: manyheads.Run, tmp_path: Path) -> None:
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
    assert "1 example of sentiment's training file also stands in sentiment's dev file" in found.stdout
    assert "on_bad_rows" in found.stderr
