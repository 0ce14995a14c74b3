"""`manyheads init`: write a commented recipe from data files."""

from __future__ import annotations

import json
from pathlib import Path
from shlex import quote
from typing import Annotated

import typer

from manyheads.cli.schema import Noun, schema_text
from manyheads.cli.terminal import say, show
from manyheads.cli.text_format import DecimalOption, DelimiterOption, EncodingOption, QuotingOption, typed_format


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
    from manyheads.data.reading import TextFormat
    from manyheads.errors import RecipeError
    from manyheads.run.atomic import write_text
    from manyheads.wizard.suggest import suggest

    if output is not None and output.exists() and not output.is_file():
        raise RecipeError("the output is not a file", where=str(output), hint="leave out --output to print the recipe")
    if output is not None and output.exists() and not force:
        hint = "choose another file with --output, or overwrite it with --force"
        raise RecipeError("the output file already exists", where=str(output), hint=hint)
    schema = None if output is None else output.parent / Noun.RECIPE.file_name
    if schema is not None and not force:
        _check_ours(schema)
    recipe = suggest(
        files,
        None if output is None else output.parent,
        encoder=encoder,
        text=text or (),
        label=label,
        written=TextFormat(**typed_format(delimiter, quoting, encoding, decimal)),
        warn=lambda warning: say(f"warning: {warning}", error=True, colour=typer.colors.YELLOW),
    )
    if output is None or schema is None:
        show(recipe)
        return
    write_text(output, f"#:schema ./{schema.name}\n{recipe}")
    replaced = schema.exists() and schema.read_text(encoding="utf-8", errors="replace") != schema_text(Noun.RECIPE)
    write_text(schema, schema_text(Noun.RECIPE))
    name = quote(str(output))
    say(f"Wrote {output}.", error=True)
    say(f"{'Updated' if replaced else 'Wrote'} {schema}, which editors use to check the recipe.", error=True)
    typer.echo(
        f"Read the recipe, then check and train it:\n  manyheads check {name}\n  manyheads train {name}", err=True
    )


def _check_ours(schema: Path) -> None:
    """Check that a file under the name of the schema is absent or a schema of manyheads, of any version.

    Raises:
        RecipeError: it is another file.
    """
    from manyheads.errors import RecipeError

    if not schema.exists():
        return
    try:
        content = json.loads(schema.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        content = None
    if not isinstance(content, dict) or content.get("title") != json.loads(schema_text(Noun.RECIPE))["title"]:
        raise RecipeError(
            "a file that manyheads did not write has the name of the schema file",
            where=str(schema),
            hint="move it, write the recipe to another folder with --output, or overwrite it with --force",
        )
