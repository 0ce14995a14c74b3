"""Data sets with the layout of the hub, loaded from a local folder through the datasets library."""

from __future__ import annotations

import os
import re
import shutil
import sys
from pathlib import Path

import polars as pl
import pytest

from manyheads.data.examples import read_examples
from manyheads.data.reading import BadRow, Row, open_source
from manyheads.errors import DataError
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.task import Task

datasets = pytest.importorskip("datasets", reason="the extra `hub` is not installed")

TRAIN = {"question1": ["a", "b", "c"], "question2": ["d", "e", "f"], "label": [0, 1, 1], "idx": [0, 1, 2]}
TEST = {"question1": ["g", "h"], "question2": ["i", "j"], "label": [-1, -1], "idx": [0, 1]}

CARD = """---
configs:
- config_name: qqp
  data_files:
  - {split: train, path: qqp/train-*}
  - {split: test, path: qqp/test-*}
- config_name: stsb
  data_files:
  - {split: train, path: stsb/train-*}
dataset_info:
- config_name: qqp
  features: &features
  - {name: question1, dtype: string}
  - {name: question2, dtype: string}
  - {name: label, dtype: {class_label: {names: {'0': not_duplicate, '1': duplicate}}}}
  - {name: idx, dtype: int64}
- config_name: stsb
  features: *features
---
"""


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")


@pytest.fixture
def glue(tmp_path: Path) -> Path:
    """A data set with two configurations, in the layout of the hub."""
    folder = tmp_path / "glue"
    for config, split, columns in (("qqp", "train", TRAIN), ("qqp", "test", TEST), ("stsb", "train", TRAIN)):
        (folder / config).mkdir(parents=True, exist_ok=True)
        pl.DataFrame(columns).write_parquet(folder / config / f"{split}-00000-of-00001.parquet")
    (folder / "README.md").write_text(CARD)
    return folder


def rows(spec: str) -> list[dict[str, object]]:
    return [dict(row.values) for row in open_source(spec, Path("unused")).rows() if isinstance(row, Row)]


def test_a_configuration_and_a_split_are_read_in_order(glue: Path) -> None:
    source = open_source(f"hub:{glue}/qqp@train", Path("unused"))
    assert source.name == f"hub:{glue}/qqp@train"
    assert source.columns == ("question1", "question2", "label", "idx")
    assert list(source.rows())[1] == Row(2, {"question1": "b", "question2": "e", "label": "duplicate", "idx": 1})
    found = [row.values["label"] for row in source.rows() if not isinstance(row, BadRow)]
    assert found == ["not_duplicate", "duplicate", "duplicate"]


def test_a_withheld_label_is_none(glue: Path) -> None:
    assert [row["label"] for row in rows(f"hub:{glue}/qqp@test")] == [None, None]
    assert [row["idx"] for row in rows(f"hub:{glue}/qqp@test")] == [0, 1]


def test_examples_are_read_as_from_a_file(glue: Path) -> None:
    task = Task(
        name="para", kind=Classification([0, 1]), text=("question1", "question2"), label="label", id="idx",
        pair="cross", head="linear", dropout=0.0, loss="binary_cross_entropy", metric="accuracy",
    )  # fmt: skip
    source = open_source(f"hub:{glue}/qqp@train", Path("unused"))
    examples, bad = read_examples(task, source, on_bad_rows="error", labelled=True)
    assert examples.texts == (["a", "b", "c"], ["d", "e", "f"])
    assert examples.ids == ["0", "1", "2"]
    assert examples.targets.tolist() == [0.0, 1.0, 1.0]
    assert bad == []


def test_the_only_configuration_of_a_data_set_need_not_be_named(tmp_path: Path) -> None:
    folder = tmp_path / "sst5" / "data"
    folder.mkdir(parents=True)
    pl.DataFrame({"text": ["x"], "label": [4]}).write_parquet(folder / "train-00000-of-00001.parquet")
    assert rows(f"hub:{folder.parent}@train") == [{"text": "x", "label": 4}]


def test_the_fingerprint_depends_on_the_rows_and_not_on_the_folder(glue: Path, tmp_path: Path) -> None:
    def fingerprint(folder: Path, split: str = "train") -> str:
        return open_source(f"hub:{folder}/qqp@{split}", tmp_path).fingerprint()

    before = fingerprint(glue)
    copied = shutil.copytree(glue, tmp_path / "elsewhere" / "glue")
    os.utime(copied / "qqp" / "train-00000-of-00001.parquet", (0, 0))
    assert fingerprint(copied) == before
    assert fingerprint(glue, "test") != before
    changed = pl.DataFrame({**TRAIN, "question1": ["a", "b", "changed"]})
    changed.write_parquet(copied / "qqp" / "train-00000-of-00001.parquet")
    assert fingerprint(copied) != before


@pytest.mark.parametrize(
    ("end", "message", "allowed"),
    [
        ("/qpq@train", "no such configuration", "qqp, stsb"),
        ("@train", "several configurations", "qqp, stsb"),
        ("/qqp@dev", "no such split", "train, test"),
        ("/qqp", "several splits", "train, test"),
        ("/no/such@train", "no such data set folder", None),
    ],
)
def test_an_unknown_name_is_reported_with_the_existing_ones(
    glue: Path, end: str, message: str, allowed: str | None
) -> None:
    with pytest.raises(DataError, match=message) as caught:
        open_source(f"hub:{glue}{end}", Path("unused"))
    assert caught.value.where == f"hub:{glue}{end}"
    assert caught.value.allowed == allowed


def test_the_nearest_configuration_is_named(glue: Path) -> None:
    with pytest.raises(DataError, match=re.escape("did you mean 'qqp'?")):
        open_source(f"hub:{glue}/qpq@train", Path("unused"))


@pytest.mark.parametrize("spec", ["hub:", "hub:glue@train", "hub:a/b/c/d@train", "hub:a/b@"])
def test_an_invalid_name_is_an_error(spec: str) -> None:
    with pytest.raises(DataError, match="OWNER/NAME") as caught:
        open_source(spec, Path("unused"))
    assert caught.value.found == spec


def test_without_the_extra_the_error_has_the_command_that_installs_it(
    glue: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(DataError, match=re.escape("pip install 'manyheads[hub]'")):
        open_source(f"hub:{glue}/qqp@train", Path("unused"))
