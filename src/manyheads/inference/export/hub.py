"""Export to a repository for the hub: the bundle, and each task as a model for pipelines of transformers.

An export is checked with what its users run: AutoTokenizer, pipelines, and sentence-transformers.
"""

from __future__ import annotations

import copy
import importlib.util
import os
import warnings
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import (
    AlbertForMultipleChoice,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    BertForMultipleChoice,
    BertForSequenceClassification,
    BertForTokenClassification,
    CamembertForMultipleChoice,
    CamembertForTokenClassification,
    DebertaV2ForTokenClassification,
    DistilBertForTokenClassification,
    ElectraForMultipleChoice,
    ElectraForTokenClassification,
    MPNetForMultipleChoice,
    MPNetForTokenClassification,
    RobertaForMultipleChoice,
    RobertaForTokenClassification,
    XLMRobertaForMultipleChoice,
    XLMRobertaForTokenClassification,
)

from manyheads.data.batch import batches_by_length
from manyheads.data.dataset import Split, assemble, assemble_texts, lengths, text_lengths
from manyheads.data.texts import TextStore
from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle, write_tokenizer_settings
from manyheads.inference.engine import Floats
from manyheads.inference.export.content import add_to_card
from manyheads.inference.manifest import MANIFEST, copy_listed, write_manifest
from manyheads.inference.sentence_modules import sentence_vectors
from manyheads.model.encoder import quiet
from manyheads.model.flat import FlatTokens
from manyheads.model.heads.linear import Linear
from manyheads.ragged import Rows
from manyheads.tasks.kind import HubForm, softmax
from manyheads.tasks.task import Task

TARGET = "hub"

_PIPELINES = "pipelines"

CLASSES: Mapping[str, Any] = {"bert": BertForSequenceClassification, "albert": AlbertForSequenceClassification}
"""The classes of transformers that compute exactly pooler, dropout and one linear map, by architecture."""

TAGGERS: Mapping[str, Any] = {
    "bert": BertForTokenClassification,
    "albert": AlbertForTokenClassification,
    "roberta": RobertaForTokenClassification,
    "xlm-roberta": XLMRobertaForTokenClassification,
    "camembert": CamembertForTokenClassification,
    "mpnet": MPNetForTokenClassification,
    "deberta-v2": DebertaV2ForTokenClassification,
    "electra": ElectraForTokenClassification,
    "distilbert": DistilBertForTokenClassification,
}
"""The classes of transformers that compute exactly dropout and one linear map of every token, by architecture."""

CHOOSERS: Mapping[str, Any] = {
    "bert": BertForMultipleChoice,
    "albert": AlbertForMultipleChoice,
    "roberta": RobertaForMultipleChoice,
    "xlm-roberta": XLMRobertaForMultipleChoice,
    "camembert": CamembertForMultipleChoice,
    "mpnet": MPNetForMultipleChoice,
    "electra": ElectraForMultipleChoice,
}
"""The classes of transformers that compute exactly pooler, dropout and a score per candidate, by architecture."""

SUMMARIES: Mapping[str, Mapping[str, Any]] = {
    "electra": {"summary_type": "first", "summary_use_proj": False, "summary_activation": ""}
}
"""Architectures whose class in `CHOOSERS` scores the vector of the first token if its configuration has these keys."""


@dataclass(frozen=True)
class Pipelines:
    """The tasks of an export that pipelines of transformers predict, and why the others are left out."""

    names: tuple[str, ...]
    left_out: Mapping[str, str]


def write_hub(bundle: Bundle, folder: Path, to: Path) -> Pipelines:
    """Copy the bundle in `folder` to `to` and add `pipelines/TASK` for every task that transformers can predict.

    Such a task reads one sequence with a linear head on the pooler of an architecture in `CLASSES`, or in `CHOOSERS` if
    it has candidates, or on the tokens of one in `TAGGERS`. The model is then exactly the stock class of transformers.
    Other tasks have no equivalent there and need manyheads.
    """
    copy_listed(folder, bundle.manifest, to)
    reasons = {name: _reason(bundle, task) for name, task in bundle.model.tasks.items()}
    pipelines = Pipelines(
        tuple(name for name, reason in reasons.items() if reason is None),
        {name: reason for name, reason in reasons.items() if reason is not None},
    )
    _write_tokenizer(bundle, to)
    for name in pipelines.names:
        place = to / _PIPELINES / name
        place.mkdir(parents=True)
        with quiet():
            _stock_model(bundle, bundle.model.tasks[name]).save_pretrained(place)
        _write_tokenizer(bundle, place)
    _add_usage(to, bundle.model.tasks, pipelines)
    own = ("format", "manyheads", "files", "sha256")
    content = {key: value for key, value in bundle.manifest.items() if key not in own}
    (to / MANIFEST).unlink(missing_ok=True)
    added = {"pipelines": list(pipelines.names), "left_out": dict(pipelines.left_out)}
    write_manifest(to, {**content, "export": TARGET, "pad_id": bundle.tokenizer.pad_id or 0, **added})
    return pipelines


