"""Studies in local processes: missing cells are run, failed ones are kept, and killed ones resume."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from manyheads.errors import RunError
from manyheads.run.folder import RunFolder, only_writer
from manyheads.studies.cells import Cell, cells_of, read_error, state_of
from manyheads.studies.load import load_study
from manyheads.studies.run import local_runner, run_local, run_study, survey
from manyheads.studies.schema import StudyPlan

pytestmark = pytest.mark.usefixtures("forked_commands")

Events = list[tuple[str, dict[str, Any]]]


def run(
    plan: StudyPlan, out: Path, *, jobs: int = 2, listener: Callable[..., None] | None = None, **options: Any
) -> Events:
    """Run a study and return the events except progress."""
    events: Events = []

    def notify(event: str, **fields: Any) -> None:
        if event != "cell_progress":
            events.append((event, fields))
        if listener is not None:
            listener(event, **fields)

    assert run_study(plan, out, local_runner(plan, jobs, 0), notify, survey(plan, out, **options)) == 0
    return events


def names(events: Events) -> list[str]:
    return sorted(event for event, _ in events)


def test_every_cell_is_run_once_and_its_weights_dropped(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    assert names(run(plan, out)) == ["cell_done"] * 4 + ["cell_start"] * 4
    for cell in cells_of(plan, out):
        folder = RunFolder(cell.folder)
        assert folder.finished
        assert not folder.model.exists()
        assert folder.prediction_file("similarity", "dev", "best").exists()
    assert run(plan, out) == []


def test_single_rows_can_be_chosen(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    chosen = survey(plan, out, only=["rescaled"])
    assert [(cell.row, cell.seed) for cell in chosen.cells] == [("rescaled", 1), ("rescaled", 2)]
    with pytest.raises(RunError, match="did you mean 'rescaled'"):
        survey(plan, out, only=["rescald"])


def test_a_failed_run_is_a_failed_cell_and_the_other_cells_run(tiny_study: Path, tmp_path: Path) -> None:
    broken = '[rows.broken]\nencoder = "missing/encoder"\n'
    tiny_study.write_text(tiny_study.read_text().replace("[1, 2]", "[1]").replace("[rows.plain]", broken))
    plan, out = load_study(tiny_study), tmp_path / "out"
    events = run(plan, out)
    assert names(events) == ["cell_done", "cell_failed", "cell_start", "cell_start"]
    broken = [cell for cell in cells_of(plan, out) if cell.row == "broken"]
    for cell in broken:
        assert state_of(cell) == "failed"
        assert "missing/encoder" in read_error(cell.error_file)["error"]
    assert run(plan, out) == []
    assert names(run(plan, out, retry_failed=True)) == ["cell_failed", "cell_start"]


def test_a_process_that_dies_is_a_failed_cell(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study, ["training.max_steps=200"]), tmp_path / "out"
    cell = next(cells_of(plan, out))
    received: Events = []

    def notify(event: str, **fields: Any) -> None:
        received.append((event, fields))
        if event == "cell_progress":
            os.kill(_writer(cell), signal.SIGKILL)

    assert run_local([cell], jobs=1, notify=notify, keep_models=False) == 0
    assert received[-1][0] == "cell_failed"
    assert "signal 9" in read_error(cell.error_file)["error"]
    assert survey(plan, out, only=["plain"]).states == ("failed", "missing")
    assert survey(plan, out, only=["plain"], retry_failed=True).states == ("unfinished", "missing")


def test_a_signal_stops_the_study_and_it_resumes(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    asked: list[str] = []

    def stop(event: str, **fields: Any) -> None:
        if event == "cell_progress" and not asked:
            asked.append(event)
            os.kill(os.getpid(), signal.SIGTERM)

    before = signal.signal(
        signal.SIGTERM, signal.SIG_IGN
    )  # the study restores this handler, so a second signal is harmless
    try:
        stopped_by = run_study(plan, out, local_runner(plan, 1, 0), stop, survey(plan, out))
    finally:
        signal.signal(signal.SIGTERM, before)
    assert stopped_by == signal.SIGTERM
    assert list(out.rglob("*.error.json")) == []
    assert "missing" in survey(plan, out).states
    run(plan, out)
    assert set(survey(plan, out).states) == {"done"}


def test_one_job_and_two_give_the_same_bytes(tiny_study: Path, tmp_path: Path) -> None:
    plan = load_study(tiny_study)
    for out, jobs in ((tmp_path / "one", 1), (tmp_path / "two", 2)):
        run(plan, out, jobs=jobs, only=["rescaled"])
    for cell in cells_of(plan, tmp_path / "one"):
        if cell.row == "rescaled":
            other = tmp_path / "two" / cell.row / str(cell.seed)
            for file in sorted((cell.folder / "predictions").iterdir()):
                assert file.read_bytes() == (other / "predictions" / file.name).read_bytes()


def test_a_run_of_another_recipe_is_refused(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    run(plan, out, only=["plain"])
    changed = load_study(tiny_study, ["training.learning_rate=0.5"])
    with pytest.raises(RunError, match=r"training\.learning_rate: 0\.001 in the run, 0\.5 in the study"):
        survey(changed, out)


def test_a_study_has_one_writer(tiny_study: Path, tmp_path: Path) -> None:
    plan, out = load_study(tiny_study), tmp_path / "out"
    with (
        only_writer(out / ".lock", "taken", out),
        pytest.raises(RunError, match="another process is running this study"),
    ):
        run_study(plan, out, lambda _cells, _notify: 0, lambda _event, **_fields: None, survey(plan, out))


def _writer(cell: Cell) -> int:
    """Return the process that has locked the folder of a cell."""
    lock = str((cell.folder / ".lock").resolve())
    for process in Path("/proc").iterdir():
        if process.name.isdigit():
            try:
                open_files = [str(link.readlink()) for link in (process / "fd").iterdir()]
            except OSError:
                continue
            if lock in open_files:
                return int(process.name)
    raise AssertionError(f"no process writes {json.dumps(lock)}")
