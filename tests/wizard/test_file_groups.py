from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import DataError
from manyheads.wizard.file_groups import FileGroup, group_files


def _group(*names: str) -> list[FileGroup]:
    return group_files([Path(name) for name in names])


@pytest.mark.parametrize(
    ("files", "name"),
    [
        (("ids-sst-train.csv", "ids-sst-dev.csv", "ids-sst-test-student.csv"), "ids-sst"),
        (("train_sst.tsv", "valid_sst.tsv", "test_sst.tsv"), "sst"),
        (("x/train/sst.tsv", "x/dev/sst.tsv", "x/test/sst.tsv"), "sst"),
        (("nli/train.jsonl", "nli/validation.jsonl", "nli/test.jsonl"), "nli"),
        (("My Task (Training).csv", "My Task (Val).csv", "My Task (Test).csv"), "my-task"),
    ],
)
def test_files_of_one_task_are_grouped_by_their_names_in_any_order(files: tuple[str, str, str], name: str) -> None:
    train, dev, test = map(Path, files)
    assert group_files([test, dev, train]) == [FileGroup(name, train, dev, test)]


def test_several_tasks_keep_the_order_of_their_first_files() -> None:
    groups = _group("sts-train.csv", "sst-train.csv", "sts-dev.csv")
    assert [(group.name, len(group.files)) for group in groups] == [("sts", 2), ("sst", 1)]


def test_a_file_with_any_other_name_is_a_training_file() -> None:
    assert _group("reviews.csv") == [FileGroup("reviews", Path("reviews.csv"))]
    assert _group("restraint.csv")[0].name == "restraint"
    assert _group("¡.csv")[0].name == "task"


def test_a_repeated_file_is_used_once() -> None:
    assert len(_group("a.csv", "a.csv")) == 1


def test_a_missing_training_file_and_two_files_for_one_split_are_errors() -> None:
    with pytest.raises(DataError, match="no training file") as missing:
        _group("sst-dev.csv", "sst-test.csv")
    assert missing.value.found == "sst-dev.csv, sst-test.csv"
    with pytest.raises(DataError, match="two files look like the dev file of the task 'sst'"):
        _group("sst-train.csv", "sst-dev.csv", "sst-valid.csv")
