"""Planned looks at a study: which look its runs have reached, and p values that keep 5% over all looks.

The first table of a study keeps the plan in `looks.json`: seeds, looks and spending. Seeds that are added later, and a
plan that is changed later, are marked in every table.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Hashable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, TypeVar

from manyheads.errors import RunError
from manyheads.evaluation.looks import Spending, level_at, over_looks
from manyheads.evaluation.significance import holm
from manyheads.pages.words import counted
from manyheads.run.atomic import write_json
from manyheads.run.checksum import OWN_SUM, own_checksum
from manyheads.run.folder import RunFolder
from manyheads.studies.cells import cell_folder, error_file
from manyheads.studies.schema import StudyPlan
from manyheads.studies.table import Difference, Looks, Table, rounded, rounded_p

FILE = "looks.json"

NAMES = {"obrien-fleming": "O'Brien-Fleming", "pocock": "Pocock"}

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class _Planned:
    """The plan of the first table."""

    seeds: tuple[int, ...]
    looks: tuple[int, ...]
    spending: Spending

    @classmethod
    def of(cls, plan: StudyPlan) -> _Planned:
        return cls(plan.listed or plan.seeds, plan.looks, plan.spending)


def at_look(plan: StudyPlan, out: Path) -> tuple[StudyPlan, Looks | None]:
    """Return the study with the seeds of the look that its runs have reached, and what its p values are.

    Without planned looks, and if they were changed after the first table, the study has all its seeds.

    Raises:
        RunError: the kept plan was changed or cannot be read.
    """
    first = _kept(out)
    reasons = () if first is None else tuple(_changes(first, _Planned.of(plan)))
    if reasons:
        return replace(plan, looks=()), Looks((), None, len(plan.seeds), None, None, None, (), reasons)
    if not plan.looks:
        return plan, None
    complete = _complete(plan, out)
    look = sum(planned <= complete for planned in plan.looks)
    seeds = plan.looks[look - 1] if look else len(plan.seeds)
    state = Looks(
        planned=plan.looks,
        spending=plan.spending,
        seeds=seeds,
        look=look,
        level=rounded(level_at(plan.spending, plan.looks, look - 1, 0.05)) if look else None,
        next=plan.looks[look] if look < len(plan.looks) else None,
        later=tuple(seed for seed in plan.seeds[seeds:] if _any_finished(plan, out, seed)),
        unadjusted=(),
    )
    return replace(plan, seeds=plan.seeds[:seeds]), state


def keep_plan(plan: StudyPlan, out: Path) -> None:
    """Write the plan next to the first table. A plan that is there stays."""
    if (out / FILE).exists():
        return
    # A table of a version without this file had the seeds that it lists.
    first = _kept(out) or _Planned.of(plan)
    content: dict[str, Any] = {"seeds": first.seeds, "looks": first.looks, "spending": first.spending}
    write_json(out / FILE, {**content, OWN_SUM: own_checksum(json.loads(json.dumps(content)))})


def with_looks(table: Table, looks: Looks | None) -> Table:
    """Return a table whose differences have p values over all looks, and whose notes say what its p values are."""
    notes = tuple(_notes(looks))
    if looks is None or not looks.planned:
        return replace(table, looks=looks, notes=(*notes, *table.notes))
    adjust = adjustment(looks)
    rows = [row for row in table.rows if row.same_as is None]
    of_metric = _over_looks({row.name: row.difference for row in rows}, adjust)
    by_task = _over_looks({(row.name, task): each for row in rows for task, each in row.differences.items()}, adjust)
    gains = _over_looks({(twin.row, twin.task): twin.gain for twin in table.twins}, adjust)
    effects: dict[tuple[str, str], Difference | None] = {}
    kinds = [(kind,) for kind in dict.fromkeys(effect.kind for effect in table.effects)]
    # As the primary family, main effects and interactions are corrected together.
    for family in [sum(kinds, ())] if table.primary == "effects" else kinds:
        members = {(effect.kind, effect.name): effect.value for effect in table.effects if effect.kind in family}
        effects |= _over_looks(members, adjust)
    return replace(
        table,
        looks=looks,
        notes=(*notes, *table.notes),
        rows=tuple(
            replace(
                row,
                difference=of_metric.get(row.same_as or row.name),
                differences={task: by_task.get((row.same_as or row.name, task)) for task in row.differences},
            )
            for row in table.rows
        ),
        twins=tuple(replace(twin, gain=gains[twin.row, twin.task]) for twin in table.twins),
        effects=tuple(
            replace(effect, value=effects[effect.kind, effect.name] or effect.value) for effect in table.effects
        ),
    )


def adjustment(looks: Looks | None) -> Callable[[float], float]:
    """Return what makes a p value of this table one over all looks. Before the first look, it is 1."""
    if looks is None or not looks.planned or looks.spending is None:
        return lambda p: p
    planned, spending, look = looks.planned, looks.spending, looks.look
    if not look:
        return lambda _: 1.0
    return lambda p: over_looks(spending, planned, look - 1, p)


def _over_looks(
    family: Mapping[Key, Difference | None], adjust: Callable[[float], float]
) -> dict[Key, Difference | None]:
    """Return one family with p values over all looks, corrected by Holm's method (Ye, Li, Liu and Yao 2013)."""
    p_values = [None if each is None or each.p is None else adjust(each.p) for each in family.values()]
    return {
        key: None if each is None else replace(each, p_looks=rounded_p(p))
        for (key, each), p in zip(family.items(), holm(p_values), strict=True)
    }


