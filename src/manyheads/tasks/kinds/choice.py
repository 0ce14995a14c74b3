"""Choice: one of several candidates per row, or their order (multiple choice, answer selection, ranking)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from itertools import groupby
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.errors import DataError
from manyheads.options import Options
from manyheads.ragged import Ragged, Rows
from manyheads.tasks.cells import MISSING, MOSTLY, as_number, is_missing, listed_items, quoted
from manyheads.tasks.kind import (
    Candidates,
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
)
from manyheads.tasks.labels import UNKNOWN
from manyheads.tasks.rankings import chosen_right, first_best, lower_counts, most_of
from manyheads.tasks.written import shortest

LabelForm = Literal["index", "letter", "text", "name", "relevance"]

OF_ONE, OF_SEVERAL = ("accuracy", "mrr", "ndcg"), ("ndcg", "mrr", "accuracy")
"""The metrics of labels that name one candidate, and of labels with the relevance of each."""

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"

MOST_LETTERS = 4
"""Letters that name one candidate in a record. A label has at most two."""

MOSTLY_PROSE = 3
"""A column with more words per row than this may have the text of a row with candidates."""

MOST_SHARES = 12
"""Places of the right candidate that are counted one by one."""

MOST_CANDIDATES = 100_000
"""The largest index of a candidate."""

LARGEST = float(np.finfo(np.float32).max)


class ChoiceOptions(Options):
    """The keys of a choice in the table of a task."""

    candidates: str | list[str] | None = Field(
        default=None,
        description="Column with the candidates of each row, as a list of texts, such as `choices` or the path "
        "`question.choices[].text`. In delimited files the cell is a list in JSON. Or a list of columns, one per "
        "candidate; columns without text at the end of a row are no candidates. With `group_by`, the column with the "
        "candidate of each line. Required.",
    )
    candidate_names: str | None = Field(
        default=None,
        description="Column with the list of the candidates' names in each row, such as "
        "`question.choices[].label`, by which the label names a candidate. Default: none.",
    )
    group_by: str | None = Field(
        default=None,
        description="Column that is equal in the lines of one row, for a file with one candidate per line. The lines "
        "of a row must follow one another and have the same text. `label` is then the relevance of each candidate. "
        "Default: a line is a row.",
    )
    label_as: LabelForm | None = Field(
        default=None,
        description='What a label is. "index": the place of the right candidate, see `label_from`. "letter": A for '
        'the first candidate, B for the second. "text": the text of the right candidate. "name": its name in '
        '`candidate_names`. "relevance": a list with a number of at least 0 for each candidate, above 0 for the right '
        'ones. Default: "relevance" with `group_by`, "name" with `candidate_names`, else found from the training rows.',
    )
    label_from: Literal[0, 1] | None = Field(
        default=None,
        description="The index of the first candidate. Default: found from the training rows, which must have a label "
        "that only one of the two numberings allows.",
    )


class Choice(Kind):
    """A kind that gives each candidate of a row a score. The prediction is the candidate with the highest one.

    A target is the relevance of each candidate: 1 for the right one and 0 for the others, or the graded relevances of
    the label; 0 for all if the label names none of them. A predicted value is the number of candidates of the row that
    have a lower probability, for each candidate. Equal probabilities have equal values. Probabilities are a softmax
    over the candidates of a row.

    Raises:
        ValueError: No column has candidates, or a column is named twice.
    """

    name = "choice"
    noun = "a choice task"
    summary = "one of several candidates per row, or their order"
    options = ChoiceOptions
    reads = "candidates"
    target = "candidates"
    texts = (1, 2)
    ragged_targets = True
    ragged_outputs = True
    views = ("ranking",)
    counts_unknown = True
    hub_task: ClassVar[str] = "multiple-choice"

    def __init__(
        self,
        candidates: Sequence[str],
        *,
        label_as: LabelForm = "index",
        label_from: int = 0,
        names: str | None = None,
        group_by: str | None = None,
    ) -> None:
        self.input_columns = tuple(candidates)
        self.label_as: LabelForm = label_as
        self.label_from = label_from if label_as == "index" else 0
        self.names, self.gathered_by = names, group_by
        self.counts_unknown = label_as != "relevance"
        self.metrics = OF_SEVERAL if label_as == "relevance" else OF_ONE
        if not candidates:
            raise ValueError("no column with candidates is named")
        if len(set(candidates)) < len(candidates):
            raise ValueError("a column with candidates is named twice")

    def __repr__(self) -> str:
        return f"Choice({list(self.input_columns)}, label_as={self.label_as!r}, label_from={self.label_from})"

    # The label space

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind for its keys. None if what a label is must be found from the training rows."""
        form = _form_of(options)
        if options.candidates is None or form is None or (form == "index" and options.label_from is None):
            return None
        return cls._of(options, form, options.label_from or 0)

    @classmethod
    def _of(cls, options: Any, form: LabelForm, first: int) -> Self:
        columns = [options.candidates] if isinstance(options.candidates, str) else options.candidates
        names, group = options.candidate_names, options.group_by
        return cls(columns, label_as=form, label_from=first, names=names, group_by=group)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind with the form of the labels. `cells`: the label and the candidates of each row, by column.

        Raises:
            DataError: No candidates can be read, or the labels have no form or are indices that do not say where they
                begin.
        """
        del typed
        reader = cls._of(options, options.label_as or "index", 0)
        found: list[tuple[object, Candidates]] = []
        fault: str | None = None
        for cell in cells:
            try:
                found += [] if (each := _labelled(reader, options.label, cell)) is None else [each]
            except LabelError as error:
                fault = fault or str(error)
        if not found and fault is not None:
            hint = "check `candidates`; if a line of the file has one candidate, set group_by"
            raise DataError("no row has candidates that can be read", where=name, found=fault, hint=hint)
        labels = [label for label, _ in found]
        form = options.label_as or _form_among(found)
        if form is None:
            raise DataError(
                "the labels name no candidates",
                where=name,
                found=", ".join(quoted(label) for label in labels[:3]) or "no label",
                allowed="an index, a letter, or the text of a candidate; or a list with the relevance of each",
                hint="check `label` and `candidates`, or set label_as",
            )
        first = 0
        if form == "index":
            first = options.label_from if options.label_from is not None else _first_index(found, name)
        shown = f"indices from {first}" if form == "index" else _FORMS[form]
        return cls._of(options, form, first), f"labels are {shown}, found in {name}"

    @classmethod
    def own_columns(cls, options: Any) -> tuple[str, ...]:
        """Return the columns of candidates, of their names and of the groups."""
        named = options.candidates
        columns = [] if named is None else [named] if isinstance(named, str) else named
        others = (options.candidate_names, options.group_by)
        return (*columns, *(each for each in others if each is not None))

    @classmethod
    def sample(cls) -> Self:
        """Return a kind with a list of candidates per row."""
        return cls(["candidates"])

    @classmethod
    def guess_rows(
        cls, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> tuple[Self, tuple[str, ...], str] | None:
        """Return the kind if a column or columns have candidates, or lines with a key have one candidate each.

        Raises:
            DataError: A row has several questions with their candidates.
        """
        nested = next((column for column in columns if _LISTS.search(column) and _nested(rows, column)), None)
        if nested is not None:
            shown = f"the column {nested!r} has lists of lists of candidates"
            hint = "write a row for each question, with its candidates and its label"
            raise DataError("a row has several questions", found=shown, hint=hint)
        for candidates in _candidate_columns(columns, rows):
            own = cls(candidates)
            others = [column for column in columns if column not in candidates]
            lists = [column for column in others if _are_lists(rows, column)]
            rest = [column for column in others if column not in lists]
            for label in sorted(others, key=lambda column: (_LABEL.search(column) is None, column in lists)):
                texts = _contexts([column for column in rest if column != label], rows)
                found = _all_labelled(own, label, rows)
                if not texts or 2 * len(found) < len(rows):
                    continue
                form = _form_among(found)
                first = _only_first(found) if form == "index" else 0
                if form is not None and first is not None:
                    return cls(candidates, label_as=form, label_from=first), texts, label
                for names in lists:
                    named = cls(candidates, label_as="name", names=names)
                    if names != label and _names_all(named, label, rows):
                        return named, texts, label
        return cls._guess_lines(columns, rows)

    @classmethod
    def _guess_lines(
        cls, columns: Sequence[str], rows: Sequence[Mapping[str, object]]
    ) -> tuple[Self, tuple[str, ...], str] | None:
        """Return the kind if a column repeats in lines that follow one another, as the id of a question does."""
        for key in filter(_KEY.fullmatch, columns):
            groups = [list(lines) for _, lines in groupby(rows, key=lambda row: str(row.get(key)))]
            keys = [str(lines[0].get(key)) for lines in groups]
            if len(set(keys)) < len(keys) or not 1 < len(groups) < len(rows) / 2:
                continue
            texts = [each for each in columns if _QUESTION.search(each) and each != key]
            texts = [each for each in texts if all(len({str(row.get(each)) for row in lines}) == 1 for lines in groups)]
            answers = [each for each in columns if _ANSWER.search(each) and _words(rows, each) and each not in texts]
            labels = [each for each in columns if _LABEL.search(each) and all(_is_grade(row.get(each)) for row in rows)]
            if texts and answers and labels:
                answer = max(answers, key=lambda column: _words(rows, column))
                return cls([answer], label_as="relevance", group_by=key), (texts[0],), labels[0]
        return None

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield what is absent, and keys that do not fit together."""
        if options.candidates is None:
            yield KeyFault("candidates", "the key 'candidates' is missing", hint="add the key 'candidates'")
            return
        try:
            cls._of(options, "index", 0)
        except ValueError as error:
            yield KeyFault("candidates", str(error), options.candidates)
        form, given = options.label_as, options.label_as
        if options.group_by is not None and not isinstance(options.candidates, str):
            what = "with group_by, each line has one candidate"
            yield KeyFault("candidates", what, options.candidates, "one column")
        if options.group_by is not None and form not in (None, "relevance"):
            what = "with group_by, the label is the relevance of the candidate of a line"
            yield KeyFault("label_as", what, given, "relevance")
        if form == "name" and options.candidate_names is None:
            yield KeyFault("label_as", "no column has the names of the candidates", given, hint="set candidate_names")
        if options.candidate_names is not None and form not in (None, "name"):
            what = "with candidate_names, the label is the name of a candidate"
            yield KeyFault("label_as", what, given, "name", "remove candidate_names or label_as")
        if options.candidate_names is not None and options.group_by is not None:
            yield KeyFault("candidate_names", "with group_by, candidates have no names", options.candidate_names)
        if options.label_from is not None and (_form_of(options) or "index") != "index":
            what = "label_from is for labels that are indices"
            yield KeyFault("label_from", what, options.label_from, hint='remove it, or set label_as = "index"')
        own, text = cls.own_columns(options), getattr(options, "text", None) or []
        shared = [column for column in own if column in text and column != options.group_by]
        if shared:
            yield KeyFault("candidates", f"the column {shared[0]!r} is also a text column", options.candidates)
        if getattr(options, "label", None) in own:
            what = "the label column also has candidates, names or groups"
            hint = "name a column of its own that says which candidate is right, such as its index"
            yield KeyFault("label", what, options.label, hint=hint)

    def space(self) -> dict[str, Any]:
        """Return the columns and the form of the labels."""
        columns = list(self.input_columns)
        found: dict[str, Any] = {"candidates": columns[0] if len(columns) == 1 else columns, "label_as": self.label_as}
        if self.label_as == "index":
            found["label_from"] = self.label_from
        if self.names is not None:
            found["candidate_names"] = self.names
        if self.gathered_by is not None:
            found["group_by"] = self.gathered_by
        return found

    def meaning(self) -> dict[str, Any]:
        """Return whether one candidate is right, or each has a relevance."""
        return {"relevance": self.label_as == "relevance"}

    @property
    def space_comments(self) -> Mapping[str, str]:
        """What the keys mean."""
        return {"candidates": "columns with the candidates of a row", "label_from": "index of the first candidate"}

    # Rows

    def candidates(self, cells: Mapping[str, object]) -> Candidates:
        """Return the candidates of a row, at least one.

        Raises:
            LabelError: A cell has no list of texts, a candidate is missing, or names and candidates differ in number.
        """
        if len(self.input_columns) == 1:
            (column,) = self.input_columns
            items = _listed(cells.get(column), column)
        else:
            items = [cells.get(column) for column in self.input_columns]
            while items and is_missing(items[-1]):
                items.pop()
        texts = tuple(self._text(item, place) for place, item in enumerate(items))
        if not texts:
            raise LabelError(f"no candidates in {', '.join(map(repr, self.input_columns))}")
        if self.names is None or is_missing(cells.get(self.names)):
            return Candidates(texts)
        names = tuple(map(_spelled, _listed(cells.get(self.names), self.names)))
        if len(names) != len(texts):
            raise LabelError(f"{len(names)} names in {self.names!r} for {len(texts)} candidates")
        return Candidates(texts, names)

    def _text(self, item: object, place: int) -> str:
        column = self.input_columns[place] if len(self.input_columns) > 1 else self.input_columns[0]
        which = f"candidate {column!r}" if len(self.input_columns) > 1 else f"candidate {place + 1} in {column!r}"
        if is_missing(item):
            raise LabelError(f"{which} is missing")
        if isinstance(item, bool) or not isinstance(item, str | int | float):
            raise LabelError(f"{which} is {quoted(item)} and not text")
        return str(item)

    # Targets

    def parse(self, raw: object) -> Floats:
        """Return the target in a cell, with only as many candidates as the cell needs.

        Raises:
            LabelError: The cell is empty, or has no label of the form.
        """
        if is_missing(raw):
            raise LabelError(MISSING)
        if self.label_as == "relevance":
            return _relevances(raw)
        if self.label_as in ("text", "name"):
            what = "the text" if self.label_as == "text" else "the name"
            raise LabelError(f"label {quoted(raw)} is {what} of a candidate, which needs the candidates of its row")
        place = _letter(raw) if self.label_as == "letter" else _index(raw, self.label_from)
        if place is None:
            wanted = "a letter" if self.label_as == "letter" else f"a whole number of at least {self.label_from}"
            raise LabelError(f"label {quoted(raw)} is not {wanted}")
        return _only(place, place + 1)

    def parse_among(self, raw: object, candidates: Candidates) -> Floats:
        """Return the relevance of each candidate of a row.

        Raises:
            LabelError: As `parse`; the cell names no candidate, or several; or no candidate is right.
        """
        count = len(candidates.texts)
        if self.label_as in ("text", "name"):
            if is_missing(raw):
                raise LabelError(MISSING)
            among = candidates.texts if self.label_as == "text" else candidates.names
            if among is None:
                raise LabelError(f"label {quoted(raw)}: {self.names!r} is missing")
            return _only(_place_of(raw, among, self.label_as), count)
        target = self.parse(raw)
        if self.label_as == "relevance":
            if len(target) != count:
                raise LabelError(f"label {quoted(raw)} has {len(target)} numbers for {count} candidates")
            if not target.any():
                hint = 'rows without a right candidate teach nothing; to leave them out, set on_bad_rows = "skip"'
                raise LabelError("label: no candidate is right", hint)
            return target
        if len(target) > count:
            raise _unknown(raw, f"the row has {count} candidates")
        return _only(len(target) - 1, count)

    def counted_among(self, presented: Any, candidates: Candidates) -> Floats:
        """Return the target of a label that names no candidate: none is right."""
        del presented
        return np.zeros(len(candidates.texts))

    def unknown_target_of(self, record: Mapping[str, Any]) -> Floats:
        """Return the target of a record whose label names no candidate."""
        return np.zeros(len(record["probabilities"]))

    def present(self, target: Target) -> Any:
        """Return the relevances, or the right candidate as its index or its letter."""
        numbers = np.atleast_1d(target)
        if self.label_as == "relevance":
            return [int(number) if float(number).is_integer() else float(number) for number in numbers]
        return self._named(int(numbers.argmax()))

    def code(self, presented: Any) -> Floats:
        """Return the target that `present` wrote, with only as many candidates as it needs."""
        if self.label_as == "relevance":
            return np.array([float(each) for each in presented], dtype=np.float64)
        letter = self.label_as == "letter"
        place = _letter(presented, MOST_LETTERS) if letter else _index(presented, self.label_from)
        if place is None:
            raise ValueError(f"{presented!r} is no candidate")
        return _only(place, place + 1)

    def show(self, target: Target) -> str:
        """Return the best candidates by their indices or letters."""
        numbers = np.atleast_1d(target)
        if not numbers.any():
            return UNKNOWN
        best = np.flatnonzero(numbers == numbers.max())
        return ", ".join(str(self._named(int(place))) for place in best)

    def _named(self, place: int) -> str | int:
        """Return a candidate by its place, in the user's terms."""
        return _letter_of(place) if self.label_as == "letter" else place + self.label_from

    def value_of(self, record: Mapping[str, Any]) -> Floats:
        """Return the values of the candidates of a record."""
        shares = np.array([float(share) for share in record["probabilities"]], dtype=np.float64)
        return lower_counts(Ragged(shares, np.array([0, len(shares)]))).values

    def target_of(self, record: Mapping[str, Any]) -> Floats:
        """Return the target of a record, with all its candidates."""
        target, count = self.code(record["target"]), len(record["probabilities"])
        if len(target) > count or (self.label_as == "relevance" and len(target) < count):
            raise ValueError(f"a target for {len(target)} candidates of {count}")
        return np.concatenate([target, np.zeros(count - len(target))])

    # Outputs

    @property
    def forms(self) -> Mapping[str, int]:
        """A score per candidate."""
        return {"scores": 1}

    def decode(self, outputs: Rows) -> Predictions:
        """Decode scores[N, 1] of candidates to their probabilities, and to the number of those that are lower."""
        if not len(outputs.values):
            nothing = Ragged(np.zeros(0), outputs.offsets)
            return Predictions(nothing, nothing)
        scores = finite(outputs.values)[:, 0]
        highest = np.full(len(outputs), -np.inf)
        np.maximum.at(highest, outputs.owners, scores)
        exponents = np.exp(scores - highest[outputs.owners])
        shares = exponents / outputs.sums(exponents)[outputs.owners]
        # Files have the precision of float32, and values that are read from them have the same ties.
        stored = Ragged(shares.astype(np.float32).astype(np.float64), outputs.offsets)
        return Predictions(lower_counts(stored), stored)

    @property
    def columns(self) -> Mapping[str, type]:
        """The chosen candidate, its text, and the probability of each candidate."""
        return {"prediction": str if self.label_as == "letter" else int, "text": str, "probabilities": np.ndarray}

    def record(self, predictions: Predictions, row: int) -> dict[str, Any]:
        """Return the chosen candidate, its text if it is available, and the probabilities of all candidates."""
        chosen = int(predictions.values[row].argmax())
        record: dict[str, Any] = {"prediction": self._named(chosen)}
        if predictions.candidates is not None:
            record["text"] = predictions.candidates[row][chosen]
        if predictions.probabilities is not None:
            record["probabilities"] = [shortest(each) for each in predictions.probabilities[row]]
        return record

    # Groups of examples

    def strata(self, targets: Rows) -> Ints:
        """Return the place of the first right candidate, or 0 for relevances."""
        if self.label_as == "relevance":
            return np.zeros(len(targets), dtype=np.int64)
        return np.minimum(first_best(targets), MOST_SHARES)

    def shares(self, targets: Rows) -> dict[str, float]:
        """Return the share of the rows with each place of the right candidate, or of each relevance."""
        if self.label_as == "relevance":
            found = Counter(f"{number:g}" for number in targets.values)
            most = dict(sorted(found.most_common(MOST_SHARES)))
            return {name: count / max(1, len(targets.values)) for name, count in most.items()}
        places = Counter(first_best(targets)[targets.sums(targets.values) > 0].tolist())
        total = max(1, len(targets))
        shares = {str(self._named(place)): places[place] / total for place in sorted(places) if place < MOST_SHARES}
        rest = sum(count for place, count in places.items() if place >= MOST_SHARES) / total
        return {**shares, "later": rest} if rest else shares

    def digest(self, targets: Rows) -> str:
        """Return the number of candidates per row."""
        counts = targets.lengths
        fewest, most = (int(counts.min()), int(counts.max())) if len(counts) else (0, 0)
        number = f"{fewest}" if fewest == most else f"{fewest} to {most}"
        return f"{number} candidates per row; {super().digest(targets)}"

    def constant(self, targets: Rows) -> str | None:
        """Return a warning if the same place is right in all rows."""
        if self.label_as == "relevance" or len(targets) < 2 or len(set(first_best(targets).tolist())) > 1:
            return None
        return f"the right candidate is {self.present(targets[0])!r} in every row"

    def conflict(self, one: Target, other: Target) -> bool:
        """Return False: rows with almost equal texts may have other candidates."""
        del one, other
        return False

    def follows(self, predictions: Predictions) -> NDArray[np.bool_]:
        """Return True for each prediction: the values are those of the probabilities."""
        return np.ones(len(predictions), dtype=bool)

    def confidences(self, predictions: Predictions) -> Floats | None:
        """Return the probability of each chosen candidate."""
        if predictions.probabilities is None:
            return None
        places = predictions.values.offsets[:-1] + first_best(predictions.values)
        found: Floats = predictions.probabilities.values[places]
        return found

    def true_probabilities(self, predictions: Predictions, targets: Rows) -> Floats | None:
        """Return the probability of the right candidates together."""
        shares = predictions.probabilities
        return None if shares is None else shares.sums(np.where(targets.values > 0, shares.values, 0.0))

    def distances(self, one: Rows, other: Rows) -> Floats:
        """Return 1 for each row of which another candidate was chosen."""
        other_chosen: Floats = (first_best(one) != first_best(other)).astype(np.float64)
        return other_chosen

    def errors(self, predictions: Predictions, targets: Rows) -> Floats:
        """Return by how much the chosen candidate is more probable than the best right one, 0 if it is right.

        Without probabilities it is the difference of the values.
        """
        wrong = ~chosen_right(predictions.values, targets)
        numbers = predictions.values if predictions.probabilities is None else predictions.probabilities
        right = np.full(len(targets), -np.inf)
        of_right = (targets.values == most_of(targets)) & (targets.values > 0)
        np.maximum.at(right, targets.owners, np.where(of_right, numbers.values, -np.inf))
        right = np.where(np.isinf(right), 0.0, right)
        chosen = numbers.values[targets.offsets[:-1] + first_best(predictions.values)]
        return np.where(wrong, np.maximum(chosen - right, np.finfo(np.float32).tiny), 0.0)

    def right(self, predictions: Predictions, targets: Rows) -> NDArray[np.bool_]:
        """Return whether each chosen candidate is a right one."""
        return chosen_right(predictions.values, targets)

    def imagined(self, targets: Rows, correlation: float) -> Rows:
        """Return values of which about half have a right candidate first, if there are four candidates."""
        del correlation
        noise = np.random.default_rng(0).standard_normal(len(targets.values))
        return lower_counts(Ragged(targets.values / np.maximum(most_of(targets), 1e-12) + noise, targets.offsets))

    # Words for people

    @property
    def hub(self) -> HubForm:
        """One score per candidate, without labels."""
        return HubForm((), None)

    def described(self) -> str:
        """Return that a candidate is chosen, or that candidates are put in order."""
        return "the order of the candidates" if self.label_as == "relevance" else "one of the candidates"


