"""`manyheads power`: the power of a study before its runs."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from manyheads.cli.study import Study
from manyheads.cli.terminal import make_console
from manyheads.cli.train import Changes


def power(
    study: Study,
    pilot: Annotated[
        Path | None,
        typer.Option(
            "--pilot",
            metavar="OUT",
            help="Use the variances of a finished study or pilot in this folder. Default: assumed ones.",
            show_default=False,
        ),
    ] = None,
    seed_sd: Annotated[
        float | None,
        typer.Option(
            "--seed-sd",
            min=0,
            metavar="X",
            help="Standard deviation of the metric between seeds. Default: from the pilot, or assumed.",
            show_default=False,
        ),
    ] = None,
    correlation: Annotated[
        float | None,
        typer.Option(
            "--correlation",
            min=0,
            max=1,
            metavar="R",
            help="Correlation of two rows with the same seed. Default: from the pilot, or 0.",
            show_default=False,
        ),
    ] = None,
    difference: Annotated[
        float | None,
        typer.Option(
            "--difference",
            metavar="D",
            help="Show the power for this true difference. Default: .01, .02 and .05.",
            show_default=False,
        ),
    ] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
    set_: Changes = None,
) -> None:
    """Show which differences a study can find, by number of seeds. Nothing is trained."""
    from dataclasses import asdict

    import manyheads as mh
    from manyheads.cli.table import print_section
    from manyheads.cli.terminal import show
    from manyheads.recipe.load import overrides
    from manyheads.studies.render.sections import power_section

    console = make_console(soft_wrap=True)
    with console.status("reading the dev files"):
        plan = mh.Study.load(study, overrides(set_ or []))
        found = plan.power(pilot=pilot, seed_sd=seed_sd, correlation=correlation, difference=difference)
    if as_json:
        show(json.dumps(asdict(found), indent=1, ensure_ascii=False, allow_nan=False) + "\n")
        return
    for assumption in found.assumptions:
        console.print(f"- {assumption}", markup=False, highlight=False, soft_wrap=False)
    console.print()
    print_section(console, power_section(found))
