"""`train` with a `[pretraining]` table: pretraining runs first, once for all runs that share it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

import manyheads
from manyheads.recipe.load import load_recipe

CHANGES = ["pretraining.epochs=2", "training.max_steps=2", "pretraining.learning_rate=1e-3"]


def test_a_run_starts_from_the_pretrained_encoder(
    tiny_recipe: Path, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path / "cache"))
    events: list[tuple[str, dict[str, object]]] = []
    changes = [*CHANGES, "model.freeze_encoder=true"]
    run = manyheads.train(
        tiny_recipe,
        tmp_path / "run",
        changes=changes,
        listeners=[lambda event, **fields: events.append((event, fields))],
    )
    summary = json.loads(run.folder.provenance.read_text())["pretraining"]
    assert summary["after"]["perplexity"] < summary["before"]["perplexity"]
    assert summary["head"] == "new"
    assert [entry["epoch"] for entry in summary["evaluations"]] == [0, 1, 2]
    (folder,) = (tmp_path / "cache" / "pretrained").glob("*/")
    assert folder.name == summary["key"]
    pretrained, shipped = load_file(folder / "model.safetensors"), load_file(run.folder.model / "model.safetensors")
    assert all(torch.equal(pretrained[name], shipped[name]) for name in pretrained)
    start = load_file(tiny_encoder / "model.safetensors")
    changed = {name for name in start if not torch.equal(start[name], pretrained[name])}
    assert {name for name in start if name not in changed and name.startswith("pooler.")}
    assert "embeddings.word_embeddings.weight" in changed
    assert not any(name.startswith("pooler.") for name in changed)
    names = [event for event, _ in events]
    assert names.index("pretraining_start") < names.index("pretraining_evaluation") < names.index("start")

    events.clear()
    manyheads.train(
        tiny_recipe,
        tmp_path / "again",
        changes=[*changes, "seed=2"],
        listeners=[lambda event, **fields: events.append((event, fields))],
    )
    assert not any(event.startswith("pretraining_") for event, _ in events)
    assert any("using the pretrained encoder in" in str(fields.get("text")) for _, fields in events)


def test_zero_epochs_mean_no_pretraining(tiny_recipe: Path) -> None:
    assert load_recipe(tiny_recipe, ["pretraining.epochs=0"]) == load_recipe(tiny_recipe)
    assert load_recipe(tiny_recipe, ["pretraining.masking=subword"]).pretraining is not None
