"""Data sets on the hub, through the datasets library: `hub:OWNER/NAME[/CONFIG]@SPLIT`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from manyheads.data.reading.rows import BadRow, Row
from manyheads.errors import DataError, did_you_mean

PREFIX = "hub:"

FORM = re.compile(
    r"hub:(?:(?P<folder>/[^@]+)|(?P<owned>[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?)(?:@(?P<split>[\w.-]+))?"
)
FORM_HELP = "hub:OWNER/NAME@SPLIT or hub:OWNER/NAME/CONFIG@SPLIT, such as hub:nyu-mll/glue/qqp@train"

BATCH = 1000
"""Rows hashed at once; another number gives other fingerprints."""


class Hub:
    """A split of a data set on the hub, or of a local folder laid out alike (an absolute path in place of OWNER/NAME).

    Raises:
        DataError: the extra `hub` is not installed, the name is of another form, or there is no such data set,
            configuration or split.
    """

    def __init__(self, spec: str) -> None:
        self.name = spec
        self._data = _load(spec, *_parts(spec))
        self.columns = tuple(self._data.column_names)
        self._named = [column for column, of in self._data.features.items() if hasattr(of, "int2str")]

    def rows(self) -> Iterator[Row | BadRow]:
        """All rows in order, lines are row numbers from 1.

        Labels with names come as their numbers; -1, which stands there for a label withheld, comes as None.
        """
        for number, values in enumerate(self._data, start=1):
            withheld = {column: None for column in self._named if values[column] == -1}
            yield Row(number, {**values, **withheld})

    def fingerprint(self) -> str:
        """SHA-256 of the rows, column by column, wherever they were loaded from."""
        digest = hashlib.sha256(repr(self.columns).encode())
        for batch in self._data.iter(BATCH):
            digest.update(repr([batch[column] for column in self.columns]).encode("utf-8", errors="replace"))
        return digest.hexdigest()


def _parts(spec: str) -> tuple[str, str | None, str | None]:
    """The data set, its configuration and its split."""
    found = FORM.fullmatch(spec)
    if found is None:
        raise DataError("a data set on the hub is not named so", found=spec, allowed=FORM_HELP)
    if found["folder"] is None:
        return found["owned"], found["config"], found["split"]
    folder = Path(found["folder"])
    if folder.is_dir() and (_has_card(folder) or not _has_card(folder.parent)):
        return str(folder), None, found["split"]
    if not _has_card(folder.parent):
        raise DataError("there is no such data set folder", where=spec, found=str(folder))
    return str(folder.parent), folder.name, found["split"]


def _has_card(folder: Path) -> bool:
    """Whether a folder is the top of a data set: the card names its configurations."""
    return (folder / "README.md").is_file()


def _load(spec: str, path: str, config: str | None, split: str | None) -> Any:
    try:
        import datasets
    except ImportError as error:
        hint = "pip install 'manyheads[hub]'"
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
        raise DataError("the data set cannot be loaded", where=spec, found=reason, allowed=FORM_HELP) from error
    finally:
        if not bars:
            datasets.enable_progress_bars()


def _cache(datasets: Any, path: str) -> Path | None:
    """The cache for a local folder; None, the library's own choice, for the hub.

    The library keys a local folder with a card by the card alone, and would go on with old rows after a file changed.
    """
    folder = Path(path)
    if not folder.is_absolute():
        return None
    files = ((file, file.stat()) for file in sorted(folder.rglob("*")) if file.is_file())
    state = [(str(file), stat.st_size, stat.st_mtime_ns) for file, stat in files]
    return Path(datasets.config.HF_DATASETS_CACHE, hashlib.sha256(repr(state).encode()).hexdigest()[:32])


def _chosen(what: str, spec: str, name: str | None, names: Sequence[str]) -> str:
    """The name given, which must be among those that there are."""
    if name in names and name is not None:
        return name
    raise DataError(
        f"the data set has no such {what}" if name else f"the data set has several {what}s: name one",
        where=spec,
        found=name,
        allowed=", ".join(names),
        hint=did_you_mean(name, names) if name else FORM_HELP,
    )
