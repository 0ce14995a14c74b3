"""Parquet files, read in batches through polars."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from manyheads.data.reading.hub import Names, names_in_metadata
from manyheads.data.reading.rows import BadRow, Row, file_fingerprint
from manyheads.errors import DataError
from manyheads.process_state import check_tables

if TYPE_CHECKING:
    import polars as pl

BATCH = 8192
"""Rows that are in memory at once."""


class Parquet:
    """A Parquet file. Its lines are row numbers from 1.

    Named classes of the datasets library are read as their names.

    Raises:
        DataError: The file is not a Parquet file or has no rows.
        RunError: This process was forked and cannot read tables.
    """

    typed = True
    warnings: tuple[str, ...] = ()
    form: Mapping[str, object] = {}

    def __init__(self, path: Path) -> None:
        import polars as pl

        check_tables(str(path))
        self._path = path
        self.name = str(path)
        try:
            with path.open("rb") as file:
                self.schema = pl.read_parquet_schema(file)
                file.seek(0)
                metadata = pl.read_parquet_metadata(file)
            self.columns = tuple(self.schema)
            self._height = int(pl.scan_parquet(path, glob=False).select(pl.len()).collect().item())
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(path, error) from error
        found = names_in_metadata(metadata)
        self._names = Names({column: names for column, names in found.items() if column in self.columns})
        if self._height == 0:
            hint = "check that the file was written completely"
            raise DataError("the file has no rows", where=str(path), hint=hint)

    def rows(self) -> Iterator[Row | BadRow]:
        """Yield all rows in order.

        Raises:
            DataError: A part of the file cannot be read.
        """
        for start in range(0, self._height, BATCH):
            frame = self.frame(start, BATCH)
            for number, values in enumerate(frame.iter_rows(named=True), start=start + 1):
                yield Row(number, self._names.named(values))

    @property
    def named_columns(self) -> tuple[str, ...]:
        """The columns whose classes have names."""
        return self._names.columns

    def frame(self, start: int, count: int) -> pl.DataFrame:
        """Return rows as they are in the file, without the names of classes.

        Raises:
            DataError: This part of the file cannot be read.
        """
        import polars as pl

        try:
            return pl.scan_parquet(self._path, glob=False).slice(start, count).collect()
        except (pl.exceptions.PolarsError, OSError) as error:
            raise _unreadable(self._path, error) from error

    def fingerprint(self) -> str:
        """Return the SHA-256 of the file."""
        return file_fingerprint(self._path)


def _unreadable(path: Path, error: Exception) -> DataError:
    reason = str(error).splitlines()[0] if str(error) else type(error).__name__
    hint = "the file may be damaged or have another format: write it again"
    return DataError("the file cannot be read as Parquet", where=str(path), found=reason, hint=hint)