def _notes(looks: Looks | None) -> Iterator[str]:
    if looks is None:
        return
    if looks.unadjusted:
        yield (
            f"The p values are unadjusted, because {'; '.join(looks.unadjusted)}. A study that is tested again after "
            "every addition finds differences that do not exist in more than 5% of cases. Plan `looks` before the "
            "first table."
        )
        return
    planned = f"{_listed(looks.planned)} seeds, {NAMES[looks.spending or '']} spending"
    if not looks.look:
        yield (
            f"No planned look is reached (looks at {planned}). Nothing in this table is significant, whatever its p "
            "values are."
        )
    else:
        yield (
            f"This is look {looks.look} of {len(looks.planned)} (looks at {planned}). p (Holm, looks) is corrected for "
            f"all looks and all comparisons of its family, so that all looks together keep 5%. A single test at this "
            f"look has the level {looks.level:.4f}. The intervals are those of a single look."
        )
    if looks.next is not None:
        yield f"The study may end here. Otherwise, the next look is at {looks.next} seeds."
    if looks.later:
        yield f"Finished runs of {_seeds(looks.later)} are kept for the next look."


def _kept(out: Path) -> _Planned | None:
    """Return the plan of the first table, None if there is no table yet.

    Raises:
        RunError: the file was changed.
    """
    file = out / FILE
    if not file.exists():
        return _of_older_table(out / "table.json")
    try:
        content = json.loads(file.read_text(encoding="utf-8"))
        if content[OWN_SUM] == own_checksum(content):
            return _Planned(tuple(content["seeds"]), tuple(content["looks"]), content["spending"])
    except (ValueError, KeyError, TypeError):
        pass
    raise RunError(
        "the kept plan of the study was changed",
        where=str(file),
        found="another content than its checksum",
        hint="restore the file from a backup. It shows whether seeds were added after the first table",
    )


def _of_older_table(file: Path) -> _Planned | None:
    try:
        seeds = json.loads(file.read_text(encoding="utf-8"))["seeds"]
        return _Planned(tuple(int(seed) for seed in seeds), (), "obrien-fleming")
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _changes(first: _Planned, now: _Planned) -> Iterator[str]:
    """Yield what differs from the plan of the first table."""
    added = [seed for seed in now.seeds if seed not in first.seeds]
    removed = [seed for seed in first.seeds if seed not in now.seeds]
    if added:
        yield f"{_seeds(added)} {_were(added)} added after the first table"
    if removed:
        yield f"{_seeds(removed)} {_were(removed)} removed after the first table"
    if now.looks != first.looks or (now.looks and now.spending != first.spending):
        yield f"the planned looks were changed after the first table, from {_plan(first)} to {_plan(now)}"
    elif now.looks and not added and not removed and now.seeds != first.seeds:
        yield "the order of the seeds was changed after the first table"


def _plan(planned: _Planned) -> str:
    return f"{_listed(planned.looks)} seeds ({NAMES[planned.spending]})" if planned.looks else "none"


def _complete(plan: StudyPlan, out: Path) -> int:
    """Return the number of seeds, in the order of the study, whose runs have ended in all rows."""
    names = [row.name for row in plan.rows if row.same_as is None]
    for place, seed in enumerate(plan.seeds):
        if not all(
            RunFolder(cell_folder(out, name, seed)).finished or error_file(out, name, seed).exists() for name in names
        ):
            return place
    return len(plan.seeds)


def _any_finished(plan: StudyPlan, out: Path, seed: int) -> bool:
    return any(RunFolder(cell_folder(out, row.name, seed)).finished for row in plan.rows if row.same_as is None)


def _seeds(seeds: Sequence[int]) -> str:
    return f"seed {seeds[0]}" if len(seeds) == 1 else f"seeds {_listed(seeds)}"


def _were(seeds: Sequence[int]) -> str:
    return "was" if len(seeds) == 1 else "were"


def _listed(numbers: Sequence[int]) -> str:
    *before, last = map(str, numbers)
    return f"{', '.join(before)} and {last}" if before else last


def interim_note(plan: StudyPlan) -> Iterator[str]:
    """Yield a note if a study without looks has only a part of its seeds."""
    if not plan.looks and len(plan.seeds) < len(plan.listed):
        yield (
            f"This table has {len(plan.seeds)} of {counted(len(plan.listed), 'seed')} of the study. Decide when all "
            "have run, or plan `looks`: a study that stops when it is significant has more than 5% false findings."
        )
