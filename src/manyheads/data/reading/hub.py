"""Data sets on the hub, read through the datasets library: `hub:OWNER/NAME[/CONFIG]@SPLIT`.

In columns whose features name the classes (ClassLabel), a name is read in place of a number.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from manyheads.data.class_names import class_names, within
from manyheads.data.reading.rows import BadRow, Row
from manyheads.errors import DataError, did_you_mean
from manyheads.process_state import without_widgets
from manyheads.tasks.cells import ClassName

PREFIX = "hub:"

FORM = re.compile(
    r"hub:(?:(?P<folder>/[^@]+)|(?P<owned>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?)(?:@(?P<split>[\w.-]+))?"
)

FORM_HELP = "hub:OWNER/NAME@SPLIT or hub:OWNER/NAME/CONFIG@SPLIT, such as hub:nyu-mll/glue/qqp@train"

BATCH = 1000
"""Rows that are hashed at once. Fingerprints depend on this number."""


class Hub:
    """A split of a data set on the hub, or of a local folder with the same layout.

    A local folder is given as an absolute path instead of OWNER/NAME.

    Raises:
        DataError: The extra `hub` is not installed, the name is invalid, or the data set, configuration or split does
            not exist.
    """

    typed = True
    warnings: tuple[str, ...] = ()

    def __init__(self, spec: str) -> None:
        self.name = spec
        self._data = _load(spec, *_parts(spec))
        self.columns = tuple(self._data.column_names)
        self._class_names = class_names(self._data.features)
        self._names = Names(self._class_names)

    @property
    def form(self) -> Mapping[str, object]:
        """The names of the classes."""
        return {"names": self._class_names}

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield all rows in order. Their lines are row numbers from 1.

        Named labels are read as their names. The number -1 is a withheld label on the hub and is read as None.
        """
        for number, values in enumerate(self._data, start=1):
            yield Row(number, self._names.named(values))

    def fingerprint(self) -> str:
        """Return the SHA-256 of the rows, column by column. It does not depend on where they are stored.

        The names of classes are not a part of it.
        """
        digest = hashlib.sha256(repr(self.columns).encode())
        for batch in self._data.iter(BATCH):
            digest.update(repr([batch[column] for column in self.columns]).encode("utf-8", errors="replace"))
        return digest.hexdigest()


def _parts(spec: str) -> tuple[str, str | None, str | None]:
    """Return the data set, its configuration and its split."""
    parts = FORM.fullmatch(spec)
    if parts is None:
        hint = "write the name of a data set on the hub in this form"
        raise DataError("invalid name of a data set", found=spec, allowed=FORM_HELP, hint=hint)
    if parts["folder"] is None:
        return parts["owned"], parts["config"], parts["split"]
    folder = Path(parts["folder"])
    if folder.is_dir() and (_has_card(folder) or not _has_card(folder.parent)):
        return str(folder), None, parts["split"]
    if not _has_card(folder.parent):
        raise DataError("there is no such data set folder", where=spec, found=str(folder), hint="check the path")
    return str(folder.parent), folder.name, parts["split"]


def _has_card(folder: Path) -> bool:
    """Return whether a folder is the root of a data set: it has a card, which names the configurations."""
    return (folder / "README.md").is_file()


def _load(spec: str, path: str, config: str | None, split: str | None) -> Any:
    without_widgets()
    try:
        import datasets
    except ImportError as error:
        hint = "install it with: pip install 'manyheads[hub]'"
        raise DataError("reading from the hub needs the extra `hub`", where=spec, hint=hint) from error
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        config = config or datasets.get_dataset_default_config_name(path)
        config = _chosen("configuration", spec, config, datasets.get_dataset_config_names(path))
        split = _chosen("split", spec, split, datasets.get_dataset_split_names(path, config))
        return datasets.load_dataset(path, config, split=split, cache_dir=_cache(datasets, path))
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        hint = "check the name and the network connection"
        what = "the data set cannot be loaded"
        raise DataError(what, where=spec, found=reason, allowed=FORM_HELP, hint=hint) from error
    finally:
        if not bars:
            datasets.enable_progress_bars()


def _cache(datasets: Any, path: str) -> Path | None:
    """Return the cache folder for a local data set, or None (the library's default) for one on the hub.

    The library's cache key of a local folder with a card depends only on the card. Without a folder of our own, it
    would return the old rows after a file has changed.
    """
    folder = Path(path)
    if not folder.is_absolute():
        return None
    files = ((file, file.stat()) for file in sorted(folder.rglob("*")) if file.is_file())
    state = [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in files]
    return Path(datasets.config.HF_DATASETS_CACHE, hashlib.sha256(repr(state).encode()).hexdigest()[:32])


def _chosen(what: str, spec: str, name: str | None, names: Sequence[str]) -> str:
    """Return the name if it is one of `names`.

    Raises:
        DataError: The name is unknown, or None although there are several names.
    """
    if name in names and name is not None:
        return name
    raise DataError(
        f"the data set has no such {what}" if name else f"the data set has several {what}s, and none is named",
        where=spec,
        found=name,
        allowed=", ".join(names),
        hint=did_you_mean(name, names) if name else f"name one: {FORM_HELP}",
    )


WITHHELD = -1
"""The number of a label that is not published."""


class Names:
    """The names of the classes of each column of a data set."""

    def __init__(self, columns: Mapping[str, Sequence[str]]) -> None:
        self._columns = {
            column: {number: ClassName(name, number) for number, name in enumerate(names)}
            for column, names in columns.items()
        }

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns with named classes."""
        return tuple(self._columns)

    def __bool__(self) -> bool:
        return bool(self._columns)

    def named(self, values: Mapping[str, Any]) -> Mapping[str, Any]:
        """Return the cells of a row with names in place of numbers. A label that is not published is None."""
        if not self._columns:
            return values
        return {**values, **{column: _named(names, values[column]) for column, names in self._columns.items()}}


def _named(names: Mapping[int, ClassName], cell: Any) -> Any:
    """Return the name of a number, or those of a list. None if the label, or each of a list, is not published."""
    if isinstance(cell, list | tuple):
        items = [_named(names, each) for each in cell]
        return None if items and all(each is None for each in items) else items
    return None if cell == WITHHELD else names.get(cell, cell)


def names_in_metadata(metadata: Mapping[str, str]) -> dict[str, list[str]]:
    """Return the names of the classes of each column from the metadata that the datasets library writes to Parquet."""
    try:
        features = json.loads(metadata["huggingface"])["info"]["features"]
        inner = {
            column: within(of, of.get("feature", of) if isinstance(of, dict) else of) for column, of in features.items()
        }
        found = {
            column: of["names"]
            for column, of in inner.items()
            if isinstance(of, dict) and of.get("_type") == "ClassLabel"
        }
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}
    return {
        column: names
        for column, names in found.items()
        if isinstance(names, list) and all(isinstance(name, str) for name in names)
    }
