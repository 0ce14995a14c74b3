"""Metrics of tags of words: F1 of spans, of each tag, and the share of correct sentences. Influences are per text."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.evaluation.metrics.metric import Floats, Metric, bind_labels, jackknife
from manyheads.ragged import Ragged
from manyheads.tasks.kind import Kind, Predictions
from manyheads.tasks.tags import TagTable, tag_spans


def span_f1(predictions: Predictions, targets: Ragged, table: TagTable) -> float | None:
    """Return the F1 over all spans of words. A span counts if its first word, its last word and its type are correct.

    Source: Tjong Kim Sang and De Meulder (2003), section 2.4. None if no span is predicted and none is true.
    """
    hits, total = _spans(predictions, targets, table)
    return float(2 * hits.sum() / total.sum()) if total.sum() else None


def sentence_accuracy(predictions: Predictions, targets: Ragged) -> float | None:
    """Return the share of texts in which all tags are correct. None without texts."""
    return float(_whole(predictions, targets).mean()) if len(targets) else None


def word_accuracy(predictions: Predictions, targets: Ragged) -> float | None:
    """Return the share of words with the correct tag, which is also the micro F1 over tags. None without words."""
    return float(np.mean(predictions.values.values == targets.values)) if len(targets.values) else None


def word_macro_f1(predictions: Predictions, targets: Ragged, *, labels: int = 0) -> float | None:
    """Return the mean of F1 over the tags that some word has. None if no word has one.

    Tags that training does not know are one tag that is never predicted.
    """
    hits, total, true = (each.sum(axis=0) for each in _by_tag(predictions.values, _joined(targets, labels)))
    return float(_ratio(2 * hits, total)[true > 0].mean()) if (true > 0).any() else None


def _joined(targets: Ragged, labels: int) -> Ragged:
    """Return tags with one number for all that are not among the labels, whose number is `labels`, 0 if unknown."""
    return Ragged(np.minimum(targets.values, labels), targets.offsets) if labels else targets


def _of_macro(predictions: Predictions, targets: Ragged, *, labels: int = 0) -> Floats:
    hits, total, true = _by_tag(predictions.values, _joined(targets, labels))
    left = _ratio(2 * (hits.sum(axis=0) - hits), total.sum(axis=0) - total)
    occurring = true.sum(axis=0) - true > 0
    without = _ratio((left * occurring).sum(axis=1), occurring.sum(axis=1).astype(np.float64))
    return jackknife(word_macro_f1(predictions, targets, labels=labels) or 0.0, without)


def _of_accuracy(predictions: Predictions, targets: Ragged) -> Floats:
    """Return the influence of each text on the ratio of correct words to words (Cochran 1977, section 2.11)."""
    hits, sizes = targets.sums(predictions.values.values == targets.values), targets.lengths
    share = hits.sum() / max(1, sizes.sum())
    influence: Floats = (hits - share * sizes) / (sizes.mean() or 1.0)
    return influence


def _spans(predictions: Predictions, targets: Ragged, table: TagTable) -> tuple[Floats, Floats]:
    """Return the number of correct spans of each text, and of its predicted and true ones together."""
    found, true = tag_spans(predictions.values, table), tag_spans(targets, table)
    count = len(targets)
    hits = np.bincount(found.examples[found.among(true)], minlength=count).astype(np.float64)
    return hits, (found.counts(count) + true.counts(count)).astype(np.float64)


def _of_spans(predictions: Predictions, targets: Ragged, table: TagTable) -> Floats:
    hits, total = _spans(predictions, targets, table)
    return jackknife(float(2 * hits.sum() / total.sum()), _ratio(2 * (hits.sum() - hits), total.sum() - total))


def _whole(predictions: Predictions, targets: Ragged) -> Floats:
    whole: Floats = (targets.sums(predictions.values.values != targets.values) == 0).astype(np.float64)
    return whole


def _by_tag(predictions: Ragged, targets: Ragged) -> tuple[Floats, Floats, Floats]:
    """Return for each text and tag the correct words, the predicted and true ones together, and the true ones."""
    names, codes = np.unique(np.concatenate([predictions.values, targets.values]), return_inverse=True)
    given, true = np.split(codes.reshape(-1), [len(predictions.values)])
    shape = (len(targets), max(1, len(names)))

    def counted(tags: NDArray[np.int64], kept: NDArray[np.bool_] | slice = slice(None)) -> Floats:
        counts: Floats = np.zeros(shape)
        np.add.at(counts, (targets.owners[kept], tags[kept]), 1)
        return counts

    of_true = counted(true)
    return counted(true, given == true), counted(given) + of_true, of_true


def _ratio(hits: Floats, total: Floats) -> Floats:
    """Return a ratio, 0 where the total is 0."""
    ratio: Floats = np.divide(hits, total, out=np.zeros(np.shape(hits)), where=total > 0)
    return ratio


def _rarest(targets: Ragged, *, labels: int = 0) -> int:
    """Return the number of texts with the tag that the fewest texts have. 1 without words."""
    pairs = np.unique(np.stack([targets.owners, _joined(targets, labels).values]), axis=1)
    return int(np.unique(pairs[1], return_counts=True)[1].min(initial=max(1, len(targets))))


def _table(options: Any, kind: Kind) -> Mapping[str, Any]:
    del options
    if kind.span_table is None:
        raise ValueError("the tags of the task are not parts of spans")
    return {"table": kind.span_table}


SPAN_F1 = Metric("span_f1", "span F1", span_f1, _of_spans, ("spans",), bind=_table)
WORD_ACCURACY = Metric("word_accuracy", "accuracy of words", word_accuracy, _of_accuracy, ("tags",))
WORD_MACRO_F1 = Metric(
    "word_macro_f1", "macro F1 of words", word_macro_f1, _of_macro, ("tags",), rarest=_rarest, bind=bind_labels
)
SENTENCE_ACCURACY = Metric("sentence_accuracy", "sentence accuracy", sentence_accuracy, _whole, ("tags",), step=1.0)
