"""One update: its results, its errors, and what it does not change."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import manyheads
from manyheads.errors import TrainingError
from manyheads.run.events import read_events
from manyheads.training.step import dropout_seed


def test_a_loss_that_is_not_finite_stops_with_its_task_and_step(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["training.learning_rate=1e30", "training.clip_norm=0", "training.warmup=0", "training.schedule=constant"]
    with pytest.raises(TrainingError, match="not finite") as caught:
        manyheads.train(tiny_recipe, tmp_path / "run", changes=changes)
    assert "step" in str(caught.value)
    assert any(task in str(caught.value) for task in ("sentiment", "paraphrase", "similarity"))
    assert "learning_rate" in str(caught.value)


def test_a_frozen_encoder_keeps_its_weights(tiny_recipe: Path, tiny_encoder: Path, tmp_path: Path) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=["model.freeze_encoder=true", "training.max_steps=3"])
    before, after = load_file(tiny_encoder / "model.safetensors"), load_file(run.folder.model / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)


def test_a_task_with_weight_zero_does_not_move_its_head(tiny_recipe: Path, tmp_path: Path) -> None:
    """Without weight decay, as here, a head with weight 0 is not trained."""
    changes = ["tasks.paraphrase.loss_weight=0.0", "training.weight_decay=0.0"]
    few = manyheads.train(tiny_recipe, tmp_path / "few", changes=[*changes, "training.max_steps=1"])
    many = manyheads.train(tiny_recipe, tmp_path / "many", changes=[*changes, "training.max_steps=9"])
    one, nine = (load_file(run.folder.model / "heads.safetensors") for run in (few, many))
    still = [name for name in one if torch.equal(one[name], nine[name])]
    assert {name for name in one if name.startswith("task_paraphrase.")} <= set(still)
    assert any(name.startswith("task_sentiment.") and name not in still for name in one)


def test_accumulated_batches_count_as_one_step(tiny_recipe: Path, tmp_path: Path) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=["training.accumulation=4", "training.max_steps=3"])
    last = [event for event in read_events(run.folder.events) if event["event"] == "step"][-1]
    assert last["step"] == 3
    assert last["examples"] == 3 * 4 * 16


def test_early_stopping_ends_the_run_and_is_recorded(tiny_recipe: Path, tmp_path: Path) -> None:
    changes = ["training.early_stopping=1", "training.evaluate_every=1", "training.learning_rate=1e-12"]
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=changes)
    assert run.results["stopped_early"]
    assert run.results["steps"] < 24
    assert json.loads((run.folder.path / "results.json").read_text()) == run.results


def test_dropout_seeds_differ_by_step_rank_and_seed() -> None:
    seeds = {dropout_seed(seed, step, rank) for seed in range(5) for step in range(50) for rank in range(3)}
    assert len(seeds) == 5 * 50 * 3
    assert all(0 <= seed < 2**63 for seed in seeds)


@pytest.mark.parametrize("which", ["dropout", "attention_dropout"])
def test_the_encoder_has_dropout_from_the_first_step(which: str, tiny_recipe: Path, tmp_path: Path) -> None:
    """A loaded encoder is in eval mode, but the first loss is already computed with dropout."""
    first = []
    for share in (0.0, 0.5):
        still = [f"tasks.{task}.head.dropout=0.0" for task in ("sentiment", "paraphrase", "similarity")]
        changes = [*still, "model.dropout=0.0", "model.attention_dropout=0.0", f"model.{which}={share}"]
        run = manyheads.train(tiny_recipe, tmp_path / str(share), changes=[*changes, "training.max_steps=1"])
        (step,) = (event for event in read_events(run.folder.events) if event["event"] == "step")
        first.append(step["losses"])
    assert first[0] != first[1]
