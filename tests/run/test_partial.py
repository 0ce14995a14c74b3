"""Temporary files that a killed process left are removed, and those of a running process are not."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.data.cache import entry
from manyheads.run.atomic import replace_folder, sweep, write_text

WRITE_A_FILE = """
import pathlib, sys, time
from manyheads.run.atomic import replacing
with replacing(pathlib.Path(sys.argv[1])) as temporary:
    temporary.write_text("half")
    print("writing", flush=True)
    time.sleep(60)
"""

WRITE_AN_ENTRY = """
import pathlib, sys, time
from manyheads.data.cache import entry
def fill(folder):
    (folder / "half.npy").write_bytes(b"half")
    print("writing", flush=True)
    time.sleep(60)
entry(pathlib.Path(sys.argv[1]), fill)
"""


def writing(program: str, target: Path) -> subprocess.Popen[bytes]:
    """Start a process that has written a part of its target."""
    process = subprocess.Popen([sys.executable, "-c", program, str(target)], stdout=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stdout.readline() == b"writing\n"
    return process


def end(process: subprocess.Popen[bytes]) -> None:
    process.kill()
    process.communicate()


def partials(folder: Path) -> list[Path]:
    return list(folder.glob(".*.partial"))


def test_the_next_write_removes_what_a_kill_left(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with writing(WRITE_A_FILE, target) as process:
        end(process)
    assert len(partials(tmp_path)) == 1
    write_text(tmp_path / "other.csv", "x")
    assert len(partials(tmp_path)) == 1, "only the leftovers for the same target"
    write_text(target, "x")
    assert partials(tmp_path) == []


def test_a_process_that_still_writes_keeps_its_file(tmp_path: Path) -> None:
    target = tmp_path / "out.csv"
    with writing(WRITE_A_FILE, target) as process:
        write_text(target, "x")
        sweep(tmp_path)
        assert len(partials(tmp_path)) == 1
        end(process)
    sweep(tmp_path)
    assert partials(tmp_path) == []


def test_leftovers_in_the_cache_are_removed(tmp_path: Path) -> None:
    with writing(WRITE_AN_ENTRY, tmp_path / "tables" / "key") as process:
        sweep(tmp_path / "tables")
        assert len(partials(tmp_path / "tables")) == 1
        end(process)
    old = tmp_path / "tables" / ".0123456789abcdef.x7_zq.partial"
    old.mkdir()
    with pytest.raises(ZeroDivisionError):
        entry(tmp_path / "tables" / "other", lambda _: 1 // 0 and None)
    assert partials(tmp_path / "tables") == []


def test_a_kill_while_the_old_folder_is_removed_leaves_no_part_of_it(tmp_path: Path) -> None:
    target = tmp_path / "onnx"
    replace_folder(target, lambda new: [(new / name).write_text("1") for name in "abc"] and None)
    program = (
        "import os, shutil, signal, sys, pathlib\n"
        "from manyheads.run import atomic\n"
        "from manyheads.run.atomic import replace_folder\n"
        "def kill(path, **_):\n"
        "    if 'old' in str(path):\n"
        "        (path / 'b').unlink()\n"
        "        os.kill(os.getpid(), signal.SIGKILL)\n"
        "atomic.shutil.rmtree = kill\n"
        "replace_folder(pathlib.Path(sys.argv[1]), lambda new: (new / 'new').write_text('2') and None)\n"
    )
    assert subprocess.run([sys.executable, "-c", program, str(target)], check=False).returncode == -9
    assert not target.exists()
    replace_folder(target, lambda new: (new / "new").write_text("2") and None)
    assert [path.name for path in tmp_path.iterdir()] == ["onnx"]


def test_a_file_in_the_place_of_a_folder_is_replaced(tmp_path: Path) -> None:
    (tmp_path / "model").write_text("a file")
    replace_folder(tmp_path / "model", lambda new: (new / "new").write_text("2") and None)
    assert [path.name for path in tmp_path.rglob("*")] == ["model", "new"]
