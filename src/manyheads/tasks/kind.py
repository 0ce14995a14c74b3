"""Kind: what is asked of a text. It reads labels, decodes outputs, and says which metrics and views fit."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray

from manyheads.errors import EncoderError
from manyheads.options import Options
from manyheads.ragged import Ragged, Rows, differing, flat
from manyheads.tasks.tags import TagTable

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

Target = float | Floats
"""The target of one example: a number, or float64[k] for a kind whose targets have k numbers."""


class LabelError(ValueError):
    """A label is not in the task's label space. The message is the reason that is reported for the bad row.

    `hint`: what to do about all rows with this reason, if that is known.
    """

    def __init__(self, reason: str, hint: str | None = None) -> None:
        super().__init__(reason)
        self.hint = hint


class UnknownLabelError(LabelError):
    """A cell has labels that are not in the task's label space.

    `labels`: these labels as text. `presented`: all labels of the cell, as `Kind.present` writes them.
    """

    def __init__(self, reason: str, labels: Sequence[str], presented: Any, hint: str | None = None) -> None:
        super().__init__(reason, hint)
        self.labels, self.presented = tuple(labels), presented


@dataclass(frozen=True)
class KeyFault:
    """A fault of a key of a task's table: what is wrong, what was found, what is allowed, and what to do."""

    key: str
    what: str
    found: object = None
    allowed: str | None = None
    hint: str | None = None


@dataclass(frozen=True)
class Candidates:
    """The candidates of a row. `texts`: n texts. `names`: the name of each, which a label may be; None without."""

    texts: tuple[str, ...]
    names: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Predictions:
    """Decoded predictions for n examples.

    `values`: float64[n, ...], such as the index of the predicted class, or the predicted value; ragged for a kind with
    ragged targets. `probabilities`: float64[n, classes], ragged for a kind with ragged outputs, or None if the kind
    predicts values.

    For predictions per word, `places` is int64[N, 2], ragged: the first character of each word in its text, and the
    one after it. `texts`: the texts, where they are available. For predictions per candidate, `candidates` has the
    texts of the candidates of each example, where they are available.
    """

    values: Rows
    probabilities: Rows | None
    places: Ragged | None = None
    texts: Sequence[str] | None = None
    candidates: Sequence[Sequence[str]] | None = None

    def __len__(self) -> int:
        return len(self.values)

    def take(self, rows: Any) -> Predictions:
        """Return the predictions of some examples. `rows`: what numpy accepts as an index."""
        return replace(
            self,
            values=self.values[rows],
            probabilities=None if self.probabilities is None else self.probabilities[rows],
            places=None if self.places is None else self.places[rows],
            texts=None if self.texts is None else [self.texts[row] for row in np.arange(len(self))[rows]],
            candidates=None
            if self.candidates is None
            else [self.candidates[row] for row in np.arange(len(self))[rows]],
        )


@dataclass(frozen=True)
class HubForm:
    """How transformers names the outputs of a task: `labels`, and the `problem_type` of its configuration.

    A task with candidates has no labels.
    """

    labels: tuple[str, ...]
    problem_type: str | None


