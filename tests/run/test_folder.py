"""A run folder has one writer, is never overwritten unasked, and says whether it is finished."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.run.atomic import write_json
from manyheads.run.folder import RunFolder


def test_an_existing_folder_is_refused_without_resume(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.writing(resume=False):
        folder.recipe.write_text("")
    with pytest.raises(RunError, match="exists already"), folder.writing(resume=False):
        pass
    with folder.writing(resume=True):
        assert folder.recipe.exists()


def test_a_folder_with_a_lock_alone_is_free(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for _ in range(2):
        with folder.writing(resume=False):
            pass


def test_a_second_writer_is_refused_and_a_dead_one_forgotten(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    program = (
        "import pathlib, sys, time\n"
        "from manyheads.run.folder import RunFolder\n"
        "with RunFolder(pathlib.Path(sys.argv[1])).writing(resume=True):\n"
        "    print('locked', flush=True)\n"
        "    time.sleep(60)\n"
    )
    with subprocess.Popen([sys.executable, "-c", program, str(folder.path)], stdout=subprocess.PIPE) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"locked\n"
        with pytest.raises(RunError, match="another process"), folder.writing(resume=True):
            pass
        other.kill()
    with folder.writing(resume=True):
        pass


def test_what_a_kill_left_half_written_is_swept(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (folder.path / ".model.123.partial").mkdir(parents=True)
    (folder.path / "predictions").mkdir()
    (folder.path / "predictions" / ".sst.dev.best.jsonl.123.partial").write_text("half")
    with folder.writing(resume=True):
        assert sorted(path.name for path in folder.path.rglob("*")) == [".lock", "predictions"]


def test_a_folder_that_is_no_run_says_so(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        RunFolder(tmp_path / "none").require()
    with pytest.raises(RunError, match="not a run"):
        RunFolder(tmp_path).require()


def test_an_unfinished_run_says_how_to_finish(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text("")
    assert not folder.finished
    with pytest.raises(RunError, match="--resume"):
        folder.read_results()
    write_json(folder.results, {"best": None})
    assert folder.finished
    assert folder.read_results() == {"best": None}


def test_a_folder_of_something_else_is_never_taken_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(RunError, match="something else"), RunFolder(tmp_path).writing(resume=True):
        pass
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_clearing_leaves_what_is_no_part_of_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text("")
    (folder.checkpoints / "step-1").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    with folder.writing(resume=True):
        folder.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]


@pytest.mark.parametrize("content", [None, "{"])
def test_a_provenance_that_cannot_be_read_is_named(tmp_path: Path, content: str | None) -> None:
    folder = RunFolder(tmp_path)
    if content is not None:
        folder.provenance.write_text(content)
    with pytest.raises(RunError, match="provenance cannot be read") as caught:
        folder.read_provenance()
    assert caught.value.where == str(tmp_path / "provenance.json")
