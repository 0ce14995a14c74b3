"""A study of two rows and two seeds on the tiny recipe, each run a few steps."""

from __future__ import annotations

from pathlib import Path

import pytest

STUDY = """
base = "{base}"
title = "Tiny"
seeds = [1, 2]
twins = []
[changes]
training.max_steps = 4
training.evaluate_every = 2
[rows.plain]
[rows.rescaled]
tasks.paraphrase.loss_weight = 0.2
"""


@pytest.fixture
def tiny_study(tiny_recipe: Path, tmp_path: Path) -> Path:
    file = tmp_path / "tiny.toml"
    file.write_text(STUDY.format(base=tiny_recipe))
    return file
