"""`manyheads init`: write a commented recipe from data files."""

from __future__ import annotations

import warnings
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from manyheads.cli.options import DecimalOption, DelimiterOption, EncodingOption, QuotingOption, typed_format
from manyheads.cli.terminal import say, shown_output
from manyheads.errors import ManyheadsWarning
from manyheads.recipe.toml import Noun


def init(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE",
            help="Data files, folders, patterns, or data sets of the hub such as hub:OWNER/NAME@train. The files of "
            "one task share a name, followed by train, dev or test: sst-train.tsv, sst-dev.tsv. Each label column of "
            "a file becomes a task.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output",
            "-o",
            help="Write the recipe to this file, and its JSON Schema for editors to the same folder. Default: print "
            "the recipe.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite existing files.")] = False,
    encoder: Annotated[
        str | None,
        typer.Option(
            "--encoder",
            help="A hub id, a folder, or minilm-offline. Default: minilm-offline if it is installed.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option(
            "--text",
            metavar="COLUMN",
            help="The text column. Repeat the option for a pair of texts. Default: found by names and contents.",
            show_default=False,
        ),
    ] = None,
    label: Annotated[
        str | None,
        typer.Option(
            "--label",
            metavar="COLUMN",
            help="The label column. Default: found by names and contents.",
            show_default=False,
        ),
    ] = None,
    delimiter: DelimiterOption = None,
    quoting: QuotingOption = None,
    encoding: EncodingOption = None,
    decimal: DecimalOption = None,
) -> None:
    """Write a commented recipe that runs, from data files."""
    import manyheads as mh

    with warnings.catch_warnings(record=True) as found:
        warnings.simplefilter("always", ManyheadsWarning)
        mh.init(
            files,
            shown_output() if output is None else output,
            encoder=encoder,
            text=text or (),
            label=label,
            text_format=typed_format(delimiter, quoting, encoding, decimal),
            force=force,
        )
    for each in found:
        say(f"warning: {each.message}", error=True, colour=typer.colors.YELLOW)
    if output is None:
        return
    name = quote(str(output))
    say(f"Wrote {output}.", error=True)
    say(f"Wrote {output.parent / Noun.RECIPE.file_name}, which editors use to check the recipe.", error=True)
    typer.echo(
        f"Read the recipe, then check and train it:\n  manyheads check {name}\n  manyheads train {name}", err=True
    )
