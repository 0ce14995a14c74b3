"""The command line: one thin function a verb. Importing this must stay fast: no verb imports torch before it runs."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from manyheads.cli.check import check
from manyheads.cli.compare import compare
from manyheads.cli.demo import demo
from manyheads.cli.evaluate import evaluate
from manyheads.cli.export import export
from manyheads.cli.init import init
from manyheads.cli.predict import predict
from manyheads.cli.pretrain import pretrain
from manyheads.cli.report import report
from manyheads.cli.schema import schema
from manyheads.cli.serve import serve
from manyheads.cli.study import study
from manyheads.cli.table import table
from manyheads.cli.train import train
from manyheads.errors import ManyheadsError
from manyheads.version import __version__

app = typer.Typer(
    name="manyheads",
    help="One shared text encoder, many tasks: train it on all of them at once, and know what the numbers are worth.",
    epilog="--debug, after any verb, shows the traceback of an error.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
)
VERBS = (
    *(demo, init, schema, check, pretrain, train, evaluate, predict),
    *(report, compare, export, serve, study, table),
)
for verb in VERBS:
    app.command()(verb)


@app.callback(invoke_without_command=True)
def version(
    show: Annotated[bool, typer.Option("--version", help="Print the version and leave.", is_eager=True)] = False,
) -> None:
    """Options of the program itself."""
    if show:
        typer.echo(__version__)
        raise typer.Exit


def main(arguments: list[str] | None = None) -> None:
    """Run the command line. Exit status: 0 done, 1 an error that the user can mend, 2 usage, 128+n a signal."""
    words = list(sys.argv[1:] if arguments is None else arguments)
    debug = "--debug" in words
    words = [word for word in words if word != "--debug"]
    try:
        app(words, prog_name="manyheads")
    except ManyheadsError as error:
        if debug:
            raise
        typer.secho(f"error: {error}", fg=typer.colors.RED, err=True)
        raise SystemExit(1) from None
    except BrokenPipeError:
        # The reader of our output has gone (`... | head`): nothing is left to say, and nothing is wrong.
        sys.stderr.close()
        raise SystemExit(0) from None
