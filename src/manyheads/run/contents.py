"""The files of a run folder and of its bundle, and the fields in them, as the reference documentation lists them.

`tests/run/test_contents.py` and `tests/inference/test_contents.py` compare them with the files of a finished run.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True)
class FileFacts:
    """A file or folder: its name, when it is written, what it contains, and the meaning of each field.

    Words in capitals stand for any name: `TASK` for the name of a task. In the names of fields, dots separate the keys
    of nested objects, and `[]` stands for the elements of a list.
    """

    name: str
    written: str
    meaning: str
    fields: Mapping[str, str] = field(default_factory=dict)


PLACEHOLDER = re.compile(r"\b[A-Z]{2,}\b")


def pattern(name: str) -> re.Pattern[str]:
    """Return the expression that matches what a documented name stands for."""
    pieces = PLACEHOLDER.split(name)
    return re.compile("(.+)".join(map(re.escape, pieces)))


EVALUATION = {
    "epoch": "Epochs done: the step divided by the steps per epoch.",
    "step": "Updates done.",
    "tasks.TASK.METRIC": "Value of a metric on the dev examples. Null if it cannot be computed.",
    "intervals.TASK.METRIC": "Lower and upper end of the 95% interval over dev examples. Null if there is none.",
    "average": "Mean of the primary metrics of all tasks. Null if one of them is null.",
    "whole_rows.TASKS.accuracy": "Share of rows on which all tasks with the same rows are right, of the rows with all "
    "their labels. `TASKS` has their names, joined by `+`. For intent and slots it is the accuracy of whole sentences. "
    "Absent without two such tasks. Regression and embedding tasks do not take part. Rows are matched by their ids, so "
    "it is absent if an id occurs more than once.",
    "whole_rows.TASKS.interval": "Lower and upper end of its 95% interval. Null if there is none.",
    "whole_rows.TASKS.rows": "Number of rows with the labels of all these tasks.",
    "decoding.TASK.threshold": 'The thresholds of the labels. Only of tasks with `threshold = "search"`.',
    "decoding.TASK.rows": "Number of training rows, held out of training, on which the thresholds were searched.",
    "course_score": 'Average of the reference course. Null unless the recipe has `score = "course"`.',
}

RUN_FILES: tuple[FileFacts, ...] = (
    FileFacts(
        "recipe.toml",
        "at the start",
        "The complete recipe with every default filled in. `manyheads train RUN/recipe.toml` repeats the run.",
    ),
    FileFacts(
        "provenance.json",
        "at the start",
        "What the run was made with.",
        {
            "versions.PACKAGE": "Version of Python (`python`) and of each package that affects results.",
            "hardware.processor": "Model name of the processor.",
            "hardware.cores": "Number of logical cores.",
            "hardware.memory_gib": "Main memory in GiB.",
            "hardware.system": "Operating system.",
            "hardware.device": "Device of the training: `cpu` or `cuda`.",
            "threads": "CPU threads used.",
            "seed": "Random seed.",
            "precision": "Number format of the computations.",
            "encoder.name": "Encoder as the recipe names it.",
            "encoder.revision": "Commit on the hub. Null for a folder and for the offline encoder.",
            "encoder.sha256": "SHA-256 of the encoder's weights.",
            "data.FILE": "SHA-256 of a data file or a file for pretraining, or of the ids of the rows that were "
            "held out of a data file.",
            "recipe": "SHA-256 of the values of the recipe, without `data_dir` and `score`.",
            "commit": "Commit of the source tree of manyheads, with `-dirty` if files differ. Null if there is none.",
            "command": "The command and its arguments.",
            "processes": "Number of training processes.",
            "class_weights.TASK": "Weight of each label, to six decimal places. For a multilabel task two lists: those "
            'of rows without and with each label. Only of tasks with `class_weights = "balanced"`.',
            "plugins.PLUGIN.sha256": "SHA-256 of a file that adds a member of the recipe. Absent if there is none.",
            "plugins.PLUGIN.version": "Version of a package that adds such a member. Absent if there is none.",
            "pretraining": "Summary of the additional pretraining, as in `pretraining.json`. Only if the recipe has "
            "`[pretraining]`.",
        },
    ),
    FileFacts(
        "events.jsonl",
        "during the run",
        "The log of the run. Each line is one event: a JSON object with `event` (its name) and `time`.",
    ),
    FileFacts(
        "results.csv",
        "at each evaluation",
        "One row per evaluation on the dev examples. A cell is empty if the metric cannot be computed.",
        {
            "epoch": EVALUATION["epoch"],
            "step": EVALUATION["step"],
            "TASK.METRIC": "Primary metric of a task.",
            "average": "Mean of the primary metrics.",
        },
    ),
    FileFacts(
        "predictions/TASK.dev.last.jsonl",
        "at each evaluation",
        "Predictions for the dev examples at the last evaluation, one JSON object per line.",
        {
            "id": "Id of the example.",
            "prediction": "Predicted label or value.",
            "probabilities.LABEL": "Probability of each label (classification).",
            "value": "Predicted value (regression).",
            "target": "Label or value in the data. Absent if the file has no labels, null if the row has none.",
        },
    ),
    FileFacts(
        "predictions/TASK.dev.best.jsonl",
        "at each evaluation with a better average",
        "The same at the evaluation with the best dev average.",
    ),
    FileFacts(
        "predictions/TASK.dev.all.npz",
        "at each evaluation",
        "Predictions for the dev examples at every evaluation, as arrays of numpy without pickles: `ids`, `targets` "
        "and `clusters` per example (examples with a text in common, in any task, have the same cluster), `epochs` and "
        "`steps` per evaluation, and `values`, float32[evaluations, examples]: indices of labels in the order of the "
        "recipe, or values. If a metric of the task needs probabilities, also `probabilities`, float32[evaluations, "
        "examples, labels], which take 4 bytes per number before compression. Runs of version 0.4.0 have no such file. "
        "Other programs may write it: a study of runs without it cannot cross-fit the epoch, and shows the last one.",
    ),
    FileFacts(
        "predictions/TASK.test.last.jsonl",
        "at each evaluation, if the task has a test file",
        "Predictions for the test file at the last evaluation.",
    ),
    FileFacts(
        "predictions/TASK.test.best.jsonl",
        "at each evaluation with a better average, if the task has a test file",
        "Predictions for the test file at the evaluation with the best dev average.",
    ),
    FileFacts(
        "predictions/TASK.test.all.npz",
        "at each evaluation, if the task has a test file",
        "Predictions for the test file at every evaluation, with the arrays of `predictions/TASK.dev.all.npz`. "
        "`targets` is NaN for examples without a label. The clusters are those of the test files.",
    ),
    FileFacts(
        "checkpoints/",
        "before and after each evaluation, and every `checkpoint_every` steps",
        "Checkpoints to resume from, and the best weights so far. Removed when the run is finished.",
    ),
    FileFacts(
        "model/",
        "at the end",
        "The bundle to ship, with the best weights. See [the bundle](bundle.md). A study removes it from its finished "
        "runs unless `keep_models = true`.",
    ),
    FileFacts(
        "results.json",
        "at the end; a run with this file is finished",
        "Metrics and rates. `best` is the evaluation with the highest `average` (null if none has one), `last` the "
        "last evaluation. Rates and `seconds` exclude start-up and evaluation.",
        {
            **{f"{which}.{key}": meaning for which in ("best", "last") for key, meaning in EVALUATION.items()},
            "steps": "Updates done.",
            "stopped_early": "Whether early stopping ended the run.",
            "stop_reason": "Why early stopping ended the run, otherwise null.",
            "untested": "The encoder's architecture if it was never tried (`model.untested`), otherwise null.",
            "examples": "Training examples processed, counting repetitions.",
            "tokens": "Training tokens processed, counting repetitions.",
            "seconds": "Seconds of training.",
            "examples_per_second": "Training examples per second.",
            "tokens_per_second": "Training tokens per second.",
            "checksums.FILE": "xxh3_128 of `results.csv`, `provenance.json`, `events.jsonl` and of each file of "
            "`predictions/`, verified when they are read.",
            "checksum": "xxh3_128 of the other keys.",
        },
    ),
    FileFacts(
        "report/",
        "at the end, and by `manyheads report`",
        "The report of the run as `report.html`, `report.md` and `report.json`, and its figures.",
    ),
    FileFacts(
        "data/TASK.SPLIT.parquet",
        "when it begins",
        "The rows of a table that was given in memory. Tasks that share the table share the file.",
    ),
    FileFacts("data/TASK.SPLIT.index.parquet", "when it begins", "The index of that table, if it had one of its own."),
    FileFacts(
        "data/given.json",
        "when it begins",
        "The tables: their keys in the recipe, the SHA-256 of their rows, and the checksums of their files.",
    ),
    FileFacts(".lock", "while the run is written", "Lock file: only one process writes a run folder."),
)

EVENTS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "rejected_row": (
        "A row of a data file was skipped.",
        {"task": "Task.", "file": "Data file.", "line": "Line in the file.", "reason": "What is wrong with the row."},
    ),
    "machine": ("The device, threads and number format.", {"text": "The message."}),
    "note": (
        "Something worth knowing.",
        {
            "text": "The message.",
            "before": "Processes before, if their number has changed.",
            "now": "Processes now, if their number has changed.",
        },
    ),
    "warning": ("Something that may need attention.", {"text": "The message."}),
    "cut": (
        "Examples are truncated to `max_length` tokens.",
        {
            "task": "Task.",
            "split": "`train`, `dev` or `test`.",
            "examples": "Number of examples.",
            "text": "The message.",
        },
    ),
    "pretraining": (
        "The additional pretraining is done, or was found in the cache.",
        {
            "key": "Key of the pretrained encoder in the cache.",
            "before": "Held-out loss and perplexity before.",
            "after": "Held-out loss and perplexity after.",
            "corpus": "Numbers of texts used and left out.",
        },
    ),
    "start": (
        "Training starts.",
        {
            "at": "Updates done (0).",
            "total_steps": "Updates of the whole run.",
            "metrics": "Primary metric of each task.",
        },
    ),
    "resume": (
        "Training resumes from a checkpoint.",
        {
            "at": "Updates done.",
            "total_steps": "Updates of the whole run.",
            "metrics": "Primary metric of each task.",
        },
    ),
    "step": (
        "An update was made.",
        {
            "step": "Updates done.",
            "losses": "Mean loss of each task in the update, before its weight.",
            "gradient_norm": "Norm of the gradient before clipping.",
            "learning_rate": "Learning rate of the update.",
            "examples": "Training examples processed so far.",
            "tokens": "Training tokens processed so far.",
            "seconds": "Seconds of training so far.",
        },
    ),
    "evaluation": (
        "The dev examples were evaluated.",
        {
            "epoch": EVALUATION["epoch"],
            "step": EVALUATION["step"],
            "tasks": "Metrics of each task.",
            "intervals": "95% intervals of the metrics.",
            "average": EVALUATION["average"],
            "course_score": EVALUATION["course_score"],
            "whole_rows": "Share of rows on which all tasks with the same rows are right, as in `results.json`.",
            "decoding": "Searched thresholds of each task that has them.",
            "best": "Whether the average is the best so far.",
            "evaluation_seconds": "Seconds of the evaluation.",
        },
    ),
    "checkpoint": ("A checkpoint was written.", {"step": "Updates done."}),
    "stopped_early": ("Early stopping ends the training.", {"at": "Updates done.", "text": "The reason."}),
    "finish": ("The run is finished.", {"at": "Updates done.", "average": "Dev average of the weights in the bundle."}),
}

BUNDLE_FILES: tuple[FileFacts, ...] = (
    FileFacts(
        "manyheads.json",
        "always",
        "The manifest: tasks, and the SHA-256 of every file that can be loaded.",
        {
            "format": "Version of the bundle's format (1). A bundle of another format is refused.",
            "manyheads": "Version of manyheads that wrote the bundle.",
            "encoder.name": "Encoder as the recipe named it.",
            "encoder.revision": "Commit on the hub. Null for a folder and for the offline encoder.",
            "encoder.sha256": "SHA-256 of the weights before fine-tuning.",
            "pooling": "How vectors are read from the encoder: `pooler`, `first` or `mean`.",
            "max_length": "Longest sequence in tokens. Longer texts are truncated.",
            "tasks[].name": "Name of the task.",
            "tasks[].kind.name": "Kind of the task, such as `classification`.",
            "tasks[].kind.labels": "Labels in the order of the head's outputs. Absent for kinds without labels.",
            "tasks[].kind.tuned.threshold": "Searched thresholds of the labels. Absent if none were searched.",
            "tasks[].kind.tuned.rows": "Number of training rows, held out of training, on which they were searched.",
            "tasks[].kind.range": "Lowest and highest value (regression only).",
            "tasks[].text": "Text columns: one, or two for pairs.",
            "tasks[].label": "Label column, or a list of columns.",
            "tasks[].id": "Id column. Null if there was none.",
            "tasks[].pair": "Encoding of pairs: `cross` or `bi`. Null for one text.",
            "tasks[].head": "Head of the task.",
            "tasks[].dropout": "Dropout of the head in training. It is off in predictions.",
            "tasks[].head_options.KEY": "An option that only this head has. Absent if it has none.",
            "tasks[].loss": "Loss of the training.",
            "tasks[].form": "Form of the head's outputs, such as `logits`. Bundles of 0.4.0 lack it: it follows "
            "from their loss.",
            "tasks[].metric": "Primary metric.",
            "tasks[].metrics": "Metrics with options, and metrics in addition to those of the kind, as tables with "
            "`kind`. Absent if there are none.",
            "tasks[].group": "Column of groups. Absent if there was none.",
            "members.MENU.NAME": "File or package that adds a kind, a head, a loss or a metric of the tasks. Absent if "
            "all are in manyheads. It is only used in messages.",
            "plugins.PLUGIN": "Version or SHA-256 of such a package or file.",
            "files.FILE": "SHA-256 of a file.",
            "sha256": "SHA-256 of the manifest without this key, as JSON with sorted keys, without blanks, in ASCII. "
            "Bundles of version 0.4.0 lack it; they are read with a note.",
        },
    ),
    FileFacts("config.json", "always", "Configuration of the encoder in the format of transformers."),
    FileFacts("model.safetensors", "always", "Weights of the encoder in the format of transformers."),
    FileFacts("heads.safetensors", "always", "Weights of the heads."),
    FileFacts("tokenizer.json", "always", "The tokenizer."),
    FileFacts(
        "tokenizer_config.json",
        "always",
        "Settings of the tokenizer for transformers: its longest sequence, its inputs.",
    ),
    FileFacts("README.md", "always", "The model card. It can be edited: it has no checksum."),
    FileFacts("modules.json", "with a bi-encoded pair", "List of modules for sentence-transformers."),
    FileFacts("sentence_bert_config.json", "with a bi-encoded pair", "Longest sequence for sentence-transformers."),
    FileFacts("config_sentence_transformers.json", "with a bi-encoded pair", "Settings of sentence-transformers."),
    FileFacts("MODULE/config.json", "with a bi-encoded pair", "Configuration of one module."),
    FileFacts("MODULE/model.safetensors", "with a bi-encoded pair", "Weights of one module, if it has any."),
)
