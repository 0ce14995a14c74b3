"""From data files to a commented recipe that runs: what can be seen in the files is not asked."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Sequence
from pathlib import Path
from textwrap import shorten

import tomli_w

from manyheads.model.weights import OFFLINE, OFFLINE_PACKAGE
from manyheads.recipe.file_groups import group_files
from manyheads.recipe.survey import Survey, survey

HUB_ENCODER = "google-bert/bert-base-uncased"

COMMENT_COLUMN = 42

HELD_OUT = 0.1


def suggest(
    files: Sequence[Path],
    folder: Path | None = None,
    *,
    encoder: str | None = None,
    text: Sequence[str] = (),
    label: str | None = None,
) -> str:
    """A recipe over these files, to be kept in `folder` (by default the current one).

    Files of one task are known by their names. Where they are given, `text` and `label` are the columns of all tasks;
    else the columns are told by their names and by what they hold. `encoder`: by default the offline one where it is
    installed.

    Raises:
        DataError: a file cannot be read, or its columns cannot be told.
    """
    surveys = [survey(group, text=text, label=label) for group in group_files(files)]
    place = Paths(files, (folder or Path()).absolute())
    chosen = encoder or _default_encoder()
    parts = [_head(chosen, place), *(_task(found, place) for found in surveys), _tail(chosen, len(surveys))]
    return "\n".join(parts)


class Paths:
    """How the recipe names its files: bare names where all lie in one folder, which is then its `data_dir`."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._folder = folder
        parents = {file.absolute().parent for file in files}
        self._shared = parents.pop() if len(parents) == 1 else None
        absolute = any(file.is_absolute() for file in files)
        self._data_dir = None
        if self._shared is not None and self._shared != folder:
            self._data_dir = str(self._shared) if absolute else os.path.relpath(self._shared, folder)

    @property
    def data_dir(self) -> str | None:
        """The folder of all files, or None where it is the recipe's own or there are several."""
        return self._data_dir

    def name(self, file: Path) -> str:
        """A file as the recipe names it."""
        if self._shared is not None:
            return file.name
        return str(file) if file.is_absolute() else os.path.relpath(file, self._folder)


def _default_encoder() -> str:
    return OFFLINE if importlib.util.find_spec(OFFLINE_PACKAGE) is not None else HUB_ENCODER


def _head(encoder: str, place: Paths) -> str:
    other = (
        f'small, from an installed package; or one of the hub: "{HUB_ENCODER}"'
        if encoder == OFFLINE
        else f'a hub id, a folder, or "{OFFLINE}": small, and needs no network'
    )
    lines = [
        "# Written by manyheads init from what the files hold: look it over, then",
        "#   manyheads check RECIPE    audits the files and estimates the time",
        "#   manyheads train RECIPE    trains one encoder on all tasks, and measures it",
        "",
        _line("encoder", encoder, other),
    ]
    if place.data_dir is not None:
        lines.append(_line("data_dir", place.data_dir, "the folder of the files"))
    return "\n".join(lines) + "\n"


def _task(found: Survey, place: Paths) -> str:
    group, layout = found.group, found.layout
    pair = len(layout.text) == 2
    lines = [f"[tasks.{group.name}]", *_kind(found), _line("train", place.name(group.train), found.rows("train"))]
    if group.dev is not None:
        lines.append(_line("dev", place.name(group.dev), found.rows("dev")))
    else:
        lines.append(_line("dev", HELD_OUT, "no dev file was given: this share of the training rows is held out"))
    if group.test is not None:
        lines.append(_line("test", place.name(group.test), found.rows("test")))
    lines.append(_line("text", list(layout.text) if pair else layout.text[0], _others(layout.other)))
    if pair:
        lines.append(_line("pair", "cross", 'both texts in one sequence; "bi": each in its own'))
    lines.append(_line("label", layout.label, found.shares))
    lines.append(_space(found))
    if layout.id is not None:
        lines.append(_line("id", layout.id, "names the examples in the predictions"))
    lines.append(_metric(found))
    if found.bad:
        count = "1 row" if len(found.bad) == 1 else f"{len(found.bad)} rows"
        first = f"{Path(found.bad[0].source).name}:{found.bad[0].line}: {found.bad[0].reason}"
        lines.append(_line("on_bad_rows", "skip", f"{count} cannot be used; the first: {shorten(first, 80)}"))
    return "\n".join(lines) + "\n"


def _kind(found: Survey) -> list[str]:
    if found.kind.labels is None:
        return [_line("kind", "regression", 'a value in `range`; "classification": one of `labels`')]
    number = len(found.kind.labels) > 2 and all(not isinstance(label, str) for label in found.kind.labels)
    hint = 'one of `labels`; "regression": a value in `range = [LOW, HIGH]`' if number else None
    return [_line("kind", "classification", hint)]


def _space(found: Survey) -> str:
    if found.kind.value_range is not None:
        low, high = found.kind.value_range
        return _line(
            "range", [int(end) if end.is_integer() else end for end in (low, high)], "lowest and highest value"
        )
    return _line("labels", list(found.kind.labels or ()), None)


def _metric(found: Survey) -> str:
    first, *others = [metric for metric in found.kind.metrics if metric != "rmse"]
    return _line("metric", first, "or " + ", ".join(f'"{other}"' for other in others))


def _others(columns: Sequence[str]) -> str | None:
    return f"columns left over: {', '.join(columns)}" if columns else None


def _tail(encoder: str, tasks: int) -> str:
    rate = 1e-4 if encoder == OFFLINE else 3e-5
    mixed = 'batches of all tasks in one shuffled order; "sequential": task by task' if tasks > 1 else None
    lines = [
        "[batching]",
        _line("strategy", "even", mixed),
        _line("batch_size", 32, None),
        "",
        "[training]",
        _line("epochs", 3, "times that every training example is seen"),
        _line("learning_rate", rate, "rises over the first tenth of the steps, then falls to 0"),
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: object, comment: str | None) -> str:
    """`key = value  # comment`; a long list goes over several lines."""
    line = f"{key} = {_toml(value)}"
    if len(line) > 110 and isinstance(value, list):
        items = "".join(f"    {_toml(item)},\n" for item in value)
        return f"{key} = [\n{items}]" + (f"  # {comment}" if comment else "")
    return f"{line.ljust(COMMENT_COLUMN)}# {comment}" if comment else line


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"_": value}).removeprefix("_ = ").strip()
