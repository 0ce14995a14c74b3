"""What works on a study: `study`, `table` and `power`, and the folder of a study."""

from __future__ import annotations

import os
from collections.abc import Sequence

from manyheads.api.planned import AnyStudy, Study, study_of
from manyheads.api.progress import deprecated
from manyheads.api.recipe import Changes
from manyheads.recipe.given import LIMIT
from manyheads.studies.cells import Notify
from manyheads.studies.table import Power, Table
from manyheads.training.stop import Event


def study(
    study: AnyStudy,
    out: str | os.PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    ray: str | None = None,
    only: Sequence[str] = (),
    seeds: int | None = None,
    retry_failed: bool = False,
    changes: Changes = (),
    notify: Notify | None = None,
    stop: Event | None = None,
    data_limit: int = LIMIT,
    progress: bool | None = None,
) -> Table:
    """Run the missing runs of a study in processes of this machine or on a Ray cluster, and write its table.

    Args:
        study: The study: a `Study`, a dict with the keys of one, or the path of a file.
        out: The folder of the study. Default: `runs/NAME` for a study file `NAME.toml`.
        jobs: Number of runs at a time. Default: the CUDA devices if the recipes use them, otherwise cores of this
            machine / threads per run.
        ray: Run on the Ray cluster with this address, or "auto". Default: on this machine.
        only: Names of the rows to run. Default: all.
        seeds: Run only the first seeds, this number of them. Default: all.
        retry_failed: Run failed cells again.
        changes: Changes of the recipe of every row, as in `train`.
        notify: A function that is called as `notify(event, **fields)` for every event of the study and its runs. Events
            of a run have the fields `row` and `seed`.
        stop: An event such as `threading.Event()`. Once it is set, every run stops after a checkpoint.
        data_limit: The largest number of bytes of a table that was given in memory. The folder keeps a copy of it.
        progress: Show the number of finished runs, as in `train`.

    Returns:
        The table of the study.

    Raises:
        ManyheadsError: The study or its base recipe cannot be used, or the folder contains other runs.
        KeyboardInterrupt: Ctrl-C, another signal or `stop` stopped the study. The same call resumes it. The class is
            `manyheads.training.stop.Interrupted`.
    """
    return study_of(study, changes).run(
        out,
        jobs=jobs,
        ray=ray,
        only=only,
        seeds=seeds,
        retry_failed=retry_failed,
        notify=notify,
        stop=stop,
        data_limit=data_limit,
        progress=progress,
    )


def run_study(
    file: AnyStudy,
    out: str | os.PathLike[str] | None = None,
    *,
    jobs: int | None = None,
    changes: Changes = (),
    notify: Notify | None = None,
    stop: Event | None = None,
) -> Table:
    """Call `study`. Deprecated: the name is `study` since version 0.5.0."""
    deprecated("manyheads.run_study", "manyheads.study", since="0.5.0", removed="0.6.0")
    return study(file, out, jobs=jobs, changes=changes, notify=notify, stop=stop)


def table(study: AnyStudy, out: str | os.PathLike[str] | None = None, *, changes: Changes = ()) -> Table:
    """Write the table and the figures of a study from its finished runs, and return the table.

    Args:
        study: The study, as in `study`.
        out: The folder of the study. Default: as in `study`.
        changes: The changes with which the study was run.

    Raises:
        ManyheadsError: No run is finished, or the folder has runs of another study.
    """
    return study_of(study, changes).table(out)


def power(
    study: AnyStudy,
    *,
    pilot: str | os.PathLike[str] | None = None,
    seed_sd: float | None = None,
    correlation: float | None = None,
    difference: float | None = None,
    changes: Changes = (),
) -> Power:
    """Compute which differences a study can find, by number of seeds, before its runs.

    The test of the study is simulated: rows against the baseline, with Holm's correction, in the study's metric.

    Args:
        study: The study, as in `study`.
        pilot: The folder of a finished study or pilot, whose variances are used. Default: assumed variances, and the
            sizes, classes and metrics of the real dev files.
        seed_sd: Standard deviation of the metric between seeds of one row. Default: from the pilot, or assumed.
        correlation: Correlation of the results of two rows with the same seed. Default: from the pilot, or 0.
        difference: The true difference whose power is computed. Default: .01, .02 and .05.
        changes: Changes of the recipe of every row, as in `train`.

    Returns:
        The power by number of seeds, with the assumptions. `power.by_seeds[0].smallest` is the smallest difference
        that is found with 80% power.

    Raises:
        ManyheadsError: The study, its dev files or the pilot cannot be used.
    """
    own = study_of(study, changes)
    return own.power(pilot=pilot, seed_sd=seed_sd, correlation=correlation, difference=difference)


def open_study(out: str | os.PathLike[str]) -> Study:
    """Return the study in a folder, finished or not. `study.run()` resumes it, `study.table()` gives its table.

    Raises:
        RunError: The folder has no study, or one of a version before 0.5.0.
    """
    return Study.open(out)
