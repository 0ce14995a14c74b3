"""Golden losses: 20 recorded steps of a tiny run without dropout, so that no change moves the numbers unseen.

Recorded with torch 2.13.0 on a CPU with one thread, 32-bit floats; `pytest tests/training/test_golden.py
--record-golden` writes them anew after a change that is meant to move them.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import manyheads
from manyheads.run.events import read_events

GOLDEN = Path(__file__).parent / "golden.json"

TOLERANCE = 2e-4
"""Relative: what other processors and thread counts make of 20 steps in 32-bit floats."""

CHANGES = ["model.dropout=0.0", "model.attention_dropout=0.0", "training.max_steps=20", "training.evaluate_every=20"]
HEADS = [f"tasks.{task}.head.dropout=0.0" for task in ("sentiment", "paraphrase", "similarity")]


def test_twenty_steps_lose_what_was_recorded(tiny_recipe: Path, tmp_path: Path, pytestconfig: pytest.Config) -> None:
    run = manyheads.train(tiny_recipe, tmp_path / "run", changes=[*CHANGES, *HEADS])
    steps = [event for event in read_events(run.folder.events) if event["event"] == "step"]
    found = [{"losses": step["losses"], "gradient_norm": step["gradient_norm"]} for step in steps]
    if pytestconfig.getoption("--record-golden"):
        GOLDEN.write_text(json.dumps(found, indent=1) + "\n")
    recorded = json.loads(GOLDEN.read_text())
    assert len(found) == len(recorded) == 20
    for step, (now, then) in enumerate(zip(found, recorded, strict=True)):
        assert now["losses"] == pytest.approx(then["losses"], rel=TOLERANCE), f"step {step + 1}"
        assert now["gradient_norm"] == pytest.approx(then["gradient_norm"], rel=10 * TOLERANCE), f"step {step + 1}"
