"""Write a commented recipe that runs, from data files. What can be found in the files is not asked."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable, Sequence
from dataclasses import asdict
from pathlib import Path
from textwrap import shorten

import tomli_w

from manyheads.data.examples import bad_row_hints
from manyheads.data.reading import TextFormat
from manyheads.data.reading.formats import endings
from manyheads.data.reading.hub import PREFIX
from manyheads.data.reading.paths import find_files
from manyheads.data.reading.text_format import USUAL
from manyheads.evaluation.metrics.resolve import fitting
from manyheads.model.weights import OFFLINE, OFFLINE_PACKAGE
from manyheads.wizard.file_groups import group_files, is_split_folder, join_shards
from manyheads.wizard.survey import Survey, surveys

HUB_ENCODER = "google-bert/bert-base-uncased"

COMMENT_COLUMN = 42
"""Comments begin here, or after longer lines."""

HELD_OUT = 0.1
"""Share of the training rows for the dev set of a task without a dev file."""


def suggest(
    files: Sequence[Path],
    folder: Path | None = None,
    *,
    encoder: str | None = None,
    text: Sequence[str] = (),
    label: str | None = None,
    written: TextFormat = USUAL,
    warn: Callable[[str], None] | None = None,
) -> str:
    """Return a recipe for these files as TOML. `folder` is the folder of the recipe (default: the current one).

    The names of the files decide which files belong to one task. Each label column of a file becomes a task.

    Args:
        files: data files, folders of them, patterns, or data sets on the hub.
        folder: the folder of the recipe.
        encoder: by default the offline encoder if it is installed, otherwise one from the hub.
        text: the text columns of all tasks. Default: found by the names and the contents of the columns.
        label: the label column of all tasks. Default: found in the same way.
        written: how the files are written.
        warn: called with each warning about the files.

    Raises:
        DataError: a file cannot be read, or its columns cannot be found.
    """
    files = join_shards([file for each in files for file in _expanded(each)])
    found = [each for group in group_files(files) for each in surveys(group, text=text, label=label, written=written)]
    if warn is not None:
        for warning in dict.fromkeys(warning for each in found for warning in each.warnings):
            warn(warning)
    place = Paths(files, (folder or Path()).absolute())
    chosen = encoder or _default_encoder()
    parts = [_head(chosen, place), *(_task(each, place) for each in found), _tail(chosen, len(found))]
    return "\n".join(parts)


def _expanded(file: Path) -> list[Path]:
    """Return the files of a folder or a pattern. A folder that is named after a split is one entry."""
    if _on_hub(file) or file.is_file():
        return [file]
    found = find_files(str(file), Path(), endings(sentences=False))
    return [file] if file.is_dir() and is_split_folder(file) else [each for each in found if not _is_schema(each)]


def _is_schema(file: Path) -> bool:
    """Whether a file of a folder is a JSON Schema, such as the one that is written next to a recipe."""
    return file.name.endswith(".schema.json")


class Paths:
    """The paths in the recipe. If all files are in one folder, it is the `data_dir`, and paths are file names."""

    def __init__(self, files: Sequence[Path], folder: Path) -> None:
        self._folder = folder
        files = [file for file in files if not _on_hub(file)]
        parents = {file.absolute().parent for file in files}
        self._shared = parents.pop() if len(parents) == 1 else None
        absolute = any(file.is_absolute() for file in files)
        self._data_dir = None
        if self._shared is not None and self._shared != folder:
            self._data_dir = str(self._shared) if absolute else os.path.relpath(self._shared, folder)

    @property
    def data_dir(self) -> str | None:
        """The folder of all files, or None if it is the folder of the recipe or if there are several folders."""
        return self._data_dir

    def name(self, file: Path) -> str:
        """Return the path of a file as written in the recipe."""
        if _on_hub(file):
            return str(file)
        if self._shared is not None:
            return file.name
        return str(file) if file.is_absolute() else os.path.relpath(file, self._folder)


def _on_hub(file: Path) -> bool:
    return str(file).startswith(PREFIX)


def _default_encoder() -> str:
    return OFFLINE if importlib.util.find_spec(OFFLINE_PACKAGE) is not None else HUB_ENCODER


def _head(encoder: str, place: Paths) -> str:
    other = (
        f'a small encoder that is installed; or a hub id such as "{HUB_ENCODER}"'
        if encoder == OFFLINE
        else f'a hub id; or a folder; or "{OFFLINE}", a small encoder that needs no network'
    )
    lines = [
        "# Written by manyheads init from the data files. Read it and change what is wrong. Then run:",
        "#   manyheads check RECIPE    checks the recipe and the files, and estimates the training time",
        "#   manyheads train RECIPE    trains one encoder on all tasks and evaluates it on the dev files",
        "",
        _line("encoder", encoder, other),
    ]
    if place.data_dir is not None:
        lines.append(_line("data_dir", place.data_dir, "folder of the data files"))
    return "\n".join(lines) + "\n"


def _task(survey: Survey, place: Paths) -> str:
    group, layout = survey.group, survey.layout
    several, chooses = len(layout.text) > 1, survey.kind.reads == "candidates"
    lines = [f"[tasks.{group.name}]", *_kind(survey), _line("train", place.name(group.train), survey.rows("train"))]
    if group.dev is not None:
        lines.append(_line("dev", place.name(group.dev), survey.rows("dev")))
    else:
        lines.append(_line("dev", HELD_OUT, "no dev file was given, so this share of the training rows is held out"))
    if group.test is not None:
        lines.append(_line("test", place.name(group.test), survey.rows("test")))
    lines.append(_line("text", list(layout.text) if several else layout.text[0], _others(layout.other)))
    if chooses:
        comment = 'the text and a candidate in one sequence; or "bi": each in its own sequence'
        lines.append(_line("pair", "cross", comment))
    elif several and len(survey.kind.pairings) > 1:
        lines.append(_line("pair", "cross", 'both texts in one sequence; or "bi": each text in its own sequence'))
    if layout.label is not None:
        label = layout.label if isinstance(layout.label, str) else list(layout.label)
        lines.append(_line("label", label, survey.shares))
    lines += _space(survey)
    if layout.id is not None:
        lines.append(_line("id", layout.id, "names the rows in the prediction files"))
    lines.append(_metric(survey))
    lines += [_line(key, value, None) for key, value in _written(survey)]
    if survey.bad:
        count = "1 row" if len(survey.bad) == 1 else f"{len(survey.bad)} rows"
        first = printable(f"{Path(survey.bad[0].source).name}:{survey.bad[0].line}: {survey.bad[0].reason}")
        lines.append(f"# {count} cannot be used, so training would stop; the first: {shorten(first, 80)}")
        lines += [f"# {hint}" for hint in bad_row_hints(survey.bad)]
        lines.append("# Correct the files, or skip all such rows with the next line:")
        lines.append('# on_bad_rows = "skip"')
    lines += [f"# Warning: {printable(warning)}" for warning in survey.warnings]
    return "\n".join(lines) + "\n"


def _written(survey: Survey) -> list[tuple[str, object]]:
    """Return the keys that say how the files are written, where they are not the usual ones."""
    values = {"columns": None, **asdict(survey.written)}
    return [
        (key, list(value) if isinstance(value, tuple) else value)
        for key, value in values.items()
        if value != getattr(USUAL, key)
    ]


def printable(text: str) -> str:
    """Return a text for a comment of a recipe, without control characters and line ends."""
    return "".join(letter if letter.isprintable() else ascii(letter)[1:-1] for letter in text)


def _kind(survey: Survey) -> list[str]:
    return [_line("kind", survey.kind.name, survey.kind.alternative)]


def _space(survey: Survey) -> list[str]:
    comments = survey.kind.space_comments
    return [_line(key, value, comments.get(key)) for key, value in survey.kind.space().items()]


def _metric(survey: Survey) -> str:
    first = survey.kind.metrics[0]
    others = [metric for metric in fitting(survey.kind, primary=True) if metric != first]
    return _line("metric", first, "or " + ", ".join(f'"{other}"' for other in others))


def _others(columns: Sequence[str]) -> str | None:
    return f"unused columns: {', '.join(columns)}" if columns else None


def _tail(encoder: str, tasks: int) -> str:
    rate = 1e-4 if encoder == OFFLINE else 3e-5
    mixed = 'batches of all tasks in one shuffled order; or "sequential": one task after another' if tasks > 1 else None
    lines = [
        "[batching]",
        _line("strategy", "even", mixed),
        _line("batch_size", 32, "rows per batch"),
        "",
        "[training]",
        _line("epochs", 3, "passes over the training rows"),
        _line("learning_rate", rate, "rises in the first tenth of the steps, then falls to 0"),
    ]
    return "\n".join(lines) + "\n"


def _line(key: str, value: object, comment: str | None) -> str:
    """Format `key = value  # comment`. A long list is split into lines."""
    line = f"{key} = {_toml(value)}"
    if len(line) > 110 and isinstance(value, list):
        items = "".join(f"    {_toml(item)},\n" for item in value)
        return f"{key} = [\n{items}]" + (f"  # {comment}" if comment else "")
    return f"{line.ljust(COMMENT_COLUMN - 2)}  # {comment}" if comment else line


def _toml(value: object) -> str:
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    return tomli_w.dumps({"_": value}).removeprefix("_ = ").strip()
