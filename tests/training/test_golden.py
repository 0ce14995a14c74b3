"""Golden losses: 20 recorded steps of a tiny run without dropout, so that no change of the numbers is overlooked.

They were recorded with torch 2.13.0 on a CPU with one thread in 32-bit floats. After an intended change, record them
again with `pytest tests/training/test_golden.py --record-golden`.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import manyheads
from manyheads.run.events import read_events

GOLDEN = Path(__file__).parent / "golden.json"

TOLERANCE = 2e-4
"""Relative tolerance for other processors and thread counts after 20 steps in 32-bit floats."""

CHANGES = ["model.dropout=0.0", "model.attention_dropout=0.0", "training.max_steps=20", "training.evaluate_every=20"]
HEADS = [f"tasks.{task}.head.dropout=0.0" for task in ("sentiment", "paraphrase", "similarity")]


def test_the_losses_of_twenty_steps_are_the_recorded_ones(
    tiny_recipe: Path, tmp_path: Path, pytestconfig: pytest.Config
) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=[*CHANGES, *HEADS])
    steps = [event for event in read_events(run.folder.events) if event["event"] == "step"]
    actual = [{"losses": step["losses"], "gradient_norm": step["gradient_norm"]} for step in steps]
    if pytestconfig.getoption("--record-golden"):
        GOLDEN.write_text(json.dumps(actual, indent=1) + "\n")
    recorded = json.loads(GOLDEN.read_text())
    assert len(actual) == len(recorded) == 20
    for step, (now, then) in enumerate(zip(actual, recorded, strict=True)):
        assert now["losses"] == pytest.approx(then["losses"], rel=TOLERANCE), f"step {step + 1}"
        assert now["gradient_norm"] == pytest.approx(then["gradient_norm"], rel=10 * TOLERANCE), f"step {step + 1}"
