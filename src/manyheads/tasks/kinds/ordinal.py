"""Ordinal: each text has one of three or more labels that are in an order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.tasks.cells import as_number
from manyheads.tasks.kind import Floats, Predictions, finite, sigmoid, softmax
from manyheads.tasks.kinds.one_label import CLASS_WEIGHTS, EQUAL_CLASSES, LABELS, OneLabel, labels_field, weights_field
from manyheads.tasks.labels import found_note, labels_among


class OrdinalOptions(Options):
    """The keys of an ordinal task in the table of a task."""

    labels: LABELS | None = labels_field(
        "Labels from the lowest to the highest, at least three. Default: the distinct labels of the training file if "
        "they are numbers. Text has no order, so labels that are text must be listed.",
        least=3,
    )
    class_weights: CLASS_WEIGHTS | None = weights_field("label", EQUAL_CLASSES)


class Ordinal(OneLabel):
    """A kind whose labels are in an order: a prediction that is two labels off is worse than one that is one off."""

    name = "ordinal"
    noun = "an ordinal task"
    summary = "one of `labels`, which are in an order"
    options = OrdinalOptions
    target = "order"
    metrics = ("quadratic_kappa", "accuracy", "macro_f1")
    least = 3

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind with the distinct numbers of the cells, in ascending order.

        Raises:
            DataError: A label is text, which has no order, or there are too few or too many labels.
        """
        del options
        labels = labels_among(name, cells, typed=typed, least=cls.least)
        texts = [label for label in labels if isinstance(label, str)]
        if texts:
            raise DataError(
                "the order of the labels is unknown, because some are text",
                where=name,
                found=texts[:10],
                hint="list the labels from the lowest to the highest: labels = [...]",
            )
        return cls(labels), found_note(name, labels)

    def warnings(self) -> list[str]:
        """Return the warnings about labels, and one if they are numbers that neither rise nor fall."""
        numbers = [number for label in self.labels if (number := as_number(label)) is not None]
        rising = sorted(numbers)
        if len(numbers) < len(self.labels) or numbers in (rising, rising[::-1]):
            return super().warnings()
        shown = ", ".join(str(label) for label in self.labels)
        what = f"the labels {shown} are numbers in no order: list them from the lowest to the highest"
        return [*super().warnings(), what]

    @classmethod
    def sample(cls) -> Self:
        """Return an ordinal kind with four labels."""
        return cls([1, 2, 3, 4])

    @property
    def forms(self) -> Mapping[str, int]:
        """A logit per step between labels, a logit per label, or one logit of the place among the labels."""
        return {"steps": len(self.labels) - 1, "logits": len(self.labels), "place": 1}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode outputs to labels and probabilities. Their number is that of their form.

        `outputs[n, labels]`: logits, decoded with the softmax to the most probable label. `outputs[n, labels - 1]`:
        logits of being above each label, given that the label before was passed (CORN, Shi, Cao and Raschka 2021,
        section 3.3): the prediction is the median. `outputs[n, 1]`: the sigmoid is the place between the lowest and the
        highest label: the prediction is the nearest label, and the probability is shared between its two neighbours.
        """
        numbers, count = finite(outputs), len(self.labels)
        if numbers.shape[1] == count:
            probabilities = softmax(numbers)
            return Predictions(probabilities.argmax(axis=1).astype(np.float64), probabilities)
        if numbers.shape[1] == count - 1:
            above: Floats = np.cumprod(sigmoid(numbers), axis=1).astype(np.float64)
            return Predictions((above > 0.5).sum(axis=1).astype(np.float64), _shares(above))
        places = sigmoid(numbers[:, 0]) * (count - 1)
        above = np.clip(places[:, None] - np.arange(count - 1)[None, :], 0.0, 1.0).astype(np.float64)
        return Predictions((above > 0.5).sum(axis=1).astype(np.float64), _shares(above))

    def follows(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Return whether each prediction is the most probable label, or the median of the probabilities."""
        if predictions.probabilities is None:
            return np.ones(len(predictions), dtype=bool)
        above = 1 - np.cumsum(predictions.probabilities, axis=1)[:, :-1]
        low, high = ((above > bound).sum(axis=1) for bound in (0.5001, 0.4999))
        median: NDArray[np.bool_] = (predictions.values >= low) & (predictions.values <= high)
        return median | super().follows(predictions)

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return how many labels each prediction is off. An unknown label is as far off as a label can be."""
        last = len(self.labels) - 1
        farthest = np.maximum(predictions.values, last - predictions.values)
        errors: Floats = np.where(targets > last, farthest, np.abs(predictions.values - targets))
        return errors

    def described(self) -> str:
        """Return the labels with their order."""
        return f"{super().described()}, from the lowest to the highest"


def _shares(above: Floats) -> Floats:
    """Return the probability of each label from those of being above each label but the last: float64[n, labels]."""
    ends = np.ones((len(above), 1))
    shares: Floats = np.concatenate([ends, above], axis=1) - np.concatenate([above, 0 * ends], axis=1)
    return np.maximum(shares, 0.0)
