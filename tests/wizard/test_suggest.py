from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest

from manyheads.demo import generate
from manyheads.errors import DataError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks
from manyheads.recipe.schema import Recipe
from manyheads.wizard.suggest import suggest

CORPUS = Path(generate.__file__).parent / "corpus"


def _ignore(event: str, **fields: object) -> None:
    del event, fields


def _load(folder: Path, text: str) -> Recipe:
    file = folder / "suggested.toml"
    file.write_text(text, encoding="utf-8")
    return load_recipe(file)


def _write(file: Path, header: str, rows: list[str]) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join([header, *rows]) + "\n", encoding="utf-8")
    return file


def test_the_tasks_of_the_demo_corpus_are_recognised(tmp_path: Path) -> None:
    recipe = _load(tmp_path, suggest(sorted(CORPUS.glob("*.tsv")), tmp_path))
    tasks = read_tasks(recipe, _ignore)
    assert {each.task.name: repr(each.task.kind) for each in tasks} == {
        "paraphrase": "Classification([0, 1])",
        "sentiment": "Classification([0, 1, 2, 3, 4])",
        "similarity": "Regression(0, 5)",
    }
    assert [each.task.text for each in tasks] == [("sentence1", "sentence2"), ("sentence",), ("sentence1", "sentence2")]
    assert recipe.data_dir == str(CORPUS)


def test_a_comment_is_separated_from_a_long_value(tmp_path: Path) -> None:
    lines = suggest(sorted(CORPUS.glob("*.tsv")), tmp_path).splitlines()
    (line,) = [line for line in lines if line.startswith("data_dir")]
    assert line.endswith('"  # folder of the data files')


def test_a_single_file_holds_out_a_dev_set_and_bad_rows_are_named_and_not_skipped(tmp_path: Path) -> None:
    rows = [f"row {number} of many,{'yes' if number % 3 else 'no'}" for number in range(60)]
    file = _write(tmp_path / "mail.csv", "text,label", [*rows, "no label here,"])
    text = suggest([file], tmp_path)
    assert "1 row cannot be used, so training would stop; the first: mail.csv:62: label is missing" in text
    recipe = _load(tmp_path, text)
    assert (recipe.tasks["mail"].dev, recipe.tasks["mail"].on_bad_rows) == (0.1, "error")
    with pytest.raises(DataError, match="label is missing"):
        read_tasks(recipe, _ignore)
    (only,) = read_tasks(_load(tmp_path, text.replace('# on_bad_rows = "skip"', 'on_bad_rows = "skip"')), _ignore)
    assert (len(only.train) + len(only.dev), sum(map(len, only.rejected.values()))) == (60, 1)


def test_paths_are_relative_to_the_folder_of_the_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = [f"text number {number},{number % 2}" for number in range(20)]
    monkeypatch.chdir(tmp_path)
    _write(Path("data/a/a-train.csv"), "text,label", rows)
    _write(Path("data/b/b-train.csv"), "text,label", rows)
    one = tomllib.loads(suggest([Path("data/a/a-train.csv")], Path("recipes")))
    assert (one["data_dir"], one["tasks"]["a"]["train"]) == ("../data/a", "a-train.csv")
    here = tomllib.loads(suggest([Path("data/a/a-train.csv")], Path("data/a")))
    assert "data_dir" not in here
    files = [Path("data/a/a-train.csv"), Path("data/b/b-train.csv")]
    two = tomllib.loads(suggest(files, Path("data")))
    assert "data_dir" not in two
    assert [task["train"] for task in two["tasks"].values()] == ["a/a-train.csv", "b/b-train.csv"]
    full = tomllib.loads(suggest([file.absolute() for file in files], Path("data")))
    assert full["tasks"]["b"]["train"] == str(tmp_path / "data/b/b-train.csv")


def test_special_characters_in_names_and_labels_are_kept(tmp_path: Path) -> None:
    labels = [
        'say "hi"',
        "back\\slash",
        "naïve — 🙂",
        "a\u007fb",
        "tab\there",
        *[f"a rather long label {n}" for n in range(9)],
    ]
    records = [{"the text": f"some words {row}", "my label": labels[row % len(labels)]} for row in range(84)]
    file = tmp_path / "Odd Näme.jsonl"
    file.write_text("\n".join(map(json.dumps, records)) + "\n")
    recipe = _load(tmp_path, suggest([file], tmp_path))
    ((name, task),) = recipe.tasks.items()
    assert (name, task.text, task.label) == ("odd-n-me", ["the text"], "my label")
    assert task.labels == sorted(labels)
    assert len(read_tasks(recipe, _ignore)[0].train) > 60


def test_the_learning_rate_depends_on_the_encoder(tmp_path: Path) -> None:
    file = _write(tmp_path / "a.csv", "text,label", [f"text {number},{number % 2}" for number in range(20)])
    small = _load(tmp_path, suggest([file], tmp_path, encoder="minilm-offline"))
    large = _load(tmp_path, suggest([file], tmp_path, encoder="google-bert/bert-base-uncased"))
    assert (small.encoder, large.encoder) == ("minilm-offline", "google-bert/bert-base-uncased")
    assert small.training.learning_rate > large.training.learning_rate


def _shards(folder: Path, split: str, count: int, extra: str = "") -> list[Path]:
    rows = [f"text number {number},{number % 2}" for number in range(20)]
    files = [folder / f"{split}-{number:05}-of-{count:05}{extra}.csv" for number in range(count)]
    for file in files:
        _write(file, "text,label", rows)
    return files


@pytest.mark.parametrize("extra", ["", "-0123456789abcdef"])
def test_the_shards_of_a_file_are_one_pattern(tmp_path: Path, extra: str) -> None:
    folder = tmp_path / "reviews"
    files = [*_shards(folder, "train", 2, extra), *_shards(folder, "test", 1, extra)]
    text = suggest(files, tmp_path)
    ((name, task),) = tomllib.loads(text)["tasks"].items()
    pattern = "train-*-of-00002" + ("-*" if extra else "") + ".csv"
    assert (name, task["train"], task["test"]) == ("reviews", pattern, files[-1].name)
    (data,) = read_tasks(_load(tmp_path, text), _ignore)
    assert len(data.train) + len(data.dev) == 40
    with pytest.raises(DataError, match="1 of 2 shards are given"):
        suggest(files[1:], tmp_path)


def test_a_folder_with_the_name_of_a_split_is_one_entry(tmp_path: Path) -> None:
    for part in range(2):
        rows = [f"text {part} number {number},{number % 2}" for number in range(20)]
        _write(tmp_path / "reviews" / "train" / f"part-{part}.csv", "text,label", rows)
    _shards(tmp_path / "reviews" / "validation", "part", 2)
    text = suggest([tmp_path / "reviews" / name for name in ("train", "validation")], tmp_path)
    ((name, task),) = tomllib.loads(text)["tasks"].items()
    assert (name, task["train"], task["dev"]) == ("reviews", "train", "validation")


def test_a_schema_in_a_folder_is_no_data_file(tmp_path: Path) -> None:
    _write(tmp_path / "reviews.csv", "text,label", [f"text number {number},{number % 2}" for number in range(20)])
    (tmp_path / "manyheads.recipe.schema.json").write_text('{\n"type": "object"\n}\n')
    assert list(tomllib.loads(suggest([tmp_path], tmp_path))["tasks"]) == ["reviews"]
