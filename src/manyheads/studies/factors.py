"""Factors, in whose levels the rows of a study differ, and what the rows cannot separate: aliased terms."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.studies.schema import FactorOptions

ABSENT = ""
"""The level of a row whose recipe lacks the key. For example, a single-task twin has no loss weights of other tasks."""


def levels_of(recipe: Mapping[str, Any], factors: Mapping[str, FactorOptions]) -> dict[str, str]:
    """Return the level of each factor in a recipe, which is given as plain values."""
    return {name: _level(recipe, factor) for name, factor in factors.items()}


def differing(recipes: Sequence[Mapping[str, Any]]) -> dict[str, FactorOptions]:
    """Return the default factors of a study: the keys in which recipes differ. Keys that vary together form one."""
    flat = [dict(_flat(recipe)) for recipe in recipes]
    keys = [key for key in dict.fromkeys(key for each in flat for key in each) if len(_values(flat, key)) > 1]
    groups: dict[tuple[int, ...], list[str]] = {}
    for key in keys:
        seen: list[Any] = _values(flat, key)
        pattern = tuple(seen.index(each.get(key)) for each in flat)
        groups.setdefault(pattern, []).append(key)
    return {group[0]: FactorOptions(key=[group[0]]) for group in groups.values()}


def keys_of(recipe: Mapping[str, Any]) -> set[str]:
    """Return the dotted keys of a recipe, which is given as plain values."""
    return {key for key, _ in _flat(recipe)}


def _values(flat: Sequence[Mapping[str, Any]], key: str) -> list[Any]:
    values: list[Any] = []
    for each in flat:
        if each.get(key) not in values:
            values.append(each.get(key))
    return values


def _level(recipe: Mapping[str, Any], factor: FactorOptions) -> str:
    values = [_at(recipe, key) for key in factor.key]
    if any(value is _Missing for value in values):
        return ABSENT
    for name, value in factor.levels.items():
        if values == (value if len(values) > 1 else [value]) or _shown(values) == value:
            return name
    return _shown(values)


def _shown(values: Sequence[Any]) -> str:
    return ", ".join(dict.fromkeys(show_value(value) for value in values))


class _Missing:
    """The value of a key whose table is absent."""


def _at(recipe: Any, dotted: str) -> Any:
    *path, last = dotted.split(".")
    for part in path:
        if not isinstance(recipe, Mapping) or part not in recipe:
            return _Missing
        recipe = recipe[part]
        if recipe is None:
            return None
    return recipe.get(last) if isinstance(recipe, Mapping) else _Missing


def _flat(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        else:
            yield prefix + key, value


def show_value(value: Any) -> str:
    """Return a value as a table shows it."""
    if value is None:
        return "none"
    if isinstance(value, bool):
        return "yes" if value else "no"
    return f"{value:g}" if isinstance(value, float) else str(value)


Floats = NDArray[np.float64]

TOLERANCE = 1e-8


def aliases(design: Floats, names: Sequence[str]) -> Iterator[str]:
    """Yield one sentence per group of terms that vary together, and one per term that is a sum of others.

    `design`: float64[rows, 1 + terms], the constant and the terms. `names`: the terms. The dependencies are read from
    the reduced row echelon form of the design (Strang 2016, section 3.2): a column without a pivot is the stated
    combination of the columns with one.
    """
    reduced, pivots = row_echelon(design)
    together: dict[int, list[int]] = {}
    sums = []
    for place in range(1, design.shape[1]):
        if place in pivots:
            continue
        parts = [(pivots[row], value) for row, value in enumerate(reduced[:, place]) if abs(value) > TOLERANCE]
        if len(parts) == 1 and abs(parts[0][1] - 1) < TOLERANCE and parts[0][0] > 0:
            together.setdefault(parts[0][0], []).append(place)
        else:
            sums.append(f"{names[place - 1]} is aliased with {_sum(parts, names)}")
    for first, others in together.items():
        yield " is aliased with ".join(names[place - 1] for place in (first, *others))
    yield from sums


def row_echelon(matrix: Floats) -> tuple[Floats, list[int]]:
    """Return the reduced row echelon form, without its rows of zeros, and the column of the pivot of each row."""
    reduced = np.array(matrix, dtype=np.float64)
    pivots: list[int] = []
    for column in range(reduced.shape[1]):
        row = len(pivots)
        if row == len(reduced):
            break
        largest = row + int(np.abs(reduced[row:, column]).argmax())
        if abs(reduced[largest, column]) < TOLERANCE:
            continue
        reduced[[row, largest]] = reduced[[largest, row]]
        reduced[row] /= reduced[row, column]
        others = np.arange(len(reduced)) != row
        reduced[others] -= np.outer(reduced[others, column], reduced[row])
        pivots.append(column)
    return reduced[: len(pivots)], pivots


def interaction_biases(
    solution: Floats, design: Floats, terms: Sequence[tuple[str, str]]
) -> dict[int, dict[tuple[int, int], float]]:
    """Return what each main effect contains of the interactions of two terms, if it is not zero.

    The expected main effects are the true ones plus this matrix times the interactions: the alias matrix (Box and
    Wilson 1951, section 3.2). An interaction is the difference of differences. Main effects are averages over the
    levels of the other factors, so a complete factorial has no bias. Only interactions of which a row has both levels
    are considered.

    `solution`: float64[1 + terms, rows], the weights of the rows in each effect. `design`: float64[rows, 1 + terms].

    Returns:
        For the place of a term in `terms`: the coefficients, by the places of the two terms of the interaction.
    """
    levels: Mapping[str, int] = {factor: 1 + sum(name == factor for name, _ in terms) for factor, _ in terms}
    centred = design[:, 1:] - np.array([1 / levels[factor] for factor, _ in terms])
    found: dict[int, dict[tuple[int, int], float]] = {}
    for one, other in itertools.combinations(range(len(terms)), 2):
        if terms[one][0] == terms[other][0] or not (design[:, 1 + one] * design[:, 1 + other]).any():
            continue
        for place, value in enumerate((solution @ (centred[:, one] * centred[:, other]))[1:]):
            if abs(value) > TOLERANCE:
                found.setdefault(place, {})[one, other] = float(value)
    return found


def _sum(parts: Sequence[tuple[int, float]], names: Sequence[str]) -> str:
    text = ""
    for place, value in parts:
        name = "the constant" if place == 0 else names[place - 1]
        size = "" if abs(abs(value) - 1) < TOLERANCE else f"{abs(value):g} "
        sign = ("-" if value < 0 else "") if not text else (" - " if value < 0 else " + ")
        text += f"{sign}{size}{name}"
    return text
