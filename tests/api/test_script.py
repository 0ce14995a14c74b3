"""The script of a user who only uses Python, on rows of the reference study where they are there."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from tests.course_files import DATA
from tests.tiny import CORPUS

import manyheads as mh

pytestmark = pytest.mark.usefixtures("forked_commands")

ROWS = {
    "generated": {
        "reviews": (CORPUS / "sentiment-train.tsv", "sentence", "sentiment"),
        "questions": (CORPUS / "paraphrase-train.tsv", ["sentence1", "sentence2"], "is_paraphrase"),
    },
    "real": {
        "reviews": (DATA / "ids-sst-train.csv", "sentence", "sentiment"),
        "questions": (DATA / "quora-train.csv", ["sentence1", "sentence2"], "is_duplicate"),
    },
}


@pytest.mark.parametrize(
    "rows",
    [
        "generated",
        pytest.param(
            "real",
            marks=pytest.mark.skipif(
                not DATA.is_dir(), reason="the course's files are absent (MANYHEADS_DATA names their folder)"
            ),
        ),
    ],
)
def test_the_script(rows: str, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    tasks: dict[str, mh.Task] = {}
    frames: dict[str, Any] = {}
    for name, (file, text, label) in ROWS[rows].items():
        # The quotes of the course's files are those of CSV; the first 200 rows are enough.
        frames[name] = pd.read_csv(file, sep="\t", nrows=200).dropna()
        given = frames[name] if name == "reviews" else "questions.csv"
        tasks[name] = mh.Task(kind="classification", train=given, dev=0.1, text=text, label=label)
    frames["questions"].to_csv("questions.csv", index=False)
    recipe = mh.Recipe(
        encoder=tiny_encoder, threads=1, tasks=tasks, training={"epochs": 1, "max_steps": 4}, batching={"batch_size": 8}
    )
    assert not recipe.check().stops
    run = mh.train(recipe, "runs/first")
    assert len(run.metrics) >= 2
    assert len(run.history) == 1
    assert len(run.predictions("reviews", "dev")) >= 10
    model = run.model
    head = frames["reviews"].head()
    assert model.predict("reviews", head).frame.index.equals(head.index)
    changes = {"even": {}, "sequential": {"batching.strategy": "sequential"}}
    study = mh.Study(base=recipe, seeds=range(2), rows=changes, twins=[])
    assert study.power().by_seeds
    table = study.run("runs/five", jobs=2)
    assert len(table.frame) == 2
    assert len(table.differences) >= 1
    table.figure("differences").savefig("differences.png")
