"""Data sets on the hub, through the datasets library: `hub:OWNER/NAME[/CONFIG]@SPLIT`."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from manyheads.data.reading.rows import BadRow, Row
from manyheads.errors import DataError, did_you_mean

PREFIX = "hub:"

FORM = re.compile(r"hub:(?P<path>/.+?|[\w.-]+/[\w.-]+)(?:/(?P<config>[\w.-]+))?@(?P<split>[\w.-]+)")
FORM_HELP = "hub:OWNER/NAME@SPLIT or hub:OWNER/NAME/CONFIG@SPLIT, such as hub:nyu-mll/glue/qqp@train"


class Hub:
    """A split of a data set on the hub, or of a local folder of the same layout (an absolute path in place of OWNER/NAME).

    Raises:
        DataError: the extra `hub` is not installed, the name is of another form, or there is no such data set,
            configuration or split.
    """

    def __init__(self, spec: str) -> None:
        self.name = spec
        path, config, split = _parts(spec)
        self._data = _load(spec, path, config, split)
        self.columns = tuple(self._data.column_names)

    def rows(self) -> Iterator[Row | BadRow]:
        """All rows in order, lines are row numbers from 1; labels with names come as their numbers."""
        for number, values in enumerate(self._data, start=1):
            yield Row(number, values)

    def fingerprint(self) -> str:
        """SHA-256 over the library's own fingerprint of the data, which is made from the files' content."""
        return hashlib.sha256(f"{self.name}/{self._data._fingerprint}".encode()).hexdigest()


def _parts(spec: str) -> tuple[str, str | None, str]:
    """The data set, its configuration and its split."""
    found = FORM.fullmatch(spec)
    if found is None:
        raise DataError("a data set on the hub is not named so", found=spec, allowed=FORM_HELP)
    path, config = found["path"], found["config"]
    if path.startswith("/") and config is not None and Path(path, config).is_dir() and not _has_card(Path(path)):
        # The last part of a local path is a folder of its own, not a configuration.
        path, config = f"{path}/{config}", None
    return path, config, found["split"]


def _has_card(folder: Path) -> bool:
    return (folder / "README.md").is_file()


def _load(spec: str, path: str, config: str | None, split: str) -> Any:
    try:
        import datasets
    except ImportError as error:
        hint = "pip install 'manyheads[hub]'"
        raise DataError("reading from the hub needs the extra `hub`", where=spec, hint=hint) from error
    bars = datasets.are_progress_bars_disabled()
    datasets.disable_progress_bars()
    try:
        _check_config(datasets, spec, path, config)
        return datasets.load_dataset(path, config, split=split)
    except (OSError, ValueError, datasets.exceptions.DatasetsError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise DataError("the data set cannot be loaded", where=spec, found=reason, allowed=FORM_HELP) from error
    finally:
        if not bars:
            datasets.enable_progress_bars()


def _check_config(datasets: Any, spec: str, path: str, config: str | None) -> None:
    """Name the configurations that there are where the one asked for is not among them."""
    names = datasets.get_dataset_config_names(path)
    if config is not None and config not in names:
        raise DataError(
            "the data set has no such configuration", where=spec, found=config, allowed=", ".join(names),
            hint=did_you_mean(config, names),
        )