def _write_tokenizer(bundle: Bundle, place: Path) -> None:
    bundle.tokenizer.save(place)
    segments = bundle.model.encoder.takes_segments
    write_tokenizer_settings(place, bundle.tokenizer, max_length=bundle.max_length, segments=segments)


def _reason(bundle: Bundle, task: Task) -> str | None:
    """Return why no stock class of transformers computes a task, or None if one does."""
    encoder = bundle.model.encoder
    if task.kind.hub is None:
        return f"no stock class of transformers predicts {task.kind.noun}"
    if task.sequences > 1:
        return "it encodes each text of a pair in its own sequence"
    if not isinstance(bundle.model.head(task.name), Linear):
        return f"no stock class of transformers has the head {task.head}"
    kind = encoder.model.config.model_type
    if task.kind.reads == "tokens":
        return None if kind in TAGGERS else f"no stock class of transformers has a linear head on the tokens of {kind}"
    if kind not in _stock(task) or encoder.pooling != ("first" if kind in SUMMARIES else "pooler"):
        return f"no stock class of transformers has a linear head on the pooling {encoder.pooling} of {kind}"
    return None


def _stock(task: Task) -> Mapping[str, Any]:
    """Return the classes of transformers for tasks that read the same from the encoder."""
    return {"text": CLASSES, "tokens": TAGGERS, "candidates": CHOOSERS}[task.kind.reads]


def _stock_model(bundle: Bundle, task: Task) -> Any:
    """Return the model of a task in transformers.

    For two classes with one logit, the first logit is 0. A regression has one label and no `problem_type`: a pipeline
    then applies the sigmoid, which gives the share of the range. With the type "regression" it would give the logit.
    """
    head: Any = bundle.model.head(task.name)
    config = copy.deepcopy(bundle.model.encoder.model.config)
    form = task.kind.hub or HubForm((), None)
    names = list(form.labels) or [task.name]
    config.id2label, config.label2id = dict(enumerate(names)), {name: place for place, name in enumerate(names)}
    config.problem_type = form.problem_type
    config.classifier_dropout = config.classifier_dropout_prob = task.dropout
    for key, value in SUMMARIES.get(config.model_type, {}).items():
        setattr(config, key, value)
    config._attn_implementation = "eager"
    model = _stock(task)[config.model_type](config)
    with torch.no_grad():
        # A model for tokens has no pooler.
        weights = bundle.model.encoder.model.state_dict()
        model.base_model.load_state_dict({name: weights[name] for name in model.base_model.state_dict()})
        for part, weights in ((model.classifier.weight, head.map.weight), (model.classifier.bias, head.map.bias)):
            part.zero_()
            part[-len(weights) :] = weights
    return model


