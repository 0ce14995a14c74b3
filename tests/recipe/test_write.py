from __future__ import annotations

import tempfile
import tomllib
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.recipe.load import load_recipe, recipe_to_toml
from manyheads.recipe.schema import Recipe

WORDS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs", "Cc"]), min_size=1, max_size=8).filter(str.strip)
LABELS = st.lists(WORDS | st.integers(-(2**40), 2**40), min_size=2, max_size=5, unique_by=str)


@st.composite
def _recipes(draw: st.DrawFn) -> dict[str, Any]:
    task: dict[str, Any] = {
        "train": draw(WORDS),
        "label": "the label",
        "text": draw(st.sampled_from(["s", ["s", "t"]])),
    }
    task["dev"] = draw(WORDS.filter(lambda word: word != task["train"]) | st.floats(0.01, 0.99))
    task["kind"] = draw(st.sampled_from(["classification", "regression"]))
    if task["kind"] == "regression":
        task["range"] = [draw(st.floats(-1e6, 0)), draw(st.floats(1, 1e6))]
    else:
        task["labels"] = draw(LABELS.filter(lambda labels: not any(str(label)[0].isdecimal() for label in labels)))
    training = {"learning_rate": draw(st.floats(1e-9, 1)), "epochs": draw(st.integers(1, 99))}
    return {"encoder": "google-bert/bert-base-uncased", "tasks": {"a": task}, "training": training}


@settings(deadline=None, max_examples=60)
@given(_recipes())
def test_a_written_recipe_is_read_back_unchanged(content: dict[str, Any]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        recipe = Recipe.model_validate({**content, "data_dir": folder})
        text = recipe_to_toml(recipe)
        file = Path(folder) / "recipe.toml"
        file.write_text(text, encoding="utf-8")
        assert load_recipe(file) == recipe
        assert recipe_to_toml(load_recipe(file)) == text


def test_defaults_are_written_and_keys_without_a_value_are_omitted() -> None:
    task = {"kind": "classification", "train": "a", "dev": 0.1, "text": "s", "label": "y"}
    written = tomllib.loads(recipe_to_toml(Recipe.model_validate({"encoder": "x", "tasks": {"a": task}})))
    assert written["training"]["epochs"] == 3
    assert written["batching"] == {"strategy": "even", "batch_size": 32, "streams": "joint"}
    assert written["tasks"]["a"]["head"] == {"dropout": 0.1}
    assert "threads" not in written
    assert "labels" not in written["tasks"]["a"]
