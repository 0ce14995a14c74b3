"""Embedding: each text has a vector, and texts that belong together have similar ones (contrastive learning)."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, ClassVar, Literal, Self

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from manyheads.options import Options
from manyheads.tasks.cells import MISSING, as_number, is_missing, quoted
from manyheads.tasks.kind import Floats, Ints, KeyFault, LabelError, Predictions, finite
from manyheads.tasks.kinds.one_number import BINS, OneNumber

RowForm = Literal["pairs", "triplets", "scored"]

COLUMNS: Mapping[RowForm, int] = {"pairs": 2, "triplets": 3, "scored": 2}
"""The number of text columns of each form of rows."""

OF_RANKS = ("mrr", "recall_at_1", "recall_at_5", "recall_at_10")
OF_SCORES = ("spearman", "pearson")
"""The metrics of rows without and with scores."""

ROLES = (
    ("anchor", "query", "question", "sent0"),
    ("positive", "pos", "sent1"),
    ("negative", "neg", "hard_negative", "hard_neg", "negative_1", "negative_0", "neg_1", "neg_0"),
)
"""Names of the columns of pairs and triplets."""

TIE = 1e-6
"""A candidate whose cosine is this close to that of the positive is a tie, which counts as a better candidate."""

LARGEST = float(np.finfo(np.float32).max)
"""The largest score, in float32."""

BLOCK = 256
"""Anchors whose cosines with all candidates are in memory together."""


class TextEmbeddingOptions(Options):
    """The keys of an embedding in the table of a task."""

    rows: RowForm | None = Field(
        default=None,
        description='What a row is. "pairs": a text (the anchor) and a text that belongs to it (the positive), in two '
        'text columns. "triplets": also a text that does not belong to it although it is similar (the hard negative), '
        'in a third text column. "scored": two texts and, in the label column, a number that is higher for more '
        'similar texts. Default: "scored" with a label column, otherwise by the number of text columns.',
    )


class TextEmbedding(OneNumber):
    """A kind whose head gives one vector per text. A prediction is the cosine of the vectors of two texts.

    Of pairs and triplets, an evaluation has the rank of each row's own positive among all different positives of the
    split, by the cosine with the anchor. The target of such a row is the rank 1. Other positives of an equal anchor,
    and a positive that equals the anchor, are no candidates. Ties count as better candidates.
    """

    name = "embedding"
    noun = "an embedding task"
    summary = "the similarity of two texts, from a vector per text (contrastive learning)"
    options = TextEmbeddingOptions
    target = "vectors"
    label_required = False
    texts = (2, 3)
    read_texts = 2
    pairings = ("bi",)
    vectors = True
    hub_task: ClassVar[str] = "sentence-similarity"

    def __init__(self, rows: RowForm | None) -> None:
        self.rows = rows
        self.target = {"scored": "similarity", None: "vectors"}.get(rows, "rank")
        self.metrics = {"scored": OF_SCORES, None: OF_RANKS + OF_SCORES}.get(rows, OF_RANKS)
        self.given = None if rows == "scored" else 1.0

    def __repr__(self) -> str:
        return f"TextEmbedding({self.rows!r})"

    @classmethod
    def of(cls, options: Any) -> Self | None:
        """Return the kind for the rows that the recipe names, or that its text and label columns have."""
        rows = options.rows or _rows_of(options)
        return None if rows is None else cls(rows)

    @classmethod
    def infer(cls, options: Any, cells: Iterable[object], *, name: str, typed: bool) -> tuple[Self, str]:
        """Return the kind for scored pairs, because there are cells of a label column."""
        del options, cells, typed
        return cls("scored"), f"pairs with scores, found in {name}"

    @classmethod
    def sample(cls) -> Self:
        """Return the kind for any rows."""
        return cls(None)

    @classmethod
    def narrower(cls) -> Iterator[tuple[dict[str, Any], Self]]:
        """Yield each form of rows."""
        for rows in COLUMNS:
            yield {"rows": {"const": rows}}, cls(rows)

    @classmethod
    def guess_unlabelled(cls, columns: Sequence[str]) -> tuple[Self, tuple[str, ...]] | None:
        """Return triplets or pairs if columns are named as an anchor, a positive and perhaps a negative."""
        names = {column.lower(): column for column in columns}
        found = [next((names[role] for role in roles if role in names), None) for roles in ROLES]
        if found[0] is None or found[1] is None:
            return None
        texts = tuple(each for each in found if each is not None)
        return cls("triplets" if len(texts) == COLUMNS["triplets"] else "pairs"), texts

    @classmethod
    def faults(cls, options: Any) -> Iterator[KeyFault]:
        """Yield what does not fit together: the rows, the number of text columns, and the label column."""
        text, label = getattr(options, "text", None), getattr(options, "label", None)
        rows = options.rows or _rows_of(options)
        if text is None or rows is None:
            return
        if len(text) != COLUMNS[rows] and cls.texts[0] <= len(text) <= cls.texts[1]:
            named = '"pairs" or "scored"' if len(text) == 2 else '"triplets"'
            what = f"rows that are {rows} have {COLUMNS[rows]} text columns"
            yield KeyFault("text", what, text, hint=f"name {COLUMNS[rows]} columns, or set rows = {named}")
        if rows == "scored" and label is None:
            hint = 'name the column with the scores, or set rows = "pairs"'
            yield KeyFault("rows", "scored pairs need a label column", rows, hint=hint)
        elif rows != "scored" and label is not None:
            hint = 'remove label, or set rows = "scored"'
            yield KeyFault("label", f"rows that are {rows} have no label column", label, hint=hint)

    def space(self) -> dict[str, Any]:
        """Return the form of the rows."""
        return {"rows": self.rows}

    @property
    def space_comments(self) -> Mapping[str, str]:
        """What the rows are."""
        return {"rows": "texts of a row belong together; those of other rows in a batch are negatives"}

    @property
    def forms(self) -> Mapping[str, int]:
        """Two vectors per example, or for triplets also three. Their size is that of the head."""
        return {"vectors": 2} if self.rows in ("pairs", "scored") else {"vectors": 2, "triplets": 3}

    def decode(self, outputs: NDArray[np.floating]) -> Predictions:
        """Decode the vectors of two texts, outputs[n, 2 d], to their cosine."""
        first, second = _unit(outputs)
        return Predictions((first * second).sum(axis=1), None)

    def decode_split(self, outputs: NDArray[np.floating], texts: NDArray[np.integer]) -> Predictions:
        """Decode vectors to cosines for scored pairs, otherwise to the rank of each row's own positive."""
        if self.rows == "scored":
            return self.decode(outputs)
        anchors, positives = _unit(outputs)
        return Predictions(_ranks(anchors, positives, texts[:, 0], texts[:, 1]), None)

    def parse(self, raw: object) -> float:
        """Return the score in a cell.

        Raises:
            LabelError: The cell is empty or is not a number, or the rows have no label.
        """
        if self.rows != "scored":
            raise LabelError(f"label {quoted(raw)}: rows that are {self.rows} have none")
        if is_missing(raw):
            raise LabelError(MISSING)
        value = as_number(raw)
        if value is None or abs(value) > LARGEST:
            raise LabelError(f"label {quoted(raw)} is not a number")
        return value

    def strata(self, targets: Floats) -> Ints:
        """Return the fifth of the scores that each target is in."""
        return super().strata(targets) if self.rows == "scored" else np.zeros(len(targets), dtype=np.int64)

    def shares(self, targets: Floats) -> dict[str, float]:
        """Return the share of each fifth of the range of the scores. Rows without scores have no group."""
        if self.rows != "scored" or not len(targets):
            return {}
        amounts, edges = np.histogram(targets, bins=BINS)
        return {f"{edges[i]:g}-{edges[i + 1]:g}": float(amounts[i] / len(targets)) for i in range(BINS)}

    def digest(self, targets: Floats) -> str:
        """Return the mean score, or the number of rows without scores."""
        return f"mean {float(targets.mean()):.3g}" if self.rows == "scored" else f"{len(targets):,} {self.rows}"

    def constant(self, targets: Floats) -> str | None:
        """Return a warning if all pairs have one score."""
        if self.rows != "scored" or not len(targets) or np.ptp(targets):
            return None
        return f"every pair has the same score {float(targets[0])!r}"

    def errors(self, predictions: Predictions, targets: Floats) -> Floats:
        """Return how far a rank is above 1, or how far the ranks of a cosine and its score are apart.

        The scores have any scale, so only their order is compared.
        """
        if self.rows != "scored":
            above: Floats = np.abs(predictions.values - targets)
            return above
        from scipy import stats

        gaps: Floats = np.abs(stats.rankdata(predictions.values) - stats.rankdata(targets)) / max(1, len(targets))
        return gaps

    def imagined(self, targets: Floats, correlation: float) -> Floats:
        """Return cosines with this correlation with the scores, or ranks of which about half are 1."""
        rng = np.random.default_rng(0)
        if self.rows != "scored":
            return rng.geometric(0.5, len(targets)).astype(np.float64)
        noise = np.sqrt(1 - correlation**2) * rng.standard_normal(len(targets))
        predictions: Floats = correlation * (targets - targets.mean()) / (float(targets.std()) or 1.0) + noise
        return predictions

    def described(self) -> str:
        """Return that the prediction is a cosine."""
        return "the cosine of the vectors of two texts"


