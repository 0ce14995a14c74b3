"""The course's files, if they are available: every row is read, and the two bad rows are reported."""

from __future__ import annotations

import pytest
from tests.course_files import DATA

from manyheads.data.examples import read_examples
from manyheads.data.reading import open_source
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.task import Task

pytestmark = pytest.mark.skipif(
    not (DATA / "quora-train.csv").is_file(),
    reason="the course's files are absent (MANYHEADS_DATA names their folder)",
)

PAIR = ("sentence1", "sentence2")


def task(label: str) -> Task:
    kind = {
        "sentiment": Classification(range(5)), "is_duplicate": Classification([0, 1]), "similarity": Regression(0, 5)
    }[label]  # fmt: skip
    return Task(
        name="task", kind=kind, text=("sentence",) if label == "sentiment" else PAIR, label=label, id=None, pair=None,
        head="linear", dropout=0.0, loss=fitting_losses(kind)[0], metric=kind.metrics[0],
    )  # fmt: skip


@pytest.mark.parametrize(
    ("file", "label", "count"),
    [
        ("ids-sst-train.csv", "sentiment", 8544),
        ("ids-sst-dev.csv", "sentiment", 1101),
        ("quora-dev.csv", "is_duplicate", 2000),
        ("sts-train.csv", "similarity", 6040),
        ("sts-dev.csv", "similarity", 863),
    ],
)
def test_files_without_bad_rows(file: str, label: str, count: int) -> None:
    examples, bad = read_examples(task(label), open_source(file, DATA), on_bad_rows="error", labelled=True)
    assert (len(examples), bad) == (count, [])
    assert examples.lines.tolist() == list(range(2, count + 2))


@pytest.mark.parametrize(
    ("file", "label", "count"),
    [("ids-sst-test-student.csv", "sentiment", 2210), ("sts-test-student.csv", "similarity", 1725)],
)
def test_files_without_labels(file: str, label: str, count: int) -> None:
    examples, _ = read_examples(task(label), open_source(file, DATA), on_bad_rows="error", labelled=False)
    assert len(examples) == count
    assert len(set(examples.ids)) == count


def test_the_two_bad_rows_are_reported() -> None:
    source = open_source("quora-train.csv", DATA)
    examples, bad = read_examples(task("is_duplicate"), source, on_bad_rows="skip", labelled=True)
    assert len(examples) == 16_000
    assert [(row.line, row.reason) for row in bad] == [
        (16_002, "label is missing"),
        (16_003, "text 'sentence2' is missing"),
    ]
