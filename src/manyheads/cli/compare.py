"""`manyheads compare`: compare finished runs."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperCommand

from manyheads.cli.report import Form
from manyheads.cli.terminal import say, show

WITH = "--with"


class CompareCommand(TyperCommand):
    """A command whose option `--with` takes all arguments up to the next option, as shells expand patterns."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Parse the arguments, with `--with` repeated before each run of the second group."""
        return super().parse_args(ctx, repeated(args))


def repeated(args: Sequence[str]) -> list[str]:
    """Return the arguments with `--with A B` written as `--with A --with B`."""
    words: list[str] = []
    inside = False
    for word in args:
        if word.startswith("-") and word != "-":
            inside = word == WITH
            words += [] if inside else [word]
        else:
            words += [WITH, word] if inside else [word]
    return words + ([WITH] if args and args[-1] == WITH else [])


def compare(
    runs: Annotated[
        list[Path],
        typer.Argument(metavar="RUN RUN ...", help="Two or more finished runs. Differences are from the first one."),
    ],
    with_: Annotated[
        list[Path] | None,
        typer.Option(
            "--with",
            metavar="RUN RUN ...",
            help="A second group of runs. Each group is one recipe with several seeds. Differences are the second "
            "group minus the first, with intervals and p values that cover the seeds.",
            show_default=False,
        ),
    ] = None,
    output: Annotated[
        Path | None,
        typer.Option(
            "--output", metavar="FILE", help="The file to write. Default: standard output.", show_default=False
        ),
    ] = None,
    format_: Annotated[
        Form | None,
        typer.Option("--format", help="Default: from the extension of the file, else md.", show_default=False),
    ] = None,
    json_: Annotated[bool, typer.Option("--json", help="The same as --format json.")] = False,
) -> None:
    """Compare finished runs: metrics, paired differences with intervals, and examples with different predictions."""
    import manyheads as mh
    from manyheads.run.atomic import writing_to

    ending = "" if output is None else output.suffix.lstrip(".")
    given = Form.json if json_ else format_
    form = given if given is not None else (Form(ending) if ending in tuple(Form) else Form.md)
    text = mh.compare(runs, with_ or ()).text(form.value)
    if output is None:
        show(text)
    else:
        with writing_to(output) as file:
            file.write_text(text, encoding="utf-8", newline="")
        say(output)
