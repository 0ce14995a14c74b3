"""Published speeds are the measured ones."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

from benchmarks.page import FOLDER, PAGE, SECTIONS, page

ROOT = Path(__file__).parents[2]
PROGRAMS = (
    "plain padded loop, same batches",
    "transformers Trainer, random batches",
    "transformers Trainer, length-grouped batches",
)


def measured(name: str) -> dict[str, Any]:
    content: dict[str, Any] = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    return content


def test_the_page_shows_the_measurements() -> None:
    contents = {path.stem: measured(path.stem) for path in FOLDER.glob("*.json") if path.stem in SECTIONS}
    assert PAGE.read_text(encoding="utf-8") == page(contents)
    assert (FOLDER / "training.svg").is_file()


def test_the_readme_s_speeds_were_measured() -> None:
    content = measured("training")
    rows = {
        (row["batch"], row["program"]): row
        for row in content["rows"]
        if (row["form"], row["work"]) == ("cross", "training")
    }
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    table = re.findall(r"^\| (8|16|32|64) \| (.+) \|$", readme, flags=re.MULTILINE)
    assert [int(batch) for batch, _ in table] == [8, 16, 32, 64]
    for batch, cells in table:
        ours = rows[int(batch), "manyheads"]
        others = [rows[int(batch), name]["manyheads is"].replace("x", "") for name in PROGRAMS]
        expected = [f"{ours['examples/s']} examples/s", f"{100 * ours['share']:.0f}%", *others]
        assert cells.split(" | ")[: len(expected)] == expected
    assert content["command"].split(" --")[0] in readme


def test_the_site_s_runtimes_and_loads_were_measured() -> None:
    site = (ROOT / "docs" / "results" / "benchmarks.md").read_text(encoding="utf-8")
    assert "<!-- include: benchmarks/RESULTS.md -->" in site
    results = PAGE.read_text(encoding="utf-8")
    for row in measured("runtimes")["rows"]:
        cells = [row[name] for name in ("task", "runtime", "texts/s", "time, of torch's", "largest difference")]
        assert f"| {' | '.join(map(str, cells))} |" in results
    for row in measured("serving")["rows"]:
        assert row["failed"] == row["lost"] == 0
        assert f"| {row['texts/s']} | {row['p50 ms']} | {row['p99 ms']} | 0 | 0 |" in results
