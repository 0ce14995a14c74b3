"""The members of menus that a recipe uses, by which plug-ins are found and recorded."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from manyheads.plugins import Used, handed_on, origins_of, records_of
from manyheads.recipe.check_options import head_of
from manyheads.recipe.schema import Recipe
from manyheads.tasks.metric_choice import MetricChoice


def used_by(recipe: Recipe) -> Iterator[tuple[str, str]]:
    """Yield the members that a recipe uses: the menu and the name of each."""
    yield "batching", recipe.batching.strategy.kind
    yield "weighting", recipe.training.weighting.kind
    for options in (*recipe.tasks.values(), *(recipe.held_out_with or {}).values()):
        yield "kind", options.kind
        yield "head", head_of(options)
        if options.loss is not None:
            yield "loss", options.loss.kind
        if options.format is not None:
            yield "format", options.format
        for metric in (options.metric, *(options.metrics or ())):
            if metric is not None:
                yield "metric", MetricChoice.of(metric).kind


def members_of(recipe: Recipe) -> dict[str, dict[str, str]] | None:
    """Return the members of a recipe from outside the package with their plug-ins. None if there are none."""
    return origins_of(used_by(recipe)) or None


def plugin_records(recipe: Recipe) -> dict[str, dict[str, str]]:
    """Return what is recorded of the plug-ins of a recipe."""
    return records_of(origins_of(used_by(recipe)))


def plugins_for(recipes: Sequence[Recipe]) -> list[dict[str, str]]:
    """Return the plug-ins for a process that trains these recipes.

    Raises:
        PluginError: A member was registered by the program itself.
    """
    used: Used = {member for recipe in recipes for member in used_by(recipe)}
    return handed_on(used)