class Kind(ABC):
    """A kind of task with its label space. Kinds use numpy and do not need torch.

    A kind is one file: a subclass, and one line in the menu `KINDS`. The class attributes and the abstract methods are
    what a kind must say. The other methods have defaults that fit kinds without classes.
    """

    name: ClassVar[str]
    """The name in a recipe, as in `kind = "classification"`."""

    noun: ClassVar[str]
    """What a task of the kind is called in messages, with its article."""

    summary: ClassVar[str]
    """What the kind predicts, as a short phrase for the documentation and for comments of a recipe."""

    options: ClassVar[type[Options]]
    """The keys of the kind in the table of a task."""

    training_keys: ClassVar[tuple[str, ...]] = ()
    """The keys of the kind that only training reads."""

    reads: ClassVar[Literal["text", "tokens", "candidates"]] = "text"
    """What the kind reads from the encoder, a vector per text, per candidate, or that of each word's first token.

    A kind that reads candidates joins the text columns to one context. Each candidate is a pair with the context.
    """

    input_columns: tuple[str, ...] = ()
    """The columns with the candidates of a row."""

    names: str | None = None
    """The column with the names of the candidates of a row, which only labels need."""

    gathered_by: str | None = None
    """The column that is equal in all lines of one row, which have a candidate or a word each.

    Without it, a line is a row.
    """

    target: str
    """What a target is, such as "class" or "value", by which losses and metrics say that they fit."""

    metrics: tuple[str, ...]
    """The metrics of every evaluation, the default primary metric first."""

    views: tuple[str, ...] = ()
    """What a report shows, such as "confusion", "reliability", "scatter", "classes", "bands", "labels" or "spans"."""

    label_required: ClassVar[bool] = True
    """Whether a task must name a label column. Without one, the target of every row is `given`."""

    given: float | None = None
    """The target of every row of a task without a label column."""

    texts: ClassVar[tuple[int, int]] = (1, 2)
    """The lowest and the highest number of text columns."""

    read_texts: ClassVar[int | None] = None
    """The number of text columns that predictions read, from the first. None means all. Training reads every one."""

    pairings: ClassVar[tuple[str, ...]] = ("cross", "bi")
    """How several texts may be encoded, the default first. See `Task.pair`."""

    vectors: ClassVar[bool] = False
    """Whether a head gives the vectors of the texts, one after another, instead of numbers about them."""

    several_columns: ClassVar[bool] = False
    """Whether `label` may list several columns. The cells of a row are then a mapping from columns to cells."""

    exclusive: ClassVar[bool] = True
    """Whether the outputs of a head compete with one another, as those of a softmax do."""

    hub_task: ClassVar[str] = "text-classification"
    """The name of the task on the Hugging Face hub."""

    shape: tuple[int, ...] = ()
    """The shape of a target, which is () for one number and (k,) for k numbers. () for each number of a ragged one."""

    ragged_targets: ClassVar[bool] = False
    """Whether a target has a length of its own, such as a number per word. Its targets are then `Ragged`."""

    ragged_outputs: ClassVar[bool] = False
    """Whether an example has a number of outputs of its own, such as one row per word or per candidate.

    Outputs are then `Ragged` rows, float[N, k], and probabilities are `Ragged` numbers: one per word or candidate.
    """

    soft_shape: tuple[int, ...] = ()
    """The shape of a soft label, with which training replaces the target. () if labels are not soft."""

    counts_unknown: bool = False
    """Whether labels that are not in the label space can be counted as wrong, see `counted`."""

    counted_shape: tuple[int, ...] | None = None
    """The shape of the targets of a file in which unknown labels are counted. None if it is `shape`."""

    unit: ClassVar[bool] = False
    """Whether a head gives scores from 0 to 1 instead of logits."""

    # The label space

    @classmethod
    @abstractmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind for its own keys, or None if its label space is to be read from the training file.

        Raises:
            ValueError: A key is invalid.
        """

    @classmethod
    @abstractmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind with the label space of the cells, and a note about it.

        Args:
            options: the kind's own keys.
            cells: the cells of the label column that are not missing.
            name: the name of the file in messages.
            typed: whether text is text. Otherwise it may spell a number.

        Raises:
            DataError: The cells have no label space.
        """

    @classmethod
    @abstractmethod
    def sample(cls) -> Self:
        """Return the kind with a small label space that has every form of outputs."""

    @classmethod
    def narrower(cls) -> Iterator[tuple[dict[str, Any], Self]]:
        """Yield kinds that have fewer forms of outputs, each with the values of keys that lead to it.

        The values are JSON Schemas. With them, the schema of a recipe knows which losses fit.
        """
        yield from ()

    @classmethod
    def guess(cls, cells: Sequence[object], *, name: str, typed: bool) -> Self | None:
        """Return the kind if the cells of a label column look like it, for `manyheads init`. Default: None."""
        del cells, name, typed
        return None

    @classmethod
    def guess_unlabelled(cls, columns: Sequence[str]) -> tuple[Self, tuple[str, ...]] | None:
        """Return the kind and the text columns of rows without labels, by the names of columns. Default: None.

        `manyheads init` uses it.
        """
        del columns
        return None

    @classmethod
    def guess_rows(
        cls, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> tuple[Self, tuple[str, ...], str] | None:
        """Return the kind, the text columns and the label column of rows with several columns of its own.

        `manyheads init` uses it. Default: None, the kind has no columns of its own.

        Raises:
            DataError: The rows have a form of which the kind can say that it must be written in another way.
        """
        del columns, rows
        return None

    def completed(self, cells: Iterable[object], *, name: str, typed: bool) -> Self:
        """Return a kind that `guess_rows` found in the first rows with the label space of all label cells.

        Default: the kind itself.

        Raises:
            DataError: The cells have no label space.
        """
        del cells, name, typed
        return self

    @abstractmethod
    def space(self) -> dict[str, Any]:
        """Return the label space as the kind's own keys, in values of JSON."""

    def meaning(self) -> dict[str, Any]:
        """Return the part of the label space that says what a target means. Runs with the same one are comparable."""
        return self.space()

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield the faults of the kind's own keys that their types do not express. Default: what `of` raises."""
        try:
            cls.of(options)
        except ValueError as error:
            key = next(iter(cls.options.model_fields))
            yield KeyFault(key, str(error), getattr(options, key))

    @classmethod
    def refused(cls, cell: object) -> LabelError | None:
        """Return why no label space can be read from a cell of any task of this kind. Default: None."""
        del cell
        return None

    def warnings(self) -> list[str]:
        """Return warnings about the label space. Default: none."""
        return []

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Kind) and self.space() == other.space()

    def __hash__(self) -> int:
        return hash((self.name, repr(self.space())))

    @property
    def alternative(self) -> str | None:
        """A comment of `manyheads init` about this kind and another one that the labels may be of. Default: None."""
        return None

    @property
    def space_comments(self) -> Mapping[str, str]:
        """Comments of `manyheads init` about the keys of the label space. Default: none."""
        return {}

    @classmethod
    def own_columns(cls, options: Any) -> tuple[str, ...]:
        """Return the columns that the kind's own keys name. Default: none."""
        del options
        return ()

    # Outputs

    @property
    @abstractmethod
    def forms(self) -> Mapping[str, int]:
        """The forms of outputs that the kind decodes, with the number of outputs per example. The default is first.

        A loss trains outputs of one form, and fits the kinds that decode it. Forms in use: "logits" (one per class, for
        a softmax), "logit" (of the second of two classes), "independent" (a logit per label), "steps" (a logit per step
        between labels in an order), "place" (a logit of the place between the lowest and the highest label), and
        "score" (from 0 to 1). A kind may have a form of its own. Two forms of a kind have different numbers of outputs.
        """

    @abstractmethod
    def decode(self, outputs: Rows) -> Predictions:
        """Decode a head's outputs[n, k]. Those of a kind with ragged outputs are ragged, with rows of k numbers.

        Raises:
            EncoderError: An output is not finite.
        """

    def decode_split(self, outputs: NDArray[np.floating], texts: NDArray[np.integer]) -> Predictions:
        """Decode the outputs[n, k] of all examples of an evaluation, which may depend on one another.

        `texts`: int[n, columns], equal numbers for equal texts. Default: as `decode`.
        """
        del texts
        return self.decode(outputs)

    @property
    def tuning_share(self) -> float | None:
        """The share of the training rows that are held out to tune the decoding of outputs. By default None.

        A kind with a share is tuned at each evaluation, before the evaluated examples are decoded.
        """
        return None

    def tune(self, outputs: Any, targets: Any) -> Self:
        """Return the kind with its decoding tuned on rows that were held out of training.

        Args:
            outputs: the head's outputs[n, k] for these rows.
            targets: their known targets, float64[n, ...].
        """
        del outputs, targets
        return self

    @property
    def tuned(self) -> Mapping[str, Any]:
        """What tuning has set, in values of JSON. By default nothing."""
        return {}

    def with_tuned(self, tuned: Mapping[str, Any]) -> Self:
        """Return the kind with what an earlier tuning has set, as `tuned` returned it."""
        del tuned
        return self

    @property
    def tuning_note(self) -> str | None:
        """What was tuned, and on how many rows, for people. None if nothing was."""
        return None

    @property
    def scale(self) -> tuple[float, float]:
        """The values that the scores 0 and 1 of a head stand for."""
        return 0.0, 1.0

    # Targets

    @abstractmethod
    def parse(self, raw: object) -> Target:
        """Return the target in a cell (text, number, boolean or list).

        Raises:
            LabelError: The cell is empty, or is not in the label space.
        """

    def soften(self, raw: object) -> Floats:
        """Return the soft label in a cell of a kind that has them: the probability of each class, with sum 1.

        Raises:
            LabelError: As `parse`.
        """
        raise NotImplementedError(f"the labels of {self.noun} are not soft: {raw!r}")

    def parse_of(self, raw: object, texts: Sequence[str]) -> Target:
        """Return the target in a cell of a row with these texts. Default: the texts have no influence.

        Raises:
            LabelError: As `parse`, or the cell does not fit the texts.
        """
        del texts
        return self.parse(raw)

    def candidates(self, cells: Mapping[str, object]) -> Candidates:
        """Return the candidates in the cells of a row of a kind that reads candidates.

        Raises:
            LabelError: A cell has no candidates.
        """
        raise NotImplementedError(f"{self.noun} reads no candidates: {', '.join(cells)}")

    def parse_among(self, raw: object, candidates: Candidates) -> Target:
        """Return the target in a cell of a row with these candidates.

        Raises:
            LabelError: As `parse`, or the cell names none of the candidates.
        """
        raise NotImplementedError(f"{self.noun} reads no candidates: {raw!r} of {candidates}")

    def words(self, text: str) -> Ints:
        """Return the first character of each word of a text and the one after it: int64[w, 2]. Default: no words."""
        del text
        return np.zeros((0, 2), dtype=np.int64)

    @property
    def span_table(self) -> TagTable | None:
        """The meaning of the numbers of a target as tags of spans. By default None, because they are no such tags."""
        return None

    @abstractmethod
    def present(self, target: Target) -> Any:
        """Return a predicted value or a target in the user's terms, as a value of JSON."""

    @abstractmethod
    def code(self, presented: Any) -> Target:
        """Return the target that `present` wrote.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: `present` cannot have written it.
        """

    def show(self, target: Target) -> str:
        """Return a target as a short text for a report."""
        return str(self.present(target))

    @property
    def missing(self) -> Target:
        """The target of an example without a label. A ragged one has no numbers."""
        if self.ragged_targets:
            return np.zeros(0)
        return np.full(self.shape, np.nan) if self.shape else float("nan")

    def targets(self, each: Sequence[Target]) -> Rows:
        """Return single targets as one value: float64[n, ...], or ragged."""
        return Ragged.of(each) if self.ragged_targets else np.array(each, dtype=np.float64).reshape(-1, *self.shape)

    def counted(self, presented: Any) -> Target:
        """Return the target of labels of which some are not in the label space. No prediction is equal to it.

        `presented`: all labels of the example, as `present` writes them.
        """
        raise NotImplementedError(f"{self.noun} has no target for {presented!r}")

    def counted_among(self, presented: Any, candidates: Candidates) -> Target:
        """Return the target of labels that are not in the label space, or name none of the candidates of their row.

        `presented`: the labels, as `UnknownLabelError` has them. Default: as `counted`.
        """
        del candidates
        return self.counted(presented)

    def unknown_target_of(self, record: Mapping[str, Any]) -> Target:
        """Return the target of a record whose label is not in the label space. Default: that of `counted`.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: As `code`.
        """
        return self.counted(record["target"])

    def written(self, raw: object, target: Target) -> Iterable[tuple[object, str]]:
        """Yield the labels in a cell with the text that writes them. Default: none."""
        del raw, target
        return ()

    # Records and columns

    @property
    def probability_names(self) -> tuple[str, ...]:
        """The names of the probabilities, in order. () for a kind without."""
        return ()

    @property
    def columns(self) -> Mapping[str, type]:
        """The columns that a prediction adds to a table, with the types of their cells. The first is `prediction`.

        `list`: a list of texts. `dict`: a list of spans. `np.ndarray`: a list of numbers. `object`: any value of JSON,
        which a Parquet file has as text.
        """
        return {"prediction": object, **{f"p_{name}": float for name in self.probability_names}}

    @property
    def column(self) -> tuple[type, Mapping[Any, float] | None] | None:
        """The type of a presented target, and its number for each that exists. Without it, targets are read singly."""
        return None

    @abstractmethod
    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the prediction of one row as a record: `prediction`, and `probabilities` or `value`."""

    def value_of(self, record: Mapping[str, Any]) -> Target:
        """Return the predicted value that `record` wrote.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: As `code`.
        """
        return self.code(record["prediction"])

    def target_of(self, record: Mapping[str, Any]) -> Target:
        """Return the target of a record, which `present` wrote.

        Raises:
            KeyError, TypeError, ValueError, OverflowError: As `code`.
        """
        return self.code(record["target"])

    # Groups of examples, for the choice of rows and for reports

    def strata(self, targets: Floats) -> Ints:
        """Return the stratum of each known target, int64[n]. Held-out rows have about the same share of each."""
        return np.zeros(len(targets), dtype=np.int64)

    def classes_of(self, targets: Floats) -> Floats | None:
        """Return the class of each target, float64[n]. Default: None, a target is not a class."""
        del targets
        return None

    def counts(self, targets: Floats) -> dict[Any, int]:
        """Return the number of known targets with each label, in the order of the labels. Default: no labels."""
        del targets
        return {}

    def balanced_weights(self, targets: Floats, weights: Floats) -> Floats | None:
        """Return the weights of the classes with which each class has the same share in the loss.

        The result is float64[labels], or float64[2, labels] for rows without and with each label. Default: None, the
        kind has no classes.

        Args:
            targets: the known training targets, or all numbers of ragged ones, or soft labels.
            weights: float64[n], the weight of each target.
        """
        del targets, weights
        return None

    @abstractmethod
    def shares(self, targets: Floats) -> dict[str, float]:
        """Return the share of the known targets in each group, by name: each label, or parts of a range."""

    def digest(self, targets: Floats) -> str:
        """Return a summary of the known training targets in a few words."""
        return ", ".join(f"{name}: {share:.0%}" for name, share in self.shares(targets).items())

    def constant(self, targets: Floats) -> str | None:
        """Return a warning if all known targets are equal. Default: None."""
        del targets
        return None

    def conflict(self, one: Target, other: Target) -> bool:
        """Return whether two targets of almost equal texts contradict each other."""
        return not np.array_equal(one, other)

    def follows(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Return whether each prediction follows from its probabilities: bool[n]. Default: the most probable class."""
        if predictions.probabilities is None:
            return np.ones(len(predictions), dtype=bool)
        chosen = predictions.probabilities[np.arange(len(predictions)), predictions.values.astype(np.int64)]
        followed: NDArray[np.bool_] = predictions.probabilities.max(axis=1) - chosen <= 1e-4
        return followed

    def confidences(self, predictions: Predictions) -> Floats | None:
        """Return the probability of each prediction, float64[n]. Default: that of the class. None without them."""
        if predictions.probabilities is None:
            return None
        found: Floats = predictions.probabilities[np.arange(len(predictions)), predictions.values.astype(np.int64)]
        return found

    def distances(self, one: Rows, other: Rows) -> Floats:
        """Return how far the predicted values of two runs differ for each example: float64[n], 0 if they agree."""
        return differing(one, other)

    @abstractmethod
    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return the size of the error of each prediction, by which a report sorts them: float64[n], 0 if correct."""

    def right(self, predictions: Predictions, targets: Rows) -> NDArray[np.bool_] | None:
        """Return whether each prediction is right as a whole: bool[n].

        An unknown label is never predicted right. None for a kind whose predictions are only near or far. Default: for
        targets that are classes, whether they are predicted.

        Args:
            predictions: n predictions.
            targets: their known targets, float64[n, ...], or ragged.
        """
        if self.classes_of(targets) is None:
            return None
        return np.asarray(predictions.values == targets)

    def true_probabilities(self, predictions: Predictions, targets: Floats) -> Floats | None:
        """Return the probability of each true label, float64[n]. Default: None, it is not defined."""
        del predictions, targets
        return None

    @abstractmethod
    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return imagined predictions for real targets, to plan a study: of middling quality, from a fixed seed.

        `correlation`: that of predicted with true values, for kinds with values.
        """

    # Words for people

    @abstractmethod
    def described(self) -> str:
        """Return what the kind predicts as a phrase in Markdown, such as "a value from 0 to 5"."""

    @property
    def hub(self) -> HubForm | None:
        """The form of the task in transformers' models, for what the kind reads. None if there is none."""
        return None

    @property
    def resolved(self) -> bool:
        """Whether float32 is precise enough for the targets."""
        return True


