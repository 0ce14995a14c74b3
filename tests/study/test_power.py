"""The power of a study: from assumptions and real dev files, from a pilot, and in the table."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import DataError, RunError
from manyheads.studies.power import pilot_plan, study_power
from manyheads.studies.tabulate import tabulate, write_table

pytestmark = pytest.mark.usefixtures("without_figures")


def test_the_power_before_a_study_is_from_its_dev_files(tiny_study: Path) -> None:
    found = manyheads.power(tiny_study, difference=0.05)
    assert [entry.seeds for entry in found.by_seeds] == [2, 3, 5, 10, 20]
    assert found.comparisons == 1
    assert found.df is None
    assert found.differences == (0.05,)
    smallest = [entry.smallest for entry in found.by_seeds]
    assert smallest == sorted(smallest, reverse=True)
    assert all(entry.low == entry.high == entry.smallest for entry in found.by_seeds)
    assert any("assumed" in each for each in found.assumptions)


def test_less_noise_and_shared_seed_effects_give_more_power(tiny_study: Path) -> None:
    noisy, calm, shared = (
        manyheads.power(tiny_study, seed_sd=sd, correlation=correlation).by_seeds[1].smallest
        for sd, correlation in ((0.05, 0.0), (0.01, 0.0), (0.05, 0.9))
    )
    assert calm < noisy
    assert shared < noisy


def test_the_command_shows_the_power_and_every_assumption(tiny_study: Path) -> None:
    done = CliRunner().invoke(app, ["power", str(tiny_study), "--seed-sd", "0.02", "--correlation", "0.5"])
    shown = " ".join(done.output.split())
    assert "Standard deviation between seeds of one row: 0.0200 (given)" in shown
    assert "Correlation of two rows with the same seed: 0.5 (given)" in shown
    assert "Power by number of seeds" in shown
    done = CliRunner().invoke(app, ["power", str(tiny_study), "--difference", "0.1", "--json"])
    content = json.loads(done.stdout)
    assert content["differences"] == [0.1]
    assert len(content["by_seeds"]) == 5


@pytest.fixture
def one_row(tiny_study: Path) -> Path:
    tiny_study.write_text(tiny_study.read_text().partition("[rows.rescaled]")[0])
    return tiny_study


def test_a_study_of_one_row_has_a_precision_and_no_power(one_row: Path) -> None:
    found = manyheads.power(one_row, seed_sd=0.02)
    assert (found.comparisons, found.by_seeds, found.differences) == (0, (), ())
    assert [each.seeds for each in found.precision] == [2, 3, 5, 10, 20]
    errors = [each.standard_error for each in found.precision]
    assert errors == sorted(errors, reverse=True)
    examples = errors[-1] ** 2 - 0.02**2 / 20
    assert examples > 0
    assert [error**2 for error in errors] == pytest.approx(
        [0.02**2 / n + examples for n in (2, 3, 5, 10, 20)], rel=1e-3
    )
    ratios = [each.half_width / each.standard_error for each in found.precision]
    assert ratios == sorted(ratios, reverse=True)
    assert ratios[-1] < 2.2
    assert ratios[0] > 4
    assert list(found.frame.columns) == ["seeds", "standard_error", "half_width"]


def test_the_command_says_that_a_study_of_one_row_compares_nothing(one_row: Path) -> None:
    shown = " ".join(CliRunner().invoke(app, ["power", str(one_row)]).output.split())
    assert "Precision by number of seeds" in shown
    assert "one row and no twins, so it compares nothing" in shown
    assert "Holm" not in shown
    assert "two rows" not in shown


def test_a_pilot_of_one_row_gives_its_precision(synthetic: Any) -> None:
    plan = synthetic.run()
    alone = replace(plan, rows=tuple(row for row in plan.rows if row.name == plan.baseline))
    with pytest.raises(DataError, match=r"sst-train\.csv"):
        study_power(alone, pilot=synthetic.out)
    for name, header, labels in (
        ("sst", "sentence,sentiment", ("bad", "fair", "good")),
        ("para", "a,b,same", (0, 1)),
        ("sts", "a,b,similarity", (0, 3.5, 5)),
    ):
        rows = [",".join([f"text {n}"] * header.count(",") + [str(labels[n % len(labels)])]) for n in range(60)]
        for split, part in (("train", rows[:20]), ("dev", rows[20:])):
            (synthetic.file.parent / f"{name}-{split}.csv").write_text("\n".join([header, *part]) + "\n")
    found = study_power(alone, pilot=synthetic.out)
    assert (found.comparisons, found.by_seeds) == (0, ())
    assert found.df is not None
    assert found.precision[0].half_width > found.precision[-1].half_width > found.precision[-1].standard_error > 0
    assert not any("same seed" in each for each in found.assumptions)


def test_the_table_says_what_it_could_have_found(synthetic: Any) -> None:
    table = write_table(synthetic.run({"even": 0.1}), synthetic.out)
    assert table.power is not None
    entry = table.power.at(3)
    assert entry is not None
    assert table.smallest_difference == entry.smallest
    assert entry.low < entry.smallest < entry.high
    assert entry.power[0][0] == pytest.approx(0.8, abs=0.01)
    assert any("Minimum detectable difference" in note for note in table.notes)
    for name in ("table.md", "table.html", "table.tex"):
        assert "Power by number of seeds" in (synthetic.out / name).read_text().replace("power by", "Power by")
    again = tabulate(synthetic.plan(), synthetic.out)
    assert again.power == table.power


def test_a_pilot_is_any_folder_with_runs_in_rows_and_seeds(synthetic: Any) -> None:
    plan = synthetic.run(skip={("even", 3)})
    found = pilot_plan(plan, synthetic.out)
    assert found.baseline == "plain"
    assert found.seeds == (1, 2, 3)
    assert not any("@" in row.name for row in found.rows)
    with pytest.raises(RunError, match="no finished run of a study"):
        pilot_plan(plan, synthetic.out / "nowhere")
