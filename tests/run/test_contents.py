"""A finished run has exactly the files and fields that the reference documents."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import pytest

import manyheads
from manyheads.run.contents import EVENTS, RUN_FILES, FileFacts, pattern
from manyheads.run.events import read_events

FIELDS = {facts.name: facts.fields for facts in RUN_FILES}

CONDITIONAL_FIELDS = {"pretraining", "course_score", "class_weights.TASK"}
CONDITIONAL_FIELDS |= {"plugins.PLUGIN.sha256", "plugins.PLUGIN.version"}
GIVEN = {"data/TASK.SPLIT.parquet", "data/TASK.SPLIT.index.parquet", "data/given.json"}
"""The files of tables that were given in memory."""

CONDITIONAL_FILES = {"checkpoints/", "report/", *GIVEN}


def keys(value: Any, prefix: str = "") -> Iterator[str]:
    """The dotted names of all values of a JSON value; `[]` for the elements of a list of objects."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from keys(each, f"{prefix}.{name}" if prefix else name)
    elif isinstance(value, list) and value and isinstance(value[0], dict):
        for each in value:
            yield from keys(each, f"{prefix}[]")
    else:
        yield prefix


def check(found: Iterable[str], documented: Iterable[str], conditional: Iterable[str] = ()) -> None:
    """Check that every name found is documented, and every documented one is found or conditional."""
    found, names = set(found), list(documented)
    unknown = {name for name in found if not any(pattern(each).fullmatch(name) for each in names)}
    assert unknown == set()
    found |= {name[: dot.start()] for name in found for dot in re.finditer(r"\.", name)}  # the objects around them
    missing = {each for each in names if not any(pattern(each).fullmatch(name) for name in found)}
    assert missing <= set(conditional)


def test_its_files_are_those_documented(trained: manyheads.Run) -> None:
    folder = trained.folder.path
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    found = {"model/" if name.startswith("model/") else name for name in found}
    check(found, FIELDS, CONDITIONAL_FILES)


def test_the_fields_of_its_json_files_are_those_documented(trained: manyheads.Run) -> None:
    folder = trained.folder
    tuned = {name for name in FIELDS["results.json"] if re.search(r"\.(decoding|whole_rows)\.", name)}
    check(keys(folder.read_results()), FIELDS["results.json"], tuned)
    check(keys(folder.read_provenance()), FIELDS["provenance.json"], CONDITIONAL_FIELDS)


def test_the_columns_of_its_results_are_those_documented(trained: manyheads.Run) -> None:
    with trained.folder.results_csv.open(newline="") as file:
        check(next(csv.reader(file)), FIELDS["results.csv"])


def test_the_fields_of_its_predictions_are_those_documented(trained: manyheads.Run) -> None:
    found = set()
    for path in trained.folder.predictions.glob("*.jsonl"):
        found |= {key for line in path.read_text().splitlines() for key in keys(json.loads(line))}
    check(found, FIELDS["predictions/TASK.dev.last.jsonl"])


def test_every_evaluation_is_in_the_file_of_all_predictions(trained: manyheads.Run) -> None:
    """The last row is that of the last predictions, and the text of the reference names every array."""
    folder, results = trained.folder, trained.folder.read_results()
    (facts,) = [each for each in RUN_FILES if each.name.endswith(".dev.all.npz")]
    assert folder.read_evaluations(results, "sentiment", "test") is None
    for task, split in [*((task, "dev") for task in results["last"]["tasks"]), ("similarity", "test")]:
        found = folder.read_evaluations(results, task, split)
        assert found is not None
        assert folder.evaluations_file(task, split).name in results["checksums"]
        lines = [json.loads(line) for line in folder.prediction_file(task, split, "last").read_text().splitlines()]
        assert list(found.ids) == [str(line["id"]) for line in lines]
        assert len(found.steps) == len(folder.results_csv.read_text().splitlines()) - 1
        assert found.steps[-1] == results["last"]["step"]
        if "value" in lines[0]:
            assert found.values[-1].tolist() == pytest.approx([line["value"] for line in lines], rel=1e-6)
        else:
            assert len(set(zip(found.values[-1], (line["prediction"] for line in lines), strict=True))) <= 5
        assert len(found.clusters) == len(lines)
        with np.load(folder.evaluations_file(task, split)) as content:
            assert all(f"`{name}`" in facts.meaning for name in content.files)


def test_its_events_are_documented(trained: manyheads.Run) -> None:
    for event in read_events(trained.folder.events):
        name = str(event.pop("event"))
        event.pop("time")
        assert set(event) <= set(EVENTS[name][1]), name


def test_a_documented_name_matches_what_it_stands_for() -> None:
    assert pattern("predictions/TASK.dev.best.jsonl").fullmatch("predictions/a.b.dev.best.jsonl")
    assert not pattern("threads").fullmatch("threadsX")
    assert FileFacts("a", "b", "c").fields == {}