def _add_usage(to: Path, tasks: Mapping[str, Task], pipelines: Pipelines) -> None:
    """Add a section to the model card that shows how to use the pipelines, and names the tasks without one."""
    lines = ["", "## In transformers", ""]
    choosing = [name for name in pipelines.names if tasks[name].kind.reads == "candidates"]
    piped = [name for name in pipelines.names if name not in choosing]
    if piped:
        lines += ["```python", "from transformers import pipeline", ""]
        for name in piped:
            if tasks[name].kind.reads == "tokens":
                place = f'model="FOLDER/{_PIPELINES}/{name}"'
                lines += [f'model = pipeline("token-classification", {place}, aggregation_strategy="first")']
                lines += ['model("A text.")', ""]
                continue
            pair = len(tasks[name].text) == 2
            text = '{"text": "A text.", "text_pair": "Another."}' if pair else '"A text."'
            options = ", top_k=None" if tasks[name].kind.probability_names else ""
            lines += [f'model = pipeline("text-classification", model="FOLDER/{_PIPELINES}/{name}"{options})']
            lines += [f"model({text}, truncation=True)", ""]
        lines[-1] = "```"
        lines += [""]
    for name in pipelines.names:
        if tasks[name].kind.unit:
            low, high = tasks[name].kind.scale
            lines += [
                f"The score of {name} is the share u of its range. Its value is low + (high - low) * u:",
                "",
                "```python",
                f"value = {low!r} + ({high!r} - {low!r}) * score",
                "```",
                "",
            ]
    for name in choosing:
        lines += [
            f"{name} scores the candidates of a text. The probabilities are a softmax over them:",
            "",
            "```python",
            "from transformers import AutoModelForMultipleChoice, AutoTokenizer",
            "",
            f'place = "FOLDER/{_PIPELINES}/{name}"',
            "tokenizer = AutoTokenizer.from_pretrained(place)",
            "model = AutoModelForMultipleChoice.from_pretrained(place)",
            'candidates = ["A candidate.", "Another candidate."]',
            'texts = ["A text."] * len(candidates)',
            'read = tokenizer(texts, candidates, truncation=True, padding=True, return_tensors="pt")',
            "scores = model(**{key: each[None] for key, each in read.items()}).logits[0]",
            "print(scores.softmax(0).tolist())",
            "```",
            "",
        ]
        if len(tasks[name].text) > 1:
            columns = " and ".join(f"`{column}`" for column in tasks[name].text)
            lines += [f"The text of {name} is {columns}, joined by a blank.", ""]
    tagged = [name for name in pipelines.names if tasks[name].kind.reads == "tokens"]
    if tagged:
        lines += [
            f"The pipeline of {', '.join(tagged)} computes the tags of tokens. The tag of the first token of a word is",
            "the most probable tag of the word. manyheads differs in three places:",
            "",
            "- For tags of spans, manyheads chooses the most probable valid sequence of tags. A tag of the pipeline",
            "  may continue a span that did not begin.",
            "- manyheads reads a long text in overlapping windows. The pipeline truncates it.",
            "- The pipeline divides words at punctuation marks, as the tokenizer does. manyheads divides a text as the",
            "  task says.",
            "",
        ]
    if choosing or any(len(tasks[name].text) == 2 for name in pipelines.names):
        lines += [
            "If both texts of a pair are truncated, transformers may keep one token more of the second text and one",
            "fewer of the first than manyheads.",
            "",
        ]
    for name, reason in pipelines.left_out.items():
        lines += [f"Task {name} has no pipeline: {reason}. Use `manyheads.load`.", ""]
    add_to_card(to, "\n".join(lines))


BATCH = 32
"""Examples per batch of a pipeline."""

SENTENCES = 1000
"""Maximum number of distinct texts whose vectors are compared."""

LARGEST = 1e-4
"""Maximum allowed difference of probabilities and vectors."""

LARGEST_SHARE = 1e-5
"""Maximum allowed difference of a share of a range."""

PARALLELISM = "TOKENIZERS_PARALLELISM"
"""Environment variable that the pipelines of transformers set when they run."""

Ints = NDArray[np.int64]


@dataclass(frozen=True)
class TaskSample:
    """Dev examples of a task: their texts, and the outputs of the model's head.

    `texts`: one sequence for each text column, and for a task with candidates one of all candidates.
    """

    split: Split
    texts: Sequence[Sequence[str]]
    outputs: Rows


@dataclass(frozen=True)
class Compared:
    """What was compared.

    `largest`: largest difference of a probability, a share of a range, or a vector. `cut`: number of examples whose
    pair transformers truncates at another token, or whose text has several windows. They were not compared.
    """

    largest: float
    cut: int


def check_pipeline(folder: Path, bundle: Bundle, store: TextStore, sample: TaskSample) -> Compared:
    """Compare the pipeline of a task in `folder` with the model.

    Raises:
        BundleError: the tokens, a probability, a tag or a share of the range differ.
    """
    task = sample.split.task
    place = folder / _PIPELINES / task.name
    if task.kind.reads == "tokens":
        return _check_tags(place, bundle, store, sample)
    if task.kind.reads == "candidates":
        return _check_choices(place, bundle, store, sample)
    with _plainly():
        from transformers import AutoTokenizer, pipeline

        read = AutoTokenizer.from_pretrained(place)
        same = _same_tokens(read, bundle, store, sample)
        rows = np.flatnonzero(same)
        template, length = bundle.tokenizer.template, bundle.max_length
        rows = rows[np.argsort(lengths(store, template, length, sample.split.take(rows)), kind="stable")]
        model = pipeline("text-classification", model=str(place), device="cpu")
        requests = [dict(zip(("text", "text_pair"), texts, strict=False)) for texts in _rows(sample, rows)]
        # Without a padding token, a pipeline takes one text at a time.
        size = 1 if read.pad_token is None else BATCH
        results: Any = model(requests, truncation=True, top_k=None, batch_size=size) if requests else []
    found = np.array([[scores[label] for label in _labels(sample)] for scores in map(_by_label, results)])
    expected = _expected(sample)[rows]
    largest = float(np.abs(found.reshape(expected.shape) - expected).max(initial=0.0))
    allowed = LARGEST_SHARE if task.kind.unit else LARGEST
    _require(largest, allowed, "the pipeline of the task gives other predictions than the model", task.name)
    return Compared(largest, int((~same).sum()))


