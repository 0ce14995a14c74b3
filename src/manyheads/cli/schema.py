"""`manyheads schema`: the JSON Schema of recipes and studies, for editors."""

from __future__ import annotations

from enum import StrEnum
from importlib.resources import files
from typing import Annotated

import typer


class Noun(StrEnum):
    """A kind of file that has a schema."""

    RECIPE = "recipe"
    STUDY = "study"

    @property
    def file_name(self) -> str:
        """The name of its schema file."""
        return f"manyheads.{self}.schema.json"


def schema(
    noun: Annotated[
        Noun,
        typer.Argument(metavar="recipe|study", help="The kind of file that the schema describes.", show_default=False),
    ],
) -> None:
    """Print the JSON Schema of a recipe or a study.

    Editors complete and check TOML files with it. A file names its schema in the first line: #:schema ./FILE
    """
    typer.echo(schema_text(noun), nl=False)


def schema_text(noun: Noun) -> str:
    """Return the schema file of the package."""
    return (files("manyheads") / "schemas" / noun.file_name).read_text(encoding="utf-8")
