"""Assemble a run from a recipe, and train it. This is the only place where the parts of a run are put together."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import torch

from manyheads.data.batch import Batch
from manyheads.data.batching import build_batching
from manyheads.data.dataset import Split, count_cut
from manyheads.data.given import naming_tables, remove_given
from manyheads.data.reading import files_name
from manyheads.evaluation.evaluate import Scores, evaluate, summarise
from manyheads.inference.bundle import save_bundle
from manyheads.inference.card import TaskFiles, encoder_licence, model_card
from manyheads.model.forward import forward_streams
from manyheads.model.weights import resolve
from manyheads.ragged import Rows
from manyheads.recipe.begin import began_separate, begin_run, describe, finished_run, resume_run, with_separate_streams
from manyheads.recipe.build import (
    build_model,
    compare_with_tokenizer,
    keep_freed_memory,
    make_optimizer,
    make_plan,
    make_steps,
    open_encoder,
    resolve_recipe,
    use_threads,
)
from manyheads.recipe.given import LIMIT, Tables, in_run_folder, keep_in_run_folder
from manyheads.recipe.prepare import TaskData, read_tasks, rejected_rows, tokenise_tasks
from manyheads.recipe.pretrain import pretrained
from manyheads.recipe.schema import Recipe
from manyheads.recipe.tasks import same_files
from manyheads.run.atomic import write_json
from manyheads.run.checksum import is_unchanged
from manyheads.run.events import EventLog
from manyheads.run.folder import RunFolder
from manyheads.tasks.kind import Kind
from manyheads.training.checkpoint import Checkpoints, Progress, step_of
from manyheads.training.distributed import Processes, SharedCheckpoints, SharedForward, SharedStop, joined
from manyheads.training.launch import Launch
from manyheads.training.listener import Listener, Listeners, failures_raised, report_end, stopping
from manyheads.training.loop import Loop
from manyheads.training.optimizer import build_schedule
from manyheads.training.record import (
    repair_every_evaluation,
    write_every_evaluation,
    write_predictions,
    write_results,
    write_results_csv,
)
from manyheads.training.stop import Event, Interrupted, StopFlag, Stopping


@dataclass(frozen=True)
class Run:
    """A finished run: its folder, and the content of its results.json."""

    folder: RunFolder
    results: dict[str, Any]


def train(
    recipe: Recipe,
    out: Path,
    *,
    resume: bool = False,
    listeners: Sequence[Listener] = (),
    stop: StopFlag | Event | None = None,
    tune_allocator: bool = False,
    tables: Tables | None = None,
    data_limit: int = LIMIT,
) -> Run:
    """Train a recipe into the run folder `out`.

    A resumed run ends with the same bytes in model/, predictions/ and results.csv as a run that was never stopped,
    on the same machine with the same number of threads. With `resume`, a finished run is returned without training.
    `stop` is an event, or the flag that signals set during the call. Default: a new flag. `tune_allocator` sets the
    memory allocator of the process for training, for the rest of the process. `tables`: the tables that the recipe has
    marks for, of at most `data_limit` bytes each. The run folder keeps them.

    Raises:
        ManyheadsError: The recipe, the data, the encoder or the folder cannot be used.
        Interrupted: A signal or the event stopped the run after a checkpoint. The run can be resumed. If the signal
            arrived while the last files were written, the run is finished.
        Exception: A listener raised it. The run stopped after a checkpoint and can be resumed, or is finished.
    """
    folder = RunFolder(out)
    own = StopFlag.of(stop)
    with own.listening(), joined(recipe.device) as processes, ExitStack() as stack:
        listeners = [stopping(each, own) for each in listeners] if processes.main else ()
        keep = recipe.training.keep
        checkpoints = Checkpoints(folder.checkpoints, keep=keep)
        run_stop = own
        if processes.size > 1:
            run_stop = SharedStop(own, processes)
            checkpoints = SharedCheckpoints(folder.checkpoints, processes, keep=keep)
        # Only the main process takes the lock. It keeps the lock until its stack is closed.
        processes.from_main(lambda: stack.enter_context(folder.writing(resume=resume)))
        finished = processes.from_main(lambda: folder.finished)
        latest = None if finished else checkpoints.latest()
        if latest is None and not finished:
            processes.from_main(folder.clear)
        fresh = latest is None and not finished
        if processes.from_main(lambda: began_separate(folder, recipe)):
            recipe = with_separate_streams(recipe)
        given = tables or {}
        processes.from_main(lambda: keep_in_run_folder(recipe, given, folder, data_limit, fresh=fresh))
        recipe = in_run_folder(recipe, given, folder)
        result = processes.from_main(lambda: finished_run(folder, recipe) if finished else None)
        if result is not None:
            results, notes = result
            checkpoints.drop()
            with failures_raised(own):
                for text in (*notes, f"the run in {out} is already finished. Nothing was trained."):
                    Listeners(listeners)("note", text=text)
                # A loop over recipes must end, also where nothing was left to train.
                if own:
                    raise Interrupted(int(results["last"]["step"]), own.signal_number or 0)
            return Run(folder, results)
        if given and processes.main:
            # Without a recipe in the folder, there is no run to resume, and the folder is free for the next attempt.
            stack.callback(lambda: None if folder.recipe.exists() else remove_given(folder.data))
        with report_end(Listeners(listeners)), failures_raised(own), naming_tables():
            kept = tune_allocator and keep_freed_memory()
            return _Assembly(recipe, folder, checkpoints, listeners, run_stop, processes, kept).run(latest)


@dataclass
class _Assembly:
    """The state that the stages of one run share."""

    recipe: Recipe
    folder: RunFolder
    checkpoints: Checkpoints
    listeners: Sequence[Listener]
    stop: StopFlag
    processes: Processes
    memory_kept: bool
    pending: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    scores: dict[str, Scores] = field(default_factory=dict)
    process_counts: dict[str, int] | None = None

    def run(self, latest: Path | None) -> Run:
        """Read the data, then train from a checkpoint or from the beginning."""
        threads = use_threads(self.recipe, self.processes)
        note = Launch.read().note
        if note is not None:
            self._keep("note", text=note)
        with self._reading(latest):
            data = read_tasks(self.recipe, self._keep, self._check)
        self._may_stop(latest)
        self.recipe = resolve_recipe(self.recipe, [each.task for each in data], threads)
        with self._reading(latest):
            self.source, self.tokenizer = open_encoder(self.recipe)
            self.prepared = tokenise_tasks(data, self.tokenizer)
        self._may_stop(latest)
        self.processes.from_main(lambda: self._begin(latest))
        self.encoder = self.source
        if self.recipe.pretraining is not None:
            self._pretrain(data)
        if not self.processes.main:
            self.notify = Listeners(())
            return self._train(latest)
        with EventLog(self.folder.events) as self.log:
            self.notify = Listeners([self.log.write, *self.listeners])
            return self._train(latest)

    @contextmanager
    def _reading(self, latest: Path | None) -> Iterator[None]:
        """Let a signal end the block at once. No step is lost then.

        Several processes finish the block, because they must stop together.
        """
        if isinstance(self.stop, SharedStop):
            yield
            return
        try:
            with self.stop.at_once():
                yield
        except Stopping:
            raise self._interrupted(latest) from None

    def _check(self) -> None:
        """Raise Stopping between two files if the run is to stop."""
        if not isinstance(self.stop, SharedStop):
            self.stop.check()

    def _interrupted(self, latest: Path | None) -> Interrupted:
        return Interrupted(0 if latest is None else step_of(latest), self.stop.signal_number or 0)

    def _may_stop(self, latest: Path | None) -> None:
        """Stop between the parts of the preparation if a signal asked for it. No step is lost then."""
        if isinstance(self.stop, SharedStop):
            self.stop.meet()
        if self.stop:
            raise self._interrupted(latest)

    def _pretrain(self, data: Sequence[TaskData]) -> None:
        """Use the pretrained encoder for this run.

        The steps of pretraining are logged in the cache. The provenance of this run records the key.
        """
        notify = Listeners(self.listeners)
        # Processes do not meet while one of them pretrains, so each one follows its own signals.
        stop = self.stop.own if isinstance(self.stop, SharedStop) else self.stop
        encoder = pretrained(self.recipe, self.source, self.tokenizer, data, stop=stop, notify=notify)
        self.encoder = resolve(str(encoder.folder), Path.cwd())
        if self.processes.main:
            provenance = self.folder.read_provenance()
            write_json(self.folder.provenance, {**provenance, "pretraining": encoder.summary})
        numbers = {name: encoder.summary[name] for name in ("key", "before", "after", "corpus")}
        self.pending.append(("pretraining", numbers))

    def _keep(self, event: str, **fields: Any) -> None:
        """Keep an event of reading the data until the event log is open."""
        if "rejected" in fields:
            fields["text"] += " (events.jsonl in the run folder lists them)"
        self.pending.append((event, fields))

    def _begin(self, latest: Path | None) -> None:
        """Write the recipe and provenance of a new run, or check that those of a resumed run are unchanged."""
        own = (self.folder, self.recipe, self.prepared, self.source, self.processes.size)
        if latest is None:
            begin_run(*own)
            return
        notes, processes = resume_run(*own, latest)
        self.pending += [("note", {"text": note}) for note in notes]
        if processes != self.processes.size:
            self.process_counts = {"before": processes, "now": self.processes.size}

    def _train(self, latest: Path | None) -> Run:
        model = build_model(self.recipe, self.encoder, self.prepared.tasks)
        self.model = model
        self.notes = compare_with_tokenizer(self.recipe, model, self.tokenizer, self.prepared.store)
        self.max_length = min(self.recipe.model.max_length, model.encoder.max_length)
        optimizer = make_optimizer(self.recipe, model)
        progress = Progress() if latest is None else self.checkpoints.restore(latest, model, optimizer)
        self.pending += [("note", {"text": note}) for note in self.checkpoints.notes]
        tasks = {task.name: task for task in self.prepared.tasks}
        for entry in progress.evaluations:
            entry.update(summarise(tasks, entry["tasks"], course_score=self.recipe.score == "course"))
        if latest is not None and self.processes.main:
            for split, examples in self._splits.items():
                found = repair_every_evaluation(self.folder, examples, progress, split=split)
                self.pending += [("note", {"text": note}) for note in found]
        self._report_data(resumed=latest is not None)
        if self.process_counts is not None:
            text = "number of processes: {before} when the run started, {now} now. ".format(**self.process_counts)
            text += "The batches are the same. Rounding and dropout differ."
            self.notify("note", text=text, **self.process_counts)
        loop = self._loop(optimizer)
        self.notify(
            "start" if latest is None else "resume",
            at=progress.step,
            total_steps=loop.plan.total_steps,
            metrics={task.name: task.metric for task in self.prepared.tasks},
        )
        try:
            progress = loop.run(progress)
        finally:
            loop.stepper.close()
        try:
            run = self._finish(progress)
        except Stopping:
            raise Interrupted(progress.step, self.stop.signal_number or 0) from None
        if self.stop:
            raise Interrupted(progress.step, self.stop.signal_number or 0)
        return run

    def _report_data(self, *, resumed: bool) -> None:
        """Report what was found in the data and how the model runs.

        The event log receives these events once. The listeners receive them each time the run is started or resumed.
        """
        events = [("machine", {"text": self._machine()}), *self.pending]
        if self.model.encoder.note:
            events.append(("warning", {"text": self.model.encoder.note}))
        events += [("note", {"text": text}) for text in self.notes]
        for name, splits in (("train", self.prepared.train), ("dev", self.prepared.dev), ("test", self.prepared.test)):
            for task, examples in splits.items():
                split = examples.labelled if name == "train" else examples
                cut = count_cut(self.prepared.store, self.tokenizer.template, self.max_length, split)
                if cut:
                    text = f"{task}: {cut} of {len(split)} {name} examples are truncated to {self.max_length} tokens"
                    events.append(("cut", {"task": task, "split": name, "examples": cut, "text": text}))
        receivers: Sequence[Listener] = self.listeners if resumed else [self.notify]
        rejected = (("rejected_row", row) for row in rejected_rows(self.prepared.data))
        for event, fields in chain(rejected, events):
            for receiver in receivers:
                receiver(event, **fields)

    def _machine(self) -> str:
        """Return one line on the device, the precision and the memory allocator."""
        recipe, threads = self.recipe, self.recipe.threads or 1
        where = f"{threads} thread{'s' if threads > 1 else ''}" if recipe.device == "cpu" else recipe.device
        kept = "; freed memory is kept for the next step" if self.memory_kept else ""
        return f"training on {where} in {recipe.precision}{kept}"

    def _loop(self, optimizer: torch.optim.AdamW) -> Loop[Batch]:
        recipe, training = self.recipe, self.recipe.training
        sizes = {name: len(stream) for name, stream in self.prepared.streams.items()}
        batching = build_batching(recipe.batching.strategy, sizes, recipe.batching.batch_size, recipe.seed)
        plan = make_plan(recipe, batching)
        steps = make_steps(
            recipe,
            self.model,
            optimizer,
            self.prepared,
            self.tokenizer.template,
            self.max_length,
            batching,
            self.processes,
            self.stop if isinstance(self.stop, SharedStop) else None,
        )
        if steps.note:
            self.notify("note", text=steps.note)
        return Loop(
            model=self.model,
            optimizer=optimizer,
            stepper=steps.stepper,
            schedule=build_schedule(training.schedule, total_steps=plan.total_steps, warmup=training.warmup),
            learning_rate=training.learning_rate,
            plan=plan,
            batch=steps.batch,
            evaluate=self._evaluate_all,
            record=self._record,
            checkpoints=self.checkpoints,
            notify=self.notify,
            stop=self.stop,
            early_stopping=training.early_stopping,
        )

    def _tune(self) -> dict[str, Kind]:
        """Return the kinds of the tasks whose decoding is tuned, tuned on the rows that were held out for it."""
        device, store, template = torch.device(self.recipe.device), self.prepared.store, self.tokenizer.template
        held = self.prepared.held
        found = self._forward(self.model, store, template, [*held.values()], max_length=self.max_length, device=device)
        return {
            name: split.task.kind.tune(outputs, split.targets.astype(np.float64))
            for (name, split), outputs in zip(held.items(), found, strict=True)
        }

    def _tuned(self, entry: Mapping[str, Any]) -> dict[str, Kind]:
        """Return the kinds of the tasks whose decoding is tuned, as they were at an evaluation."""
        tuned = entry.get("decoding", {})
        return {name: self.model.tasks[name].kind.with_tuned(content) for name, content in tuned.items()}

    @property
    def _forward(self) -> Callable[..., list[Rows]]:
        if isinstance(self.stop, SharedStop):
            return SharedForward(self.processes, self.stop)
        return partial(forward_streams, after_batch=self.stop.check)

    def _evaluate(self, split: str, kinds: Mapping[str, Kind]) -> Scores:
        """Evaluate a split. `kinds`: those with a tuned decoding."""
        splits = {
            name: replace(each, task=replace(each.task, kind=kinds[name])) if name in kinds else each
            for name, each in self._splits[split].items()
        }
        return evaluate(
            self.model,
            self.prepared.store,
            self.tokenizer.template,
            splits,
            max_length=self.max_length,
            device=torch.device(self.recipe.device),
            course_score=self.recipe.score == "course",
            together=same_files(self.recipe.tasks, split),
            forward=self._forward,
        )

    def _evaluate_all(self) -> dict[str, Any]:
        """Evaluate the dev examples and predict the test files. Return the dev scores."""
        kinds = self._tune()
        self.scores = {split: self._evaluate(split, kinds) for split in self._splits}
        tuned = {name: dict(kind.tuned) for name, kind in kinds.items()}
        return {**self.scores["dev"].summary, **({"decoding": tuned} if tuned else {})}

    def _record(self, progress: Progress, is_best: bool) -> None:
        if not self.scores:
            raise AssertionError("an evaluation must be made before it is recorded")
        if not self.processes.main:
            return
        for split, scores in self.scores.items():
            for which in ("last", "best") if is_best else ("last",):
                progress.predictions |= self._write(split, scores, which)
            progress.predictions |= write_every_evaluation(
                self.folder, self._splits[split], scores.predictions, progress, split=split
            )
        write_results_csv(self.folder, {task.name: task for task in self.prepared.tasks}, progress)

    def _finish(self, progress: Progress) -> Run:
        """Check the files of predictions, then write the model with the best weights, and the results.

        Raises:
            Stopping: a signal asked to stop before the results were written.
        """
        best = progress.best_step
        self._predict_again(progress, ("last", "best") if best == progress.step else ("last",))
        if best is not None and best != progress.step:
            self.processes.from_main(lambda: self.checkpoints.load_best(best, self.model))
            self.processes.same_weights(self.model)
            self._predict_again(progress, ("best",))
        with self.stop.protected():
            return Run(self.folder, self.processes.from_main(lambda: self._ship(progress)))

    def _ship(self, progress: Progress) -> dict[str, Any]:
        """Write the bundle and the results, and delete the checkpoints. Only the main process calls this."""
        write_results_csv(self.folder, {task.name: task for task in self.prepared.tasks}, progress)
        shipped = progress.evaluations[-1 if progress.best is None else progress.best]
        kinds = self._tuned(shipped)
        self.model.tasks = {
            name: replace(task, kind=kinds.get(name, task.kind)) for name, task in self.model.tasks.items()
        }
        save_bundle(
            self.folder.model,
            self.model,
            self.tokenizer,
            max_length=self.max_length,
            encoder=describe(self.source),
            card=self._card(shipped),
        )
        end = {"at": progress.step, "average": shipped["average"]}
        # results.json has the checksum of the complete log.
        self.log.write("finish", **end)
        self.log.sync()
        results = write_results(self.folder, progress, untested=self._untested)
        Listeners(self.listeners)("finish", **end)
        self.checkpoints.drop()
        return results

    def _card(self, shipped: dict[str, Any]) -> str:
        """Return the model card for the model of one evaluation."""
        data = {}
        for name, options in self.recipe.tasks.items():
            train = files_name(options.train)
            held_out = f"{options.dev:g} of {train}" if isinstance(options.dev, float) else files_name(options.dev)
            counts = self.prepared.train[name].labels, self.prepared.dev[name].labels
            data[name] = TaskFiles(train, counts[0], held_out, counts[1])
        licence = encoder_licence(self.source.folder)
        tasks, source = tuple(self.model.tasks.values()), describe(self.source)
        return model_card(
            tasks, shipped, source, data, max_length=self.max_length, licence=licence, untested=self._untested
        )

    @property
    def _untested(self) -> str | None:
        """The encoder's architecture, if it was never tried."""
        encoder = self.model.encoder
        return str(encoder.model.config.model_type) if encoder.untested else None

    def _predict_again(self, progress: Progress, names: Sequence[str]) -> None:
        """Predict with the current weights where files of predictions under one of these names have changed.

        They were written at their evaluation, those of test files only since version 0.5.0.
        """
        for split in self._splits:
            if self.processes.from_main(partial(self._changed, progress, split, names)):
                entry = progress.evaluations[-1 if "last" in names or progress.best is None else progress.best]
                scores = self._evaluate(split, self._tuned(entry))
                for which in names if self.processes.main else ():
                    self._write(split, scores, which)

    @property
    def _splits(self) -> dict[str, Mapping[str, Split]]:
        """The splits that every evaluation predicts, by name. Not every task has a test file."""
        return {"dev": self.prepared.dev, **({"test": self.prepared.test} if self.prepared.test else {})}

    def _write(self, split: str, scores: Scores, which: str) -> dict[str, str]:
        return write_predictions(self.folder, self._splits[split], scores.predictions, split=split, which=which)

    def _changed(self, progress: Progress, split: str, names: Sequence[str]) -> bool:
        """Return whether a file of predictions under one of these names is not the one that its evaluation wrote."""
        files = [self.folder.prediction_file(task, split, which) for task in self._splits[split] for which in names]
        return not all(is_unchanged(file, progress.predictions.get(file.name)) for file in files)
