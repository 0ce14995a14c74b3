"""Pretraining from a recipe: its tasks' texts, its options, the cache."""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from manyheads.data.cache import cache_folder
from manyheads.data.reading import BadRow
from manyheads.data.reading.plain import EMPTY_LINE, PlainLines
from manyheads.data.tokenizer import Tokenizer
from manyheads.errors import DataError, RecipeError, RunError
from manyheads.model.weights import EncoderSource, resolve
from manyheads.pretraining.cache import Pretrained
from manyheads.pretraining.corpus import Corpus, build_corpus
from manyheads.pretraining.options import PretrainingOptions
from manyheads.pretraining.run import Pretraining, texts_of
from manyheads.recipe.build import settle, use_threads
from manyheads.recipe.prepare import TaskData, read_tasks
from manyheads.recipe.schema import Recipe
from manyheads.run.atomic import replace_folder
from manyheads.training.listener import Listener, Listeners
from manyheads.training.stop import StopFlag


def pretrain(recipe: Recipe, out: Path | None = None, *, listeners: Sequence[Listener] = ()) -> Pretrained:
    """Pretrain the recipe's encoder as its `[pretraining]` says, or take it from the cache; copied to `out` if given.

    Raises:
        ManyheadsError: the recipe says nothing of pretraining, or it, the data or the folder cannot be used.
        Interrupted: a signal asked to stop; the next call goes on from there.
    """
    if recipe.pretraining is None:
        hint = 'add a table "[pretraining]", or: --set pretraining.epochs=3'
        raise RecipeError("the recipe says nothing of pretraining", where="pretraining", hint=hint)
    if out is not None and out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise RunError("the folder exists already", where=str(out), hint="choose another folder with --out")
    notify = Listeners(listeners)
    threads = use_threads(recipe)
    data = read_tasks(recipe, _passing_notes(notify))
    settled = settle(recipe, [each.task for each in data], threads)
    source = resolve(recipe.encoder, Path.cwd())
    stop = StopFlag()
    with stop.listening():
        found = pretrained(settled, source, Tokenizer.load(source.folder), data, stop=stop, notify=notify)
    if out is None:
        return found
    replace_folder(out, lambda target: _copy(found.folder, target))
    return Pretrained(found.key, out, found.summary)


def pretrained(
    recipe: Recipe,
    source: EncoderSource,
    tokenizer: Tokenizer,
    data: Sequence[TaskData],
    *,
    stop: StopFlag,
    notify: Listener,
) -> Pretrained:
    """The pretrained encoder of a settled recipe whose files are read."""
    options = recipe.pretraining or PretrainingOptions()
    job = Pretraining(
        source=source,
        tokenizer=tokenizer,
        corpus=corpus_of(data, options, Path(recipe.data_dir)),
        options=options,
        device=recipe.device,
        precision=recipe.precision,
        threads=recipe.threads or 1,
    )
    return job.get(cache_folder(), stop=stop, notify=notify)


def corpus_of(data: Sequence[TaskData], options: PretrainingOptions, folder: Path) -> Corpus:
    """The corpus of all tasks and of the extra files, which lie relative to `folder`.

    Raises:
        DataError: an extra file cannot be read, or no text is left.
    """
    train = [text for each in data for text in texts_of(each.train.texts)]
    train += [text for name in options.files for text in _lines(folder / Path(name).expanduser())]
    return build_corpus(
        train,
        [text for each in data for text in texts_of(each.dev.texts)],
        [text for each in data if each.test is not None for text in texts_of(each.test.texts)],
        min_characters=options.min_characters,
        deduplicate=options.deduplicate,
    )


def _lines(path: Path) -> list[str]:
    if not path.is_file():
        hint = "check the path: files are looked for in data_dir"
        raise DataError("there is no such file", where=f"{path}, named in pretraining.files", hint=hint)
    texts = []
    for row in PlainLines(path, ("text",)).rows():
        if isinstance(row, BadRow):
            if row.reason == EMPTY_LINE:  # paragraphs stand apart
                continue
            raise DataError("a line cannot be read", where=f"{row.source}:{row.line}", found=row.reason)
        texts.append(str(row.values["text"]))
    return texts


def _passing_notes(notify: Listener) -> Listener:
    """Only what is for a person: the rejected rows themselves are in no log here."""

    def pass_on(event: str, **fields: Any) -> None:
        if event in ("note", "warning"):
            notify(event, **fields)

    return pass_on


def _copy(source: Path, target: Path) -> None:
    for file in sorted(source.iterdir()):
        shutil.copyfile(file, target / file.name)