def _check_tags(place: Path, bundle: Bundle, store: TextStore, sample: TaskSample) -> Compared:
    """Compare the tag of the first token of each word and its probability, for texts of one window.

    Raises:
        BundleError: a tag or a probability differs.
    """
    split, words, form = sample.split, sample.split.words, bundle.tokenizer.template.single
    if words is None:
        raise AssertionError(f"{split.task.name} reads words")
    whole = np.array([len(store[text]) + form.specials <= bundle.max_length for text in split.text_index[:, 0]])
    rows, names = np.flatnonzero(whole), _labels(sample)
    with _plainly():
        from transformers import pipeline

        model: Any = pipeline("token-classification", model=str(place), device="cpu", ignore_labels=[])
        size = 1 if model.tokenizer.pad_token is None else BATCH
        found: Any = model([str(sample.texts[0][row]) for row in rows.tolist()], batch_size=size) if len(rows) else []
    largest = 0.0
    for row, tokens in zip(rows.tolist(), found, strict=True):
        at = {token["index"]: token for token in tokens}
        probabilities = softmax(sample.outputs[row].astype(np.float64))
        for own, first in zip(probabilities, words[row][:, 2].tolist(), strict=True):
            if first >= 0:
                theirs = at[first + len(form.special[0])]
                probability = float(own[names.index(theirs["entity"])])
                largest = max(largest, float(own.max()) - probability, abs(float(theirs["score"]) - probability))
    _require(largest, LARGEST, "the pipeline of the task gives other tags than the model", split.task.name)
    return Compared(largest, int((~whole).sum()))


def _check_choices(place: Path, bundle: Bundle, store: TextStore, sample: TaskSample) -> Compared:
    """Compare the probabilities of the candidates of each row.

    Raises:
        BundleError: the tokens or a probability differ.
    """
    split = sample.split
    if split.candidates is None:
        raise AssertionError(f"{split.task.name} has candidates")
    texts, candidates = sample.texts
    pairs = TaskSample(split.pairs, ([texts[row] for row in split.candidates.owners.tolist()], candidates), np.zeros(0))
    expected: Any = split.task.kind.decode(sample.outputs).probabilities
    largest = 0.0
    with _plainly(), torch.inference_mode():
        from transformers import AutoModelForMultipleChoice, AutoTokenizer

        read = AutoTokenizer.from_pretrained(place)
        same = split.candidates.sums(~_same_tokens(read, bundle, store, pairs)) == 0
        model = AutoModelForMultipleChoice.from_pretrained(place)
        for row in np.flatnonzero(same).tolist():
            own = np.arange(split.candidates.offsets[row], split.candidates.offsets[row + 1])
            columns = (list(column) for column in zip(*_rows(pairs, own), strict=True))
            given = read(*columns, truncation=True, padding=True, return_tensors="pt")
            scores = model(**{name: each[None] for name, each in given.items()}).logits[0]
            gaps = np.abs(scores.double().softmax(0).numpy() - expected[row])
            largest = max(largest, float(gaps.max(initial=0.0)))
    what = "the model for multiple choice gives other probabilities than the model"
    _require(largest, LARGEST, what, split.task.name)
    return Compared(largest, int((~same).sum()))


def check_sentences(folder: Path, bundle: Bundle, store: TextStore, samples: Sequence[TaskSample]) -> float | None:
    """Compare the vectors of sentence-transformers with those that the bi-encoded heads read.

    Returns the largest difference, or None without such a task or without the package.

    Raises:
        BundleError: a vector differs.
    """
    pairs = [sample for sample in samples if sample.split.task.sequences > 1]
    if not pairs or not (folder / "modules.json").is_file():
        return None
    if importlib.util.find_spec("sentence_transformers") is None:
        return None
    texts: dict[int, str] = {}
    for sample in pairs:
        split = sample.split
        candidates = () if split.candidates is None else (split.candidates.values,)
        for column, index in zip(sample.texts, (*split.text_index.T, *candidates), strict=True):
            texts.update(zip(index.tolist(), column, strict=True))
    chosen = np.array(sorted(texts)[:SENTENCES], dtype=np.int64)
    expected = _vectors(bundle, store, chosen)
    with _plainly():
        from sentence_transformers import SentenceTransformer

        model = SentenceTransformer(str(folder), device="cpu")
        found = model.encode([texts[each] for each in chosen.tolist()], show_progress_bar=False)
    largest = float(np.abs(np.asarray(found, dtype=np.float32) - expected).max(initial=0.0))
    names = ", ".join(sample.split.task.name for sample in pairs)
    _require(largest, LARGEST, "sentence-transformers gives other vectors than the model", names)
    return largest


