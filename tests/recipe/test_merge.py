from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.recipe.load import merge

KEYS = st.sampled_from(["a", "b", "c"])
TABLES = st.recursive(
    st.dictionaries(KEYS, st.integers(0, 3), max_size=3),
    lambda inner: st.dictionaries(KEYS, inner | st.integers(0, 3), max_size=3),
    max_leaves=8,
)
quick = settings(deadline=None, max_examples=60)


@quick
@given(TABLES)
def test_empty_and_equal_changes_do_not_change_a_table(table: dict[str, Any]) -> None:
    assert merge(table, {}) == table
    assert merge({}, table) == table
    assert merge(table, table) == table


@quick
@given(TABLES, TABLES)
def test_changes_win_and_merging_is_idempotent(base: dict[str, Any], changes: dict[str, Any]) -> None:
    once = merge(base, changes)
    assert merge(once, changes) == once
    assert set(once) == set(base) | set(changes)
    for key, value in changes.items():
        if not isinstance(value, dict):
            assert once[key] == value


def test_tables_merge_at_every_depth_and_the_arguments_are_not_modified() -> None:
    base = {"tasks": {"sst": {"kind": "classification", "loss_weight": 1.0}}, "seed": 1}
    changes = {"tasks": {"sst": {"loss_weight": 0.2}}}
    assert merge(base, changes) == {"tasks": {"sst": {"kind": "classification", "loss_weight": 0.2}}, "seed": 1}
    assert base["tasks"] == {"sst": {"kind": "classification", "loss_weight": 1.0}}
    assert changes == {"tasks": {"sst": {"loss_weight": 0.2}}}


def test_a_changed_kind_replaces_its_table() -> None:
    base = {"head": {"kind": "b2", "dropout": 0.3}, "pair": "bi"}
    assert merge(base, {"head": {"kind": "cross"}, "pair": "cross"}) == {"head": {"kind": "cross"}, "pair": "cross"}
    assert merge(base, {"head": {"kind": "b2"}})["head"] == {"kind": "b2", "dropout": 0.3}


def test_a_value_replaces_a_table_and_a_table_a_value() -> None:
    assert merge({"dev": {"x": 1}}, {"dev": 0.1}) == {"dev": 0.1}
    assert merge({"dev": 0.1}, {"dev": {"x": 1}}) == {"dev": {"x": 1}}


def test_the_files_of_columns_are_one_value() -> None:
    base = {"tasks": {"train": {"kind": "classification", "train": {"text": "a", "label": "b", "slots": "c"}}}}
    changes = {"tasks": {"train": {"train": {"text": "d", "label": "e"}}}}
    merged = merge(base, changes)["tasks"]["train"]
    assert merged == {"kind": "classification", "train": {"text": "d", "label": "e"}}
