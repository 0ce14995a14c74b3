"""`manyheads demo`: three small tasks, a few minutes, one trained model."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.train import Changes


def demo(
    set_: Changes = None,
    out: Annotated[Path, typer.Option("--out", help="The run folder.")] = Path("runs/demo"),
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the run folder's last checkpoint.")] = False,
) -> None:
    """Train on the small corpus that comes with the package, and show the result."""
    import manyheads.demo
    from manyheads.cli.show import run_and_show

    recipe = Path(manyheads.demo.__file__).parent / "demo.toml"
    run_and_show(recipe, set_ or [], out, resume=resume)
