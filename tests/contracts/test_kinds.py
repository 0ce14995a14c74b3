"""The contract of `Kind`. Every kind on the menu needs an instance here."""

from __future__ import annotations

import json

import numpy as np
import pytest

from manyheads.errors import EncoderError
from manyheads.evaluation.metrics import METRICS
from manyheads.model.losses import fitting_losses
from manyheads.ragged import Ragged, Rows, flat, offsets_of
from manyheads.tasks.kind import Kind, LabelError, Predictions, UnknownLabelError, known
from manyheads.tasks.kinds import KINDS
from manyheads.tasks.kinds.choice import Choice
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.embedding import TextEmbedding
from manyheads.tasks.kinds.multilabel import Multilabel
from manyheads.tasks.kinds.ordinal import Ordinal
from manyheads.tasks.kinds.regression import Regression
from manyheads.tasks.kinds.words import WordTags

INSTANCES: list[tuple[Kind, list[object]]] = [
    (Choice(["choices"], label_from=1), [1, "3", 2.0]),
    (Choice(["a", "b", "c"], label_as="letter"), ["A", " c ", "(b)"]),
    (Choice(["choices"], label_as="text"), []),
    (Choice(["choices"], label_as="name", names="names"), []),
    (Choice(["answer"], label_as="relevance", group_by="question"), [[0, 1, 0.5], "[2, 0]"]),
    (Classification([0, 1]), [0, "1", 1.0]),
    (Classification(["no", "yes"]), ["no", " yes "]),
    (Classification([False, True]), [True, "false"]),
    (Classification(range(7)), [6, "3.0"]),
    (TextEmbedding("pairs"), []),
    (TextEmbedding("triplets"), []),
    (TextEmbedding("scored"), ["0", 5, -2.25]),
    (Multilabel(["a", "b", "c"]), [["a"], "a; c", [], '["b"]']),
    (Multilabel([7], threshold=0.3), [[7], "7", 7]),
    (Ordinal([1, 2, 3]), [1, "3"]),
    (Ordinal(["low", "middle", "high", "top"]), ["top", "low "]),
    (WordTags(["O", "B-a", "I-a", "B-b", "I-b"], scheme="bio"), [["O", "B-a", "I-a"], "O B-b", '["O"]']),
    (WordTags(["O", "B-a", "I-a", "E-a", "S-a"], scheme="bioes"), [["S-a", "O"], "B-a E-a"]),
    (WordTags(["noun", "verb", 7]), [["verb", "noun", 7], "noun"]),
    (Regression(0, 5), ["0", 5, 2.25]),
    (Regression(-1, 1), [-1, "0.5"]),
]
CASES = [pytest.param(kind, cells, id=repr(kind)) for kind, cells in INSTANCES]
UNKNOWN_CASES = [case for case in INSTANCES if case[0].counts_unknown and case[0].reads != "candidates"]
FORM_CASES = [pytest.param(kind, form, id=f"{kind!r}-{form}") for kind, _ in INSTANCES for form in kind.forms]


def test_every_kind_of_the_menu_has_an_instance_here() -> None:
    assert {kind.name for kind, _ in INSTANCES} == set(KINDS)
    assert all(isinstance(kind, KINDS[kind.name]) for kind, _ in INSTANCES)


@pytest.mark.parametrize(("kind", "cells"), UNKNOWN_CASES)
def test_no_prediction_is_equal_to_an_unknown_label(kind: Kind, cells: list[object]) -> None:
    """All that is computed from targets accepts those of unknown labels."""
    own = kind.parse(cells[0])
    presented = kind.present(own)
    others = presented[1:] if isinstance(presented, list) else []
    unknown = kind.counted([*others, "no such"] if isinstance(presented, list) else "no such")
    targets = kind.targets([own, unknown])
    assert "unknown label" in kind.show(targets[1])
    assert sum(kind.counts(targets).values()) == sum(kind.counts(targets[:1]).values()) + len(others)
    assert len(kind.strata(targets)) == len(kind.imagined(targets, 0.5)) == 2
    assert kind.shares(targets)
    assert kind.digest(targets)
    right = kind.right(Predictions(kind.targets([own, own]), None), targets)
    assert right is not None
    assert right.tolist() == [True, False]
    with pytest.raises(UnknownLabelError, match="is not one of"):
        kind.parse(["no such"] if isinstance(presented, list) else "no such")


@pytest.mark.parametrize(("kind", "cells"), CASES)
def test_the_label_space_gives_the_same_kind_also_after_json(kind: Kind, cells: list[object]) -> None:
    del cells
    options = kind.options.model_validate_json(json.dumps(kind.space()))
    assert kind.of(options) == kind
    assert hash(kind.of(options)) == hash(kind)
    assert list(kind.faults(options)) == []
    assert kind.of(kind.options()) is None


