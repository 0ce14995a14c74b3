"""What kinds with labels have in common: their keys, and a target that is the index of one label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Literal, Self

import numpy as np
from pydantic import Field

from manyheads.tasks.cells import MISSING, alike_warnings, is_missing, quoted, without_agreement
from manyheads.tasks.kind import (
    Floats,
    Ints,
    KeyFault,
    Kind,
    LabelError,
    Predictions,
    Target,
    UnknownLabelError,
    probabilities_of_classes,
)
from manyheads.tasks.labels import UNKNOWN, Label, Labels, counts_digest, label_type, listed, named_probabilities

LABELS = list[str | int | float | bool]

CLASS_WEIGHTS = list[float] | Literal["balanced"]

EQUAL_CLASSES = "n / (k * number of rows with the label), for n rows and k labels that occur"


def labels_field(description: str, *, least: int) -> Any:
    """Return the field `labels` of a kind that needs at least `least` of them."""
    return Field(
        default=None,
        description=description,
        json_schema_extra={
            "minItems": least,
            "uniqueItems": True,
            "items": {"type": ["string", "number", "boolean"], "pattern": r"\S"},
        },
    )


def weights_field(noun: str, balanced: str) -> Any:
    """Return the field `class_weights` of a kind. `noun`: what is weighted. `balanced`: what balanced weights are."""
    return Field(
        default=None,
        description=f"Factor on the loss of each {noun}, in the order of `labels`. Requires `labels` and one weight of "
        f'at least 0 per label. Or "balanced": {balanced}. It is computed from the rows that training uses, and '
        f"provenance.json has the numbers. Default: 1 for every {noun}.",
        json_schema_extra={"items": {"type": "number", "minimum": 0}},
    )


def balanced(counts: Floats) -> Floats:
    """Return weights that give every class the same total weight: n / (k * count), float64[classes].

    `counts`: float64[classes], the rows of each class, or the sum of their weights. n: the sum of the counts. k: the
    number of classes that occur. The mean weight of the rows is 1. A class without rows has the weight 1, which no row
    uses. Source: the class weights of scikit-learn, `class_weight = "balanced"` (King and Zeng 2001).
    """
    occurs = counts > 0
    shares = counts.sum() / (max(1, np.count_nonzero(occurs)) * np.where(occurs, counts, 1.0))
    weights: Floats = np.where(occurs, shares, 1.0)
    return weights


def class_weight_faults(weights: CLASS_WEIGHTS | None, labels: list[Label] | None) -> Iterator[KeyFault]:
    """Yield the faults of `class_weights`."""
    if weights is None or isinstance(weights, str):
        return
    key = "class_weights"
    if labels is None:
        what = "class_weights requires labels, to assign the weights to"
        yield KeyFault(key, what, weights, hint="add labels = [...]")
    elif len(weights) != len(labels):
        yield KeyFault(
            key, "the number of class weights differs from the number of labels", len(weights), str(len(labels))
        )
    if any(weight < 0 for weight in weights):
        yield KeyFault(key, "a class weight is below 0", weights, "0 or more")
    elif weights and not any(weights):
        yield KeyFault(key, "all class weights are 0, so nothing would be learned", weights, "a weight above 0")


SEVERAL_HINT = "a task of this kind has one label per row: write one label per cell, or use a column with one label"


class OneLabel(Kind):
    """A kind with labels in a fixed order. A target is the index of a label; see `Labels`.

    A subclass says which forms outputs have, and how they are decoded.

    Raises:
        ValueError: There are too few labels, a label is blank, or two labels are equal.
    """

    least: ClassVar[int] = 2
    """The smallest number of labels."""

    training_keys = ("class_weights",)
    counts_unknown = True
    views = ("confusion", "reliability", "classes")

    def __init__(self, labels: Iterable[Label]) -> None:
        self.labels = Labels(labels, noun=self.noun, least=self.least)
        self._codes: dict[Any, float] = {label: float(code) for code, label in enumerate(self.labels)}

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.labels!r})"

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind with the labels of the recipe."""
        return None if options.labels is None else cls(options.labels)

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the labels and of the weights of the classes."""
        yield from class_weight_faults(options.class_weights, options.labels)
        yield from super().faults(options)

    @classmethod
    def refused(cls, cell: object) -> LabelError | None:
        """Return an error for a cell with several labels."""
        if isinstance(cell, list | tuple | dict):
            return LabelError("several labels in a cell", SEVERAL_HINT)
        return None

    def space(self) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": list(self.labels)}

    def meaning(self) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": list(self.labels)}

    def warnings(self) -> list[str]:
        """Return a warning for each group of labels that look alike, and for a label that looks like none."""
        found = alike_warnings(self.labels)
        words = without_agreement(self.labels)
        if len(words) < len(self.labels):
            listed_words = ", ".join(f'"{label}"' for label in words)
            found.append(
                "the label '-' is a class of its own, but usually marks rows without a label: "
                f'to leave them out, set labels = [{listed_words}] and on_bad_rows = "skip"'
            )
        return found

    def parse(self, raw: object) -> float:
        """Return the index of the label in a cell.

        Raises:
            LabelError: The cell is empty or is not one of the labels. The message names the nearest label.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        if isinstance(raw, list | tuple | dict):
            raise LabelError(f"several labels in a cell, {quoted(raw)}", SEVERAL_HINT)
        code = self.labels.find(raw)
        if code is None:
            label = str(raw).strip()
            raise UnknownLabelError(self.labels.unknown(raw), [label], label)
        return float(code)

    def counted(self, presented: Any) -> float:
        """Return the index of a label, which is their number for one that is not among them."""
        return float(self.labels.code(presented))

    def present(self, target: Target) -> Label:
        """Return the label with this index."""
        label: Label = self.labels[int(target)]
        return label

    def code(self, presented: Any) -> float:
        """Return the index of a label."""
        return self._codes[presented]

    def show(self, target: Target) -> str:
        """Return the label with this index."""
        return UNKNOWN if target == len(self.labels) else super().show(target)

    def written(self, raw: object, target: Target) -> Iterable[tuple[object, str]]:
        """Yield the label with the text of the cell."""
        yield self.present(target), str(raw).strip()

    @property
    def probability_names(self) -> tuple[str, ...]:
        """The labels as text."""
        return self.labels.names

    @property
    def columns(self) -> Mapping[str, type]:
        """The columns `prediction` and `p_LABEL` for each label."""
        return {**super().columns, "prediction": label_type(self.labels)}

    @property
    def column(self) -> tuple[type, Mapping[Any, float] | None] | None:
        """The type of the labels and their indices. None if they have several types."""
        types = {type(label) for label in self.labels}
        return (types.pop(), self._codes) if len(types) == 1 else None

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the label and the probability of each label."""
        return {
            "prediction": self.present(float(predictions.values[row])),
            "probabilities": named_probabilities(self.labels, predictions.probabilities, row),
        }

    def strata(self, targets: Floats) -> Ints:
        """Return the classes."""
        return targets.astype(np.int64)

    def classes_of(self, targets: Floats) -> Floats:
        """Return the targets."""
        return targets

    def counts(self, targets: Floats) -> dict[Any, int]:
        """Return the number of targets with each label. Targets with an unknown label are not counted."""
        amounts = np.bincount(targets.astype(np.int64), minlength=len(self.labels)).tolist()
        return dict(zip(self.labels, amounts, strict=False))

    def balanced_weights(self, targets: Floats, weights: Floats) -> Floats:
        """Return the weight of each label. Of a soft label, each label has a share of the row."""
        if targets.ndim == 2:
            return balanced(weights @ targets)
        return balanced(np.bincount(targets.astype(np.int64), weights, len(self.labels)).astype(np.float64))

    def shares(self, targets: Floats) -> dict[str, float]:
        """Return the share of each label."""
        return {str(label): count / max(1, len(targets)) for label, count in self.counts(targets).items()}

    def digest(self, targets: Floats) -> str:
        """Return the share of each label, or the rarest of many."""
        return counts_digest(self.counts(targets), len(targets))

    def constant(self, targets: Floats) -> str | None:
        """Return a warning if all examples have one class."""
        if not len(targets) or np.ptp(targets):
            return None
        return f"every example has the same class {self.present(targets[0])!r}"

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return the probability of each wrongly predicted label."""
        shares = predictions.probabilities
        if shares is None:
            raise ValueError("the predictions have no probabilities")
        confidence: Floats = shares[np.arange(len(shares)), predictions.values.astype(np.int64)]
        return np.where(predictions.values != targets, confidence, 0.0)

    def true_probabilities(self, predictions: Predictions, targets: Floats) -> Floats | None:
        """Return the probability of each true label, 0 for an unknown label."""
        shares = predictions.probabilities
        return None if shares is None else probabilities_of_classes(shares, targets)

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return predictions that are wrong on half of the examples on which a constant prediction is wrong.

        The wrong predictions are other labels, as frequent as they are.
        """
        rng = np.random.default_rng(0)
        unknown = targets >= len(self.labels)
        if not len(targets):
            return targets.copy()
        if unknown.any():
            predictions = np.zeros(len(targets))
            predictions[~unknown] = self.imagined(targets[~unknown], correlation)
            return predictions
        classes, counts = np.unique(targets, return_counts=True)
        wrong = rng.random(len(targets)) < (1 - counts.max() / len(targets)) / 2
        predictions = targets.copy()
        for each in classes if len(classes) > 1 else ():
            places = np.flatnonzero(wrong & (targets == each))
            predictions[places] = rng.choice(targets[targets != each], size=len(places))
        return predictions

    def described(self) -> str:
        """Return the first labels and their number."""
        return f"one of {listed(self.labels)}"
