"""The one place that assembles a run from a recipe."""

from __future__ import annotations

import json
import os
import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch

from manyheads.data.batching import BATCHING, Batching
from manyheads.data.dataset import assemble, count_cut
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import RunError
from manyheads.evaluation.evaluate import Scores, evaluate
from manyheads.inference.bundle import save_bundle
from manyheads.inference.card import model_card
from manyheads.model.encoder import load_encoder
from manyheads.model.multitask import MultitaskModel
from manyheads.model.weights import EncoderSource, resolve
from manyheads.recipe.prepare import read_tasks, tokenise_tasks
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import resolved_options
from manyheads.recipe.write import recipe_to_toml
from manyheads.run.atomic import write_json, write_text
from manyheads.run.events import EventLog, cut_after
from manyheads.run.folder import RunFolder
from manyheads.run.provenance import collect
from manyheads.tasks.task import Task
from manyheads.training.checkpoint import Checkpoints, Progress, load_weights
from manyheads.training.listener import Listener, Listeners
from manyheads.training.loop import Loop
from manyheads.training.optimizer import build_optimizer
from manyheads.training.plan import Plan
from manyheads.training.record import write_predictions, write_results, write_results_csv
from manyheads.training.schedule import build_schedule
from manyheads.training.step import Stepper
from manyheads.training.stop import StopFlag
from manyheads.training.weighting import WEIGHTING


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and the content of its results.json."""

    folder: RunFolder
    results: dict[str, Any]


def train(recipe: Recipe, out: Path, *, resume: bool = False, listeners: Sequence[Listener] = ()) -> Run:
    """Train as the recipe says, into the folder `out`.

    A run that goes on (`resume`) ends with the same bytes in model/, predictions/ and results.csv as one that was
    never stopped, on the same machine with the same threads. A finished run is returned as it is.

    Raises:
        ManyheadsError: the recipe, the data, the encoder or the folder cannot be used.
        Interrupted: a signal asked to stop; the folder can be gone on from.
    """
    folder = RunFolder(out)
    with folder.writing(resume=resume):
        checkpoints = Checkpoints(folder.checkpoints, keep=recipe.training.keep)
        if folder.finished:
            checkpoints.drop()
            return Run(folder, folder.read_results())
        latest = checkpoints.latest()
        if latest is None:
            folder.clear()
        stop = StopFlag()
        with stop.listening():
            return _Assembly(recipe, folder, checkpoints, listeners, stop).run(latest)


def use_threads(recipe: Recipe) -> int:
    """Set torch's threads as the recipe says, or to all cores that this process may use, and return how many."""
    threads = recipe.threads or len(os.sched_getaffinity(0))
    torch.set_num_threads(threads)
    return threads


def settle(recipe: Recipe, tasks: Sequence[Task], threads: int) -> Recipe:
    """The recipe with every choice that was left to the program written out, so that it repeats the run anywhere."""
    device = recipe.device
    if device == "auto":
        device = "cuda" if torch.cuda.is_available() else "cpu"
    if device == "cuda" and not torch.cuda.is_available():
        raise RunError("there is no CUDA device here", where="device", found=device, hint='set device = "auto"')
    precision = recipe.precision
    if precision == "auto":
        precision = "bfloat16" if device == "cuda" else "float32"
    options = {task.name: resolved_options(recipe.tasks[task.name], task) for task in tasks}
    update = {"threads": threads, "device": device, "precision": precision, "tasks": options}
    return recipe.model_copy(update=update)


def build_model(recipe: Recipe, source: EncoderSource, tasks: Sequence[Task]) -> MultitaskModel:
    """The encoder's weights and new heads, on the recipe's device; what is random is drawn from the recipe's seed."""
    torch.manual_seed(recipe.seed)
    encoder = load_encoder(
        source.folder,
        pooling=recipe.model.pooling,
        dropout=recipe.model.dropout,
        attention_dropout=recipe.model.attention_dropout,
    )
    model = MultitaskModel(encoder, tasks).to(torch.device(recipe.device))
    if recipe.model.freeze_encoder:
        encoder.requires_grad_(False)
    return model


def make_plan(recipe: Recipe, batching: Batching) -> Plan:
    """The plan of a recipe's run over the batches of a strategy."""
    training = recipe.training
    return Plan(
        batches_per_epoch=batching.steps_per_epoch,
        epochs=training.epochs,
        accumulation=training.accumulation,
        max_steps=training.max_steps,
        evaluate_every=training.evaluate_every,
        checkpoint_every=training.checkpoint_every,
    )


