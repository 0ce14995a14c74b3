"""Options that several commands have: `--plugin`, and those that describe how an input file is written."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class Quoting(StrEnum):
    """Quotes in a delimited file."""

    minimal = "minimal"
    none = "none"


class DecimalMark(StrEnum):
    """Decimal mark of numbers."""

    point = "."
    comma = ","


DelimiterOption = Annotated[
    str | None,
    typer.Option(
        "--delimiter",
        metavar="CHARACTER",
        help="Character between the fields of a delimited file; `tab` is the tab. Default: found in the file.",
        show_default=False,
    ),
]

QuotingOption = Annotated[
    Quoting | None,
    typer.Option(
        "--quoting",
        help="minimal: a field may be in double quotes. none: a quote is a character like any other.",
        show_default=False,
    ),
]

EncodingOption = Annotated[
    str | None,
    typer.Option(
        "--encoding",
        metavar="NAME",
        help="Encoding of a text file, such as cp1252. Default: UTF-8, or what a byte-order mark says.",
        show_default=False,
    ),
]

DecimalOption = Annotated[
    DecimalMark | None,
    typer.Option("--decimal", help="Decimal mark of the numbers in the label column.", show_default=False),
]

ColumnsOption = Annotated[
    str | None,
    typer.Option(
        "--columns",
        metavar="NAMES",
        help="Names of the columns of a CoNLL file or of a delimited file without a header, separated by commas. A "
        "name may be empty.",
        show_default=False,
    ),
]


def typed_files(typed: str) -> str | Mapping[str, str]:
    """Return files that were typed: a path, or the file of each column as a table of TOML.

    Raises:
        DataError: The table is not one of files.
    """
    if not typed.lstrip().startswith("{"):
        return typed
    from pathlib import Path

    from manyheads.errors import DataError
    from manyheads.recipe.toml import TomlError, parse

    form = '{ text = "seq.in", label = "label" }'
    try:
        files = parse(f"files = {typed}")["files"]
    except TomlError as error:
        if Path(typed).exists():
            return typed
        what = "the table of files is not valid TOML"
        raise DataError(what, where="--input", found=str(error), allowed=form) from None
    if not files or not all(isinstance(file, str) and file for file in files.values()):
        raise DataError("the table does not name a file for each column", where="--input", found=typed, allowed=form)
    return {str(column): str(file) for column, file in files.items()}


def typed_format(
    delimiter: str | None,
    quoting: Quoting | None,
    encoding: str | None,
    decimal: DecimalMark | None,
    columns: str | None = None,
) -> dict[str, Any]:
    """Return the options that were given, as values of a `TextFormat`.

    Raises:
        DataError: A value is not allowed.
    """
    from manyheads.data.reading.text_format import TextFormat, delimiter_of
    from manyheads.errors import DataError

    given: dict[str, Any] = {}
    if delimiter is not None:
        given["delimiter"] = delimiter_of(delimiter)
    if quoting is not None:
        given["quoting"] = quoting.value
    if encoding is not None:
        given["encoding"] = encoding
    if decimal is not None:
        given["decimal"] = decimal.value
    if columns is not None:
        given["columns"] = tuple(name.strip() for name in columns.split(","))
    for name, value in given.items():
        try:
            TextFormat(**{name: value})
        except ValueError as error:
            raise DataError("the value of the option is not allowed", where=f"--{name}", found=str(error)) from None
    return given


PLUGINS = Annotated[
    list[Path] | None,
    typer.Option(
        "--plugin",
        metavar="FILE",
        help="Python file that registers members such as heads or metrics. Its code is run. Repeatable.",
    ),
]


def with_plugins(command: Callable[..., None]) -> Callable[..., None]:
    """Return a command with the option `--plugin`, which loads the plug-ins before it runs.

    The command raises a PluginError if a plug-in cannot be loaded.
    """

    @functools.wraps(command)
    def run(*arguments: Any, plugin: list[Path] | None = None, **options: Any) -> None:
        from manyheads.plugins import load

        load(plugin or ())
        command(*arguments, **options)

    signature = inspect.signature(command, eval_str=True)
    added = inspect.Parameter("plugin", inspect.Parameter.KEYWORD_ONLY, default=None, annotation=PLUGINS)
    parameters = [*signature.parameters.values(), added]
    run.__annotations__ = {each.name: each.annotation for each in parameters}
    vars(run)["__signature__"] = signature.replace(parameters=parameters)
    return run
