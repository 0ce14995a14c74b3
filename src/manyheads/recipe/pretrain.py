"""Pretraining from a recipe: the texts of its tasks, its options, and the cache."""

from __future__ import annotations

import filecmp
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from manyheads.data.cache import cache_folder
from manyheads.data.examples import Examples
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import RecipeError, RunError, argument, by_caller
from manyheads.model.weights import EncoderSource
from manyheads.pretraining.cache import SUMMARY, Entry, Pretrained
from manyheads.pretraining.options import PretrainingOptions
from manyheads.pretraining.run import Pretraining, texts_of
from manyheads.pretraining.texts import Corpus, build_corpus, pretraining_texts
from manyheads.recipe.build import keep_freed_memory, open_encoder, resolve_recipe, use_threads
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.recipe.schema import Recipe
from manyheads.run.atomic import replace_folder
from manyheads.training.listener import Listener, Listeners, failures_raised, stopping
from manyheads.training.stop import Event, Interrupted, StopFlag, Stopping


def pretrain(
    recipe: Recipe,
    out: Path | None = None,
    *,
    listeners: Sequence[Listener] = (),
    stop: StopFlag | Event | None = None,
    tune_allocator: bool = False,
) -> Pretrained:
    """Pretrain the encoder of a recipe as its `[pretraining]` table specifies, or take it from the cache.

    If `out` is given, the encoder is copied to this folder. `stop` is an event, or the flag that signals set during the
    call. Default: a new flag. `tune_allocator` sets the memory allocator of the process for training, for the rest of
    the process.

    Raises:
        ManyheadsError: The recipe has no `[pretraining]` table, or the recipe, the data or the folder cannot be used.
        Interrupted: A signal or the event stopped pretraining after a checkpoint. The next call resumes.
        Exception: A listener raised it. Pretraining stopped after a checkpoint.
    """
    if recipe.pretraining is None:
        change = by_caller("--set pretraining.epochs=3", 'changes={"pretraining.epochs": 3}')
        hint = f"add the table [pretraining] to the recipe, or use {change}"
        raise RecipeError("the recipe has no [pretraining] table", hint=hint)
    if out is not None and _is_taken(out) and not (out / SUMMARY).is_file():
        raise _taken(out)
    own = StopFlag.of(stop)
    notify = Listeners([stopping(each, own) for each in listeners])
    if tune_allocator:
        keep_freed_memory()
    threads = use_threads(recipe)
    with own.listening(), failures_raised(own):
        job = _read(recipe, threads, own, notify)
        # A command that was killed after its copy was complete can be repeated.
        if out is not None and _is_taken(out) and not _is_copy(out, job.key):
            raise _taken(out)
        encoder = job.get(cache_folder(), stop=own, notify=notify)
    if out is None:
        return encoder
    replace_folder(out, lambda target: _copy(encoder.folder, target))
    return Pretrained(encoder.key, out, encoder.summary)


def _read(recipe: Recipe, threads: int, stop: StopFlag, notify: Listener) -> Pretraining:
    """Read the files of a recipe. A stop ends this at once."""
    try:
        with stop.at_once():
            data = read_tasks(recipe, _only_messages(notify), stop.check)
            resolved = resolve_recipe(recipe, [each.task for each in data], threads)
            source, tokenizer = open_encoder(recipe)
            return _job(resolved, source, tokenizer, data)
    except Stopping:
        raise Interrupted(0, stop.signal_number or 0) from None


def pretrained(
    recipe: Recipe,
    source: EncoderSource,
    tokenizer: Tokenizer,
    data: Sequence[TaskData],
    *,
    stop: StopFlag,
    notify: Listener,
) -> Pretrained:
    """Return the pretrained encoder of a resolved recipe whose files have been read."""
    return _job(recipe, source, tokenizer, data).get(cache_folder(), stop=stop, notify=notify)


def _job(recipe: Recipe, source: EncoderSource, tokenizer: Tokenizer, data: Sequence[TaskData]) -> Pretraining:
    options = recipe.pretraining or PretrainingOptions()
    return Pretraining(
        source=source,
        tokenizer=tokenizer,
        corpus=corpus_of(data, options, Path(recipe.data_dir)),
        options=options,
        device=recipe.device,
        precision=recipe.precision,
        threads=recipe.threads or 1,
    )


def corpus_of(data: Sequence[TaskData], options: PretrainingOptions, folder: Path) -> Corpus:
    """Build the corpus from the texts of all tasks and the extra files. Their paths are relative to `folder`.

    A row whose texts several tasks read counts once.

    Raises:
        DataError: An extra file cannot be read, or no text is left.
    """
    train = [text for each in _distinct_rows(data) for text in texts_of(each.all_texts)]
    train += [text for name in options.files for text in pretraining_texts(folder, name)]
    return build_corpus(
        train,
        [text for each in data for text in texts_of(each.dev.all_texts)],
        [text for each in data if each.test is not None for text in texts_of(each.test.all_texts)],
        min_characters=options.min_characters,
        deduplicate=options.deduplicate,
    )


def _distinct_rows(data: Sequence[TaskData]) -> Iterator[Examples]:
    """Yield the training examples of every task, without rows of which an earlier task has the same texts."""
    seen: dict[object, list[NDArray[np.int64]]] = {}
    for each in data:
        train = each.train
        if train.places is None or not train.fingerprint:
            yield train
            continue
        before = seen.setdefault((train.fingerprint, each.task.text), [])
        rows = np.asarray(train.places)
        fresh = ~np.isin(rows, np.concatenate(before)) if before else np.ones(len(rows), dtype=bool)
        before.append(rows)
        if fresh.any():
            yield train if fresh.all() else train.take(np.flatnonzero(fresh))


def _only_messages(notify: Listener) -> Listener:
    """Return a listener that passes on notes and warnings only, because pretraining has no log for rejected rows."""

    def pass_on(event: str, **fields: Any) -> None:
        if event in ("note", "warning"):
            notify(event, **fields)

    return pass_on


def _is_taken(out: Path) -> bool:
    return out.exists() and (not out.is_dir() or any(out.iterdir()))


def _is_copy(out: Path, key: str) -> bool:
    """Return whether a folder has the whole encoder with this key in the cache, and nothing else."""
    entry = Entry(cache_folder(), key).read()
    if entry is None or not out.is_dir():
        return False
    names = sorted(path.name for path in entry.folder.iterdir())
    return sorted(path.name for path in out.iterdir()) == names and all(
        filecmp.cmp(entry.folder / name, out / name, shallow=False) for name in names
    )


def _taken(out: Path) -> RunError:
    hint = f"choose a new folder with {argument('out')}"
    return RunError("the folder already exists and is not empty", where=str(out), hint=hint)


def _copy(source: Path, target: Path) -> None:
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)
