"""Runs are pooled only if the files and weights that their recipes name alike were the same."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import RunError
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder, cells_of, state_of
from manyheads.studies.load import load_study
from manyheads.studies.tabulate import tabulate

SUM = {name: digit * 64 for name, digit in (("a", "1"), ("b", "2"), ("c", "3"))}


def record(study: Any, row: str, seed: int, **changes: Any) -> Path:
    """Write fingerprints into the provenance of a run, as training does."""
    folder = RunFolder(cell_folder(study.out, row, seed))
    content = folder.read_provenance()
    data = {"sst-train.csv": SUM["a"], "sst-dev.csv": SUM["b"], **changes.pop("data", {})}
    content |= {"data": data, "encoder": {"name": "minilm-offline", "sha256": SUM["c"]}, **changes}
    folder.provenance.write_text(json.dumps(content))
    return folder.path


@pytest.fixture
def study(synthetic: Any) -> Any:
    plan = synthetic.run()
    for row in plan.rows:
        for seed in plan.seeds if row.same_as is None else ():
            record(synthetic, row.name, seed)
    return synthetic


def test_equal_fingerprints_are_pooled_without_a_note(study: Any) -> None:
    assert not any("fingerprint" in note for note in tabulate(study.plan(), study.out).notes)


@pytest.mark.parametrize(("row", "seed"), [("plain", 3), ("even_rescale0.1", 1)])
def test_two_versions_of_one_file_are_refused(study: Any, row: str, seed: int) -> None:
    folder = record(study, row, seed, data={"sst-train.csv": SUM["c"]})
    with pytest.raises(RunError, match=r"different versions of sst-train\.csv") as caught:
        tabulate(study.plan(), study.out)
    assert str(folder) in str(caught.value.where)
    assert SUM["a"] in str(caught.value.found)
    assert SUM["c"] in str(caught.value.found)


def test_runs_that_read_copies_in_other_folders_are_compared(study: Any) -> None:
    folder = RunFolder(record(study, "even", 2, data={"sst-dev.csv": SUM["c"]}))
    recipe = folder.recipe.read_text().replace('data_dir = "', 'data_dir = "/copy')
    folder.recipe.write_text(recipe)
    with pytest.raises(RunError, match=r"different versions of sst-dev\.csv"):
        tabulate(study.plan(), study.out)


def test_a_study_continues_when_its_data_are_in_another_folder(study: Any) -> None:
    plan = load_study(study.file, ["data_dir=/elsewhere"])
    assert {state_of(cell) for cell in cells_of(plan, study.out)} == {"done"}


def test_other_weights_of_one_encoder_are_refused(study: Any) -> None:
    record(study, "even", 2, encoder={"sha256": SUM["a"]})
    with pytest.raises(RunError, match="different versions of the weights of minilm-offline"):
        tabulate(study.plan(), study.out)


def test_other_files_for_pretraining_are_refused(study: Any) -> None:
    record(study, "even", 1, data={"more.txt": SUM["a"]})
    record(study, "even", 2, data={"more.txt": SUM["b"]})
    with pytest.raises(RunError, match=r"different versions of more\.txt"):
        tabulate(study.plan(), study.out)


def test_other_held_out_rows_of_one_share_are_refused(study: Any) -> None:
    key = "sst: rows of sst-train.csv held out"
    record(study, "plain", 1, data={key: SUM["a"]})
    record(study, "even", 2, data={key: SUM["b"]})
    with pytest.raises(RunError, match=r"rows of sst-train\.csv held out"):
        tabulate(study.plan(), study.out)


def test_rows_that_name_other_files_or_numbers_of_rows_are_compared(synthetic: Any) -> None:
    synthetic.rewrite("[rows.even]\n", '[rows.even]\ntasks.sst.train = "more.csv"\ntasks.para.train_rows = 50\n')
    plan = synthetic.run()
    for row in plan.rows:
        for seed in plan.seeds if row.same_as is None else ():
            other = {"more.csv": SUM["b"]} if row.name == "even" else {}
            record(synthetic, row.name, seed, data=other)
    assert tabulate(plan, synthetic.out).rows


def test_rows_with_another_folder_of_data_name_other_files(synthetic: Any) -> None:
    synthetic.rewrite("[rows.even]\n", '[rows.even]\ndata_dir = "other"\n')
    plan = synthetic.run()
    for row in plan.rows:
        for seed in plan.seeds if row.same_as is None else ():
            record(
                synthetic,
                row.name,
                seed,
                data={"sst-train.csv": SUM["b" if row.recipe.data_dir.endswith("other") else "a"]},
            )
    assert tabulate(plan, synthetic.out).rows


def test_runs_without_fingerprints_have_a_note(synthetic: Any) -> None:
    plan = synthetic.run()
    record(synthetic, "plain", 1)
    assert any("have no fingerprints of the data" in note for note in tabulate(plan, synthetic.out).notes)


@pytest.mark.parametrize("content", ["[]", "null", '{"data": 3}', '{"data": {"a": 1}}', "\x00", ""])
def test_a_damaged_provenance_is_named(study: Any, content: str) -> None:
    folder = RunFolder(cell_folder(study.out, "even", 2))
    folder.provenance.write_text(content)
    with pytest.raises(RunError, match="provenance cannot be read") as caught:
        tabulate(study.plan(), study.out)
    assert caught.value.where == str(folder.provenance)
