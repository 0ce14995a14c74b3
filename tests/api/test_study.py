"""Studies that are made in Python, from data in memory."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from matplotlib.figure import Figure
from tests.tiny import CORPUS

import manyheads as mh
from manyheads.errors import BundleError, RecipeError, RunError, argument, on_command_line
from manyheads.studies.cells import cells_of
from manyheads.studies.worker import request_of, requested

pytestmark = pytest.mark.usefixtures("forked_commands")


def rows() -> pd.DataFrame:
    """Sixty rows with an index of text."""
    return pd.read_csv(CORPUS / "sentiment-train.tsv", sep="\t").head(60).set_index("id", drop=False)


def base(encoder: Path) -> mh.Recipe:
    """A recipe of two tasks with tables in memory."""
    task = mh.Task(kind="classification", train=rows(), dev=0.4, text="sentence", label="sentiment", labels=range(5))
    return mh.Recipe(
        encoder=encoder,
        threads=1,
        tasks={"one": task, "two": task},
        batching=mh.BatchingOptions(batch_size=8),
        training=mh.TrainingOptions(epochs=1, max_steps=2),
    )


def study(encoder: Path, **keys: Any) -> mh.Study:
    rows = {"even": {}, "sequential": {"batching.strategy": "sequential"}}
    return mh.Study(**{"base": base(encoder), "seeds": range(2), "rows": rows, "twins": [], **keys})


def test_a_study_from_python(tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    made = study(tiny_encoder)
    assert len(made.power().figure().axes) == 2
    about: list[Any] = []
    table = made.run("five", jobs=1, notify=lambda event, **fields: about.append((event, fields.get("text"))))
    assert about[0] == ("start", "study: 2 rows x 2 seeds = 4 runs, 0 done, 4 to run, 1 parallel run, 1 thread per run")
    assert about[-1] == ("table", "computing the table")
    assert table.folder == Path("five")
    assert list(table.frame["row"]) == ["even", "sequential"]
    assert set(table.differences["row"]) == {"sequential"}
    figure = table.figure("differences")
    assert isinstance(figure, Figure)
    assert figure._repr_png_().startswith(b"\x89PNG")
    with pytest.raises(RunError, match="there is no such figure") as caught:
        table.figure("difference")
    assert caught.value.hint == "did you mean 'differences'?"
    assert "sequential" in repr(table)
    assert "<table>" in table._repr_html_()
    assert "<script" not in table._repr_html_()
    tables = sorted(file.name for file in Path("five/data").glob("*.parquet"))
    assert tables == ["one.train.index.parquet", "one.train.parquet"]
    assert not list(Path("five").glob("*/*/data"))
    opened = mh.open_study("five")
    assert [row.recipe for row in opened.plan.rows] == [row.recipe for row in made.begin("five").rows]
    assert repr(opened.table()) == repr(table)
    assert repr(mh.table(made, "five")) == repr(table)
    assert made.power(pilot="five").df is not None
    run = mh.open_run("five/even/0")
    assert run.finished
    assert os.fspath(run) == "five/even/0"
    changed = made.base.with_({"tasks.one.train": made.base.to_dict()["tasks"]["one"]["train"].frame.head(50)})
    with pytest.raises(RunError, match="the data has changed"):
        study(tiny_encoder, base=changed).run("five")
    with pytest.raises(BundleError, match="drops the models"):
        mh.load("five/even/0")
    moved = Path("five").rename("moved")
    again = mh.open_study(moved)
    assert repr(again.run(jobs=1)) == repr(table)
    assert moved.samefile(mh.open_run("moved/even/0").recipe.options.data_dir)
    assert set(mh.open_run("moved/even/0").predictions("one").index) < set(rows().index)
    kept = moved / "study.json"
    kept.write_text(kept.read_text().replace('"even"', '"odd"'))
    with pytest.raises(RunError, match="cannot be read"):
        mh.open_study(moved)


def test_messages_of_workers_are_those_of_the_caller(tiny_encoder: Path, tmp_path: Path) -> None:
    cell = next(cells_of(study(tiny_encoder).begin(tmp_path), tmp_path))
    for typed, expected in ((False, "out='here'"), (True, "--out here")):
        with on_command_line(typed):
            request = json.loads(json.dumps(request_of(cell, keep_models=False)))
        with requested(request) as found:
            assert found.recipe == cell.recipe
            assert argument("out", "here") == expected


def test_a_study_without_runs_names_its_call(tiny_encoder: Path, tmp_path: Path) -> None:
    made, out = study(tiny_encoder), tmp_path / "five"
    with pytest.raises(RunError, match=r"try:     run the study: study\.run\('.*five'\)"):
        made.table(out)
    made.keep(out)
    with pytest.raises(RunError, match=r"try:     run the study: manyheads\.open_study\('.*five'\)\.run\(\)"):
        made.table(out)


def test_a_saved_study_is_the_same(tiny_encoder: Path, tmp_path: Path) -> None:
    made = study(tiny_encoder, changes={"training.max_steps": 3})
    file = made.save(tmp_path / "made.toml")
    read = mh.Study.load(file)
    assert [row.name for row in read.plan.rows] == ["even", "sequential"]
    assert {row.recipe.training.max_steps for row in read.plan.rows} == {3}
    assert (tmp_path / "made.data" / "one.train.parquet").is_file()
    assert mh.Study(**made.to_dict()).plan.rows == made.plan.rows


def test_errors_name_the_key(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.raises(RecipeError, match=r'where:   rows\["bad"\]\.batching\.strateg\n') as caught:
        study(tiny_encoder, rows={"bad": {"batching.strateg": "even"}})
    assert caught.value.hint == "did you mean 'strategy'?"
    with pytest.raises(RecipeError, match=r"where:   seeds\n"):
        study(tiny_encoder, seeds=[1, 1])
    with pytest.raises(RecipeError, match="unknown key 'row'"):
        study(tiny_encoder, row={})
    with pytest.raises(RunError, match="the study of the folder cannot be read"):
        mh.open_study("nowhere")
    with pytest.raises(RecipeError, match=r"manyheads\.open_study\("):
        mh.table(tmp_path)
    with pytest.raises(TypeError, match="requires `out`"):
        study(tiny_encoder).run()
    for name, value in (("jobs", -1), ("jobs", "2"), ("seeds", 0), ("seeds", [1])):
        with pytest.raises(RunError, match=rf"where:   {name}=\n"):
            study(tiny_encoder).run("nowhere", **{name: value})
    for name, value in (("seed_sd", -1), ("seed_sd", "x"), ("correlation", 2), ("difference", 5)):
        with pytest.raises(RunError, match=rf"where:   {name}=\n"):
            study(tiny_encoder).power(**{name: value})
    with pytest.raises(RunError, match=r"only=\n  found:   'evn'(.|\n)*did you mean 'even'"):
        study(tiny_encoder, rows={"even": {}}).run(tmp_path, only="evn")
    assert not Path("nowhere").exists()


def test_the_old_name_is_deprecated(tiny_encoder: Path, tmp_path: Path) -> None:
    with pytest.warns(DeprecationWarning, match=r"use manyheads\.study"), pytest.raises(RecipeError):
        mh.run_study(study(tiny_encoder), tmp_path / "out", changes=["training.max_step=2"])
