"""Every name on a menu can be used in a recipe. A strategy on a menu is tested automatically."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from manyheads.data.batching import BATCHING
from manyheads.model.heads import HEADS
from manyheads.model.losses import LOSSES
from manyheads.recipe.check_options import check_recipe
from manyheads.recipe.schema import Recipe
from manyheads.tasks.kinds import KINDS
from manyheads.training.optimizer import SHAPES
from manyheads.training.weighting import WEIGHTING

TEXTS: dict[str, dict[str, Any]] = {
    "single": {"text": "s"},
    "cross": {"text": ["s", "t"], "pair": "cross"},
    "bi": {"text": ["s", "t"], "pair": "bi"},
}
REQUIRED = {"choice": {"candidates": "c"}}
SPACES = {name: kind.sample().space() for name, kind in KINDS.items()}
OF_LOSSES: list[dict[str, Any]] = [
    *({"kind": name, "text": ["s", "t", "u"][: KINDS[name].texts[0]], **space} for name, space in SPACES.items()),
    {"kind": "embedding", "text": ["s", "t"], "label": None},
    {"kind": "embedding", "text": ["s", "t", "u"], "label": None},
]


def _faults(task: dict[str, Any], **tables: Any) -> list[str]:
    base = {"kind": "classification", "train": "a", "dev": 0.1, "text": "s", "label": "y"}
    recipe = Recipe.model_validate({"encoder": "x", "tasks": {"a": {**base, **task}}, **tables})
    return [fault.what for fault in check_recipe(recipe)]


def test_the_kinds_of_a_recipe_are_those_of_the_menu() -> None:
    tables = [
        {"kind": name, "text": ["s", "t"][: kind.texts[0]], **REQUIRED.get(name, {})} for name, kind in KINDS.items()
    ]
    assert not any(map(_faults, tables))
    with pytest.raises(ValidationError, match="'classification'"):
        _faults({"kind": "none"})


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("head", HEADS)
def test_every_head_fits_every_kind_with_texts_that_it_can_read(head: str, kind: str) -> None:
    for form, texts in TEXTS.items():
        reads = "tokens" if form == "single" and KINDS[kind].reads == "tokens" else form
        if form == "single" and KINDS[kind].reads == "candidates":
            reads = "bi" if HEADS[head].reads == "bi" else "cross"
        task = {"kind": kind, "head": head, **SPACES[kind], **texts}
        possible = form == "single" or KINDS[kind].reads != "tokens"
        fits = reads == HEADS[head].reads and HEADS[head].fits(KINDS[kind].sample())
        assert bool(_faults(task)) == (not (possible and fits)), form


@pytest.mark.parametrize("loss", LOSSES)
def test_every_loss_fits_some_kind(loss: str) -> None:
    assert any(not _faults({"loss": loss, **task}) for task in OF_LOSSES)


@pytest.mark.parametrize(
    ("table", "key", "name"),
    [
        *(("batching", "strategy", name) for name in BATCHING),
        *(("training", "schedule", name) for name in SHAPES),
        *(("training", "weighting", name) for name in WEIGHTING),
    ],
)
def test_every_strategy_can_be_used_in_a_recipe(table: str, key: str, name: str) -> None:
    assert _faults({}, **{table: {key: name}}) == []
