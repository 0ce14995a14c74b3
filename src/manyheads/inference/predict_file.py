"""Predict one task for every row of a file or a stream, and write the rows with their predictions."""

from __future__ import annotations

import errno
import io
import json
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Any, BinaryIO, TextIO, cast

from manyheads.data.reading import BadRow, Files, Source, TextFormat
from manyheads.data.reading.lines import read_lines
from manyheads.data.reading.text_format import USUAL
from manyheads.errors import DataError, RunError, argument, did_you_mean
from manyheads.inference.formats import FORMATS, Output, format_of, make_output, write_parquet, write_text
from manyheads.inference.predictor import Predictor
from manyheads.inference.rows import RowPrediction, open_input, predict_rows
from manyheads.run.atomic import writing_to
from manyheads.shown import paragraph

SAME = "same"
"""The format of the input."""

ENDINGS = {".csv": "csv", ".tsv": "tsv", ".jsonl": "jsonl", ".parquet": "parquet"}
"""The formats of files that are written, by their endings."""

KEPT = 100
"""Rows without a prediction that a result names. The others are counted."""

MAGIC = {b"\x1f\x8b": ".gz", b"\x28\xb5\x2f\xfd": ".zst"}
"""First bytes of compressed files."""

ARRAY = re.compile(r"\[\s*(\{|\]|$)")
"""How an array of JSON objects begins."""

TRIED = 20
"""Lines of which one must be a JSON object."""

Notify = Callable[[str], None]


@dataclass(frozen=True, repr=False)
class PredictedFile(os.PathLike[str]):
    """What `predict` wrote. It is the path of the file.

    Attributes:
        path: the file, or None if a stream was written.
        format: the format: "csv", "tsv", "jsonl", "parquet", "lines" or "course".
        rows: number of rows.
        failed: number of rows without a prediction.
        reasons: the first 100 of these rows, with their files, lines and reasons.
    """

    path: Path | None
    format: str
    rows: int
    failed: int = 0
    reasons: tuple[BadRow, ...] = ()

    def __fspath__(self) -> str:
        if self.path is None:
            raise TypeError("the predictions were written to a stream, which has no path")
        return os.fspath(self.path)

    def __repr__(self) -> str:
        return "\n".join(self._lines())

    def _repr_html_(self) -> str:
        return "".join(map(paragraph, self._lines()))

    def _lines(self) -> list[str]:
        lines = [f"predicted {self.rows - self.failed:,} of {self.rows:,} rows, written to {self.path or 'a stream'}"]
        # Warnings named the first of these rows.
        return [*lines, f"rows without a prediction: {self.failed:,} (see .reasons)"] if self.failed else lines


def predict_file(
    predictor: Predictor,
    task: str,
    data: Files | BinaryIO,
    out: Path | IO[Any],
    *,
    form: str | None = None,
    text: TextFormat = USUAL,
    escape_formulas: bool = False,
    notify: Notify,
    progress: Notify | None = None,
) -> PredictedFile:
    """Predict a task for every row, in order. A few thousand rows are in memory at a time.

    Args:
        predictor: the model.
        task: the task.
        data: the input, as in `open_input`, or a binary stream, which is copied to a temporary file.
        out: the file, which is replaced when all rows are predicted, or a stream.
        form: the output format, or "same". None: from the ending of the file, otherwise the same.
        text: how text files are written.
        escape_formulas: put a quote before text in CSV and TSV that a spreadsheet reads as a formula.
        notify: called with each message about the files and with the reason for each row without a prediction.
        progress: called with the number of rows from time to time.

    Raises:
        DataError: the input cannot be read, or the output cannot have this format.
        RunError: the disk is full.
    """
    wanted = predictor.task(task)
    with _scratch() as scratch, _named(scratch, data):
        stream = hasattr(data, "read")
        spec = str(_spool(cast(BinaryIO, data), scratch, text.encoding)) if stream else cast(Files, data)
        source = open_input(spec, wanted, text)
        output_format = _format(form, out, source)
        if escape_formulas and output_format not in ("csv", "tsv"):
            raise DataError(
                "only CSV and TSV have formulas to escape",
                where=argument("escape_formulas", True),
                found=f"the format {output_format}",
                hint=f"leave it out, or write {argument('form', 'csv', option='format')}",
            )
        _check_stream(output_format, out)
        made = make_output(output_format, wanted, source, decimal=text.decimal, escape_formulas=escape_formulas)
        tally = _Tally(scratch, data, notify, progress)
        for warning in source.warnings:
            tally.say(f"warning: {warning}")
        for usual, name in made.names.items():
            if name != usual:
                notify(f"the input has a column {usual}, so the added column is named {name}")
        _write(made, tally.counted(predict_rows(predictor, wanted, source), source.name), out, scratch)
    path = out if isinstance(out, Path) else None
    return PredictedFile(path, output_format, tally.rows, tally.failed, tuple(tally.reasons))


def _format(wanted: str | None, out: Path | IO[Any], source: Source) -> str:
    """Return the output format.

    Raises:
        DataError: There is no such format.
    """
    if wanted is None and isinstance(out, Path) and out.suffix.lower() in ENDINGS:
        return ENDINGS[out.suffix.lower()]
    if wanted is None or wanted == SAME:
        return format_of(source)
    if wanted not in FORMATS:
        names = (SAME, *FORMATS)
        where, hint = argument("form", option="format"), did_you_mean(wanted, names)
        raise DataError(
            "there is no such output format", where=where, found=wanted, allowed=", ".join(names), hint=hint
        )
    return wanted


