"""The figures of a study, one module per figure. Every figure also has a description in words."""

from __future__ import annotations

from manyheads.studies.figures.across import PROFILES, RANKS
from manyheads.studies.figures.curves import CURVES
from manyheads.studies.figures.drawing import Drawing
from manyheads.studies.figures.forest import FOREST, TWINS
from manyheads.studies.figures.pareto import PARETO

FIGURES: dict[str, Drawing] = {
    "differences": FOREST,
    "curves": CURVES,
    "twins": TWINS,
    "time": PARETO,
    "profiles": PROFILES,
    "ranks": RANKS,
}
"""Figures by file name."""
