"""Export to a repository for the hub: the bundle, and each task as a model for pipelines of transformers."""

from __future__ import annotations

import copy
import shutil
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from transformers import AutoModelForSequenceClassification, BertForSequenceClassification

from manyheads.errors import BundleError
from manyheads.inference.bundle import Bundle
from manyheads.inference.engine import Floats
from manyheads.inference.graph_engine import GraphEngine, task_output
from manyheads.inference.manifest import MANIFEST, read_manifest, write_manifest
from manyheads.model.encoder import quiet
from manyheads.run.atomic import write_text
from manyheads.tasks.task import Task

TARGET = "hub"
PIPELINES = "pipelines"


def write_hub(bundle: Bundle, folder: Path, to: Path) -> list[str]:
    """Copy the bundle in `folder` to `to` and add `pipelines/TASK`. Return the tasks that have a pipeline.

    A task has a pipeline if the encoder is a BERT with its pooler and the task reads one sequence. The model is then
    exactly transformers' BertForSequenceClassification. Other tasks have no equivalent there and need manyheads.
    """
    shutil.copytree(folder, to, dirs_exist_ok=True, ignore=shutil.ignore_patterns(".*"))
    names = [name for name, task in bundle.model.tasks.items() if _has_pipeline(bundle, task)]
    for name in names:
        place = to / PIPELINES / name
        place.mkdir(parents=True)
        with quiet():
            _classifier(bundle, bundle.model.tasks[name]).save_pretrained(place)
        bundle.tokenizer.save(place)
    if names:
        _add_usage(to / "README.md", names)
    manifest = read_manifest(to)
    content = {key: value for key, value in manifest.items() if key not in ("format", "manyheads", "files")}
    (to / MANIFEST).unlink()
    write_manifest(to, {**content, "export": TARGET, "pad_id": bundle.tokenizer.pad_id or 0, "pipelines": names})
    return names


def _add_usage(card: Path, names: Sequence[str]) -> None:
    """Add a section to the model card that shows how to use the pipelines."""
    lines = ["", "## In transformers", "", "```python", "from transformers import pipeline", ""]
    lines += [f'pipeline("text-classification", model="FOLDER/{PIPELINES}/{name}", top_k=None)' for name in names]
    lines += [
        "```",
        "",
        "A regression pipeline returns a value from 0 to 1, the position in the range of the task. Pass a pair as",
        "`text` and `text_pair`.",
        "",
    ]
    write_text(card, (card.read_text(encoding="utf-8") if card.is_file() else "") + "\n".join(lines))


class HubModels:
    """The pipeline models of an export, loaded with transformers."""

    segments = True

    def __init__(self, folder: Path, tasks: Mapping[str, Task]) -> None:
        self._folder = folder
        self._tasks = {task_output(name): task for name, task in tasks.items()}
        self._models: dict[str, Any] = {}

    def encode(self, feeds: Mapping[str, NDArray[np.int64]], output: str) -> Floats:
        """Return the outputs of a task's head for int64[S, L] inputs: float32[S, outputs]."""
        task = self._tasks[output]
        if output not in self._models:
            with quiet():
                self._models[output] = AutoModelForSequenceClassification.from_pretrained(
                    self._folder / PIPELINES / task.name, use_safetensors=True, trust_remote_code=False
                ).eval()
        with torch.inference_mode():
            logits = self._models[output](**{name: torch.from_numpy(value) for name, value in feeds.items()}).logits
        if task.kind.value_range is not None:
            logits = torch.sigmoid(logits)
        elif task.outputs == 1:
            logits = logits[:, 1:] - logits[:, :1]
        return np.asarray(logits.numpy())

    def pair(self, task: str, first: Floats, second: Floats) -> Floats:
        """Raise an error: a bi-encoded pair has no pipeline.

        Raises:
            BundleError: always.
        """
        del first, second
        raise BundleError("a bi-encoded pair has no pipeline in transformers", found=task)


def hub_engine(folder: Path, tasks: Mapping[str, Task]) -> GraphEngine:
    """Return the pipeline models as an engine, to compare them with the bundle."""
    return GraphEngine(folder, HubModels(folder, tasks))


def _has_pipeline(bundle: Bundle, task: Task) -> bool:
    encoder = bundle.model.encoder
    return encoder.model.config.model_type == "bert" and encoder.pooling == "pooler" and task.sequences == 1


def _classifier(bundle: Bundle, task: Task) -> BertForSequenceClassification:
    """Return the model of a task in transformers. For two classes with one logit, the first logit is 0."""
    head: Any = bundle.model.head(task.name)
    config = copy.deepcopy(bundle.model.encoder.model.config)
    names = [str(label) for label in task.kind.labels or (task.name,)]
    config.id2label, config.label2id = dict(enumerate(names)), {name: place for place, name in enumerate(names)}
    config.problem_type = "regression" if task.kind.labels is None else "single_label_classification"
    config.classifier_dropout = task.dropout
    config._attn_implementation = "eager"
    model = BertForSequenceClassification(config)
    with torch.no_grad():
        model.bert.load_state_dict(bundle.model.encoder.model.state_dict())
        for part, weights in ((model.classifier.weight, head.map.weight), (model.classifier.bias, head.map.bias)):
            part.zero_()
            part[-len(weights) :] = weights
    return model
