"""The figures of a study, one module per figure. Every figure also has a description in words."""

from __future__ import annotations

from manyheads.study.figures.curves import CURVES
from manyheads.study.figures.forest import FOREST
from manyheads.study.figures.pareto import PARETO
from manyheads.study.figures.profiles import PROFILES
from manyheads.study.figures.ranks import RANKS
from manyheads.study.figures.style import Drawing
from manyheads.study.figures.twins import TWINS

FIGURES: dict[str, Drawing] = {
    "differences": FOREST,
    "curves": CURVES,
    "twins": TWINS,
    "time": PARETO,
    "profiles": PROFILES,
    "ranks": RANKS,
}
"""Figures by file name."""