def _vectors(bundle: Bundle, store: TextStore, texts: Ints) -> Floats:
    """Return the vectors that a bundle's modules for sentence-transformers describe: float32[n, width]."""
    encoder, template, length = bundle.model.encoder, bundle.tokenizer.template, bundle.max_length
    parts: dict[int, Any] = {}
    with torch.inference_mode():
        for picks in batches_by_length(text_lengths(store, template, length, texts)):
            batch = assemble_texts(store, template, length, texts[picks])
            vectors = sentence_vectors(bundle.model, encoder(FlatTokens.from_batch(batch, torch.device("cpu"))))
            parts.update(zip(picks.tolist(), vectors.numpy(), strict=True))
    return np.stack([parts[place] for place in range(len(texts))])


def _same_tokens(read: Any, bundle: Bundle, store: TextStore, sample: TaskSample) -> NDArray[np.bool_]:
    """Return for each example whether transformers gives the model the same tokens and token types.

    They differ only where both texts of a pair are truncated: the library gives the odd token to another text.

    Raises:
        BundleError: they differ elsewhere.
    """
    count, template, length = len(sample.split), bundle.tokenizer.template, bundle.max_length
    same = np.ones(count, dtype=np.bool_)
    for start in range(0, count, BATCH):
        rows = np.arange(start, min(start + BATCH, count))
        encoded = read(*(list(column) for column in zip(*_rows(sample, rows), strict=True)), truncation=True)
        batch = assemble(store, template, length, [(sample.split, rows)])
        for place, row in enumerate(rows.tolist()):
            at = slice(batch.offsets[place], batch.offsets[place + 1])
            expected = {"input_ids": batch.token_ids[at], "token_type_ids": batch.segment_ids[at]}
            found = {name: encoded[name][place] for name in expected if name in encoded}
            if all(np.array_equal(values, expected[name]) for name, values in found.items()):
                continue
            if not _both_truncated(store, sample.split, row, len(encoded["input_ids"][place]), length):
                raise BundleError(
                    "transformers gives the model other tokens than manyheads",
                    where=f"{sample.split.task.name}, dev example {sample.split.ids[row]}",
                    hint="nothing was written. Please report this with the architecture of the encoder",
                )
            same[row] = False
    return same


def _both_truncated(store: TextStore, split: Split, row: int, found: int, length: int) -> bool:
    """Return whether both texts of a pair are longer than half of what fits, and the sequence has the full length."""
    texts = split.text_index[row]
    return len(texts) == 2 and found == length and all(len(store[text]) > (length - 5) // 2 for text in texts.tolist())


def _rows(sample: TaskSample, rows: Ints) -> list[tuple[str, ...]]:
    return [tuple(str(column[row]) for column in sample.texts) for row in rows.tolist()]


def _labels(sample: TaskSample) -> list[str]:
    form = sample.split.task.kind.hub
    return list(form.labels) if form is not None and form.labels else [sample.split.task.name]


def _by_label(scores: Sequence[dict[str, Any]]) -> dict[str, float]:
    return {each["label"]: each["score"] for each in scores}


def _expected(sample: TaskSample) -> NDArray[np.float64]:
    """Return what a pipeline shows: float64[n, labels], the probabilities, or the share of the range."""
    probabilities = sample.split.task.kind.decode(sample.outputs).probabilities
    return np.asarray(sample.outputs, dtype=np.float64) if probabilities is None else probabilities


def _require(largest: float, allowed: float, what: str, where: str) -> None:
    if not largest <= allowed:
        hint = "nothing was written. Please report this with the architecture of the encoder"
        raise BundleError(what, where=where, found=f"{largest:.2e}", allowed=f"up to {allowed:g}", hint=hint)


@contextmanager
def _plainly() -> Iterator[None]:
    """Hide the progress bars and warnings of the libraries. Undo what pipelines set for tokenizers."""
    before = os.environ.get(PARALLELISM)
    try:
        with quiet(), warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        if before is None:
            os.environ.pop(PARALLELISM, None)
        else:
            os.environ[PARALLELISM] = before
