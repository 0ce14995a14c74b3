from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import main
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks
from manyheads.recipe.tasks import groups_of
from manyheads.recipe.toml import Noun


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    train, dev = tmp_path / "mood-train.csv", tmp_path / "mood-dev.csv"
    rows = [f"it was a {'good' if number % 2 else 'bad'} day {number},{number % 2}\n" for number in range(40)]
    train.write_text("text,mood\n" + "".join(rows[:30]))
    dev.write_text("text,mood\n" + "".join(rows[30:]))
    return [str(train), str(dev)]


def _taplo(file: Path) -> subprocess.CompletedProcess[str]:
    """Check a file with the schema that its first line names."""
    taplo = shutil.which("taplo", path=str(Path(sys.executable).parent)) or "taplo"
    command = [taplo, "check", "--no-auto-config", "--colors", "never", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["init", *words])
    return int(end.value.code or 0)


def test_without_output_only_the_recipe_is_printed(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*files) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "#:schema" not in printed.out
    assert not list(tmp_path.glob("*.json"))
    (tmp_path / "printed.toml").write_text(printed.out)
    assert load_recipe(tmp_path / "printed.toml").tasks["mood"].labels == [0, 1]


def test_the_recipe_runs_without_changes(files: list[str], tmp_path: Path, tiny_encoder: Path) -> None:
    output = tmp_path / "mine.toml"
    assert _run(*files, "--output", str(output), "--encoder", str(tiny_encoder)) == 0
    run = manyheads.train(output, tmp_path / "run", changes=["threads=1", "training.epochs=1"])
    assert 0 <= run.results["last"]["tasks"]["mood"]["accuracy"] <= 1


