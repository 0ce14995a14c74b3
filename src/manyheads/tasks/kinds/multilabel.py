"""Multilabel: each text has any number of labels. A label is predicted if its probability reaches its threshold."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import chain
from typing import Any, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.tasks.cells import (
    MISSING,
    SEPARATORS,
    Columns,
    alike_warnings,
    are_flag_lists,
    is_flag,
    is_missing,
    listed_items,
    object_of,
    quoted,
    separated_labels,
    spelled_boolean,
)
from manyheads.tasks.kind import (
    Floats,
    HubForm,
    Ints,
    KeyFault,
    Kind,
    LabelError,
    Predictions,
    Target,
    UnknownLabelError,
    finite,
    sigmoid,
)
from manyheads.tasks.kinds.one_label import (
    CLASS_WEIGHTS,
    LABELS,
    balanced,
    class_weight_faults,
    labels_field,
    weights_field,
)
from manyheads.tasks.labels import (
    UNKNOWN,
    Label,
    Labels,
    counts_digest,
    found_note,
    labels_among,
    listed,
    named_probabilities,
)


class MultilabelOptions(Options):
    """The keys of a multilabel task in the table of a task."""

    labels: LABELS | None = labels_field(
        "Labels, in the order of the model's outputs. Default: the distinct labels of the training file, sorted; or "
        "the names of the columns if `label` lists several.",
        least=1,
    )
    separator: str | None = Field(
        default=None,
        min_length=1,
        description='Text between the labels of a cell. Default: ";", "|" or ",", the first that splits the cell into '
        "labels. A cell may also be a list, or an object that gives labels 0 or 1.",
    )
    threshold: float | list[float] | Literal["search"] | None = Field(
        default=None,
        description="A label is predicted if its probability is above this threshold: one for all labels, or a list "
        'with one per label. Or "search": at each evaluation, the threshold of each label is the one with the best F1 '
        "on training rows that were held out of training. results.json, the report, the model card and the bundle have "
        "the thresholds and the number of these rows. Default: 0.5.",
        json_schema_extra={"exclusiveMinimum": 0, "exclusiveMaximum": 1},
    )
    search_share: float = Field(
        default=0.1,
        gt=0,
        lt=1,
        description='The share of the training rows that threshold = "search" holds out of training.',
    )
    class_weights: CLASS_WEIGHTS | None = weights_field(
        "label",
        "for each label, n / (2 * rows with the label) on the loss of rows with it, and n / (2 * rows without it) on "
        "the loss of rows without it",
    )


class Multilabel(Kind):
    """A kind whose texts have any number of labels. A target is float64[labels], 1 for a label and 0 for its absence.

    A cell is a list of labels, a text with separated labels, or a JSON list. It may also be an object that gives labels
    0 or 1, or false or true, or a list with a 0 or a 1 for each label in their order. `[]` is a text without labels; an
    empty cell is a missing label. If the task names one column per label, the cells of a row are 0 or 1, or false or
    true.

    Where labels that training does not know are counted, a target is float64[labels + 1]. The last number is that of
    the unknown labels, which no prediction has.

    Raises:
        ValueError: There is no label, a label is blank, two labels are equal, or a threshold is not between 0 and 1.
    """

    name = "multilabel"
    noun = "a multilabel task"
    summary = "any number of `labels`"
    options = MultilabelOptions
    training_keys = ("class_weights",)
    target = "labels"
    metrics = ("macro_f1", "micro_f1", "average_precision", "subset_accuracy")
    views = ("labels",)
    counts_unknown = True
    several_columns = True
    exclusive = False

    def __init__(
        self,
        labels: Iterable[Label],
        *,
        separator: str | None = None,
        threshold: float | Sequence[float] | str | None = None,
        search_share: float = 0.1,
        searched_on: int | None = None,
    ) -> None:
        self.labels = Labels(labels, noun=self.noun, least=1)
        self.separator, self.threshold, self.search_share = separator, threshold, search_share
        self.searched_on = searched_on
        self.shape = (len(self.labels),)
        self.counted_shape = (len(self.labels) + 1,)
        fault = _threshold_fault(threshold, self.labels)
        if fault is not None:
            raise ValueError(f"{fault.what}, found {threshold}")
        unknown = np.nan if threshold == _SEARCH else _HALF
        bounds = np.array(unknown if threshold is None or threshold == _SEARCH else threshold, dtype=np.float64)
        self._bounds = np.broadcast_to(bounds, self.shape)

    def __repr__(self) -> str:
        return f"Multilabel({self.labels!r})"

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind with the labels of the recipe."""
        if options.labels is None:
            return None
        return cls._with(options.labels, options)

    @classmethod
    def _with(cls, labels: Iterable[Label], options: Any) -> Self:
        return cls(labels, separator=options.separator, threshold=options.threshold, search_share=options.search_share)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind with the distinct labels of the cells, or with the names of the columns.

        Raises:
            DataError: The cells have no labels, or are lists with a 0 or a 1 for each label, which do not name them.
        """
        cells = iter(cells)
        first = next(cells, None)
        if isinstance(first, Columns):
            labels: tuple[Label, ...] = tuple(first)
        else:
            several = chain.from_iterable(_named(cells if first is None else chain([first], cells), name, options))
            labels = labels_among(name, several, typed=typed, least=1, hint="set another separator")
        return cls._with(labels, options), found_note(name, labels)

    @classmethod
    def sample(cls) -> Self:
        """Return a kind with three labels."""
        return cls(["a", "b", "c"])

    @classmethod
    def guess(cls, cells: Sequence[object], *, name: str, typed: bool) -> Self | None:
        """Return the kind if the cells are lists, texts with separated labels, or those of one column per label.

        They may also be objects that give labels 0 or 1.
        """
        separated = separated_labels(cells)
        listed = all(_is_object(cell) or listed_items(cell) is not None for cell in cells)
        if not cells or not (listed or separated):
            return None
        options = cls.options(separator=None if separated is None else separated[0])
        return cls.infer(options, cells, name=name, typed=typed)[0]

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the labels, the thresholds and the weights."""
        yield from class_weight_faults(options.class_weights, options.labels)
        fault = _threshold_fault(options.threshold, options.labels)
        if fault is not None:
            yield fault
        else:
            yield from super().faults(options)

    def space(self) -> dict[str, Any]:
        """Return the labels, and the separator and the thresholds if they are set."""
        several = isinstance(self.threshold, Sequence) and not isinstance(self.threshold, str)
        threshold = self._bounds.tolist() if several else self.threshold
        share = self.search_share if self.threshold == _SEARCH else None
        optional = {"separator": self.separator, "threshold": threshold, "search_share": share}
        return {"labels": list(self.labels), **{key: value for key, value in optional.items() if value is not None}}

    def meaning(self) -> dict[str, Any]:
        """Return the labels."""
        return {"labels": list(self.labels)}

    def warnings(self) -> list[str]:
        """Return a warning for each group of labels that look alike."""
        return alike_warnings(self.labels)

    @property
    def forms(self) -> Mapping[str, int]:
        """A logit per label."""
        return {"independent": len(self.labels)}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode logits[n, labels] to labels and their probabilities, which are independent of one another.

        Raises:
            ValueError: The thresholds were not searched yet.
        """
        if self.threshold == _SEARCH:
            raise ValueError("the thresholds of the labels were not searched yet")
        probabilities = sigmoid(finite(outputs))
        return Predictions((probabilities > self._bounds).astype(np.float64), probabilities)

    @property
    def tuning_share(self) -> float | None:
        """The share of the rows on which thresholds are searched."""
        return self.search_share if self.threshold == _SEARCH else None

    def tune(self, outputs: NDArray[np.floating], targets: Floats) -> Self:
        """Return the kind with the threshold of each label that has the best F1 on these rows; see `search`."""
        return self.with_tuned({"threshold": search(sigmoid(finite(outputs)), targets).tolist(), "rows": len(targets)})

    @property
    def tuned(self) -> Mapping[str, Any]:
        """The searched thresholds, and the number of rows on which they were searched."""
        if self.searched_on is None:
            return {}
        return {"threshold": self._bounds.tolist(), "rows": self.searched_on}

    def with_tuned(self, tuned: Mapping[str, Any]) -> Self:
        """Return the kind with thresholds that were searched before."""
        threshold, rows = list(tuned["threshold"]), int(tuned["rows"])
        return type(self)(self.labels, separator=self.separator, threshold=threshold, searched_on=rows)

    @property
    def tuning_note(self) -> str | None:
        """The number of rows on which the thresholds were searched."""
        if self.searched_on is None:
            return None
        return f"thresholds searched on {self.searched_on:,} held-out training rows for the best F1 of each label"

    def parse(self, raw: object) -> Floats:
        """Return the labels that a cell has, or the cells of the columns of a row.

        Raises:
            LabelError: A cell is empty, or has something that is not one of the labels.
        """
        target = np.zeros(self.shape)
        if isinstance(raw, Columns):
            for code, cell in enumerate(raw.values()):
                target[code] = _flag(str(self.labels[code]), cell)
            return target
        if is_missing(raw):
            raise LabelError(MISSING, "write [] for a text without labels")
        found = self._found(raw)
        if any(map(is_missing, found)):
            raise LabelError(f"a label in {quoted(raw)} is missing")
        unknown = [item for item in found if self.labels.find(item) is None]
        if unknown:
            presented = [item if isinstance(item, str | int | float) else str(item) for item in found]
            raise UnknownLabelError(self.labels.unknown(unknown[0]), [str(item).strip() for item in unknown], presented)
        for item in found:
            target[self.labels.code(item)] = 1.0
        return target

    def counted(self, presented: Any) -> Floats:
        """Return the labels that a list has, and the number of the others."""
        target = np.zeros(len(self.labels) + 1)
        for item in dict.fromkeys(presented):
            code = self.labels.code(item)
            target[code] = target[code] + 1.0 if code == len(self.labels) else 1.0
        return target

    def targets(self, each: Sequence[Target]) -> Floats:
        """Return single targets as one array, float64[n, labels], with one more column if one of them has it."""
        width = max((len(np.atleast_1d(target)) for target in each), default=len(self.labels))
        targets = np.zeros((len(each), width))
        for row, target in enumerate(each):
            targets[row, : len(np.atleast_1d(target))] = target
        return targets

    def present(self, target: Target) -> list[Label]:
        """Return the known labels of a target."""
        return [label for label, has in zip(self.labels, np.atleast_1d(target), strict=False) if has]

    def code(self, presented: Any) -> Floats:
        """Return the labels that a list has."""
        if not isinstance(presented, list):
            raise TypeError(f"{presented!r} is not a list of labels")
        target = np.zeros(self.shape)
        for label in presented:
            target[list(self.labels).index(label)] = 1.0
        return target

    def show(self, target: Target) -> str:
        """Return the labels, or a dash."""
        unknown = [UNKNOWN] * int(np.atleast_1d(target)[len(self.labels) :].any())
        return ", ".join([*map(str, self.present(target)), *unknown]) or "-"

    @property
    def probability_names(self) -> tuple[str, ...]:
        """The labels as text."""
        return self.labels.names

    @property
    def columns(self) -> Mapping[str, type]:
        """The columns `prediction`, a list of text, and `p_LABEL` for each label."""
        return {**super().columns, "prediction": list}

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the predicted labels and the probability of each label."""
        return {
            "prediction": self.present(predictions.values[row]),
            "probabilities": named_probabilities(self.labels, predictions.probabilities, row),
        }

    def follows(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Return whether the predicted labels are those above their thresholds, to within 1e-4.

        If the thresholds are not known: whether there are thresholds from which all predictions follow.
        """
        if predictions.probabilities is None:
            return np.ones(len(predictions), dtype=bool)
        if self.threshold == _SEARCH:
            predicted = predictions.values > _HALF
            lowest = np.where(predicted, predictions.probabilities, np.inf).min(axis=0, initial=np.inf)
            consistent: NDArray[np.bool_] = (predicted | (predictions.probabilities <= lowest + 1e-4)).all(axis=1)
            return consistent
        near = np.abs(predictions.probabilities - self._bounds) <= 1e-4
        above = predictions.probabilities > self._bounds
        followed: NDArray[np.bool_] = (near | (above == (predictions.values > _HALF))).all(axis=1)
        return followed

    def strata(self, targets: Floats) -> Ints:
        """Return the rarest label of each target, and the number of labels for a text without any."""
        rarity = np.where(targets > 0, targets.sum(axis=0), np.inf)
        return np.where((targets > 0).any(axis=1), rarity.argmin(axis=1), len(self.labels)).astype(np.int64)

    def counts(self, targets: Floats) -> dict[Any, int]:
        """Return the number of targets with each label. Unknown labels are not counted."""
        return dict(zip(self.labels, targets.sum(axis=0).astype(int).tolist(), strict=False))

    def balanced_weights(self, targets: Floats, weights: Floats) -> Floats:
        """Return the weights of rows without and with each label: float64[2, labels]."""
        present = weights @ targets
        counts = np.stack([weights.sum() - present, present])
        return np.stack([balanced(column) for column in counts.T], axis=1)

    def shares(self, targets: Floats) -> dict[str, float]:
        """Return the share of the targets with each label. They need not add up to 1."""
        return {str(label): count / max(1, len(targets)) for label, count in self.counts(targets).items()}

    def digest(self, targets: Floats) -> str:
        """Return the share of each label, or the rarest of many, and the labels per row."""
        return f"{counts_digest(self.counts(targets), len(targets))}; {targets.sum(axis=1).mean():.2g} labels per row"

    def constant(self, targets: Floats) -> str | None:
        """Return a warning if all examples have the same labels."""
        if not len(targets) or np.ptp(targets, axis=0).any():
            return None
        return f"every example has the same labels: {self.show(targets[0])}"

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return the number of wrong labels, plus the share of the probability that is on the wrong side."""
        own, unknown = targets[:, : len(self.labels)], targets[:, len(self.labels) :].sum(axis=1)
        wrong = predictions.values != own
        if predictions.probabilities is None:
            counts: Floats = wrong.sum(axis=1) + unknown
            return counts
        sizes: Floats = (wrong * (1 + np.abs(predictions.probabilities - own))).sum(axis=1) + unknown
        return sizes

    def right(self, predictions: Predictions, targets: Floats) -> NDArray[np.bool_]:
        """Return whether exactly the labels of each row are predicted. A row with an unknown label is wrong."""
        count = len(self.labels)
        exact = (predictions.values == targets[:, :count]).all(axis=1)
        right: NDArray[np.bool_] = exact & (targets[:, count:].sum(axis=1) == 0)
        return right

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return targets in which each label of a tenth of the examples is that of another example."""
        del correlation
        rng = np.random.default_rng(0)
        predictions = targets[:, : len(self.labels)].copy()
        for column in predictions.T:
            moved = np.flatnonzero(rng.random(len(column)) < 0.1)
            column[moved] = rng.choice(column, size=len(moved)) if len(moved) else column[moved]
        return predictions

    def described(self) -> str:
        """Return the first labels, their number, and how the thresholds were found."""
        note = self.tuning_note
        return f"any of {listed(self.labels)}" + ("" if note is None else f"; {note}")

    @property
    def hub(self) -> HubForm:
        """Independent labels."""
        return HubForm(self.labels.names, "multi_label_classification")

    def _found(self, raw: object) -> list[object]:
        """Return the labels in a cell. The whole cell may be one label, also with a separator in it."""
        if isinstance(raw, str) and self.separator is None and self.labels.find(raw) is not None:
            return [raw]
        items = _items(raw, self.separator)
        if len(items) != len(self.labels) or len(items) < 2 or not all(map(is_flag, items)):
            return items
        # A list with a 0 or a 1 for each label, unless these are labels themselves.
        named = self.labels.find(0) is None and self.labels.find(1) is None
        return [label for label, item in zip(self.labels, items, strict=True) if item] if named else items


def _is_object(cell: object) -> bool:
    """Return whether a cell is an object that gives labels 0 or 1, or has the cells of several columns."""
    found = object_of(cell)
    if found is None:
        return isinstance(cell, Columns)
    return all(item is None or is_flag(item) for item in found.values())


def _named(cells: Iterable[object], name: str, options: Any) -> Iterator[Iterable[object]]:
    """Yield the labels that each cell names: those of a list or a text, or all keys of an object.

    Raises:
        DataError: The cells are lists with a 0 or a 1 for each label.
    """
    lists: list[list[object]] | None = []
    for cell in cells:
        found = object_of(cell)
        items = (
            [item for item in _items(cell, options.separator) if not is_missing(item)] if found is None else [*found]
        )
        if lists is not None and (found is not None or not all(map(is_flag, items))):
            lists = None
        elif lists is not None:
            lists.append(items)
        yield items
    if lists and are_flag_lists(lists):
        raise DataError(
            "the cells do not name their labels",
            where=name,
            found=f"lists of {len(lists[0])} numbers, each 0 or 1",
            hint="name the labels in the order of the numbers: labels = [...]",
        )


def _items(raw: object, separator: str | None) -> list[object]:
    """Return the labels in a cell: those of a list, also one written as text, or of a text with separators.

    Those of an object are the keys with 1 or true.

    Raises:
        LabelError: An object has something else than 0 and 1.
    """
    named = object_of(raw)
    if named is not None:
        # A struct of a Parquet file has null for a key that a row lacks.
        return [label for label, cell in named.items() if cell is not None and _flag(str(label), cell)]
    found = listed_items(raw)
    if found is not None and (separator is None or not isinstance(raw, str)):
        return found
    if not isinstance(raw, str):
        return [raw]
    mark = separator or next((each for each in SEPARATORS if each in raw), None)
    parts = [raw] if mark is None else raw.split(mark)
    return [part.strip() for part in parts if part.strip()]


def _flag(label: str, cell: object) -> float:
    """Return the 0 or 1 in the cell of a label's column."""
    if is_missing(cell):
        raise LabelError(f"{MISSING} in column {label!r}")
    known = {0: 0.0, 1: 1.0, "0": 0.0, "1": 1.0, "0.0": 0.0, "1.0": 1.0}
    found = known.get(cell.strip() if isinstance(cell, str) else cell) if isinstance(cell, str | int | float) else None
    if found is None and isinstance(cell, str) and spelled_boolean(cell.strip()) is not None:
        return float(spelled_boolean(cell.strip()) is True)
    if found is None:
        raise LabelError(f"label {quoted(cell)} in column {label!r} is not 0 or 1")
    return found


_HALF = 0.5

_SEARCH = "search"
"""The value of `threshold` that asks for a search."""


def search(probabilities: Floats, targets: Floats) -> Floats:
    """Return the threshold of each label with the best F1 on some rows: float64[labels].

    A label is predicted above its threshold. All thresholds are tried at which the predictions differ: those in the
    middle between two neighbouring probabilities, and half of the lowest one. Of equally good ones, the nearest to 0.5
    is taken. A label that no row has gets 0.5. Source: the SCut thresholds of Yang (2001), "A Study of Thresholding
    Strategies for Text Categorization", with F1 as the measure.

    Args:
        probabilities: float64[n, labels].
        targets: float64[n, labels], 1 for a label and 0 for its absence.
    """
    pairs = zip(probabilities.T, targets.T, strict=True)
    return np.array([_best(column, has > 0) if (has > 0).any() else _HALF for column, has in pairs])


def _best(probabilities: Floats, has: np.ndarray[tuple[int, ...], np.dtype[np.bool_]]) -> float:
    order = np.argsort(-probabilities, kind="stable")
    falling = probabilities[order]
    # With cut k, the first k rows are predicted. It exists where the next probability is lower.
    cuts = np.append(np.flatnonzero(falling[1:] < falling[:-1]) + 1, len(falling))
    f1 = 2 * np.cumsum(has[order])[cuts - 1] / (cuts + np.count_nonzero(has))
    upper, lower = falling[cuts - 1], np.append(falling, 0.0)[cuts]
    between = np.minimum(lower + (upper - lower) / 2, np.nextafter(upper, 0.0))
    best = between[f1 >= f1.max() * (1 - 1e-12)]
    found = float(best[np.argmin(np.abs(best - _HALF))])
    return min(max(found, np.finfo(np.float64).tiny), 1 - np.finfo(np.float64).epsneg)


def _threshold_fault(
    threshold: float | Sequence[float] | str | None, labels: Sequence[Label] | None
) -> KeyFault | None:
    """Return what is wrong with a threshold, or with one threshold per label."""
    if threshold is None or isinstance(threshold, str):
        known = threshold in (None, _SEARCH)
        return None if known else KeyFault("threshold", "unknown threshold", threshold, f"a number or {_SEARCH!r}")
    several = None if isinstance(threshold, float | int) else list(threshold)
    if not all(0 < each < 1 for each in ([threshold] if isinstance(threshold, float | int) else threshold)):
        return KeyFault("threshold", "a threshold must be between 0 and 1", threshold)
    if several is not None and labels is None:
        what = "a threshold per label requires labels, to assign the thresholds to"
        return KeyFault("threshold", what, threshold, hint="add labels = [...]")
    if several is not None and labels is not None and len(several) != len(labels):
        what = "the number of thresholds differs from the number of labels"
        return KeyFault("threshold", what, len(several), str(len(labels)))
    return None