def make_optimizer(recipe: Recipe, model: MultitaskModel) -> torch.optim.AdamW:
    """The recipe's optimiser over what is trained of a model."""
    training = recipe.training
    return build_optimizer(
        model,
        learning_rate=training.learning_rate,
        betas=(training.betas[0], training.betas[1]),
        eps=training.eps,
        weight_decay=training.weight_decay,
    )


def make_stepper(recipe: Recipe, model: MultitaskModel, optimizer: torch.optim.AdamW) -> Stepper:
    """What makes updates of a model as the recipe says."""
    weights = {name: task.loss_weight for name, task in model.tasks.items()}
    return Stepper(
        model,
        optimizer,
        WEIGHTING[recipe.training.weighting](weights),
        seed=recipe.seed,
        clip_norm=recipe.training.clip_norm,
        device=torch.device(recipe.device),
        precision=recipe.precision,
    )


@dataclass
class _Assembly:
    """One run being put together: what its parts share."""

    recipe: Recipe
    folder: RunFolder
    checkpoints: Checkpoints
    listeners: Sequence[Listener]
    stop: StopFlag
    findings: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    scores: Scores | None = None

    def run(self, latest: Path | None) -> Run:
        threads = use_threads(self.recipe)
        data = read_tasks(self.recipe, self._find)
        self.recipe = settle(self.recipe, [each.task for each in data], threads)
        self.source = resolve(self.recipe.encoder, Path.cwd())
        self.tokenizer = Tokenizer.load(self.source.folder)
        self.prepared = tokenise_tasks(data, self.tokenizer)
        self._begin(latest)
        with EventLog(self.folder.events) as log:
            self.notify = Listeners([log.write, *self.listeners])
            return self._train(latest)

    def _find(self, event: str, **fields: Any) -> None:
        """Keep what reading the data found until there is a log to write it to."""
        self.findings.append((event, fields))

    def _begin(self, latest: Path | None) -> None:
        """Write the recipe and provenance of a new run, or check that those of an old one are the same."""
        text = recipe_to_toml(self.recipe)
        if latest is not None:
            check_same(self.folder, text, self.prepared.fingerprints)
            cut_after(self.folder.events, _step_of(latest))
            return
        provenance = collect(
            seed=self.recipe.seed,
            threads=self.recipe.threads or 1,
            device=self.recipe.device,
            precision=self.recipe.precision,
            encoder=_describe(self.source),
            data=self.prepared.fingerprints,
            command=["manyheads", *sys.argv[1:]],
        )
        write_json(self.folder.provenance, provenance)
        write_text(self.folder.recipe, text)

    def _train(self, latest: Path | None) -> Run:
        model = build_model(self.recipe, self.source, self.prepared.tasks)
        self.model = model
        self.max_length = min(self.recipe.model.max_length, model.encoder.max_length)
        optimizer = make_optimizer(self.recipe, model)
        progress = Progress() if latest is None else self.checkpoints.restore(latest, model, optimizer)
        self._tell(resumed=latest is not None)
        loop = self._loop(optimizer)
        self.notify(
            "start" if latest is None else "resume",
            at=progress.step,
            total_steps=loop.plan.total_steps,
            metrics={task.name: task.metric for task in self.prepared.tasks},
        )
        return self._finish(loop.run(progress))

    def _tell(self, *, resumed: bool) -> None:
        """Say what reading found and how the model runs: to the log once, to the listeners each time."""
        said = list(self.findings)
        if self.model.encoder.note:
            said.append(("warning", {"text": self.model.encoder.note}))
        for name, splits in (("train", self.prepared.train), ("dev", self.prepared.dev), ("test", self.prepared.test)):
            for task, split in splits.items():
                cut = count_cut(self.prepared.store, self.tokenizer.template, self.max_length, split)
                if cut:
                    text = f"{task}: {cut} of {len(split)} {name} examples lose tokens past {self.max_length}"
                    said.append(("cut", {"task": task, "split": name, "examples": cut, "text": text}))
        for event, fields in said:
            for listener in self.listeners if resumed else [self.notify]:
                listener(event, **fields)

    def _loop(self, optimizer: torch.optim.AdamW) -> Loop:
        recipe, training = self.recipe, self.recipe.training
        sizes = {name: len(split) for name, split in self.prepared.train.items()}
        batching = BATCHING[recipe.batching.strategy](sizes, recipe.batching.batch_size, recipe.seed)
        plan = make_plan(recipe, batching)
        store, template, splits = self.prepared.store, self.tokenizer.template, self.prepared.train
        return Loop(
            model=self.model,
            optimizer=optimizer,
            stepper=make_stepper(recipe, self.model, optimizer),
            schedule=build_schedule(training.schedule, total_steps=plan.total_steps, warmup=training.warmup),
            learning_rate=training.learning_rate,
            plan=plan,
            batch=lambda k: assemble(
                store, template, self.max_length, [(splits[name], rows) for name, rows in batching.batch(k)]
            ),
            evaluate=self._evaluate_dev,
            record=self._record,
            checkpoints=self.checkpoints,
            notify=self.notify,
            stop=self.stop,
            early_stopping=training.early_stopping,
        )

    def _evaluate(self, split: str) -> Scores:
        return evaluate(
            self.model,
            self.prepared.store,
            self.tokenizer.template,
            self.prepared.dev if split == "dev" else self.prepared.test,
            max_length=self.max_length,
            device=torch.device(self.recipe.device),
        )

    def _evaluate_dev(self) -> dict[str, Any]:
        self.scores = self._evaluate("dev")
        return self.scores.summary

    def _record(self, progress: Progress, is_best: bool) -> None:
        if self.scores is None:
            raise AssertionError("an evaluation is recorded after it was made")
        for which in ("last", "best") if is_best else ("last",):
            write_predictions(self.folder, self.prepared.dev, self.scores.predictions, split="dev", which=which)
        write_results_csv(self.folder, {task.name: task for task in self.prepared.tasks}, progress)

    def _finish(self, progress: Progress) -> Run:
        """Predict the test files with the last and the best weights, ship the best, and close the run."""
        best = None if progress.best is None else int(progress.evaluations[progress.best]["step"])
        self._predict_test(("last", "best") if best == progress.step else ("last",))
        if best is not None and best != progress.step:
            load_weights(self.checkpoints.best_weights(best), self.model)
            self._predict_test(("best",))
        shipped = progress.evaluations[-1 if progress.best is None else progress.best]
        save_bundle(
            self.folder.model,
            self.model,
            self.tokenizer,
            max_length=self.max_length,
            encoder=_describe(self.source),
            card=model_card(self.prepared.tasks, shipped, _describe(self.source)),
        )
        results = write_results(self.folder, progress)
        self.notify("finish", at=progress.step, average=shipped["average"])
        self.checkpoints.drop()
        return Run(self.folder, results)

    def _predict_test(self, names: Sequence[str]) -> None:
        """Predict the test files with the weights as they stand, under each of these names."""
        if self.prepared.test:
            predictions = self._evaluate("test").predictions
            for which in names:
                write_predictions(self.folder, self.prepared.test, predictions, split="test", which=which)


