"""The figures of a study, one module per figure. Every figure also has a description in words."""

from __future__ import annotations

from manyheads.studies.figures.curves import CURVES
from manyheads.studies.figures.forest import FOREST
from manyheads.studies.figures.pareto import PARETO
from manyheads.studies.figures.profiles import PROFILES
from manyheads.studies.figures.ranks import RANKS
from manyheads.studies.figures.style import Drawing
from manyheads.studies.figures.twins import TWINS

FIGURES: dict[str, Drawing] = {
    "differences": FOREST,
    "curves": CURVES,
    "twins": TWINS,
    "time": PARETO,
    "profiles": PROFILES,
    "ranks": RANKS,
}
"""Figures by file name."""
