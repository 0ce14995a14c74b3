"""The program `manyheads`: one function per command.

Importing this module must stay fast. No command imports torch before it runs.
"""

from __future__ import annotations

import inspect
import os
import sys
import warnings
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from manyheads.cli.finished import CompareCommand, compare, evaluate, export, report
from manyheads.cli.init import init
from manyheads.cli.options import with_plugins
from manyheads.cli.predict import predict
from manyheads.cli.schema import schema
from manyheads.cli.serve import serve
from manyheads.cli.study import power, study, table
from manyheads.cli.terminal import say, standard_output
from manyheads.cli.train import check, demo, pretrain, train
from manyheads.errors import ManyheadsError, ManyheadsWarning, on_command_line
from manyheads.version import __version__


class Commands(TyperGroup):
    """The commands. A standard output that cannot be written is explained."""

    def invoke(self, ctx: Any) -> Any:
        """Run a command. It prints the warnings of what it calls, so Python does not show them again."""
        with standard_output(), on_command_line(), warnings.catch_warnings():
            warnings.simplefilter("ignore", ManyheadsWarning)
            return super().invoke(ctx)


app = typer.Typer(
    name="manyheads",
    cls=Commands,
    help="Train one shared text encoder on many tasks at once, and measure what each training choice is worth.",
    epilog="Run `manyheads COMMAND --help` for the options of a command. "
    "Add --debug to any command to show the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    # Help texts are plain text. Rich markup would drop words in square brackets, such as [pretraining].
    rich_markup_mode=None,
)
COMMANDS = (
    *(demo, init, schema, check, pretrain, train, evaluate, predict),
    *(report, compare, export, serve, power, study, table),
)
WITHOUT_PLUGINS = (demo, schema)
CLASSES: dict[object, type[CompareCommand]] = {compare: CompareCommand}
for command in COMMANDS:
    # Without `short_help`, the list of commands truncates the summaries in a narrow terminal.
    run = command if command in WITHOUT_PLUGINS else with_plugins(command)
    app.command(short_help=(inspect.getdoc(command) or "").partition("\n")[0], cls=CLASSES.get(command))(run)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and exit.", is_eager=True)] = False,
) -> None:
    """Handle the options of the program itself."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line.

    The exit status is:

    - 0: success.
    - 1: an error that the user can fix, such as a wrong key or a missing file.
    - 2: a usage error, such as an unknown option. Also `manyheads` without a command.
    - 3: `predict` wrote its output, and some input rows have no prediction.
    - 128 + n: stopped by signal n. Ctrl-C gives 130, SIGTERM 143, SIGHUP 129, SIGUSR2 140.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        app(words, prog_name="manyheads")
    except (ManyheadsError, OSError) as error:
        if debug:
            raise
        shown = error if isinstance(error, ManyheadsError) else _explained(error)
        say(f"error: {shown}", error=True, colour=typer.colors.RED)
        raise SystemExit(1) from None


def _explained(error: OSError) -> ManyheadsError:
    """Return an error of the system, such as a path that is too long or must not be read, in the form of all errors."""
    names = [os.fsdecode(name) for name in (error.filename, error.filename2) if isinstance(name, str | bytes)]
    return ManyheadsError(
        (error.strerror or str(error) or type(error).__name__).lower(),
        where=" and ".join(names) or None,
        hint="check the path and its permissions, or add --debug to see which step failed",
    )
