"""Output for terminals. Control characters in names, labels and texts are shown and have no effect."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

import typer

from manyheads.tasks.escape import visible

if TYPE_CHECKING:
    from rich.console import Console


def say(text: object, *, error: bool = False, colour: str | None = None) -> None:
    """Print a message, to standard error if it is about a problem."""
    typer.secho(visible(str(text)), fg=colour, err=error)


def show(text: str) -> None:
    """Print a document to standard output. Its control characters are shown if that is a terminal."""
    typer.echo(visible(text) if sys.stdout.isatty() else text, nl=False)


def make_console(**options: Any) -> Console:
    """Return a console of rich on which control characters are shown."""
    from rich.console import Console, ConsoleOptions, ConsoleRenderable, RenderHook, RenderResult
    from rich.segment import Segment

    class Shown:
        """What is printed, with visible control characters. The console's own control codes do not change."""

        def __init__(self, content: ConsoleRenderable) -> None:
            self.content = content

        def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
            for segment in console.render(self.content, options):
                yield segment if segment.control else Segment(visible(segment.text), segment.style)

    class Hook(RenderHook):
        def process_renderables(self, renderables: list[ConsoleRenderable]) -> list[ConsoleRenderable]:
            return [Shown(each) for each in renderables]

    console = Console(**options)
    console.push_render_hook(Hook())
    return console
