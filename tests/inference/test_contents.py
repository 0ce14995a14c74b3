"""The bundle of a finished run has exactly the files and keys that the reference documents."""

from __future__ import annotations

import json

from tests.run.test_contents import check, keys

import manyheads
from manyheads.run.contents import BUNDLE_FILES


def test_its_files_are_those_documented(trained: manyheads.Run) -> None:
    folder = trained.folder.model
    found = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    check(found, [facts.name for facts in BUNDLE_FILES])


def test_the_keys_of_its_manifest_are_those_documented(trained: manyheads.Run) -> None:
    content = json.loads((trained.folder.model / "manyheads.json").read_text())
    content["files"] = {name.replace(".", "_"): value for name, value in content["files"].items()}
    tuned = {name for name in BUNDLE_FILES[0].fields if ".tuned." in name}
    check(
        keys(content),
        BUNDLE_FILES[0].fields,
        {"tasks[].group", "tasks[].metrics", "members.MENU.NAME", "plugins.PLUGIN", *tuned},
    )
