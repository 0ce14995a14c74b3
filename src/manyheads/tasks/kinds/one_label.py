"""What the kinds have in common whose target is the index of one label."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, ClassVar, Self

import numpy as np

from manyheads.tasks.alike import alike_warnings
from manyheads.tasks.cells import MISSING, is_missing, quoted
from manyheads.tasks.escape import markdown_code
from manyheads.tasks.kind import Floats, Ints, KeyFault, Kind, LabelError, Predictions, Target
from manyheads.tasks.labels import Label, Labels
from manyheads.tasks.numbers import shortest

SEVERAL_HINT = "a task of this kind has one label per row: write one label per cell, or use a column with one label"

LISTED = 8
"""Labels that a description lists."""

LISTED_SHARES = 10
"""Labels whose shares a summary lists."""

LARGEST_INTEGER = 2**63 - 1


class OneLabel(Kind):
    """A kind with labels in a fixed order. A target is the index of a label; see `Labels`.

    A subclass says which losses fit, and how outputs are decoded.

    Raises:
        ValueError: There are too few labels, a label is blank, or two labels are equal.
    """

    least: ClassVar[int] = 2
    """The smallest number of labels."""

    training_keys = ("class_weights",)
    views = ("confusion", "reliability", "classes")

    def __init__(self, labels: Iterable[Label]) -> None:
        article = "an" if self.name[0] in "aeiou" else "a"
        self.labels = Labels(labels, kind=f"{article} {self.name}", least=self.least)
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

    def warnings(self) -> list[str]:
        """Return a warning for each group of labels that look alike."""
        return alike_warnings(self.labels)

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
            raise LabelError(self.labels.unknown(raw))
        return float(code)

    def present(self, target: Target) -> Label:
        """Return the label with this index."""
        label: Label = self.labels[int(target)]
        return label

    def code(self, presented: Any) -> float:
        """Return the index of a label."""
        return self._codes[presented]

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
            "probabilities": named_probabilities(self.labels, predictions, row),
        }

    def strata(self, targets: Floats) -> Ints:
        """Return the classes."""
        return targets.astype(np.int64)

    def classes_of(self, targets: Floats) -> Floats:
        """Return the targets."""
        return targets

    def counts(self, targets: Floats) -> dict[Any, int]:
        """Return the number of targets with each label."""
        amounts = np.bincount(targets.astype(np.int64), minlength=len(self.labels)).tolist()
        return dict(zip(self.labels, amounts, strict=True))

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
        """Return the probability of each true label."""
        shares = predictions.probabilities
        return None if shares is None else shares[np.arange(len(shares)), targets.astype(np.int64)]

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return predictions that are wrong on half of the examples on which a constant prediction is wrong.

        The wrong predictions are other labels, as frequent as they are.
        """
        del correlation
        rng = np.random.default_rng(0)
        classes, counts = np.unique(targets, return_counts=True)
        wrong = rng.random(len(targets)) < (1 - counts.max() / len(targets)) / 2
        predictions = targets.copy()
        for each in classes if len(classes) > 1 else ():
            places = np.flatnonzero(wrong & (targets == each))
            predictions[places] = rng.choice(targets[targets != each], size=len(places))
        return predictions

    def described(self) -> str:
        """Return the first labels and their number."""
        shown = ", ".join(markdown_code(str(label)) for label in self.labels[:LISTED])
        return f"one of {len(self.labels)}: {shown}{', ...' if len(self.labels) > LISTED else ''}"


def class_weight_faults(weights: list[float] | None, labels: list[Label] | None) -> Iterator[KeyFault]:
    """Yield the faults of the weights of the classes."""
    if weights is None:
        return
    key = "class_weights"
    if labels is None:
        yield KeyFault(
            key, "class_weights requires labels, to assign the weights to", weights, hint="add labels = [...]"
        )
    elif len(weights) != len(labels):
        yield KeyFault(
            key, "the number of class weights differs from the number of labels", len(weights), str(len(labels))
        )
    if any(weight < 0 for weight in weights):
        yield KeyFault(key, "a class weight is below 0", weights, "0 or more")


def named_probabilities(labels: Labels, predictions: Predictions, row: int) -> dict[str, float]:
    """Return the probabilities of one row by the names of the labels."""
    if predictions.probabilities is None:
        raise ValueError("the predictions have no probabilities")
    return dict(zip(labels.names, map(shortest, predictions.probabilities[row]), strict=True))


def counts_digest(counts: Mapping[Any, int], rows: int) -> str:
    """Return the share of each label in a few words, or the rarest of many."""
    if len(counts) > LISTED_SHARES:
        rarest = min(counts.items(), key=lambda pair: pair[1])
        return f"{len(counts)} labels; the rarest, {rarest[0]!r}, is in {rarest[1]} of {rows:,} rows"
    return ", ".join(f"{label}: {count / max(1, rows):.0%}" for label, count in counts.items())


def label_type(labels: Iterable[Label]) -> type:
    """Return the type of a column of labels: text if they are not all numbers, or not all booleans."""
    labels = list(labels)
    if all(isinstance(label, bool) for label in labels):
        return bool
    numbers = all(isinstance(label, int | float) and not isinstance(label, bool) for label in labels)
    if not numbers or any(isinstance(label, int) and abs(label) > LARGEST_INTEGER for label in labels):
        return str
    return int if all(isinstance(label, int) for label in labels) else float