_FORMS: Mapping[str, str] = {
    "letter": "letters",
    "text": "the texts of candidates",
    "name": "the names of candidates",
    "relevance": "lists of relevances",
}


def _form_of(options: Any) -> LabelForm | None:
    """Return what a label is by the keys. None if it is not known."""
    if options.label_as is not None:
        form: LabelForm = options.label_as
        return form
    if options.group_by is not None:
        return "relevance"
    return None if options.candidate_names is None else "name"


def _labelled(reader: Choice, label: object, cell: object) -> tuple[object, Candidates] | None:
    """Return the label and the candidates of a row, None if the label is missing.

    Raises:
        LabelError: The candidates cannot be read.
    """
    if not isinstance(cell, Mapping) or is_missing(cell.get(label)):
        return None
    return cell[label], reader.candidates(cell)


def _all_labelled(reader: Choice, label: object, cells: Iterable[object]) -> list[tuple[object, Candidates]]:
    """Return the labels and the candidates of the rows that have both."""
    found: list[tuple[object, Candidates]] = []
    for cell in cells:
        with suppress(LabelError):
            found += [] if (each := _labelled(reader, label, cell)) is None else [each]
    return found


def _form_among(found: Sequence[tuple[object, Candidates]]) -> LabelForm | None:
    """Return the form of labels that nearly all of them have. The text of a candidate wins over its index."""

    def fits(test: Any) -> bool:
        return bool(found) and sum(test(label, each.texts) for label, each in found) >= MOSTLY * len(found)

    if fits(lambda label, texts: sum(text.strip() == _spelled(label) for text in texts) == 1):
        return "text"
    if fits(lambda label, texts: _is_relevance(label, len(texts))):
        return "relevance"
    if fits(lambda label, texts: (place := _letter(label)) is not None and place < len(texts)):
        return "letter"
    if fits(lambda label, texts: (place := _index(label, 0)) is not None and place <= len(texts)):
        return "index"
    return None


