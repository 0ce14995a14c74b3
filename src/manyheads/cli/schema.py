"""`manyheads schema`: the JSON Schema of recipes and studies, for editors."""

from __future__ import annotations

from typing import Annotated

import typer

from manyheads.recipe.toml import Noun


def schema(
    noun: Annotated[
        Noun,
        typer.Argument(metavar="recipe|study", help="The kind of file that the schema describes.", show_default=False),
    ],
) -> None:
    """Print the JSON Schema of a recipe or a study.

    Editors complete and check TOML files with it. A file names its schema in the first line: #:schema ./FILE
    """
    typer.echo(noun.schema, nl=False)
