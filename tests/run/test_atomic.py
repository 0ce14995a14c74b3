"""A kill or a full disk during a write leaves the old content."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import RunError
from manyheads.run.atomic import explained, replace_folder, replacing, write_json, write_text, writing_to


def test_the_content_is_replaced_and_no_temporary_file_is_left(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "results.csv"
    write_text(file, "old\n")
    write_text(file, "new\n")
    assert file.read_text() == "new\n"
    assert [path.name for path in file.parent.iterdir()] == ["results.csv"]


def test_a_failure_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    write_text(file, "old")

    def fail() -> None:
        with replacing(file) as temporary:
            temporary.write_text("half of the n")
            raise RuntimeError("stopped")

    with pytest.raises(RuntimeError):
        fail()
    assert file.read_text() == "old"
    assert list(tmp_path.iterdir()) == [file]


def test_an_output_follows_links_and_is_copied_to_a_pipe(tmp_path: Path) -> None:
    file, link, pipe = tmp_path / "out.md", tmp_path / "link.md", tmp_path / "pipe"
    file.write_text("old")
    link.symlink_to(file)
    with writing_to(link) as temporary:
        temporary.write_text("new")
    assert (link.is_symlink(), file.read_text()) == (True, "new")
    os.mkfifo(pipe)
    with subprocess.Popen(["cat", str(pipe)], stdout=subprocess.PIPE, text=True) as reader:
        with writing_to(pipe) as temporary:
            temporary.write_text("content")
        assert reader.communicate(timeout=30)[0] == "content"
    assert pipe.is_fifo()
    assert sorted(each.name for each in tmp_path.iterdir()) == ["link.md", "out.md", "pipe"]


def test_a_kill_while_writing_keeps_the_old_file(tmp_path: Path) -> None:
    file = tmp_path / "results.csv"
    write_text(file, "old")
    program = (
        "import os, signal, sys, pathlib\n"
        "from manyheads.run.atomic import replacing\n"
        "with replacing(pathlib.Path(sys.argv[1])) as temporary:\n"
        "    temporary.write_text('half')\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", program, str(file)], check=False)
    assert done.returncode == -9
    assert file.read_text() == "old"


def test_values_that_json_does_not_support_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "results.json", {"loss": float("nan")})
    assert list(tmp_path.iterdir()) == []


def test_a_folder_is_replaced_as_a_whole(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    replace_folder(folder, lambda new: (new / "old.txt").write_text("1") and None)
    replace_folder(folder, lambda new: (new / "new.txt").write_text("2") and None)
    assert [path.name for path in folder.iterdir()] == ["new.txt"]
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_that_cannot_be_filled_keeps_the_old_one(tmp_path: Path) -> None:
    folder = tmp_path / "model"
    replace_folder(folder, lambda new: (new / "weights").write_text("1") and None)

    def fail(new: Path) -> None:
        (new / "weights").write_text("half")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(RunError, match="disk is full"):
        replace_folder(folder, fail)
    assert (folder / "weights").read_text() == "1"
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


@pytest.mark.parametrize(
    ("number", "message"),
    [
        (errno.ENOSPC, "disk is full"),
        (errno.EROFS, "no permission to write"),
        (errno.EACCES, "choose a folder that you can write to"),
    ],
)
def test_errors_of_the_system_are_explained_with_a_hint(tmp_path: Path, number: int, message: str) -> None:
    with pytest.raises(RunError, match=message), explained(tmp_path):
        raise OSError(number, "refused")