def _names_all(named: Choice, label: str, rows: Sequence[Mapping[str, object]]) -> bool:
    """Whether nearly all labels of rows are the name of a candidate."""
    found = _all_labelled(named, label, rows)
    right = sum(_spelled(given) in (each.names or ()) for given, each in found)
    return bool(found) and right >= MOSTLY * len(found)


def _first_index(found: Sequence[tuple[object, Candidates]], name: str) -> int:
    """Return the index of the first candidate: the only one that all labels allow.

    Raises:
        DataError: Both are possible, or none is.
    """
    places = [(place, len(each.texts)) for label, each in found if (place := _index(label, 0)) is not None]
    from_zero = [place for place, _ in places if place == 0]
    from_one = [place for place, count in places if place == count]
    if bool(from_zero) != bool(from_one):
        return int(bool(from_one))
    reason = "no label is 0, and none is the number of candidates of its row"
    both = f"{len(from_zero)} labels are 0, and {len(from_one)} are the number of candidates of their row"
    raise DataError(
        "it is not clear whether the labels count the candidates from 0 or from 1",
        where=name,
        found=both if from_zero else reason,
        hint="set label_from = 0 or label_from = 1 in the task's table",
    )


_LABEL = re.compile("label|answer|correct|gold|target|relevan|selected|grade|score|key|solution", re.IGNORECASE)
_KEY = re.compile(r"(?:q|qry|query|question|topic)[-_ ]?(?:id|no|number)|qid", re.IGNORECASE)
_QUESTION = re.compile("question|query", re.IGNORECASE)
_ANSWER = re.compile("answer|candidate|passage|doc|sentence|response|text|paragraph|reply|snippet", re.IGNORECASE)
_LISTS = re.compile("choices|options|endings|candidates|answers|alternatives|responses|passages", re.IGNORECASE)
_STEMS = (
    *("choice", "option", "ending", "candidate", "alternative", "answer", "response", "hypothesis"),
    *("solution", "sol", "opt", "op"),
)
_FAMILIES = re.compile(rf"({'|'.join(_STEMS)})(?:[-_ ]?|s\.)([0-9]|[A-Ha-h])")
_ALPHABETS = ("ABCDEFGH", "abcdefgh")
"""Names of the columns of candidates that have no other name."""