def _rows_of(options: Any) -> RowForm | None:
    """Return the form of the rows by the text and label columns of a task. None if they are not known."""
    text = getattr(options, "text", None)
    if text is None:
        return None
    if options.label is not None:
        return "scored"
    return "triplets" if len(text) == COLUMNS["triplets"] else "pairs"


def _unit(outputs: NDArray[np.floating]) -> tuple[Floats, Floats]:
    """Return the vectors of both texts, outputs[n, 2 d], with length 1."""
    exact = finite(outputs)
    size = exact.shape[1] // 2
    first, second = exact[:, :size], exact[:, size : 2 * size]
    smallest = np.finfo(np.float32).tiny
    lengths = [np.maximum(np.linalg.norm(each, axis=1, keepdims=True), smallest) for each in (first, second)]
    return first / lengths[0], second / lengths[1]


def _ranks(anchors: Floats, positives: Floats, anchor: NDArray[np.integer], positive: NDArray[np.integer]) -> Floats:
    """Return the rank of each row's own positive among all different positives: float64[n], from 1.

    `anchors`, `positives`: float64[n, d], of length 1. `anchor`, `positive`: int[n], equal numbers for equal texts.
    """
    texts, first, own = np.unique(positive, return_index=True, return_inverse=True)
    candidates = positives[first].astype(np.float32)
    place = {int(text): number for number, text in enumerate(texts)}
    of_anchor: dict[int, list[int]] = {}
    for text, number in zip(anchor.tolist(), own.tolist(), strict=True):
        of_anchor.setdefault(text, [place[text]] if text in place else []).append(number)
    ranks = np.empty(len(anchors))
    for start in range(0, len(anchors), BLOCK):
        rows = np.arange(start, min(start + BLOCK, len(anchors)))
        cosines = anchors[rows].astype(np.float32) @ candidates.T
        bounds = cosines[np.arange(len(rows)), own[rows]] - np.float32(TIE)
        for row, text in enumerate(anchor[rows].tolist()):
            cosines[row, of_anchor[text]] = -np.inf
        ranks[rows] = 1 + (cosines >= bounds[:, None]).sum(axis=1)
    return ranks
