"""A run folder has one writer, is never overwritten without --resume, and knows whether its run is finished."""

from __future__ import annotations

import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import RunError, on_command_line
from manyheads.run.atomic import write_json
from manyheads.run.folder import RunFolder


def test_an_existing_folder_is_refused_without_resume(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    with folder.writing(resume=False):
        folder.recipe.write_text("")
    with pytest.raises(RunError, match="already exists"), folder.writing(resume=False):
        pass
    with folder.writing(resume=True):
        assert folder.recipe.exists()


def test_a_folder_that_contains_only_a_lock_can_be_used(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    for _ in range(2):
        with folder.writing(resume=False):
            pass


def test_a_second_writer_is_refused_until_the_first_one_ends(tmp_path: Path) -> None:
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


def test_temporary_files_of_an_interrupted_write_are_removed(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "run")
    (folder.path / ".model.123.partial").mkdir(parents=True)
    (folder.path / "predictions").mkdir()
    (folder.path / "predictions" / ".sst.dev.best.jsonl.123.partial").write_text("half")
    with folder.writing(resume=True):
        assert sorted(path.name for path in folder.path.rglob("*")) == [".lock", "predictions"]


def test_a_folder_that_is_not_a_run_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="no such run folder"):
        RunFolder(tmp_path / "none").require()
    with pytest.raises(RunError, match="not a run folder"):
        RunFolder(tmp_path).require()


def test_an_unfinished_run_is_refused_with_the_command_that_finishes_it(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path / "my run")
    folder.path.mkdir()
    folder.recipe.write_text("")
    assert not folder.finished
    with on_command_line(), pytest.raises(RunError, match=r"not finished: it has no results\.json") as caught:
        folder.read_results()
    command = shlex.split(str(caught.value.hint).partition(": ")[2])
    assert command == ["manyheads", "train", str(folder.recipe), "--out", str(folder.path), "--resume"]
    write_json(folder.results, {"best": None})
    assert folder.finished
    assert folder.read_results() == {"best": None}


def test_a_finished_run_without_a_model_is_not_called_unfinished(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text("")
    write_json(folder.results, {"best": None})
    with on_command_line(), pytest.raises(RunError, match="the run has no model") as caught:
        folder.require("model")
    assert "keep_models = true" in str(caught.value.hint)
    assert f"manyheads report {folder.path}" in str(caught.value.hint)


def test_a_folder_with_other_files_is_refused_and_not_changed(tmp_path: Path) -> None:
    (tmp_path / "letters.txt").write_text("mine")
    with pytest.raises(RunError, match="has no run to resume"), RunFolder(tmp_path).writing(resume=True):
        pass
    assert (tmp_path / "letters.txt").read_text() == "mine"


def test_clearing_keeps_files_that_do_not_belong_to_a_run(tmp_path: Path) -> None:
    folder = RunFolder(tmp_path)
    folder.recipe.write_text("")
    (folder.checkpoints / "step-1").mkdir(parents=True)
    (tmp_path / "notes.txt").write_text("mine")
    with folder.writing(resume=True):
        folder.clear()
    assert sorted(path.name for path in tmp_path.iterdir()) == [".lock", "notes.txt"]


@pytest.mark.parametrize("content", [None, "{"])
def test_a_missing_or_damaged_provenance_is_reported(tmp_path: Path, content: str | None) -> None:
    folder = RunFolder(tmp_path)
    if content is not None:
        folder.provenance.write_text(content)
    with pytest.raises(RunError, match="provenance cannot be read") as caught:
        folder.read_provenance()
    assert caught.value.where == str(tmp_path / "provenance.json")


@pytest.mark.parametrize("resume", [False, True])
def test_a_folder_that_contains_only_temporary_files_can_be_used(tmp_path: Path, *, resume: bool) -> None:
    """A kill before the first write is complete leaves such a folder."""
    folder = RunFolder(tmp_path / "run")
    folder.path.mkdir()
    (folder.path / ".provenance.json.123.partial").write_text("{")
    with folder.writing(resume=resume):
        assert [path.name for path in folder.path.iterdir()] == [".lock"]
