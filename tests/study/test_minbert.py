"""studies/minbert.toml has every row of the reference's tables, with its factors."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from manyheads.recipe.load import load_recipe
from manyheads.studies.load import load_study
from manyheads.studies.render.formats import to_json, to_markdown
from manyheads.studies.schema import StudyPlan
from manyheads.studies.tabulate import tabulate

ROOT = Path(__file__).parents[2]

PRE = "pretrain-even_batch"
# name: EB, LR (the weight of the paraphrase loss), AP, CE, TD, batch size
REFERENCE = {
    "multitask-sequential-old-struct": (False, 1.0, False, False, "all", 8),
    "multitask-sequential-ram-struct": (False, 1.0, False, False, "all", 8),
    "even_batch": (True, 1.0, False, False, "all", 8),
    "even_batch-rescale0.1": (True, 0.1, False, False, "all", 8),
    "even_batch-rescale0.5": (True, 0.5, False, False, "all", 8),
    PRE: (True, 1.0, True, False, "all", 8),
    f"{PRE}-rescale0.1": (True, 0.1, True, False, "all", 8),
    f"{PRE}-rescale0.2": (True, 0.2, True, False, "all", 8),
    f"{PRE}-rescale0.3": (True, 0.3, True, False, "all", 8),
    f"{PRE}-cross-nodrop": (True, 1.0, True, True, "none", 8),
    f"{PRE}-rescale0.1-cross-nodrop": (True, 0.1, True, True, "none", 8),
    f"{PRE}-rescale0.2-cross-nodrop": (True, 0.2, True, True, "none", 8),
    f"{PRE}-rescale0.2-cross-sstdrop": (True, 0.2, True, True, "sst", 8),
    f"{PRE}-cross-alldrop-batch16": (True, 1.0, True, True, "all", 16),
    f"{PRE}-cross-nodrop-batch16": (True, 1.0, True, True, "none", 16),
    f"{PRE}-rescale0.2-cross-alldrop-batch16": (True, 0.2, True, True, "all", 16),
    f"{PRE}-rescale0.2-cross-nodrop-batch16": (True, 0.2, True, True, "none", 16),
    f"{PRE}-rescale0.3-cross-alldrop-batch16": (True, 0.3, True, True, "all", 16),
    f"{PRE}-rescale0.3-cross-sstdrop-batch16": (True, 0.3, True, True, "sst", 16),
    f"{PRE}-rescale0.3-cross-alldrop-batch32": (True, 0.3, True, True, "all", 32),
    f"{PRE}-cross-alldrop-batch32": (True, 1.0, True, True, "all", 32),
}
DROPOUTS = {"all": (0.3, 0.3, 0.3), "sst": (0.3, 0.0, 0.0), "none": (0.0, 0.0, 0.0)}


@pytest.fixture(scope="module")
def plan() -> StudyPlan:
    return load_study(ROOT / "studies" / "minbert.toml")


@pytest.mark.parametrize("name", REFERENCE)
def test_a_row_has_the_factors_of_the_reference(plan: StudyPlan, name: str) -> None:
    even, weight, pretrained, cross, dropped, batch = REFERENCE[name]
    recipe = plan.row(name).recipe
    assert recipe.batching.strategy.kind == ("even" if even else "sequential")
    assert recipe.batching.batch_size == batch
    assert recipe.tasks["para"].loss_weight == weight
    assert (recipe.pretraining is not None and recipe.pretraining.epochs == 3) == pretrained
    assert {recipe.tasks[task].pair for task in ("para", "sts")} == {"cross" if cross else "bi"}
    assert tuple(recipe.tasks[task].head.dropout for task in ("sst", "para", "sts")) == DROPOUTS[dropped]
    assert (recipe.training.epochs, recipe.training.learning_rate, recipe.training.schedule) == (10, 1e-5, "constant")
    assert recipe.encoder == "google-bert/bert-base-uncased"
    assert plan.row(name).same_as is None


@pytest.mark.parametrize("name", REFERENCE)
def test_a_row_has_the_levels_of_the_reference(plan: StudyPlan, name: str) -> None:
    even, weight, pretrained, cross, dropped, batch = REFERENCE[name]
    yes = {True: "yes", False: "no"}
    levels = plan.row(name).levels
    assert levels["EB"] == yes[even]
    assert levels["LR"] == ("no" if weight == 1.0 else str(weight))
    assert (levels["AP"], levels["CE"]) == (yes[pretrained], yes[cross])
    assert (levels["TD"], levels["batch"]) == (dropped, str(batch))


def test_the_study_has_the_frozen_encoder_and_the_single_tasks(plan: StudyPlan) -> None:
    assert plan.row("frozen").recipe.model.freeze_encoder
    twins = {row.twin_of for row in plan.rows if row.twin_of}
    for row in (f"{PRE}-cross-nodrop", "even_batch-cross-nodrop"):
        assert {(row, task) for task in ("sst", "para", "sts")} <= twins
    assert plan.row(f"{PRE}-cross-alldrop-batch32").provenance
    assert len(plan.seeds) == 5


@pytest.mark.parametrize(
    ("row", "file"),
    [
        ("even_batch", "even_batch"),
        ("multitask-sequential-old-struct", "sequential_b1"),
        ("multitask-sequential-ram-struct", "sequential_b2"),
        ("frozen", "frozen"),
    ],
)
def test_a_row_is_the_recipe_of_its_name(plan: StudyPlan, row: str, file: str) -> None:
    recipe = load_recipe(ROOT / "recipes" / "minbert" / f"{file}.toml")
    same = {"seed": 0, "threads": 1}
    assert plan.row(row).recipe.model_copy(update=same) == recipe.model_copy(update=same)


@pytest.mark.parametrize("file", sorted((ROOT / "studies").glob("*.toml")), ids=lambda file: file.stem)
def test_every_study_loads(file: Path) -> None:
    assert load_study(file).rows


def test_the_kept_runs_of_the_study_give_its_table_again() -> None:
    folder = ROOT / "results" / "minilm-study"
    again = json.loads(to_json(tabulate(load_study(ROOT / "studies" / "minilm.toml"), folder)))
    kept = json.loads((folder / "table.json").read_text())
    assert again["notes"] == kept["notes"]
    for row, other in zip(again["rows"], kept["rows"], strict=True):
        assert row["name"] == other["name"]
        assert row["average"] == pytest.approx(other["average"], abs=2e-6)
        assert (row["difference"] is None) == (other["difference"] is None)
        for key in ("mean", "low", "high", "p", "p_holm") if row["difference"] is not None else ():
            assert row["difference"][key] == pytest.approx(other["difference"][key], abs=2e-6)


def test_the_table_of_one_row_has_no_columns_of_comparisons() -> None:
    table = tabulate(load_study(ROOT / "studies" / "copa.toml"), ROOT / "results" / "kinds" / "copa")
    lines = to_markdown(table).splitlines()
    place = lines.index("## Results") + 2
    assert [cell.strip() for cell in lines[place].strip("|").split("|")] == ["row", "copa (accuracy)", "average"]
    assert not any("Differences are paired" in note or "among the best" in note for note in table.notes)
