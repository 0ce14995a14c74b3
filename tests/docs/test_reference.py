"""The reference names everything that the code has: commands, exit statuses, environment variables, keys, folders."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.docs.runner import extension

import manyheads
from manyheads.cli.facts import COMMANDS, COMMON
from manyheads.cli.main import app
from manyheads.recipe.json_schema import keys_within, recipe_schema
from manyheads.studies.schema import StudyOptions
from manyheads.training.stop import STOPS

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
SOURCE = ROOT / "src" / "manyheads"


generated, outside = extension("generated"), extension("outside")


def sources() -> Iterator[tuple[Path, str]]:
    for path in sorted(SOURCE.rglob("*.py")):
        yield path, path.read_text(encoding="utf-8")


@pytest.mark.parametrize("name", sorted(generated.GENERATORS))
def test_every_generated_part_is_on_one_page(name: str) -> None:
    pages = [path for path in DOCS.rglob("*.md") if f"<!-- generated: {name} -->" in path.read_text()]
    assert len(pages) == 1
    assert "<!-- generated" not in generated.fill(pages[0].read_text())


def test_every_key_of_a_recipe_has_an_entry_with_a_description() -> None:
    schema = recipe_schema()
    (task,) = schema["properties"].pop("tasks")["patternProperties"].values()
    keys = {key for key, each in keys_within(schema) if each.get("type") != "object"}
    keys |= {f"tasks.NAME.{key}" for key, each in keys_within(task) if each.get("type") != "object"}
    entries = dict(re.findall(r"^```\{confval\} (\S+)\n(.*?)^```$", generated.recipe_keys(), re.MULTILINE | re.DOTALL))
    assert keys <= set(entries)
    for entry in entries.values():
        _, _, description = entry.partition("\n\n")
        assert description.strip()


def test_every_key_of_a_study_has_an_entry_with_a_description() -> None:
    text = generated.study_keys()
    entries = dict(re.findall(r"^```\{confval\} study: (\S+)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL))
    assert set(StudyOptions.model_fields) - {"factors"} <= set(entries)
    assert all(entry.partition("\n\n")[2].strip() for entry in entries.values())


def test_every_command_has_its_statuses_and_files() -> None:
    names = {command.callback.__name__ for command in app.registered_commands if command.callback}
    assert set(COMMANDS) == names
    text = generated.commands()
    assert all(f"\n## manyheads {name}\n" in text for name in names)


def test_every_exit_status_of_the_code_is_documented() -> None:
    documented = {status for facts in COMMANDS.values() for each in facts.statuses for status in each.split(", ")}
    documented |= set(COMMON)
    found = set()
    for path, text in sources():
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.Call) and getattr(node.func, "id", getattr(node.func, "attr", "")) in (
                "Exit",
                "SystemExit",
            ):
                found |= {_status(argument, path) for argument in node.args}
    signals = {str(128 + number) for number in STOPS}
    assert signals <= documented
    # 2 is typer's own. 130 stands for every 128 + n.
    assert found == documented - {"2"} - signals | {"130"}


def _status(node: ast.expr, path: Path) -> str:
    """The value of an exit status: a number, a constant of the same module, or 128 + a signal."""
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.BinOp):
        return "130"
    assert isinstance(node, ast.Name)
    (value,) = re.findall(rf"^{node.id} = (\d+)$", path.read_text(), re.MULTILINE)
    return str(value)


def test_every_environment_variable_that_the_code_reads_or_sets_is_documented() -> None:
    reads = re.compile(r"""(?:environ(?:\.get\(|\[)|getenv\(|"?environment\[)\s*["'](\w+)["']""")
    found = {name for _, text in sources() for name in reads.findall(text)}
    found |= {name for _, text in sources() for name in re.findall(r"\b(MANYHEADS_[A-Z]+)\b", text)}
    found |= {name for _, text in sources() for name in re.findall(r'"([A-Z_]+)" (?:not )?in os\.environ', text)}
    assert found
    page = (DOCS / "reference" / "environment.md").read_text()
    assert {name for name in found if f"`{name}`" not in page} == set()


def test_every_public_name_is_on_the_page_of_the_python_interface() -> None:
    page = (DOCS / "reference" / "python.md").read_text()
    documented = set(re.findall(r"auto\w+:: [\w.]+\.(\w+)$", page, re.MULTILINE))
    assert set(manyheads.__all__) - {"__version__", "ManyheadsError", "ManyheadsWarning"} <= documented
    assert "manyheads.errors\n" in page


def test_the_map_names_every_folder_of_the_source() -> None:
    page = (DOCS / "explanation" / "design.md").read_text()
    folders = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert {name for name in folders if f"`{name}/`" not in page} == set()


def test_included_files_have_their_links_rewritten() -> None:
    pages = outside.included(DOCS)
    assert pages["benchmarks/RESULTS.md"] == "docs/results/benchmarks.md"
    for file, page in pages.items():
        text = outside.fill(f"<!-- include: {file} -->", page, pages)
        for link in re.findall(r"!?\[[^\]]*\]\(([^)#\s]+)", text):
            assert re.match(r"https?:", link) or (ROOT / page).parent.joinpath(link).exists()
