"""A kind is one file: no other code names a kind, asks for its class, or asks whether it has labels."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import manyheads
from manyheads.tasks.kinds import KINDS

SOURCE = Path(manyheads.__file__).parent
OWN = SOURCE / "tasks" / "kinds"

ESTIMATORS = SOURCE / "sklearn.py"
"""A classifier and a regressor of scikit-learn each make tasks of one kind."""


def branches(tree: ast.AST, names: frozenset[str], classes: frozenset[str]) -> Iterator[int]:
    """Yield the lines of code that depends on one kind."""
    for node in ast.walk(tree):
        named = isinstance(node, ast.Constant) and node.value in names
        used = isinstance(node, ast.Name | ast.Attribute) and getattr(node, "id", getattr(node, "attr", "")) in classes
        if named or used or _asks_for_labels(node):
            yield getattr(node, "lineno", 0)


def _asks_for_labels(node: ast.AST) -> bool:
    if not isinstance(node, ast.Compare) or not isinstance(node.left, ast.Attribute):
        return False
    nothing = any(isinstance(each, ast.Constant) and each.value is None for each in node.comparators)
    return nothing and node.left.attr in ("labels", "range", "value_range")


def test_nothing_outside_the_kinds_depends_on_one_of_them() -> None:
    names, classes = frozenset(KINDS), frozenset(kind.__name__ for kind in KINDS.values())
    found = [
        f"{path.relative_to(SOURCE)}:{line}"
        for path in sorted(SOURCE.rglob("*.py"))
        if OWN not in path.parents and path != ESTIMATORS
        for line in branches(ast.parse(path.read_text(encoding="utf-8")), names, classes)
    ]
    assert found == []


def test_such_code_is_found() -> None:
    code = 'if kind.name == "regression": pass\nif task.kind.labels is None: pass\nisinstance(kind, kinds.Ordinal)\n'
    found = branches(ast.parse(code), frozenset({"regression"}), frozenset({"Ordinal"}))
    assert sorted(found) == [1, 2, 3]
