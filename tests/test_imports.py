"""The modules of the package import each other in one direction, so any of them can be imported first."""

from __future__ import annotations

import ast
from pathlib import Path

import manyheads

ROOT = Path(manyheads.__file__).parent


def _name(file: Path) -> str:
    parts = ("manyheads", *file.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imports(file: Path, modules: set[str]) -> set[str]:
    """Return the modules that a module imports when it is imported itself."""
    found: set[str] = set()
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Import):
            found |= {each.name for each in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module is not None:
            names = {f"{node.module}.{each.name}" for each in node.names}
            found |= {name if name in modules else node.module for name in names}
    return found & modules


def test_no_module_is_in_an_import_circle() -> None:
    files = {_name(file): file for file in ROOT.rglob("*.py")}
    left = {name: _imports(file, set(files)) - {name} for name, file in files.items()}
    while free := [name for name, imports in left.items() if not imports & left.keys()]:
        for name in free:
            del left[name]
    assert sorted(left) == []
