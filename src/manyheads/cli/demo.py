"""The command `manyheads demo`: train on the demo corpus, or write it as CSV files."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.terminal import say
from manyheads.cli.train import Changes, Resume

RUN = Path("runs/demo")


def demo(
    set_: Changes = None,
    out: Annotated[
        Path | None, typer.Option("--out", help="The run folder. Default: runs/demo.", show_default=False)
    ] = None,
    resume: Resume = False,
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