def probabilities_of_classes(probabilities: Floats, targets: Floats) -> Floats:
    """Return the probability of the class that is each target: float64[n], 0 if the target is no class."""
    classes = targets.astype(np.int64)
    known_class = classes < probabilities.shape[1]
    found = probabilities[np.arange(len(targets)), np.where(known_class, classes, 0)]
    return np.where(known_class, found, 0.0)


def known(targets: Rows) -> NDArray[np.bool_]:
    """Return which examples have a target: bool[n]. All numbers of a missing target are NaN; a ragged one has none."""
    numbers = ~np.isnan(flat(targets))
    if isinstance(targets, Ragged):
        return targets.sums(numbers) > 0
    found: NDArray[np.bool_] = numbers if numbers.ndim == 1 else numbers.any(axis=1)
    return found


def label_count(targets: Rows) -> int:
    """Return the number of labels: of examples with a target, or of all known numbers of ragged targets."""
    return int(np.count_nonzero(~np.isnan(targets.values) if isinstance(targets, Ragged) else known(targets)))


def finite(outputs: NDArray[np.floating]) -> NDArray[np.float64]:
    """Return outputs[n, k] as float64.

    Raises:
        EncoderError: An output is NaN or infinite. A prediction made from it would look like any other.
    """
    bad = int((~np.isfinite(outputs)).any(axis=1).sum())
    if bad:
        raise EncoderError(
            "the model's outputs are not finite",
            found=f"{bad} of {len(outputs)} examples",
            hint="train again with a lower training.learning_rate, or use another model: these weights are damaged",
        )
    return outputs.astype(np.float64)


def sigmoid(x: Floats) -> Floats:
    """Return 1 / (1 + exp(-x)), computed without overflow."""
    return np.where(x >= 0, 1.0, np.exp(-np.abs(x))) / (1.0 + np.exp(-np.abs(x)))


def softmax(x: Floats) -> Floats:
    """Return exp(x) / sum of exp(x) over the last axis, computed without overflow."""
    exponents = np.exp(x - x.max(axis=-1, keepdims=True))
    shares: Floats = exponents / exponents.sum(axis=-1, keepdims=True)
    return shares
