"""Check that the runs of a study read the same data and the same encoder where their recipes name the same ones."""

from __future__ import annotations

from collections.abc import Hashable, Iterator, Mapping
from pathlib import Path

from manyheads.errors import RunError
from manyheads.recipe.held_out import task_of
from manyheads.recipe.schema import Recipe
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder
from manyheads.studies.counted import counted
from manyheads.studies.plan import StudyPlan


def check_same_data(plan: StudyPlan, out: Path) -> tuple[str, ...]:
    """Compare the fingerprints that the finished runs of a study recorded.

    Two names are the same file if the study gives both rows the same `data_dir`. The runs themselves may have read
    copies in other folders. Rows that name other files, or hold out another share of a file, are not compared.

    Returns:
        A note if runs have no fingerprints, as runs that other programs wrote.

    Raises:
        RunError: Two runs read different contents of one file, held out different rows of it, or began with different
            weights of one encoder; or the provenance of a run is damaged.
    """
    seen: dict[Hashable, tuple[str, RunFolder]] = {}
    finished = without = 0
    for row in plan.rows:
        for seed in plan.seeds if row.same_as is None else ():
            folder = RunFolder(cell_folder(out, row.name, seed))
            if not folder.finished:
                continue
            finished += 1
            without += not folder.fingerprints()
            for name, identity, fingerprint in _recorded(row.recipe, folder):
                first, other = seen.setdefault(identity, (fingerprint, folder))
                if first != fingerprint:
                    raise _different(name, (other, first), (folder, fingerprint))
    if not without:
        return ()
    verb = "has" if without == 1 else "have"
    return (f"{without:,} of {counted(finished, 'run')} {verb} no fingerprints of the data, which were not compared.",)


def _recorded(recipe: Recipe, folder: RunFolder) -> Iterator[tuple[str, Hashable, str]]:
    """Yield a name for messages, what identifies the file or encoder, and the recorded fingerprint."""
    for name, fingerprint in folder.fingerprints().items():
        task = recipe.tasks.get(task_of(name) or "")
        share = () if task is None else (task.dev, task.dev_rows, task.group)
        yield name, (recipe.data_dir, name, *share), fingerprint
    encoder = folder.read_provenance().get("encoder")
    weights = encoder.get("sha256") if isinstance(encoder, Mapping) else None
    if weights is not None:
        yield f"the weights of {recipe.encoder}", ("encoder", recipe.encoder), str(weights)


def _different(name: str, first: tuple[RunFolder, str], second: tuple[RunFolder, str]) -> RunError:
    return RunError(
        f"two runs of the study used different versions of {name}, so they cannot be compared",
        where=f"{first[0].path} and {second[0].path}",
        found=f"fingerprint {first[1]} in the first run, {second[1]} in the second",
        hint="restore the file, remove the folders of the runs that used the other version, and repeat the study",
    )