@pytest.mark.parametrize(("kind", "cells"), CASES)
def test_a_loss_fits_metrics_are_on_the_menu_and_the_default_metric_is_primary(kind: Kind, cells: list[object]) -> None:
    del cells
    assert fitting_losses(kind)
    assert len(set(kind.forms.values())) == len(kind.forms)
    assert set(kind.forms) <= set(kind.sample().forms)
    assert set(kind.metrics) <= set(METRICS)
    assert METRICS[kind.metrics[0]].primary


@pytest.mark.parametrize(("kind", "cells"), CASES)
def test_a_presented_target_is_parsed_as_the_same_target_also_after_json(kind: Kind, cells: list[object]) -> None:
    for cell in cells:
        target = kind.parse(cell)
        presented = kind.present(target)
        assert np.array_equal(kind.parse(presented), target)
        assert np.array_equal(kind.parse(json.loads(json.dumps(presented))), target)
        assert np.array_equal(kind.code(json.loads(json.dumps(presented))), target)


@pytest.mark.parametrize(("kind", "cells"), CASES)
@pytest.mark.parametrize("cell", [None, "", " ", float("nan"), "no such label", "inf", 1e300, [1]])
def test_an_invalid_label_is_refused_with_a_reason(kind: Kind, cells: list[object], cell: object) -> None:
    del cells
    if kind.space().get("label_as") == "relevance" and isinstance(cell, list):
        return  # a list of one relevance
    with pytest.raises(LabelError, match="label"):
        kind.parse(cell)


def _outputs(kind: Kind, form: str, examples: int) -> Rows:
    """Outputs of a head. With ragged outputs, example i has i + 1 rows."""
    lengths = np.arange(1, examples + 1) if kind.ragged_outputs else np.ones(examples, dtype=np.int64)
    numbers = np.random.default_rng(0).uniform(0, 1, (int(lengths.sum()), kind.forms[form])).astype(np.float32)
    return Ragged(numbers, offsets_of(lengths)) if kind.ragged_outputs else numbers


def _as_targets(kind: Kind, values: Rows) -> Rows:
    """Targets of which each prediction is right. The relevance of a right candidate is above 0."""
    return (
        Ragged(flat(values) + 1, values.offsets)
        if isinstance(values, Ragged) and kind.reads == "candidates"
        else values
    )


@pytest.mark.parametrize(("kind", "form"), FORM_CASES)
@pytest.mark.parametrize("examples", [0, 1, 5])
def test_outputs_of_each_form_can_be_decoded(kind: Kind, form: str, examples: int) -> None:
    found = kind.decode(_outputs(kind, form, examples))
    assert len(found) == examples
    assert found.values.astype(np.float64).__class__ is (Ragged if kind.ragged_targets else np.ndarray)
    assert flat(found.values).shape[1:] == kind.shape
    assert flat(found.values).dtype == np.float64
    if kind.unit:
        low, high = kind.scale
        assert ((found.values >= low) & (found.values <= high)).all()
    names = kind.probability_names
    assert (found.probabilities is None) == (not names and not kind.ragged_outputs)
    if kind.ragged_outputs:
        assert isinstance(found.probabilities, Ragged)
        assert ((found.probabilities.values > 0) & (found.probabilities.values <= 1)).all()
        assert kind.follows(found).all()
    elif found.probabilities is not None:
        assert found.probabilities.shape == (examples, len(names))
        if kind.exclusive:
            np.testing.assert_allclose(found.probabilities.sum(axis=1), 1.0)
        assert kind.follows(found).all()
    for row in range(examples):
        record = json.loads(json.dumps(kind.record(found, row)))
        assert np.allclose(kind.value_of(record), found.values[row], rtol=1e-6)
        if kind.ragged_outputs:
            assert len(record["probabilities"]) == found.probabilities.lengths[row]
        else:
            assert list(record.get("probabilities", {})) == list(names)
    if examples:
        own = _as_targets(kind, found.values)
        assert (kind.errors(found, own) == 0).all()
        right = kind.right(found, own)
        assert right is None or (right.shape == (examples,) and right.all())
        assert len(kind.strata(found.values)) == examples
        assert all(0 <= share <= 1 for share in kind.shares(found.values).values())
        assert kind.digest(found.values)
        assert known(found.values).all()
        assert not known(kind.targets([kind.missing])).any()
        assert kind.errors(found, kind.imagined(found.values, 0.5)).shape == (examples,)


@pytest.mark.parametrize(("kind", "form"), FORM_CASES)
def test_outputs_that_are_not_finite_are_refused(kind: Kind, form: str) -> None:
    outputs = _outputs(kind, form, 2)
    flat(outputs)[:] = np.nan
    with pytest.raises(EncoderError, match="not finite"):
        kind.decode(outputs)
