"""The predictions that `Predictor.predict` returns."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from enum import Enum
from typing import Any, overload

import numpy as np

from manyheads.ragged import Ragged, Rows, concatenated
from manyheads.shown import data_frame
from manyheads.tasks.kind import Predictions as Decoded
from manyheads.tasks.task import Task
from manyheads.tasks.written import shortest

SHOWN = 10
"""Number of predictions that `repr` shows."""


OTHERS = ("spans", "text", "probabilities")
"""The columns of a kind that have the name of a field of `Prediction`."""


@dataclass(frozen=True, repr=False)
class Prediction:
    """A prediction for one text or pair: the label or value, and for classes the probability of each label.

    For a task per word, `prediction` has the tag of each word, `probabilities` the probability of each of them, `words`
    the words, and `spans` the spans of words: `start`, `end` (characters of the text), `label` and `text`.

    For a task with candidates, `prediction` is the index or the letter of the chosen candidate, `text` its text, and
    `probabilities` has the probability of each candidate.
    """

    prediction: Any
    probabilities: Mapping[str, float] | Sequence[float] | None = None
    words: Sequence[str] | None = None
    spans: Sequence[Mapping[str, Any]] | None = None
    text: str | None = None

    def __repr__(self) -> str:
        shown = {each.name: getattr(self, each.name) for each in fields(self)}
        own = [
            f"{name}={value!r}"
            for name, value in shown.items()
            if value is not None or name in ("prediction", "probabilities")
        ]
        return f"{type(self).__name__}({', '.join(own)})"

    def to_dict(self) -> dict[str, Any]:
        """Return the prediction as values for JSON, without the keys that its task does not have."""
        found = ((each.name, getattr(self, each.name)) for each in fields(self))
        return {name: value for name, value in found if value is not None}


class Probabilities(dict[str, float]):
    """The probability of each label by its name. A label that is not text is found, too: `found[3]` is `found["3"]`."""

    def __missing__(self, label: object) -> float:
        name = str(label.value if isinstance(label, Enum) else label)
        if isinstance(label, str) or name not in self:
            raise KeyError(label)
        return self[name]


class Predictions(Sequence[Prediction]):
    """The predictions for the items of an input, in their order.

    Args:
        task: The task.
        decoded: The decoded predictions for n items.
        texts: The texts of each item. Candidates follow the text that they belong to.
        table: The input if it was a table, a Series or a list of dicts, otherwise None.
    """

    def __init__(self, task: Task, decoded: Decoded, texts: Sequence[tuple[str, ...]], table: Any = None) -> None:
        self._task, self._decoded, self._texts, self._table = task, decoded, texts, table

    def __len__(self) -> int:
        return len(self._decoded.values)

    @overload
    def __getitem__(self, place: int) -> Prediction: ...
    @overload
    def __getitem__(self, place: slice) -> list[Prediction]: ...
    def __getitem__(self, place: int | slice) -> Prediction | list[Prediction]:
        rows = range(len(self))[place]
        return prediction_of(self._task, self._decoded, rows) if isinstance(rows, int) else [self[row] for row in rows]

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and not isinstance(other, str) and list(self) == list(other)

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        shown = ", ".join(map(repr, self[:SHOWN]))
        return f"[{shown}, ... ({len(self)} predictions)]" if len(self) > SHOWN else f"[{shown}]"

    def _repr_html_(self) -> str:
        return str(self.frame._repr_html_())

    def to_dict(self) -> dict[str, Any]:
        """Return the task and the predictions as values for JSON."""
        return {"task": self._task.name, "predictions": [each.to_dict() for each in self]}

    @property
    def labels(self) -> list[Any]:
        """The predicted label of each item, or the predicted value if the task predicts values."""
        return [each.prediction for each in self]

    @property
    def probabilities(self) -> Any:
        """The probabilities as float64[n, labels], in the order of the labels. None if the task predicts values.

        For a task per word, a list with the probabilities of the predicted tags of each item. For a task with
        candidates, a list with those of the candidates.
        """
        exact = self._decoded.probabilities
        if isinstance(exact, Ragged):
            return [each.probabilities for each in self]
        if exact is None:
            return None
        return np.array([shortest(each) for each in exact.flat], dtype=np.float64).reshape(exact.shape)

    @property
    def frame(self) -> Any:
        """The columns of the input with the columns `prediction`, and `p_LABEL` for each label of a classification.

        For a DataFrame or a Series of pandas, it is a DataFrame of pandas with the index of the input. For another
        table, it is a DataFrame of polars. For a list, it is one of pandas where pandas is installed and of polars
        otherwise, and the columns of a list of texts are the task's text columns. An underscore is appended to the name
        of an added column that the input already has.
        """
        frame = self._input()
        added = self._added(list(map(str, frame.columns)))
        if hasattr(frame, "iloc"):
            return frame.assign(**added)
        import polars as pl

        return frame.with_columns(**{name: pl.Series(values, strict=False) for name, values in added.items()})

    def _input(self) -> Any:
        """Return the input as a DataFrame."""
        table, columns = self._table, self._task.text
        if table is None and self._task.kind.reads == "candidates":
            own = self._task.kind.input_columns
            text, candidates = columns[0] if len(columns) == 1 else "text", own[0] if len(own) == 1 else "candidates"
            own_texts, lists = [row[0] for row in self._texts], [list(row[1:]) for row in self._texts]
            return data_frame({text: own_texts, candidates: lists})
        if table is None:
            cells = zip(*self._texts, strict=True) if self._texts else [()] * len(columns)
            return data_frame(dict(zip(columns, cells, strict=True)))
        if isinstance(table, list):
            names = dict.fromkeys(key for item in table for key in item)
            return data_frame({str(name): [item.get(name) for item in table] for name in names})
        if hasattr(table, "to_polars"):
            return table.with_format(None).to_polars()
        if not hasattr(table, "to_frame"):
            return table
        return table.to_frame(name=columns[0] if table.name is None or table.name == "" else table.name)

    def _added(self, taken: Sequence[str]) -> dict[str, list[Any]]:
        names = added_columns(self._task, taken)
        probabilities = self.probabilities
        added = {names["prediction"]: self.labels}
        for name in self._task.kind.columns:
            if name in OTHERS:
                added[names[name]] = [getattr(each, name) for each in self]
        if self._task.kind.probability_names and probabilities is not None:
            for label, column in zip(self._task.kind.probability_names, probabilities.T, strict=True):
                added[names[f"p_{label}"]] = column.tolist()
        return added


def added_columns(task: Task, columns: Sequence[str], *others: str) -> dict[str, str]:
    """Return the name of each added column: `prediction`, `p_LABEL` for each label of a classification, and `others`.

    Underscores are appended to a name that the input already has.
    """
    names: dict[str, str] = {}
    for wanted in (*task.kind.columns, *others):
        name = wanted
        while name in columns or name in names.values():
            name += "_"
        names[wanted] = name
    return names


def prediction_of(task: Task, decoded: Decoded, row: int) -> Prediction:
    """Return the prediction of one row."""
    record = dict(task.kind.record(decoded, row))
    if isinstance(record.get("probabilities"), Mapping):
        record["probabilities"] = Probabilities(record["probabilities"])
    return Prediction(**{each.name: record.get(each.name) for each in fields(Prediction)})


def joined(task: Task, parts: Sequence[Decoded]) -> Decoded:
    """Return decoded predictions one after another. Without parts, there are no predictions."""
    names = task.kind.probability_names
    if not parts:
        nothing = Ragged.of([])
        values: Rows = nothing if task.kind.ragged_targets else np.zeros((0, *task.kind.shape))
        shares: Rows = nothing if task.kind.ragged_outputs else np.zeros((0, len(names)))
        return Decoded(values, shares if names or task.kind.ragged_outputs else None)
    found = [each.probabilities for each in parts if each.probabilities is not None]
    places = [each.places for each in parts if each.places is not None]
    texts = [text for each in parts for text in each.texts or ()]
    candidates = [each for part in parts for each in part.candidates or ()]
    return Decoded(
        concatenated([each.values for each in parts]),
        concatenated(found) if found else None,
        concatenated(places) if places else None,
        texts if places else None,
        candidates or None,
    )
