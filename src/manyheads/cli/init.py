"""`manyheads init`: data files in, a commented recipe out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def init(
    files: Annotated[
        list[Path],
        typer.Argument(
            metavar="FILE...",
            help="Data files. Those of one task share a name and a word for their part: sst-train.tsv, sst-dev.tsv.",
            show_default=False,
        ),
    ],
    *,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="Where to write it. Default: print it.", show_default=False),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Overwrite an existing file.")] = False,
    encoder: Annotated[
        str | None,
        typer.Option("--encoder", help="A hub id, a folder, or minilm-offline.", show_default=False),
    ] = None,
    text: Annotated[
        list[str] | None,
        typer.Option("--text", metavar="COLUMN", help="The text column; twice for a pair. Default: told by the files."),
    ] = None,
    label: Annotated[
        str | None, typer.Option("--label", metavar="COLUMN", help="The label column. Default: told by the files.")
    ] = None,
) -> None:
    """Write a commented recipe that runs, from what data files hold."""
    from manyheads.errors import RecipeError
    from manyheads.recipe.suggest import suggest
    from manyheads.run.atomic import write_text

    if output is not None and output.exists() and not force:
        hint = "name another one, or overwrite it with --force"
        raise RecipeError("the file exists already", where=str(output), hint=hint)
    recipe = suggest(files, None if output is None else output.parent, encoder=encoder, text=text or (), label=label)
    if output is None:
        typer.echo(recipe, nl=False)
        return
    write_text(output, recipe)
    typer.echo(f"{output} is written. Look it over, then: manyheads train {output}", err=True)
