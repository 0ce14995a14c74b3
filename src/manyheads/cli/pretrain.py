"""The command `manyheads pretrain`: masked language modelling on the texts of a recipe."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes, Recipe

if TYPE_CHECKING:
    from rich.table import Table


def pretrain(
    recipe: Recipe,
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
        from manyheads.cli.progress import ProgressDisplay
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
    console.print(_table(pretrained.evaluations))
    console.print("\n".join(pretrained.corpus), markup=False, highlight=False)
    key = f"encoder = {json.dumps(str(pretrained.folder.absolute()), ensure_ascii=False)}"
    text = f"\nThe encoder is in {pretrained.folder}. To use it in a recipe:\n  {key}"
    console.print(text, markup=False, highlight=False)


def _table(rows: Sequence[Sequence[str]]) -> Table:
    """Return the held-out loss and perplexity before pretraining and after each epoch."""
    from rich.table import Table

    from manyheads.pretraining.cache import COLUMNS, TITLE

    table = Table(title=TITLE, title_justify="left")
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in rows:
        table.add_row(*row)
    return table
