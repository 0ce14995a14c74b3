"""Checks of the metrics that a task names."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

from pydantic import ValidationError

from manyheads.errors import did_you_mean
from manyheads.evaluation.metrics import METRICS
from manyheads.evaluation.metrics.resolve import misfit, misfit_of_options
from manyheads.recipe.faults import Fault, from_validation
from manyheads.recipe.schema import TaskOptions
from manyheads.tasks.kind import Kind
from manyheads.tasks.metric_choice import MetricChoice

Content = str | Mapping[str, Any]


def check_metrics(key: tuple[str, ...], options: TaskOptions, kind: Kind, *, known: bool) -> Iterator[Fault]:
    """Yield the faults of `metric` and `metrics` of a task.

    `kind`: the kind of the task. `known`: whether its label space is that of the task.
    """
    if options.metric is not None:
        yield from _check((*key, "metric"), options.metric, kind, known, primary=True)
    for content in options.metrics or ():
        yield from _check((*key, "metrics"), content, kind, known, primary=False)
    yield from _equal_names((*key, "metrics"), options)


def _check(key: tuple[str, ...], content: Content, kind: Kind, known: bool, *, primary: bool) -> Iterator[Fault]:
    form = kind if known else kind.sample()
    fits = [name for name, each in METRICS.items() if misfit(each, form) is None and (each.primary or not primary)]
    name = content if isinstance(content, str) else content.get("kind")
    shown = "metric" if isinstance(content, str) else "kind"
    at = key if isinstance(content, str) or key[-1] == "metrics" else (*key, "kind")
    if not isinstance(name, str) or name not in METRICS:
        what = f"the table of a metric has no {shown}" if name is None else "unknown metric"
        yield Fault(at if name is not None else key, what, name, ", ".join(fits), did_you_mean(str(name), fits))
        return
    metric = METRICS[name]
    reason = misfit(metric, form)
    if reason is not None:
        yield Fault(at, f"the metric {name} does not fit the task: {reason}", name, ", ".join(fits))
        return
    if primary and metric.reason_not_primary is not None:
        what = f"the metric {name} cannot be the primary metric: {metric.reason_not_primary}"
        hint = f'to compute it in addition, set metrics = ["{name}"]'
        yield Fault(at, what, name, ", ".join(fits), hint)
        return
    table = {"kind": name} if isinstance(content, str) else dict(content)
    try:
        options = metric.options.model_validate(table)
    except ValidationError as error:
        for fault in from_validation(error, metric.options):
            yield replace(fault, key=(*key, *fault.key) if key[-1] == "metric" else key)
        return
    reason = misfit_of_options(metric, options, kind) if known else None
    if reason is not None:
        yield Fault(key, f"the metric {name} does not fit the task: {reason}", content)


def _equal_names(key: tuple[str, ...], options: TaskOptions) -> Iterator[Fault]:
    """Yield a fault for metrics that are different and would have the same name in results."""
    contents = [each for each in (options.metric, *(options.metrics or ())) if each is not None]
    choices = [MetricChoice.of(each) for each in contents if isinstance(each, str) or "kind" in each]
    for place, choice in enumerate(choices):
        same = [each for each in choices[:place] if each.name == choice.name and each != choice]
        if same:
            yield Fault(key, "two metrics have the same name in results", choice.name, hint="remove one of them")
