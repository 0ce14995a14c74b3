"""Heads, batching strategies and weightings are named, or are tables with options of their own."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch

import manyheads
from manyheads.errors import RecipeError
from manyheads.inference.bundle import load_bundle
from manyheads.inference.manifest import CHECKSUM, MANIFEST, checksum
from manyheads.recipe.load import load_recipe

CHANGES = ["training.max_steps=1", "training.evaluate_every=1"]


def test_a_name_and_a_table_without_options_are_equal(tiny_recipe: Path) -> None:
    short = ["batching.strategy=even", "training.weighting=fixed", "tasks.similarity.head=b2"]
    long = ["batching.strategy={kind='even'}", "training.weighting.kind=fixed", "tasks.similarity.head={kind='b2'}"]
    assert load_recipe(tiny_recipe, short) == load_recipe(tiny_recipe, long)
    written = load_recipe(tiny_recipe, long).model_dump()
    assert written["batching"]["strategy"] == "even"
    assert written["training"]["weighting"] == "fixed"
    assert written["tasks"]["similarity"]["head"] == {"kind": "b2", "dropout": 0.1, "width": 128}


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ("tasks.similarity.head={kind='b2', widht=3}", "did you mean 'width'?"),
        ("tasks.similarity.head={kind='b2', width=0}", "greater than or equal to 1"),
        ("tasks.similarity.head={kind='b1', width=3}", "unknown key 'width'"),
        ("tasks.similarity.head={width=3}", "unknown key 'width'"),
        ("batching.strategy={kind='even', size=3}", "unknown key 'size'"),
        ("batching.strategy=3", "a name or a table"),
        ("training.weighting={kind='fixd'}", "did you mean 'fixed'?"),
        ("training.weighting={}", "the key 'kind' is missing"),
    ],
)
def test_an_invalid_option_is_an_error_with_its_key(tiny_recipe: Path, change: str, found: str) -> None:
    with pytest.raises(RecipeError) as caught:
        load_recipe(tiny_recipe, [change])
    assert found in str(caught.value)
    assert change.partition("=")[0] in str(caught.value)


@pytest.fixture(scope="module")
def narrow(tiny_recipe: Path, tmp_path_factory: pytest.TempPathFactory) -> manyheads.Run:
    changes = [*CHANGES, "tasks.similarity.head={kind='b2', width=7}"]
    return manyheads.train(tiny_recipe, tmp_path_factory.mktemp("narrow") / "run", changes=changes)


def test_the_bundle_has_the_options_of_a_head(narrow: manyheads.Run) -> None:
    tasks = {task["name"]: task for task in json.loads((narrow.folder.model / MANIFEST).read_text())["tasks"]}
    assert tasks["similarity"]["head_options"] == {"width": 7}
    assert "head_options" not in tasks["sentiment"]
    head = load_bundle(narrow.folder.model).model.head("similarity")
    assert dict(head.named_parameters())["shared.weight"].shape == (7, 32)


def test_a_bundle_of_0_4_0_has_the_defaults(trained: manyheads.Run, tmp_path: Path) -> None:
    changed = tmp_path / "old"
    changed.mkdir()
    for file in trained.folder.model.rglob("*"):
        if file.is_file():
            (changed / file.relative_to(trained.folder.model)).parent.mkdir(exist_ok=True)
            (changed / file.relative_to(trained.folder.model)).write_bytes(file.read_bytes())
    manifest = json.loads((changed / MANIFEST).read_text())
    for task in manifest["tasks"]:
        task.pop("head_options", None)
    (changed / MANIFEST).write_text(json.dumps({**manifest, CHECKSUM: checksum(manifest)}))
    old, new = load_bundle(changed).model, load_bundle(trained.folder.model).model
    for name, weights in new.heads.state_dict().items():
        assert torch.equal(weights, old.heads.state_dict()[name])


def test_a_finished_run_is_the_run_of_the_recipe_that_sets_no_head(trained: manyheads.Run, tiny_recipe: Path) -> None:
    found = manyheads.train(tiny_recipe, trained.folder.path, resume=True)
    assert found.results == trained.results
