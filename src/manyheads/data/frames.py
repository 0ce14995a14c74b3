"""Results as data frames: of pandas where it is installed, otherwise of polars."""

from __future__ import annotations

import importlib
from collections.abc import Mapping, Sequence
from typing import Any


def data_frame(columns: Mapping[str, Sequence[Any]], index: Mapping[str, Sequence[Any]] | None = None) -> Any:
    """Return columns as a DataFrame of pandas where it is installed, otherwise of polars.

    `index`: the columns of an index. In a DataFrame of polars, they are its first columns.
    """
    try:
        pandas = importlib.import_module("pandas")
    except ImportError:
        import polars as pl

        own = {**(index or {}), **columns}
        return pl.DataFrame({name: pl.Series(cells, strict=False) for name, cells in own.items()})
    frame = pandas.DataFrame({name: list(cells) for name, cells in columns.items()})
    if index:
        frame.index = (
            pandas.Index(list(next(iter(index.values()))), name=_name(next(iter(index))))
            if len(index) == 1
            else pandas.MultiIndex.from_arrays([list(cells) for cells in index.values()], names=list(index))
        )
    return frame


def _name(name: str) -> str | None:
    """Return the name of an index. An index without a name is stored as "index"."""
    return None if name == "index" else name
