"""A finished study has exactly the files and fields that the reference documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from tests.run.test_contents import GIVEN, check, keys

from manyheads.errors import RunError
from manyheads.studies.contents import STUDY_FILES, TABLE
from manyheads.studies.tabulate import write_table


def test_the_files_of_its_folder_are_those_documented(synthetic: Any) -> None:
    synthetic.run(skip={("even", 3)})
    synthetic.fail("even", 3, "out of memory")
    write_table(synthetic.plan(), synthetic.out)
    found = {path.relative_to(synthetic.out).as_posix() for path in synthetic.out.rglob("*") if path.is_file()}
    found = {f"{row}/{seed}/" if rest else name for name in found for row, seed, rest in [_parts(name)]}
    check(found, [facts.name for facts in STUDY_FILES], {".lock", "study.json", *GIVEN})


def _parts(name: str) -> tuple[str, str, str]:
    """The row, the seed and the file of a name within a run folder; no file for other names."""
    parts = name.split("/", 2)
    return (parts[0], parts[1], parts[2]) if len(parts) == 3 else (name, "", "")


@pytest.mark.usefixtures("without_figures")
def test_the_fields_of_its_table_are_those_documented(synthetic: Any) -> None:
    synthetic.run(skip={("even", 3)})
    synthetic.fail("even", 3, "out of memory")
    write_table(synthetic.plan(), synthetic.out)
    content = json.loads((synthetic.out / "table.json").read_text())
    course_score = {name for name in TABLE if name.endswith("course_score") or ".course_score." in name}
    looks = {name for name in TABLE if name.startswith("looks.")}
    margins = {name for name in TABLE if "margins" in name}
    check(keys(content), TABLE, {*course_score, *looks, *margins, "effects[].contains.INTERACTION"})


@pytest.mark.usefixtures("without_figures")
def test_the_fields_of_planned_looks_are_those_documented(synthetic: Any) -> None:
    synthetic.rewrite("[1, 2, 3]", "[1, 2, 3]\nlooks = [2, 3]")
    synthetic.run(skip={("even", 3)})
    write_table(synthetic.plan(), synthetic.out)
    looks = json.loads((synthetic.out / "table.json").read_text())["looks"]
    check(keys({"looks": looks}), [name for name in TABLE if name.startswith("looks")])
    kept = json.loads((synthetic.out / "looks.json").read_text())
    documented = next(facts.fields for facts in STUDY_FILES if facts.name == "looks.json")
    check(keys(kept), documented)


@pytest.mark.usefixtures("without_figures")
def test_the_interactions_that_main_effects_contain_are_documented(synthetic: Any) -> None:
    synthetic.run(skip={("even", seed) for seed in (1, 2, 3)})
    write_table(synthetic.plan(), synthetic.out)
    content = json.loads((synthetic.out / "table.json").read_text())
    assert any(name.startswith("effects[].contains.") for name in keys(content))
    check(keys({"effects": content["effects"]}), {name: TABLE[name] for name in TABLE if name.startswith("effects[]")})
    assert "The main effect of EB contains interactions" in (synthetic.out / "table.md").read_text()


def test_the_fields_of_an_error_are_those_documented(synthetic: Any) -> None:
    synthetic.run(skip={("even", 3)})
    synthetic.fail("even", 3, "out of memory")
    (facts,) = [each for each in STUDY_FILES if each.name.endswith("error.json")]
    (file,) = synthetic.out.rglob("*.error.json")
    check(json.loads(file.read_text()), facts.fields)


def test_a_damaged_error_is_named(synthetic: Any) -> None:
    synthetic.run(skip={("even", 3)})
    synthetic.fail("even", 3, "out of memory")
    (file,) = synthetic.out.rglob("*.error.json")
    for content in (b"", b"{}", b"[1]", b"\xff", b"[" * 10**5):
        file.write_bytes(content)
        with pytest.raises(RunError, match=r"the file with the error of a run is damaged(.|\n)*3\.error\.json"):
            write_table(synthetic.plan(), synthetic.out)
