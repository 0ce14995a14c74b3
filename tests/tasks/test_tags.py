"""Tags of words: spans against the definitions of seqeval, and the best valid sequences against all of them."""

import itertools

import numpy as np
import pytest
from seqeval.metrics.sequence_labeling import f1_score, get_entities

from manyheads.evaluation.metrics.metric import jackknife
from manyheads.evaluation.metrics.tags import SENTENCE_ACCURACY, SPAN_F1, WORD_ACCURACY, WORD_MACRO_F1
from manyheads.ragged import Ragged, offsets_of
from manyheads.tasks.kind import Predictions
from manyheads.tasks.kinds.words import WordTags
from manyheads.tasks.tags import Scheme, TagTable, best_tags, complete, parts_of, scheme_of, tag_spans

SCHEMES: list[Scheme] = ["bio", "bioes"]


def sequences(rng: np.random.Generator, tags: int, count: int = 12) -> Ragged:
    return Ragged.of([rng.integers(tags, size=rng.integers(0, 8)) for _ in range(count)])


def test_tables_of_the_same_tags_are_equal() -> None:
    one, same, other = (TagTable.of(complete(names, "bio")) for names in (["B-x"], ["B-x"], ["B-y"]))
    assert one == same
    assert hash(one) == hash(same)
    assert one != other


@pytest.mark.parametrize("scheme", SCHEMES)
def test_spans_are_those_of_seqeval_also_in_invalid_sequences(scheme: Scheme) -> None:
    labels = complete(["B-x", "B-y", "B-z-w"], scheme)
    table = TagTable.of(labels)
    rng = np.random.default_rng(1)
    for _ in range(40):
        tags = sequences(rng, len(labels))
        spans = tag_spans(tags, table)
        for row, own in enumerate(tags):
            found = [
                (table.names[kind], start, end - 1)
                for example, start, end, kind in zip(spans.examples, spans.starts, spans.ends, spans.types, strict=True)
                if example == row
            ]
            expected = get_entities([labels[int(tag)] for tag in own]) if len(own) else []
            assert found == sorted(expected, key=lambda each: each[1])


@pytest.mark.parametrize("scheme", SCHEMES)
def test_span_f1_is_that_of_seqeval_and_its_influences_are_those_of_deleting_a_text(scheme: Scheme) -> None:
    labels = complete(["B-x", "B-y"], scheme)
    table = TagTable.of(labels)
    rng = np.random.default_rng(2)
    targets = sequences(rng, len(labels))
    changed = np.where(rng.random(len(targets.values)) < 0.2, 0.0, targets.values)
    predictions = Predictions(Ragged(changed, targets.offsets), None)
    names = [[[labels[int(tag)] for tag in row] for row in rows] for rows in (targets, predictions.values)]
    value = SPAN_F1.function(predictions, targets, table)
    assert value == pytest.approx(f1_score(*names))
    for metric, arguments in ((SPAN_F1, {"table": table}), (WORD_MACRO_F1, {}), (SENTENCE_ACCURACY, {})):
        whole = metric.function(predictions, targets, **arguments)
        rest = [np.delete(np.arange(len(targets)), row) for row in range(len(targets))]
        without = np.array([metric.function(predictions.take(rows), targets[rows], **arguments) for rows in rest])
        influences = metric.influence(predictions, targets, **arguments)
        expected = jackknife(whole, without)
        np.testing.assert_allclose(influences - influences.mean(), expected - expected.mean(), atol=1e-9)
    hits = [float((one == two).sum()) for one, two in zip(predictions.values, targets, strict=True)]
    assert WORD_ACCURACY.function(predictions, targets) == pytest.approx(sum(hits) / len(targets.values))
    assert abs(WORD_ACCURACY.influence(predictions, targets).sum()) < 1e-9


@pytest.mark.parametrize("scheme", SCHEMES)
def test_span_f1_of_targets_with_unknown_tags_is_that_of_seqeval(scheme: Scheme) -> None:
    """Also of a known type with a prefix of the other scheme, and of unknown types that follow one another."""
    kind = WordTags(complete(["B-x", "B-y"], scheme), scheme=scheme)
    names = [*complete(["B-x", "B-new", "B-other"], "bioes"), "I-new-er"]
    rng = np.random.default_rng(3)
    true = [[names[code] for code in rng.integers(len(names), size=size)] for size in rng.integers(1, 8, size=60)]
    known = [[tag if tag in kind.labels else str(rng.choice(list(kind.labels))) for tag in row] for row in true]
    targets = kind.targets([kind.counted(row) for row in true])
    predictions = Predictions(kind.targets([kind.code(row) for row in known]), None)
    found = SPAN_F1.function(predictions, targets, kind.span_table)
    assert found == pytest.approx(f1_score(true, known))
    assert 0 < found < 1
    pooled = [["?" if tag not in kind.labels else tag for tag in row] for row in true]
    tags = sorted({tag for row in pooled for tag in row})
    f1 = []
    for tag in tags:
        pairs = [
            (a == tag, b == tag) for one, two in zip(pooled, known, strict=True) for a, b in zip(one, two, strict=True)
        ]
        f1.append(2 * sum(a and b for a, b in pairs) / sum(a + b for a, b in pairs))
    assert WORD_MACRO_F1.function(predictions, targets, labels=len(kind.labels)) == pytest.approx(np.mean(f1))


def valid(tags: list[str], scheme: Scheme) -> bool:
    opened = None
    for tag in tags:
        prefix, name = parts_of(tag)
        if prefix in ("I", "E") and opened != name:
            return False
        if scheme == "bioes" and prefix in ("B", "S", "O") and opened is not None:
            return False
        opened = name if prefix in ("B", "I") else None
    return scheme == "bio" or opened is None


@pytest.mark.parametrize("scheme", SCHEMES)
def test_the_best_valid_sequence_is_found(scheme: Scheme) -> None:
    labels = complete(["B-x", "B-y"], scheme)
    rng = np.random.default_rng(0)
    lengths = np.array([3, 1, 3, 0, 2])
    scores = np.log(rng.dirichlet(np.ones(len(labels)), size=int(lengths.sum())))
    rows = Ragged(scores, offsets_of(lengths))
    found = best_tags(rows, TagTable.of(labels))
    for own, tags in zip(rows, found, strict=True):
        paths = itertools.product(range(len(labels)), repeat=len(own))
        allowed = [path for path in paths if valid([labels[tag] for tag in path], scheme)]
        best = max(allowed, key=lambda path: sum(own[place, tag] for place, tag in enumerate(path)))
        assert tuple(tags.astype(int)) == best


def test_the_scheme_is_read_from_the_tags() -> None:
    assert scheme_of(["O", "B-x", "I-x"]) == "bio"
    assert scheme_of(["O", "B-x", "E-x"]) == "bioes"
    assert scheme_of(["O", "X"]) == scheme_of(["O"]) == scheme_of(["B-", "O"]) == "tags"
    assert complete(["O", "I-b", "B-a"], "bio") == ("O", "B-a", "I-a", "B-b", "I-b")
