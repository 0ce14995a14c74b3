"""Export to a repository for the hub: the bundle, and each task as a model for pipelines of transformers."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from transformers import (
    AlbertForMultipleChoice,
    AlbertForSequenceClassification,
    AlbertForTokenClassification,
    BertForMultipleChoice,
    BertForSequenceClassification,
    BertForTokenClassification,
    DistilBertForTokenClassification,
    ElectraForTokenClassification,
    RobertaForMultipleChoice,
    RobertaForTokenClassification,
    XLMRobertaForMultipleChoice,
    XLMRobertaForTokenClassification,
)

from manyheads.inference.bundle import Bundle, write_tokenizer_settings
from manyheads.inference.export.content import add_to_card
from manyheads.inference.manifest import MANIFEST, copy_listed, write_manifest
from manyheads.model.encoder import quiet
from manyheads.model.heads.linear import Linear
from manyheads.tasks.kind import HubForm
from manyheads.tasks.task import Task

TARGET = "hub"
PIPELINES = "pipelines"

CLASSES: Mapping[str, Any] = {"bert": BertForSequenceClassification, "albert": AlbertForSequenceClassification}
"""The classes of transformers that compute exactly pooler, dropout and one linear map, by architecture."""


TAGGERS: Mapping[str, Any] = {
    "bert": BertForTokenClassification,
    "albert": AlbertForTokenClassification,
    "roberta": RobertaForTokenClassification,
    "xlm-roberta": XLMRobertaForTokenClassification,
    "electra": ElectraForTokenClassification,
    "distilbert": DistilBertForTokenClassification,
}
"""The classes of transformers that compute exactly dropout and one linear map of every token, by architecture."""

CHOOSERS: Mapping[str, Any] = {
    "bert": BertForMultipleChoice,
    "albert": AlbertForMultipleChoice,
    "roberta": RobertaForMultipleChoice,
    "xlm-roberta": XLMRobertaForMultipleChoice,
}
"""The classes of transformers that compute exactly pooler, dropout and a score per candidate, by architecture."""


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
        place = to / PIPELINES / name
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
        return f"no stock class of transformers predicts a {task.kind.name} task"
    if task.sequences > 1:
        return "it encodes each text of a pair in its own sequence"
    if not isinstance(bundle.model.head(task.name), Linear):
        return f"no stock class of transformers has the head {task.head}"
    kind = encoder.model.config.model_type
    if task.kind.reads == "tokens":
        return None if kind in TAGGERS else f"no stock class of transformers has a linear head on the tokens of {kind}"
    if kind not in _stock(task) or encoder.pooling != "pooler":
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
                place = f'model="FOLDER/{PIPELINES}/{name}"'
                lines += [f'model = pipeline("token-classification", {place}, aggregation_strategy="first")']
                lines += ['model("A text.")', ""]
                continue
            pair = len(tasks[name].text) == 2
            text = '{"text": "A text.", "text_pair": "Another."}' if pair else '"A text."'
            options = ", top_k=None" if tasks[name].kind.probability_names else ""
            lines += [f'model = pipeline("text-classification", model="FOLDER/{PIPELINES}/{name}"{options})']
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
            f'place = "FOLDER/{PIPELINES}/{name}"',
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
