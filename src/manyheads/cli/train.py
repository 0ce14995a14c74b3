"""The commands on a recipe: `manyheads train`, `pretrain`, `check`; and `manyheads demo` with a recipe of its own."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli.terminal import make_console, say

if TYPE_CHECKING:
    from rich.console import Console
    from rich.table import Table

    from manyheads.checks.audit import FileAudit

_Recipe = Annotated[Path, typer.Argument(help="The recipe: a TOML file.", metavar="RECIPE", show_default=False)]

Changes = Annotated[
    list[str] | None,
    typer.Option(
        "--set", metavar="KEY=VALUE", help="Override a value of the recipe: --set training.epochs=3. Repeatable."
    ),
]

TRACKERS = ("tensorboard", "trackio", "wandb", "mlflow")
"""The trackers of the package, for completion, which must not import torch."""

_Resume = Annotated[bool, typer.Option("--resume", help="Resume from the last checkpoint in the run folder.")]


def train(
    recipe: _Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option("--out", help="The run folder. Default: runs/NAME for a recipe NAME.toml.", show_default=False),
    ] = None,
    resume: _Resume = False,
    track: Annotated[
        list[str] | None,
        typer.Option(
            "--track",
            metavar="TRACKER",
            help="Also send losses and metrics to this tracker: tensorboard, trackio, wandb, mlflow, or the name of a "
            "registered tracker. Repeatable.",
            autocompletion=lambda: [*TRACKERS],
        ),
    ] = None,
) -> None:
    """Train one model on all tasks of a recipe."""
    from manyheads.cli.show import run_and_show

    run_and_show(recipe, set_ or [], out or Path("runs") / recipe.stem, resume=resume, trackers=track or [])


def pretrain(
    recipe: _Recipe,
    set_: Changes = None,
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", help="Copy the encoder to this new folder. Default: keep it in the cache only.", show_default=False
        ),
    ] = None,
) -> None:
    """Pretrain the encoder on the texts of a recipe.

    The [pretraining] table of the recipe sets the options. `manyheads train` pretrains by itself if the recipe has
    this table. Use this command to inspect the result, or to use the encoder in other recipes.
    """
    console = make_console(soft_wrap=True)
    with console.status("starting"):
        import manyheads as mh
        from manyheads.cli.show import ProgressDisplay
        from manyheads.recipe.load import overrides
        from manyheads.training.stop import Interrupted, StopFlag

        loaded = mh.Recipe.load(recipe, overrides(set_ or []))
    try:
        with ProgressDisplay(console) as display:
            stop = StopFlag(ends_process=True)
            pretrained = mh.pretrain(loaded, out, listeners=[display], stop=stop, tune_allocator=True, progress=False)
    except Interrupted as stopped:
        console.print("Stopped. Run the same command again to resume.", markup=False)
        raise SystemExit(128 + stopped.signal_number) from None
    console.print(_perplexities(pretrained.evaluations))
    console.print("\n".join(pretrained.corpus), markup=False, highlight=False)
    key = f"encoder = {json.dumps(str(pretrained.folder.absolute()), ensure_ascii=False)}"
    text = f"\nThe encoder is in {pretrained.folder}. To use it in a recipe:\n  {key}"
    console.print(text, markup=False, highlight=False)


def _perplexities(rows: Sequence[Sequence[str]]) -> Table:
    """Return the held-out loss and perplexity before pretraining and after each epoch."""
    from rich.table import Table

    from manyheads.pretraining.cache import COLUMNS, TITLE

    table = Table(title=TITLE, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table


def check(recipe: _Recipe, set_: Changes = None) -> None:
    """Check a recipe and its files, and estimate time and memory.

    Nothing is trained and no file is written. The exit status is 1 if training would stop at a rejected row.
    """
    import manyheads as mh
    from manyheads.api.checked import STOPS, file_lines
    from manyheads.cli.show import width_of
    from manyheads.recipe.load import overrides

    console = make_console(soft_wrap=True)
    with console.status("reading the files and timing a few steps"):
        found = mh.check(recipe, changes=overrides(set_ or []), tune_allocator=True)
    table = _files_table(found.rehearsal.files)
    if width_of(table) <= console.width:
        console.print(table)
    else:
        _print(console, file_lines(found.rehearsal.files))
    _print(console, found.findings)
    if found.stops:
        typer.secho(STOPS, fg="red", err=True)
        raise typer.Exit(1)


def _files_table(files: Sequence[FileAudit]) -> Table:
    """Return the counts of every file. The table fits into 80 columns with task names of up to 12 letters."""
    from rich import box
    from rich.table import Table

    from manyheads.api.checked import COLUMNS, TITLE, file_rows

    table = Table(title=TITLE, title_justify="left", box=box.SIMPLE_HEAD, show_edge=False, padding=(0, 1, 0, 0))
    for place, column in enumerate(COLUMNS):
        table.add_column(column, justify="left" if place < 2 else "right", no_wrap=True)
    for row in file_rows(files):
        table.add_row(*row)
    return table


def _print(console: Console, lines: Sequence[str]) -> None:
    for line in lines:
        console.print(line, markup=False, highlight=False)


RUN = Path("runs/demo")


def demo(
    set_: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run folder. Default: runs/demo.", show_default=False)
    ] = None,
    resume: _Resume = False,
    files: Annotated[
        Path | None,
        typer.Option(
            "--files",
            metavar="FOLDER",
            help="Do not train: write the demo corpus into this folder as CSV files, to try a first recipe on.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Train on the small corpus that comes with the package."""
    if files is not None:
        if set_ or out is not None or resume:
            raise typer.BadParameter("--files does not train: leave out --set, --out and --resume.")
        _write_files(files)
        return
    import manyheads.demo
    from manyheads.cli.show import run_and_show

    recipe = Path(manyheads.demo.__file__).parent / "demo.toml"
    run_and_show(recipe, set_ or [], out or RUN, resume=resume)


def _write_files(folder: Path) -> None:
    """Write the CSV files and print their names and the next command."""
    from manyheads.demo.generate import write_csv_files

    for path, rows in write_csv_files(folder).items():
        say(f"{path}: {rows} rows")
    words = ["init", str(folder / "reviews.csv"), str(folder / "questions.csv"), "--output", str(folder / "first.toml")]
    say(f"\nNext: write a first recipe for two of the files.\n  {shlex.join(['manyheads', *words])}")