def check_same(folder: RunFolder, recipe: str, fingerprints: dict[str, str]) -> None:
    """Check that a run goes on with the recipe and the data that it began with.

    Raises:
        RunError: a value of the recipe, or a data file, is another one now.
    """
    before = _flat(tomllib.loads(folder.recipe.read_text(encoding="utf-8")))
    now = _flat(tomllib.loads(recipe))
    changed = sorted(key for key in before.keys() | now.keys() if before.get(key) != now.get(key))
    if changed:
        found = ", ".join(f"{key}: {before.get(key)!r} then, {now.get(key)!r} now" for key in changed[:5])
        hint = f"go on with {folder.recipe}, or begin a new run with another --out"
        raise RunError(
            "the recipe is not the one that this run began with", where=str(folder.path), found=found, hint=hint
        )
    data = json.loads(folder.provenance.read_text(encoding="utf-8"))["data"]
    different = sorted(name for name in data if data[name] != fingerprints.get(name))
    if different:
        raise RunError(
            "a data file has changed since this run began",
            where=different[0],
            hint="begin a new run with another --out",
        )


def _flat(table: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    found = {}
    for key, value in table.items():
        if isinstance(value, dict):
            found.update(_flat(value, f"{prefix}{key}."))
        else:
            found[prefix + key] = value
    return found


def _describe(source: EncoderSource) -> dict[str, object]:
    return {"name": source.name, "revision": source.revision, "sha256": source.sha256}


def _step_of(checkpoint: Path) -> int:
    return int(checkpoint.name.removeprefix("step-"))
