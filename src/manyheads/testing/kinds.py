"""The contract of kinds of tasks."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from manyheads.errors import EncoderError
from manyheads.evaluation.metrics import METRICS
from manyheads.model.losses import fitting_losses
from manyheads.ragged import Ragged, Rows, flat, offsets_of
from manyheads.tasks.kind import Kind, LabelError, Predictions, UnknownLabelError, known
from manyheads.tasks.kinds import KINDS
from manyheads.testing.ensure import ensure

INVALID: tuple[object, ...] = (None, "", " ", float("nan"), "no such label", "inf", 1e300, [1])
"""Cells that no kind with a label space of its own accepts."""


def check_kind(kind: Kind, cells: Sequence[object], *, invalid: Sequence[object] = INVALID) -> None:
    """Check a kind of task, also one with a target per word or outputs per candidate.

    Its label space gives the same kind again. Metrics and a loss fit. Targets survive being presented, written as JSON
    and read. Invalid cells are refused, and labels that are counted as wrong are never predicted right. Outputs of
    every form are decoded to predictions with complete records. For a kind that reads words, a cell must have a target
    for each word of its text.

    Args:
        kind: an instance, as `sample()` returns one. Its class must be on the menu.
        cells: valid cells of a label column, which `parse` accepts.
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
        if kind.reads == "tokens":
            _check_words(name, kind, cell)
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
    several = kind.reads != "text"
    ensure(kind.ragged_outputs == several, f"{name}: ragged_outputs must be {several}, because it reads {kind.reads}")
    ensure(
        kind.reads != "tokens" or kind.ragged_targets, f"{name}: ragged_targets must be true, because it reads words"
    )


def _check_cell(name: str, kind: Kind, cell: object) -> None:
    target = kind.parse(cell)
    presented = kind.present(target)
    read = json.loads(json.dumps(presented))
    ensure(np.array_equal(kind.parse(presented), target), f"{name}: parse(present(x)) differs from x for {cell!r}")
    ensure(np.array_equal(kind.parse(read), target), f"{name}: parse differs after JSON for {cell!r}")
    ensure(np.array_equal(kind.code(read), target), f"{name}: code(present(x)) differs from x for {cell!r}")
    ensure(isinstance(kind.show(target), str), f"{name}: show does not return text for {cell!r}")


def _check_words(name: str, kind: Kind, cell: object) -> None:
    """Check that a cell gives a target for each word of a text, and is refused for a text with another number."""
    target = np.atleast_1d(kind.parse(cell))
    for more in (0, 1):
        text = " ".join(["word"] * (len(target) + more))
        words = kind.words(text)
        expected = [[5 * place, 5 * place + 4] for place in range(len(target) + more)]
        ensure(words.tolist() == expected, f"{name}: words({text!r}) returns {words.tolist()}, not {expected}")
        try:
            found = kind.parse_of(cell, [text])
        except LabelError:
            ensure(bool(more), f"{name}: parse_of refuses {cell!r} for a text of {len(target)} words")
            continue
        ensure(not more, f"{name}: parse_of accepts {cell!r} for a text of {len(words)} words")
        ensure(np.array_equal(found, target), f"{name}: parse_of differs from parse for {cell!r}")


def _check_refused(name: str, kind: Kind, cell: object) -> None:
    try:
        found = kind.parse(cell)
    except LabelError as error:
        ensure("label" in str(error), f"{name}: the reason for {cell!r} does not contain the word label: {error}")
        if isinstance(error, UnknownLabelError) and kind.counts_unknown and kind.reads != "candidates":
            _check_counted(name, kind, error)
        return
    raise AssertionError(f"{name}: the cell {cell!r} is accepted as {found!r}")


def _check_counted(name: str, kind: Kind, error: UnknownLabelError) -> None:
    """Check that no prediction is equal to labels that are not in the label space."""
    targets = kind.targets([kind.counted(error.presented)])
    ensure(bool(known(targets).all()), f"{name}: the target of {error.presented!r} counts as missing")
    ensure(isinstance(kind.show(targets[0]), str), f"{name}: show does not return text for {error.presented!r}")
    ensure(sum(kind.counts(targets).values()) == 0, f"{name}: the unknown labels {error.presented!r} are counted")
    _check_groups(name, kind, targets)
    right = kind.right(Predictions(kind.imagined(targets, 0.5), None), targets)
    ensure(right is None or not right.any(), f"{name}: a prediction is equal to {error.presented!r}")


