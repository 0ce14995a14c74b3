"""Tables: the content of a file is parsed once per task, and again only if something relevant changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from manyheads.data.examples import Examples, read_examples
from manyheads.data.reading import BadRow, Row, Source, TextFormat, open_source
from manyheads.data.reading.delimited import Delimited
from manyheads.data.table import _key
from manyheads.data.tokenised import tokenise_examples
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import DataError
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.task import Task

TASK = Task(
    name="mood",
    kind=Classification([0, 1]),
    text=("text",),
    label="label",
    id=None,
    pair=None,
    head="linear",
    dropout=0.0,
    loss="cross_entropy",
    metric="accuracy",
)
CONTENT = "text,label,other\none,1,x\ntwo,,y\nthree,0,z\n"


class Counting(Delimited):
    """A source that counts how often its rows are read."""

    readings = 0

    def rows(self) -> Iterator[Row | BadRow]:
        Counting.readings += 1
        return super().rows()


@pytest.fixture(autouse=True)
def _reset_count() -> None:
    Counting.readings = 0


def read(source: Source, cache: Path | None, task: Task = TASK) -> tuple[Examples, list[BadRow]]:
    examples, bad = read_examples(task, source, on_bad_rows="skip", labelled=True, cache=cache)
    return examples, list(bad)


def file_of(folder: Path, content: str = CONTENT, name: str = "file.csv") -> Path:
    (folder / name).write_text(content)
    return folder / name


def test_the_same_content_is_parsed_once_under_any_file_name(tmp_path: Path) -> None:
    first, bad = read(Counting(file_of(tmp_path)), tmp_path / "cache")
    again, bad_again = read(Counting(file_of(tmp_path, name="copy.csv")), tmp_path / "cache")
    assert Counting.readings == 1
    assert (first.ids, first.texts, first.targets.tolist()) == (again.ids, again.texts, again.targets.tolist())
    assert (first.key, first.fingerprint) == (again.key, again.fingerprint)
    assert [Path(row.source).name for row in (*bad, *bad_again)] == ["file.csv", "copy.csv"]
    assert bad_again == [BadRow(again.source, 3, "label is missing")]


def test_bad_rows_from_the_cache_are_errors_too(tmp_path: Path) -> None:
    source = Counting(file_of(tmp_path))
    for _ in range(2):
        with pytest.raises(DataError, match="1 row cannot be used"):
            read_examples(TASK, source, on_bad_rows="error", labelled=True, cache=tmp_path / "cache")
    assert Counting.readings == 1


@pytest.mark.parametrize(
    "task",
    [
        dataclasses.replace(TASK, kind=Classification([1, 0])),
        dataclasses.replace(TASK, kind=Regression(0, 1)),
        dataclasses.replace(TASK, text=("other",)),
        dataclasses.replace(TASK, label="text", kind=Classification(["one", "three"])),
        dataclasses.replace(TASK, id="other"),
    ],
)
def test_a_change_of_the_task_that_affects_rows_gives_another_table(tmp_path: Path, task: Task) -> None:
    cache = tmp_path / "cache"
    before, _ = read(Counting(file_of(tmp_path)), cache)
    other, _ = read(Counting(file_of(tmp_path)), cache, task)
    assert Counting.readings == 2
    assert before.key != other.key
    fresh, _ = read(Counting(file_of(tmp_path)), None, task)
    assert (other.ids, other.texts, other.targets.tolist()) == (fresh.ids, fresh.texts, fresh.targets.tolist())


def test_other_changes_of_the_task_use_the_same_table(tmp_path: Path) -> None:
    source = Counting(file_of(tmp_path))
    read(source, tmp_path / "cache")
    read(source, tmp_path / "cache", dataclasses.replace(TASK, name="other", head="b1", dropout=0.5, loss="l1"))
    assert Counting.readings == 1


def test_changed_content_is_read_again(tmp_path: Path) -> None:
    cache = tmp_path / "cache"
    read(Counting(file_of(tmp_path)), cache)
    changed, bad = read(Counting(file_of(tmp_path, CONTENT.replace("two,,", "two,1,"))), cache)
    assert (Counting.readings, len(changed), bad) == (2, 3, [])


def test_a_file_that_changes_while_it_is_read_is_an_error_and_not_cached(tmp_path: Path) -> None:
    class Growing(Counting):
        def rows(self) -> Iterator[Row | BadRow]:
            yield from super().rows()
            with self._path.open("a") as file:
                file.write("four,1,x\n")

    source = Growing(file_of(tmp_path))
    with pytest.raises(DataError, match="changed while it was read"):
        read(source, tmp_path / "cache")
    assert [path for path in (tmp_path / "cache").rglob("*") if path.is_file()] == []


def test_the_tokens_of_cached_examples_are_loaded_without_reading_texts(
    tmp_path: Path, wordpiece_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tokenizer, cache = Tokenizer.load(wordpiece_folder), tmp_path / "cache"
    examples, _ = read(open_source(str(file_of(tmp_path)), tmp_path), cache)
    store, (split,) = tokenise_examples([examples], {"mood": TASK}, tokenizer, cache)

    def refuse(*_: object) -> None:
        raise AssertionError("texts were read")

    monkeypatch.setattr("manyheads.data.texts.hashes_of", refuse)
    again, (same,) = tokenise_examples([examples], {"mood": TASK}, tokenizer, cache)
    assert again.token_ids.tolist() == store.token_ids.tolist()
    assert same.text_index.tolist() == split.text_index.tolist() == [[0], [1]]
    with pytest.raises(AssertionError, match="texts were read"):
        tokenise_examples([examples.take(split.lines[:1] * 0)], {"mood": TASK}, tokenizer, cache)


def test_missing_or_damaged_tokens_are_written_again(tmp_path: Path, wordpiece_folder: Path) -> None:
    tokenizer, cache = Tokenizer.load(wordpiece_folder), tmp_path / "cache"
    examples, _ = read(open_source(str(file_of(tmp_path)), tmp_path), cache)
    expected = tokenise_examples([examples], {"mood": TASK}, tokenizer, cache)[0].token_ids.tolist()
    for name in ("tokens", "indices"):
        for file in sorted((cache / name).rglob("*.npy")):
            file.write_bytes(b"")
            store, (split,) = tokenise_examples([examples], {"mood": TASK}, tokenizer, cache)
            assert (store.token_ids.tolist(), split.text_index.tolist()) == (expected, [[0], [1]])


def test_bad_rows_of_files_of_columns_name_the_file_of_the_cell(tmp_path: Path) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
        file_of(tmp_path / folder, "a\n\nc\nd\n", "in")
        file_of(tmp_path / folder, "1\n0\n\n7\n", "out")
        source = open_source({"text": f"{folder}/in", "label": f"{folder}/out"}, tmp_path)
        examples, bad = read(source, tmp_path / "cache")
        assert (list(examples.texts[0]), examples.targets.tolist(), examples.lines.tolist()) == (["a"], [1.0], [1])
        names = [str(row).removeprefix(str(tmp_path / folder)).partition(",")[0] for row in bad]
        assert names[:2] == ["/in:2: text 'text' is missing", "/out:3: label is missing"]
        assert names[2].startswith("/out:4: ")


@pytest.mark.parametrize(
    ("name", "content", "text", "other"),
    [
        ("file.conll", "a\t1\n", TextFormat(columns=("text", "label")), TextFormat(columns=("label", "text"))),
        ("file.data", '{"text": "a", "label": 1}\n', TextFormat(format="jsonl"), TextFormat(format="csv")),
    ],
)
def test_the_form_of_a_file_is_part_of_the_key(
    tmp_path: Path, name: str, content: str, text: TextFormat, other: TextFormat
) -> None:
    file_of(tmp_path, content, name)
    sources = [open_source(name, tmp_path, each) for each in (text, other)]
    assert _key(TASK, sources[0], "", True, None) != _key(TASK, sources[1], "", True, None)


def test_the_paths_of_columns_are_part_of_the_key(tmp_path: Path) -> None:
    file_of(tmp_path, '{"text": {"a": "x", "b": "y"}, "label": 1}\n', "file.jsonl")
    first, second = (open_source("file.jsonl", tmp_path, wanted=[path]) for path in ("text.a", "text.b"))
    assert _key(TASK, first, "", True, None) != _key(TASK, second, "", True, None)
