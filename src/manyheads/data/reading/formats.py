"""The formats of files: how the rows of a file are written. The ending of a file or the key `format` names one."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from manyheads.data.reading.conll import Conll
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.dotted import DottedPath
from manyheads.data.reading.fasttext import FastText
from manyheads.data.reading.json_array import open_json
from manyheads.data.reading.json_lines import JsonLines
from manyheads.data.reading.lines import COMPRESSIONS, uncompressed_name
from manyheads.data.reading.parquet import Parquet
from manyheads.data.reading.rows import Source
from manyheads.data.reading.text_format import TextFormat
from manyheads.data.reading.xml_records import XmlRecords
from manyheads.errors import DataError, did_you_mean
from manyheads.menu import Menu, require

Opener = Callable[[Path, TextFormat, tuple[str, ...], str | None], Source]
"""Opens a file: its path, how it is written, the columns that it must have, and the column of the labels."""


@dataclass(frozen=True)
class Format:
    """A format: its name, the endings of its files, and what opens a file.

    `compressed`: whether a file may be compressed, which a further ending shows. `sentences`: whether a row is a
    sentence, with a list of words in each cell.
    """

    name: str
    endings: tuple[str, ...]
    open: Opener
    compressed: bool = True
    sentences: bool = False


def _delimited(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    return Delimited(path, text, wanted=wanted, label=label)


def _json_lines(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del label
    return JsonLines(path, text, wanted=_names(wanted))


def _json(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del label
    return open_json(path, text, wanted=_names(wanted))


def _names(wanted: tuple[str, ...]) -> tuple[str, ...]:
    """Return the names without paths into columns, which need not be columns."""
    return tuple(name for name in wanted if DottedPath.of(name) is None)


def _parquet(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del text, wanted, label
    return Parquet(path)


def _conll(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del wanted, label
    return Conll(path, text)


def _conllu(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del wanted, label
    return Conll(path, text, universal=True)


def _fasttext(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del wanted, label
    return FastText(path, text)


def _xml(path: Path, text: TextFormat, wanted: tuple[str, ...], label: str | None) -> Source:
    del wanted, label
    return XmlRecords(path, text)


def _check(entry: Format) -> None:
    require(bool(entry.endings), "it has no endings")
    for ending in entry.endings:
        require(ending.startswith(".") and ending == ending.lower(), f"the ending {ending!r} is not like '.csv'")
        require(ending not in COMPRESSIONS, f"files that end in {ending} are compressed")
        other = next((each.name for each in FORMATS.values() if ending in each.endings), entry.name)
        require(other == entry.name, f"files that end in {ending} have the format {other}")


FORMATS = Menu(
    "format of files",
    (
        Format("tsv", (".tsv", ".tab", ".txt"), _delimited),
        Format("csv", (".csv",), _delimited),
        Format("jsonl", (".jsonl", ".ndjson"), _json_lines),
        Format("json", (".json",), _json),
        Format("parquet", (".parquet",), _parquet, compressed=False),
        Format("conll", (".conll", ".bio", ".iob", ".iob2"), _conll, sentences=True),
        Format("conllu", (".conllu",), _conllu, sentences=True),
        Format("fasttext", (".fasttext", ".ft"), _fasttext),
        Format("xml", (".xml",), _xml),
    ),
    _check,
)
"""The menu. "tsv" and "csv" are both delimited text, whose delimiter is found in the file."""


def endings(name: str | None = None, *, sentences: bool = True) -> tuple[str, ...]:
    """Return the endings of the files of a format, or of all formats.

    `sentences`: whether formats whose rows are sentences are included.
    """
    chosen = FORMATS.values() if name is None else [format_named(name)]
    return tuple(ending for each in chosen for ending in each.endings if sentences or not each.sentences)


def format_named(name: str, where: str | None = None) -> Format:
    """Return the format with a name.

    Raises:
        DataError: There is no such format.
    """
    if name not in FORMATS:
        hint = did_you_mean(name, FORMATS)
        raise DataError("unknown format", where=where, found=name, allowed=", ".join(FORMATS), hint=hint)
    return FORMATS[name]


def format_for(path: Path, text: TextFormat) -> Format:
    """Return the format of a file: the one that `text` names, otherwise the one of its ending.

    Raises:
        DataError: There is no such format, or no format has the ending, or the format cannot be compressed.
    """
    unpacked = uncompressed_name(path)
    ending = unpacked.suffix.lower()
    found = None if text.format is None else format_named(text.format, str(path))
    if found is None:
        found = next((each for each in FORMATS.values() if ending in each.endings), None)
    if found is not None and (found.compressed or unpacked == path):
        return found
    shown = "".join(path.suffixes[-2:]) if unpacked != path else path.suffix
    whole = ", ".join(ending for each in FORMATS.values() if not each.compressed for ending in each.endings)
    hint = f"convert the file, or name its format with the key format: one of {', '.join(FORMATS)}"
    raise DataError(
        "unsupported file ending",
        where=str(path),
        found=shown or "no ending",
        allowed=f"{', '.join(endings())}; all but {whole} also with {' or '.join(COMPRESSIONS)}",
        hint="decompress the file" if found is not None else hint,
    )