def _check_groups(name: str, kind: Kind, targets: Rows) -> None:
    """Check what is computed from known targets for reports and plans."""
    ensure(len(kind.strata(targets)) == len(targets), f"{name}: strata has another size")
    ensure(len(kind.imagined(targets, 0.5)) == len(targets), f"{name}: imagined has another size")
    shares = kind.shares(targets)
    ensure(all(0 <= share <= 1 for share in shares.values()), f"{name}: shares are not from 0 to 1: {shares}")
    ensure(bool(kind.digest(targets)), f"{name}: digest returns no text")


def _outputs(kind: Kind, width: int, examples: int) -> Rows:
    """Return outputs of a head. If they are ragged, example i has i + 1 rows."""
    lengths = np.arange(1, examples + 1) if kind.ragged_outputs else np.ones(examples, dtype=np.int64)
    numbers = np.random.default_rng(0).uniform(0, 1, (int(lengths.sum()), width)).astype(np.float32)
    return Ragged(numbers, offsets_of(lengths)) if kind.ragged_outputs else numbers


def _check_decoding(name: str, kind: Kind, width: int, examples: int) -> None:
    outputs = _outputs(kind, width, examples)
    found = kind.decode(outputs)
    rows = "ragged" if kind.ragged_targets else "an array"
    ensure(isinstance(found.values, Ragged) == kind.ragged_targets, f"{name}: values are not {rows}, as targets are")
    shape = (len(flat(outputs) if kind.ragged_targets else outputs), *kind.shape)
    values = flat(found.values)
    ensure(values.shape == shape, f"{name}: values have the shape {[*values.shape]}, not {[*shape]}")
    ensure(values.dtype == np.float64, f"{name}: values are {values.dtype}, not float64")
    if kind.unit:
        low, high = kind.scale
        ensure(bool(((values >= low) & (values <= high)).all()), f"{name}: a value is not from {low:g} to {high:g}")
    _check_probabilities(name, kind, found, outputs)
    for row in range(examples):
        record: dict[str, Any] = json.loads(json.dumps(kind.record(found, row)))
        value = kind.value_of(record)
        ensure(bool(np.allclose(value, found.values[row], rtol=1e-6)), f"{name}: the record of a prediction differs")
        count = len(outputs[row]) if kind.ragged_outputs else len(kind.probability_names)
        ensure(len(record.get("probabilities", ())) == count, f"{name}: the record lacks a probability")
    if examples:
        # The target of a candidate is its relevance, so that any candidate is right among relevant ones.
        ranked = kind.reads == "candidates" and isinstance(found.values, Ragged)
        targets: Rows = Ragged(found.values.values + 1, found.values.offsets) if ranked else found.values
        ensure(bool((kind.errors(found, targets) == 0).all()), f"{name}: errors of correct predictions are not 0")
        right = kind.right(found, targets)
        ensure(
            right is None or (right.shape == (examples,) and bool(right.all())), f"{name}: right is not true for all"
        )
        ensure(bool(known(found.values).all()), f"{name}: a decoded value counts as a missing target")
        ensure(not known(kind.targets([kind.missing])).any(), f"{name}: a missing target counts as known")
        _check_groups(name, kind, found.values)
        imagined = kind.errors(found, kind.imagined(found.values, 0.5))
        ensure(imagined.shape == (examples,), f"{name}: errors has another size")
    damaged = _outputs(kind, width, 2)
    flat(damaged)[:] = np.nan
    try:
        kind.decode(damaged)
    except EncoderError:
        return
    raise AssertionError(f"{name}: outputs that are not finite are decoded, and must raise an EncoderError")


def _check_probabilities(name: str, kind: Kind, found: Predictions, outputs: Rows) -> None:
    """Check the probabilities of predictions: one per name, or one per word or candidate."""
    names, shares = kind.probability_names, found.probabilities
    ensure(
        (shares is None) == (not names and not kind.ragged_outputs),
        f"{name}: probabilities and their names do not agree",
    )
    if shares is None:
        return
    ensure(isinstance(shares, Ragged) == kind.ragged_outputs, f"{name}: ragged outputs need ragged probabilities")
    shape = (len(flat(outputs)),) if kind.ragged_outputs else (len(found), len(names))
    ensure(flat(shares).shape == shape, f"{name}: probabilities are {[*flat(shares).shape]}, not {[*shape]}")
    inside = bool(((flat(shares) >= 0) & (flat(shares) <= 1)).all())
    ensure(inside, f"{name}: a probability is not from 0 to 1")
    sums = kind.ragged_outputs or bool(np.allclose(shares.sum(axis=1), 1.0))
    ensure(sums or not kind.exclusive, f"{name}: the probabilities of an example do not sum to 1")
    ensure(bool(kind.follows(found).all()), f"{name}: a prediction does not follow from its probabilities")