def test_an_existing_file_is_overwritten_only_with_force(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.toml"
    output.write_text("precious")
    assert _run(*files, "-o", str(output)) == 1
    assert "--force" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert _run(*files, "-o", str(output), "--force") == 0
    assert load_recipe(output).tasks["mood"].label == "mood"


def test_the_schema_is_written_next_to_the_recipe_and_accepts_it(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my recipes"
    folder.mkdir()
    output, schema = folder / "mine.toml", folder / "manyheads.recipe.schema.json"
    assert _run(*files, "--output", str(output)) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"manyheads train '{output}'" in printed.err
    assert f"Wrote {schema}" in printed.err
    assert schema.read_text() == Noun.RECIPE.schema
    assert output.read_text().startswith("#:schema ./manyheads.recipe.schema.json\n")
    assert load_recipe(output).tasks["mood"].labels == [0, 1]
    assert _taplo(output).returncode == 0
    output.write_text(output.read_text().replace('metric = "accuracy"', 'metric = "acuracy"'))
    assert _taplo(output).returncode == 1


def test_an_older_schema_is_updated_and_another_file_is_kept(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, schema = tmp_path / "mine.toml", tmp_path / "manyheads.recipe.schema.json"
    schema.write_text('{"title": "manyheads recipe", "properties": {}}')
    assert _run(*files, "-o", str(output)) == 0
    assert f"Wrote {schema}" in capsys.readouterr().err
    assert schema.read_text() == Noun.RECIPE.schema
    for foreign in ("precious", "[]", '{"title": "mine"}'):
        schema.write_text(foreign)
        output.unlink(missing_ok=True)
        assert _run(*files, "-o", str(output)) == 1
        assert "manyheads did not write" in capsys.readouterr().err
        assert schema.read_text() == foreign
        assert not output.exists()
    assert _run(*files, "-o", str(output), "--force") == 0
    assert schema.read_text() == Noun.RECIPE.schema


def test_columns_can_be_named(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.csv").write_text("a,b,c\n" + "".join(f"one two {n},three four {n},{n % 2}\n" for n in range(30)))
    assert _run(str(tmp_path / "odd.csv"), "--text", "b", "--label", "c") == 0
    assert 'text = "b"' in capsys.readouterr().out
    assert _run(str(tmp_path / "odd.csv"), "--label", "d") == 1
    assert "no column 'd'" in capsys.readouterr().err


def test_a_missing_file_is_an_error_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(str(tmp_path / "none.csv")) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: there is no such file")
    assert "Traceback" not in message


def _write(folder: Path, name: str, header: str, *rows: str, encoding: str = "utf-8") -> str:
    file = folder / name
    file.write_text("\n".join([header, *rows]) + "\n", encoding=encoding)
    return str(file)


def test_each_label_column_of_a_file_becomes_a_task(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    moods, topics = ["good", "bad"], ["food", "room", "staff"]
    rows = []
    for row in range(60):
        mood, topic, day = moods[row % 2], topics[row % 3], f"2024-01-{row % 28 + 1:02d}"
        rows.append(f"{row},a stay of {row} nights,{mood},{mood.upper()},{topic},{row % 5},{day}")
    file = _write(tmp_path, "hotel.csv", "id,text,sentiment,label_text,topic,stars,visited", *rows)
    assert _run(file, "-o", str(tmp_path / "r.toml")) == 0
    tasks = load_recipe(tmp_path / "r.toml").tasks
    assert {name: (task.text, task.label) for name, task in tasks.items()} == {
        "hotel-sentiment": (["text"], "sentiment"),
        "hotel-topic": (["text"], "topic"),
        "hotel-stars": (["text"], "stars"),
    }
    assert tasks["hotel-topic"].labels == sorted(topics)
    assert _run(file, "--label", "topic") == 0
    assert capsys.readouterr().out.count("[tasks.") == 1


def test_an_output_that_is_no_file_is_refused(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    assert _run(*files, "-o", str(pipe), "--force") == 1
    assert "the output is not a file" in capsys.readouterr().err
    assert pipe.is_fifo()
    assert not (tmp_path / "manyheads.recipe.schema.json").exists()


def test_file_names_in_any_alphabet_and_with_sets_are_grouped(tmp_path: Path) -> None:
    rows = [f"some words {row},{row % 2}" for row in range(20)]
    names = [
        "отзывы-train.csv",
        "отзывы-dev.csv",
        "темы-train.csv",
        "sst_trainset.csv",
        "sst_testset.csv",
        "qaTrain.csv",
    ]
    files = [_write(tmp_path, name, "text,label", *rows) for name in names]
    assert _run(*files, "-o", str(tmp_path / "r.toml")) == 0
    tasks = load_recipe(tmp_path / "r.toml").tasks
    assert {name: (task.train, task.dev, task.test) for name, task in tasks.items()} == {
        "task": ("отзывы-train.csv", "отзывы-dev.csv", None),
        "task-2": ("темы-train.csv", 0.1, None),
        "sst": ("sst_trainset.csv", 0.1, "sst_testset.csv"),
        "qa": ("qaTrain.csv", 0.1, None),
    }


@pytest.mark.parametrize(
    ("column", "cells"),
    [
        ("posted", ["2024-01-02", "2023-11-30", "2022-07-09"]),
        ("seen", ["02.03.2024 10:15", "12.12.2023 09:00", "01.01.2020 23:59"]),
        ("created_at", ["1700000000", "1700000060", "1700000060"]),
        ("user_id", ["17", "17", "23"]),
        ("ref", ["AB-{0}", "AC-{0}", "AD-{0}"]),
        ("link", ["https://a.example/{0}", "https://b.example/{0}", "https://c.example/{0}"]),
    ],
)
def test_ids_and_dates_are_neither_texts_nor_labels(tmp_path: Path, column: str, cells: list[str]) -> None:
    rows = [f"{'xyz'[row % 2]};fine {row};{cells[row % 3].format(row)}" for row in range(30)]
    file = _write(tmp_path, "a.csv", f"verdict;words;{column}", *rows)
    assert _run(file, "-o", str(tmp_path / "r.toml")) == 0
    task = load_recipe(tmp_path / "r.toml").tasks["a"]
    assert (task.text, task.label) == (["words"], "verdict")


def test_a_label_without_training_rows_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    train = _write(tmp_path, "a-train.csv", "text,label", *[f"words {row},{'xy'[row % 2]}" for row in range(20)])
    dev = _write(tmp_path, "a-dev.csv", "text,label", *[f"words {row},{'xyz'[row % 3]}" for row in range(20)])
    assert _run(train, dev, "-o", str(tmp_path / "r.toml")) == 0
    assert "no training row has the label 'z'" in capsys.readouterr().err
    assert load_recipe(tmp_path / "r.toml").tasks["a"].labels == ["x", "y", "z"]


def test_a_label_that_is_most_probable_in_no_row_has_training_rows(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [json.dumps({"text": f"words {row}", "label": {"x": 0.2, "y": 0.8}}) for row in range(20)]
    assert _run(_write(tmp_path, "a-train.jsonl", *rows), "-o", str(tmp_path / "r.toml")) == 0
    assert "no training row" not in capsys.readouterr().err


def test_bad_rows_are_never_skipped_by_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    sound = [f"{'AB'[row % 2]}\tsome text {row}" for row in range(40)]
    file = _write(tmp_path, "a.tsv", "label\ttext", *sound, 'A\t"open here', 'B\tand closed"')
    assert _run(file, "-o", str(tmp_path / "r.toml")) == 0
    assert load_recipe(tmp_path / "r.toml").tasks["a"].on_bad_rows == "error"
    assert "2 rows cannot be used" in (tmp_path / "r.toml").read_text()
    assert _run(file, "-o", str(tmp_path / "s.toml"), "--quoting", "none") == 0
    assert "cannot be used" not in (tmp_path / "s.toml").read_text()
    assert load_recipe(tmp_path / "s.toml").tasks["a"].quoting == "none"


def test_options_that_describe_the_files_are_in_the_recipe(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    rows = [f"caf\u00e9 {row}\t{row % 5},5" for row in range(20)]
    file = _write(tmp_path, "a.csv", "text\tscore", *rows, encoding="cp1252")
    assert _run(file) == 1
    assert "--encoding cp1252" in capsys.readouterr().err
    recipe = str(tmp_path / "r.toml")
    assert _run(file, "-o", recipe, "--encoding", "cp1252", "--delimiter", "tab") == 0
    task = load_recipe(recipe).tasks["a"]
    assert (task.encoding, task.delimiter, task.decimal, task.range) == ("cp1252", "\t", ",", [0, 5])
    assert _run(file, "--encoding", "cp1251x") == 1
    assert "--encoding" in capsys.readouterr().err


def test_commas_that_may_separate_thousands_give_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _write(tmp_path, "a.csv", "text;price", *[f"house {row};{row + 1},{row:02}5" for row in range(20)])
    assert _run(file) == 0
    assert "if they separate thousands, remove them from the file" in capsys.readouterr().err
    file = _write(tmp_path, "b.csv", "text;price", *[f"house {row};{row + 1},{row}" for row in range(20)])
    assert _run(file) == 0
    assert "thousands" not in capsys.readouterr().err


def test_a_header_that_is_data_gives_a_warning(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = _write(tmp_path, "a.csv", "A row of text,A", *[f"Another row {row},{'AB'[row % 2]}" for row in range(20)])
    assert _run(file) == 0
    printed = capsys.readouterr()
    assert "warning: " in printed.err
    assert "looks like a row of data" in printed.err
    assert "# Warning: " in printed.out


def test_data_sets_of_the_hub_and_folders_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    features = datasets.Features(text=datasets.Value("string"), label=datasets.ClassLabel(names=["worse", "better"]))
    folder = tmp_path / "movies" / "data"
    folder.mkdir(parents=True)
    for split, count in (("train", 30), ("test", 6)):
        rows = {"text": [f"some words {row}" for row in range(count)], "label": [row % 2 for row in range(count)]}
        datasets.Dataset.from_dict(rows, features=features).to_parquet(folder / f"{split}-00000-of-00001.parquet")
    specs = [f"hub:{folder.parent}@train", f"hub:{folder.parent}@test"]
    assert _run(*specs, "-o", str(tmp_path / "r.toml")) == 0
    ((name, task),) = load_recipe(tmp_path / "r.toml").tasks.items()
    assert (name.endswith("movies"), task.train, task.test) == (True, *specs)
    assert task.labels == ["worse", "better"]


def test_several_label_columns_give_a_task_each_and_empty_cells_are_no_fault(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def row(number: int) -> str:
        mood = None if number % 7 == 3 else ("bad", "good")[number % 2]
        stars = None if number % 7 == 5 else number % 50 / 10
        topics = (["a"], ["a", "b"], ["c"])[number % 3]
        return json.dumps({"text": f"it was a day {number}", "mood": mood, "stars": stars, "topics": topics}) + "\n"

    for name, rows in (("train", range(60)), ("dev", range(60, 80))):
        (tmp_path / f"reviews-{name}.jsonl").write_text("".join(map(row, rows)))
    with pytest.raises(SystemExit):
        main(["init", str(tmp_path / "reviews-train.jsonl"), str(tmp_path / "reviews-dev.jsonl")])
    file = tmp_path / "recipe.toml"
    file.write_text(capsys.readouterr().out)
    recipe = load_recipe(file)
    kinds = {name.removeprefix("reviews-"): task.kind for name, task in recipe.tasks.items()}
    assert kinds == {"mood": "classification", "stars": "regression", "topics": "multilabel"}
    assert [len(names) for names in groups_of(recipe.tasks)] == [3]
    assert "on_bad_rows" not in file.read_text()
    data = {each.task.name: each for each in read_tasks(recipe, lambda event, **fields: None)}
    assert [data[f"reviews-{name}"].holes for name in kinds] == [9, 8, 0]
