"""The contract of kinds of tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyheads.errors import EncoderError
from manyheads.evaluation.metrics import METRICS
from manyheads.model.losses import fitting_losses
from manyheads.tasks.kind import Kind, LabelError, known
from manyheads.tasks.kinds import KINDS
from manyheads.testing.ensure import ensure

INVALID: tuple[object, ...] = (None, "", " ", float("nan"), "no such label", "inf", 1e9, [1])
"""Cells that no kind with a label space of its own accepts."""


def check_kind(kind: Kind, cells: Sequence[object], *, invalid: Sequence[object] = INVALID) -> None:
    """Check a kind of task whose targets and outputs have a fixed number per text.

    Its label space gives the same kind again. Metrics and a loss fit. Targets survive being presented, written as JSON
    and read. Invalid cells are refused. Outputs of every form are decoded to predictions with complete records.

    Args:
        kind: an instance, as `sample()` returns one. Its class must be on the menu.
        cells: valid cells of a label column.
        invalid: cells that must be refused. Default: `INVALID`.

    Raises:
        AssertionError: The kind does not keep the contract.
    """
    name = repr(kind)
    ensure(KINDS.get(kind.name) is type(kind), f"{name}: the class is not on the menu as {kind.name!r}")
    _check_space(name, kind)
    _check_choices(name, kind)
    for cell in cells:
        _check_cell(name, kind, cell)
    for cell in invalid:
        _check_refused(name, kind, cell)
    for form, outputs in kind.forms.items():
        for examples in (0, 1, 5):
            _check_decoding(f"{name}, form {form}", kind, outputs, examples)


def _check_space(name: str, kind: Kind) -> None:
    options = kind.options.model_validate_json(json.dumps(kind.space()))
    again = kind.of(options)
    ensure(again == kind, f"{name}: of(space()) is {again!r}")
    ensure(hash(again) == hash(kind), f"{name}: equal kinds have different hashes")
    faults = [fault.what for fault in kind.faults(options)]
    ensure(not faults, f"{name}: its own label space has faults: {'; '.join(faults)}")
    ensure(kind.of(kind.options()) is None, f"{name}: without a label space, `of` must return None")


def _check_choices(name: str, kind: Kind) -> None:
    ensure(bool(fitting_losses(kind)), f"{name}: no loss on the menu fits its targets and forms")
    ensure(len(set(kind.forms.values())) == len(kind.forms), f"{name}: two forms have the same number of outputs")
    ensure(set(kind.forms) <= set(kind.sample().forms), f"{name}: sample() lacks a form")
    unknown = [metric for metric in kind.metrics if metric not in METRICS]
    ensure(not unknown, f"{name}: unknown metrics: {', '.join(unknown)}")
    first = METRICS[kind.metrics[0]]
    ensure(first.primary, f"{name}: the first metric {first.name} cannot be primary: {first.reason_not_primary}")


def _check_cell(name: str, kind: Kind, cell: object) -> None:
    target = kind.parse(cell)
    presented = kind.present(target)
    read = json.loads(json.dumps(presented))
    ensure(np.array_equal(kind.parse(presented), target), f"{name}: parse(present(x)) differs from x for {cell!r}")
    ensure(np.array_equal(kind.parse(read), target), f"{name}: parse differs after JSON for {cell!r}")
    ensure(np.array_equal(kind.code(read), target), f"{name}: code(present(x)) differs from x for {cell!r}")
    ensure(isinstance(kind.show(target), str), f"{name}: show does not return text for {cell!r}")


def _check_refused(name: str, kind: Kind, cell: object) -> None:
    try:
        found = kind.parse(cell)
    except LabelError as error:
        ensure("label" in str(error), f"{name}: the reason for {cell!r} does not contain the word label: {error}")
        return
    raise AssertionError(f"{name}: the cell {cell!r} is accepted as {found!r}")


def _check_decoding(name: str, kind: Kind, outputs: int, examples: int) -> None:
    drawn = np.random.default_rng(0).uniform(0, 1, (examples, outputs)).astype(np.float32)
    found = kind.decode(drawn)
    shape = (examples, *kind.shape)
    ensure(found.values.shape == shape, f"{name}: values have the shape {[*found.values.shape]}, not {[*shape]}")
    ensure(found.values.dtype == np.float64, f"{name}: values are {found.values.dtype}, not float64")
    names = kind.probability_names
    ensure((found.probabilities is None) == (not names), f"{name}: probabilities and their names do not agree")
    if found.probabilities is not None:
        probabilities = np.asarray(found.probabilities)
        ensure(probabilities.shape == (examples, len(names)), f"{name}: probabilities are {[*probabilities.shape]}")
        sums = bool(np.allclose(probabilities.sum(axis=1), 1.0))
        ensure(sums or not kind.exclusive, f"{name}: the probabilities of an example do not sum to 1")
        ensure(bool(kind.follows(found).all()), f"{name}: a prediction does not follow from its probabilities")
    for row in range(examples):
        record: dict[str, Any] = json.loads(json.dumps(kind.record(found, row)))
        code = kind.code(record["prediction"])
        ensure(bool(np.allclose(code, found.values[row], rtol=1e-6)), f"{name}: the record of a prediction differs")
        ensure(list(record.get("probabilities", {})) == list(names), f"{name}: the record lacks a probability")
    if examples:
        values = np.asarray(found.values, dtype=np.float64)
        ensure(bool((kind.errors(found, values) == 0).all()), f"{name}: errors of correct predictions are not 0")
        ensure(bool(known(values).all()), f"{name}: a decoded value counts as a missing target")
        ensure(not known(np.array([kind.missing])).any(), f"{name}: a missing target counts as known")
        ensure(
            kind.errors(found, kind.imagined(values, 0.5)).shape == (examples,), f"{name}: imagined has another size"
        )
    try:
        kind.decode(np.full((2, outputs), np.nan, dtype=np.float32))
    except EncoderError:
        return
    raise AssertionError(f"{name}: outputs that are not finite are decoded, and must raise an EncoderError")
