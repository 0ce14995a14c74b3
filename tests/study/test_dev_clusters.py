"""Clusters of dev examples widen the intervals of a study, and are joined over rows and tasks."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from manyheads.errors import RunError
from manyheads.run.checksum import checksum
from manyheads.run.evaluations import read_evaluations, write_evaluations
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cells_of
from manyheads.studies.collect import collect
from manyheads.studies.table import Table
from manyheads.studies.tabulate import tabulate


def put(synthetic: Any, clusters: dict[str, dict[str, np.ndarray]]) -> None:
    """Write the file of all evaluations of every run. `clusters`: by row (or "*") and task."""
    synthetic.keep_every_evaluation()
    for cell in cells_of(synthetic.plan(), synthetic.out):
        folder = RunFolder(cell.folder)
        results = folder.read_results()
        sums = {}
        for task in cell.recipe.tasks:
            own = clusters.get(cell.row, clusters["*"])
            file = folder.evaluations_file(task, "dev")
            write_evaluations(file, replace(read_evaluations(file), clusters=own[task]))
            sums[file.name] = checksum(file)
        folder.results.write_text(json.dumps({**results, "checksums": sums}))
    for curve in synthetic.out.glob("*/*/results.json"):
        content = json.loads(curve.read_text())
        content["checksums"]["results.csv"] = checksum(Path(curve.parent / "results.csv"))
        curve.write_text(json.dumps(content))


def alone() -> dict[str, np.ndarray]:
    return {"sst": np.arange(150), "para": np.arange(200) + 150, "sts": np.arange(120) + 350}


def widths(table: Table) -> dict[str, float]:
    row = next(row for row in table.rows if row.name == "plain")
    found = {}
    for task, interval in row.best.tasks.items():
        assert interval is not None
        assert interval.low is not None
        assert interval.high is not None
        found[task] = interval.high - interval.low
    return found


def test_examples_on_their_own_change_nothing_and_clusters_widen(synthetic: Any) -> None:
    plan = synthetic.run()
    before = tabulate(plan, synthetic.out)
    assert any("taken as independent" in note for note in before.notes)
    put(synthetic, {"*": alone()})
    same = tabulate(plan, synthetic.out)
    assert widths(same) == pytest.approx(widths(before), rel=0.01)
    assert not any("taken as independent" in note or "cluster" in note for note in same.notes)
    put(synthetic, {"*": {**alone(), "sst": np.arange(150) // 15}})
    few = tabulate(plan, synthetic.out)
    assert widths(few)["sts"] == pytest.approx(widths(same)["sts"])
    assert widths(few)["sst"] != pytest.approx(widths(same)["sst"], rel=1e-3)
    assert any("150 dev examples of sst are in 10 clusters" in note and "9 degrees" in note for note in few.notes)


def test_clusters_of_all_rows_and_tasks_are_joined(synthetic: Any) -> None:
    """The row `even` joins two examples of sst; in every row, one example of sst shares a text with one of para."""
    plan = synthetic.run()
    shared, other = alone(), alone()
    shared["para"][7] = other["para"][7] = shared["sst"][3]
    other["sst"][4] = other["sst"][5]
    put(synthetic, {"*": shared, "even": other})
    dev = collect(plan, synthetic.out).dev
    sst, para = dev["sst"].clusters, dev["para"].clusters
    assert sst is not None
    assert para is not None
    assert sst[4] == sst[5]
    assert sst[3] == para[7]
    assert len({*sst.tolist(), *para.tolist()}) == 348


def test_one_cluster_of_all_examples_is_not_used(synthetic: Any) -> None:
    plan = synthetic.run()
    put(synthetic, {"*": {**alone(), "sts": np.full(120, 400)}})
    assert collect(plan, synthetic.out).dev["sts"].clusters is None
    assert any("of sts are taken as independent" in note for note in tabulate(plan, synthetic.out).notes)


def test_a_changed_file_is_refused(synthetic: Any) -> None:
    plan = synthetic.run()
    put(synthetic, {"*": alone()})
    file = synthetic.out / "plain" / "1" / "predictions" / "sst.dev.all.npz"
    file.write_bytes(file.read_bytes() + b" ")
    with pytest.raises(RunError, match="predictions cannot be read"):
        tabulate(plan, synthetic.out)
