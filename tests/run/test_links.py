"""Links in a run folder are refused: no file outside of it is read or written."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.run.atomic import write_text
from manyheads.run.folder import RunFolder, only_writer


@pytest.mark.parametrize("name", ["events.jsonl", "results.csv", "predictions", "checkpoints", "model", ".lock"])
def test_a_link_in_a_run_folder_is_refused(tmp_path: Path, name: str) -> None:
    run, outside = tmp_path / "run", tmp_path / "outside"
    run.mkdir()
    (run / "recipe.toml").write_text("")
    outside.write_text("mine")
    (run / name).symlink_to(outside)
    with pytest.raises(RunError, match="links"), RunFolder(run).writing(resume=True):
        pass
    with pytest.raises(RunError, match="links"):
        RunFolder(run).require()
    assert outside.read_text() == "mine"


def test_a_link_deep_in_a_run_folder_is_refused(tmp_path: Path) -> None:
    (tmp_path / "checkpoints" / "step-1").mkdir(parents=True)
    (tmp_path / "recipe.toml").write_text("")
    (tmp_path / "checkpoints" / "step-1" / "model.safetensors").symlink_to("/etc/hostname")
    with pytest.raises(RunError, match=r"step-1/model\.safetensors"):
        RunFolder(tmp_path).require()


def test_a_run_folder_and_files_of_others_in_it_may_be_links(tmp_path: Path) -> None:
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "recipe.toml").write_text("")
    (tmp_path / "run" / "wandb").symlink_to("/etc")
    (tmp_path / "link").symlink_to(tmp_path / "run")
    RunFolder(tmp_path / "link").require()
    with RunFolder(tmp_path / "link").writing(resume=True):
        pass


@pytest.mark.parametrize("task", ["../up", "/etc/passwd", "a/b", "", ".hidden", "a" * 200])
def test_a_task_that_is_a_path_has_no_file(tmp_path: Path, task: str) -> None:
    with pytest.raises(RunError, match="name of a task"):
        RunFolder(tmp_path).prediction_file(task, "dev", "best")


def test_a_lock_does_not_follow_a_link_or_change_a_file(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    lock = tmp_path / "cache" / ".lock"
    lock.parent.mkdir()
    lock.symlink_to(mine)
    with pytest.raises(RunError, match="not a file"), only_writer(lock, "in use", lock.parent):
        pass
    lock.unlink()
    lock.write_text("old")
    with only_writer(lock, "in use", lock.parent):
        pass
    assert (mine.read_text(), lock.read_text()) == ("mine", "old")


def test_a_link_with_a_temporary_name_is_not_followed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    mine = tmp_path / "mine"
    mine.write_text("mine")
    monkeypatch.setattr("os.getpid", lambda: 7)
    (tmp_path / ".results.json.7.partial").symlink_to(mine)
    write_text(tmp_path / "results.json", "{}")
    assert (mine.read_text(), (tmp_path / "results.json").read_text()) == ("mine", "{}")
