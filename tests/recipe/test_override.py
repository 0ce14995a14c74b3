from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import RecipeError
from manyheads.recipe.load import apply_override, from_here, parse_override


@pytest.mark.parametrize(
    ("text", "parts", "value"),
    [
        ("training.epochs=3", ["training", "epochs"], 3),
        ("training.learning_rate = 1e-5", ["training", "learning_rate"], 1e-5),
        ("model.freeze_encoder=true", ["model", "freeze_encoder"], True),
        ("batching.strategy=sequential", ["batching", "strategy"], "sequential"),
        ('tasks.sst.train="a b.csv"', ["tasks", "sst", "train"], "a b.csv"),
        ("tasks.sst.train=a=b.csv", ["tasks", "sst", "train"], "a=b.csv"),
        ("tasks.sst.labels=[0, 1]", ["tasks", "sst", "labels"], [0, 1]),
        ("tasks.'my task'.dev=0.1", ["tasks", "my task", "dev"], 0.1),
        ('tasks.sst.head={ kind = "b1" }', ["tasks", "sst", "head"], {"kind": "b1"}),
        ("data_dir=../shared/data", ["data_dir"], "../shared/data"),
        ("data_dir=", ["data_dir"], ""),
    ],
)
def test_a_value_that_is_not_toml_is_a_string(text: str, parts: list[str], value: object) -> None:
    parsed_parts, parsed = parse_override(text)
    assert (parsed_parts, parsed, type(parsed)) == (parts, value, type(value))


@pytest.mark.parametrize("text", ["training.epochs", "=3", "", "a b=3", "training..epochs=3"])
def test_text_of_another_form_is_an_error_that_shows_the_form(text: str) -> None:
    with pytest.raises(RecipeError) as error:
        parse_override(text)
    assert error.value.where == f"--set {text}"
    assert "KEY=VALUE" in str(error.value.allowed)


def test_one_value_is_set_and_missing_tables_are_created() -> None:
    recipe = {"seed": 1, "tasks": {"sst": {"kind": "classification", "head": "b1"}}}
    assert apply_override(recipe, ["model", "dropout"], 0.2) == {**recipe, "model": {"dropout": 0.2}}
    changed = apply_override(recipe, ["tasks", "sst", "kind"], "regression")
    assert changed["tasks"]["sst"] == {"kind": "regression", "head": "b1"}
    assert recipe["tasks"] == {"sst": {"kind": "classification", "head": "b1"}}


def test_a_head_in_its_short_form_keeps_its_kind() -> None:
    changed = apply_override({"head": "b1"}, ["head", "dropout"], 0.3)
    assert changed == {"head": {"kind": "b1", "dropout": 0.3}}


def test_paths_on_the_command_line_are_relative_to_the_current_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    assert from_here(["data_dir"], "mine") == str(tmp_path / "mine")
    assert from_here(["encoder"], "mine") == "mine"
    (tmp_path / "mine" / "config.json").touch()
    assert from_here(["encoder"], "mine") == str(tmp_path / "mine")
    assert from_here(["tasks", "a", "train"], "mine") == "mine"
    assert from_here(["data_dir"], 3) == 3