def _check_stream(format_: str, out: Path | IO[Any]) -> None:
    """Check that Parquet is not written to a terminal or as text.

    Raises:
        DataError: It would be.
    """
    if format_ != "parquet" or isinstance(out, Path):
        return
    hint = f"name a file, or write {argument('form', 'jsonl', option='format')}"
    if out.isatty():
        raise DataError("Parquet cannot be written to a terminal", hint=hint)
    if isinstance(out, io.TextIOBase) and not hasattr(out, "buffer"):
        raise DataError("Parquet cannot be written to a stream of text", hint=hint)


class _Tally:
    """Counts rows, and passes on the reason for each row without a prediction."""

    def __init__(self, scratch: Path, data: object, notify: Notify, progress: Notify | None) -> None:
        self._scratch, self._data, self._notify, self._progress = scratch, data, notify, progress
        self.rows = self.failed = 0
        self.reasons: list[BadRow] = []
        self._hinted: set[str] = set()

    def say(self, text: str) -> None:
        """Pass on a message. A stream has its own name in it, and not that of the temporary file."""
        self._notify(_renamed(text, self._scratch, self._data))

    def counted(self, predictions: Iterator[RowPrediction], name: str) -> Iterator[RowPrediction]:
        """Yield the predictions unchanged. `name`: the file of rows that do not name their own."""
        for each in predictions:
            self.rows += 1
            row = each.row
            file = row.source if isinstance(row, BadRow) else row.file or name
            if not isinstance(row, BadRow) and row.warning is not None:
                self.say(f"{file}:{row.line}: warning: {row.warning}")
            if each.record is None:
                hint = row.hint if isinstance(row, BadRow) else None
                self._note(BadRow(_renamed(file, self._scratch, self._data), row.line, str(each.error), hint))
            if self._progress is not None and self.rows % 1000 == 0:
                self._progress(f"{self.rows:,} rows")
            yield each

    def _note(self, row: BadRow) -> None:
        self.failed += 1
        if len(self.reasons) < KEPT:
            self.reasons.append(row)
        self._notify(str(row))
        if row.hint is not None and row.hint not in self._hinted:
            self._hinted.add(row.hint)
            self.say(row.hint)


def _write(made: Output, predictions: Iterator[RowPrediction], out: Path | IO[Any], scratch: Path) -> None:
    if isinstance(out, Path):
        with writing_to(out) as path:
            if made.format == "parquet":
                write_parquet(made, predictions, path, scratch)
                return
            with path.open("w", encoding="utf-8", newline="") as file:
                write_text(made, predictions, file)
    elif made.format == "parquet":
        write_parquet(made, predictions, scratch / "output", scratch)
        with (scratch / "output").open("rb") as file:
            shutil.copyfileobj(file, getattr(out, "buffer", out))
    elif isinstance(out, io.TextIOBase):
        write_text(made, predictions, cast(TextIO, out))
    else:
        stream = io.TextIOWrapper(cast(BinaryIO, out), encoding="utf-8", newline="", write_through=True)
        try:
            write_text(made, predictions, stream)
        finally:
            stream.detach()


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yield a temporary folder. A full disk is an error that names the folder of temporary files."""
    with tempfile.TemporaryDirectory(prefix="manyheads-") as folder:
        try:
            yield Path(folder)
        except OSError as error:
            if error.errno in (errno.ENOSPC, errno.EDQUOT) and str(error.filename or "").startswith(folder):
                raise _no_space() from error
            raise


def _no_space() -> RunError:
    hint = "free disk space, or set TMPDIR to another folder"
    return RunError("the disk of temporary files is full", where=tempfile.gettempdir(), hint=hint)


@contextmanager
def _named(scratch: Path, data: object) -> Iterator[None]:
    """Name a stream in errors about the temporary file that it was copied to."""
    try:
        yield
    except DataError as error:
        found = _renamed(error.found, scratch, data) if isinstance(error.found, str) else error.found
        parts = {part: _renamed(getattr(error, part), scratch, data) for part in ("where", "allowed", "hint")}
        raise DataError(_renamed(error.what, scratch, data) or "", found=found, **parts) from error


def _renamed(text: str | None, scratch: Path, data: object) -> Any:
    name = "standard input" if data is getattr(sys.stdin, "buffer", None) else "the stream"
    return None if text is None else re.sub(rf"{re.escape(str(scratch))}/input[.\w]*", name, text)


def _spool(stream: BinaryIO, scratch: Path, encoding: str | None) -> Path:
    """Copy a stream to a file. Its ending is found from its beginning."""
    path = scratch / "input"
    try:
        with path.open("wb") as file:
            shutil.copyfileobj(stream, file)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _no_space() from error
        raise
    return path.rename(path.with_name(f"input{ending_of(path, encoding)}"))


def ending_of(path: Path, encoding: str | None = None) -> str:
    """Return the ending that names the format of a file: "", ".parquet", ".jsonl" or ".json", and its compression.

    A text that begins with a bracket is not JSON if it is not followed by an object.
    """
    with path.open("rb") as file:
        start = file.read(4)
    if start == b"PAR1":
        return ".parquet"
    packed = next((ending for magic, ending in MAGIC.items() if start.startswith(magic)), "")
    named = path.with_name(f"{path.name}{packed}")
    if packed:
        path.rename(named)
    try:
        lines = [line.text.strip() for line in islice(read_lines(named, encoding), TRIED)]
    finally:
        if packed:
            named.rename(path)
    first = next((line for line in lines if line), "")
    if ARRAY.match(first):
        return f".json{packed}"
    return f".jsonl{packed}" if first.startswith("{") and any(map(_is_object, lines)) else packed


def _is_object(line: str) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