_CONTEXTS = (
    *(("premise", "question"), ("context", "question"), ("article", "question"), ("passage", "question")),
    *(("sent1", "sent2"), ("ctx",), ("question.stem",), ("stem",), ("question",), ("query",), ("goal",), ("prompt",)),
)
"""Names of the text columns of rows with candidates."""


def _candidate_columns(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> Iterator[list[str]]:
    """Yield what may be the columns of candidates: one with lists of texts, or several with names that continue.

    A name may be a letter.
    """
    for column in columns:
        likely = _LISTS.search(column) is not None and not column.endswith((".label", ".id", ".key"))
        if likely and _are_lists(rows, column) and _have_text(rows, column):
            yield [column]
    families: dict[str, list[str]] = {}
    for column in columns:
        named = _FAMILIES.fullmatch(column)
        if named:
            families.setdefault(named[1], []).append(column)
    yield from (family for family in families.values() if len(family) > 1)
    for alphabet in _ALPHABETS:
        lettered = [column for column in columns if len(column) == 1 and column in alphabet]
        if (
            len(lettered) > 1
            and "".join(lettered) == alphabet[: len(lettered)]
            and any(_words(rows, each) for each in lettered)
        ):
            yield lettered


def _are_lists(rows: Sequence[Mapping[str, object]], column: str) -> bool:
    """Whether a column has lists of texts, also in JSON."""
    cells = [cell for row in rows if not is_missing(cell := row.get(column))]
    lists = [cell for cell in cells if isinstance(cell, list | tuple) or str(cell).lstrip().startswith("[")]
    try:
        found = [_listed(cell, column) for cell in lists]
    except LabelError:
        return False
    texts = all(isinstance(item, str | int | float) for items in found for item in items)
    return bool(found) and len(found) >= MOSTLY * len(cells) and texts


def _nested(rows: Sequence[Mapping[str, object]], column: str) -> bool:
    """Whether the cells of a column are lists of lists of texts."""
    items = [item for row in rows for item in listed_items(row.get(column)) or ()]
    return bool(items) and all(isinstance(item, list) and item and isinstance(item[0], str) for item in items)


def _have_text(rows: Sequence[Mapping[str, object]], column: str) -> bool:
    """Whether a list in a column has a text."""
    return any(isinstance(item, str) for row in rows for item in listed_items(row.get(column)) or ())


def _contexts(columns: Sequence[str], rows: Sequence[Mapping[str, object]]) -> tuple[str, ...]:
    """Return the text columns: those with usual names, else the one with the longest texts."""
    for names in _CONTEXTS:
        found = [next((each for each in columns if each.lower() == name), None) for name in names]
        if None not in found:
            return tuple(each for each in found if each is not None)
    longest = max(columns, key=lambda column: _words(rows, column), default=None)
    return () if longest is None or _words(rows, longest) < MOSTLY_PROSE else (longest,)


def _words(rows: Sequence[Mapping[str, object]], column: str) -> float:
    """Return the mean number of words of a column, 0 for numbers."""
    cells = [str(cell) for row in rows if not is_missing(cell := row.get(column)) and as_number(cell) is None]
    return sum(len(cell.split()) for cell in cells) / max(1, len(rows))


def _is_grade(cell: object) -> bool:
    number = as_number(cell)
    return number is not None and number >= 0


def _only_first(found: Sequence[tuple[object, Candidates]]) -> int | None:
    """Return the index of the first candidate, None if it is not clear."""
    try:
        return _first_index(found, "")
    except DataError:
        return None


def _listed(cell: object, column: str) -> list[object]:
    """Return the items of a cell: a list, or text that is one in JSON.

    Raises:
        LabelError: The cell is neither.
    """
    if is_missing(cell):
        raise LabelError(f"{column!r} is missing")
    found = listed_items(cell)
    if found is None:
        form = " in JSON" if isinstance(cell, str) and cell.lstrip().startswith("[") else " of candidates"
        raise LabelError(f"{column!r} is {quoted(cell)} and not a list{form}")
    return found


def _relevances(raw: object) -> Floats:
    items: Any = listed_items(raw)
    if not items:
        raise LabelError(f"label {quoted(raw)} is not a list with the relevance of each candidate")
    numbers = [None if isinstance(item, list | dict) else as_number(item) for item in items]
    for item, number in zip(items, numbers, strict=True):
        if number is None or not 0 <= number <= LARGEST:
            raise LabelError(f"label {quoted(item)} is not a relevance, a number of at least 0")
    return np.array(numbers, dtype=np.float64)


def _is_relevance(label: object, count: int) -> bool:
    try:
        return len(_relevances(label)) == count
    except LabelError:
        return False


def _index(raw: object, first: int) -> int | None:
    """Return the place of a candidate by its index, None if a cell has no index."""
    number = None if isinstance(raw, list | dict) else as_number(raw)
    if number is None or not number.is_integer() or not first <= number < MOST_CANDIDATES:
        return None
    return int(number) - first


def _letter(raw: object, most: int = 2) -> int | None:
    """Return the place of a candidate by its letter, such as B, b or (B). None if a cell has no letter."""
    text = raw.strip().strip("().").upper() if isinstance(raw, str) else ""
    place = 0
    for letter in text if len(text) <= most else "":
        if letter not in LETTERS:
            return None
        place = place * len(LETTERS) + LETTERS.index(letter) + 1
    return place - 1 if place else None


def _letter_of(place: int) -> str:
    """Return the letter of a place: A to Z, then AA, AB and so on."""
    rest, last = divmod(place, len(LETTERS))
    return (_letter_of(rest - 1) if rest else "") + LETTERS[last]


def _place_of(raw: object, among: Sequence[str], form: LabelForm) -> int:
    wanted = _spelled(raw)
    places = [place for place, each in enumerate(among) if each.strip() == wanted]
    if len(places) != 1:
        noun = "text" if form == "text" else "name"
        if places:
            raise LabelError(f"label {quoted(raw)} is the {noun} of {len(places)} candidates of the row")
        raise _unknown(raw, f"it is not the {noun} of a candidate of the row")
    return places[0]


def _unknown(raw: object, reason: str) -> UnknownLabelError:
    return UnknownLabelError(f"label {quoted(raw)}: {reason}", [_spelled(raw)], _spelled(raw))


def _spelled(raw: object) -> str:
    """Return a label as text. A whole number has no decimals."""
    return str(int(raw)) if isinstance(raw, float) and raw.is_integer() else str(raw).strip()


def _only(place: int, count: int) -> Floats:
    """Return 1 for one candidate and 0 for the others."""
    target = np.zeros(count)
    target[place] = 1.0
    return target
