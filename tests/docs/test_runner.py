"""Blocks run as they would for a reader: exit statuses, pipes, signals, files and background processes."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from tests.docs.blocks import parse
from tests.docs.runner import BlockError, PageRun, Server


def run(text: str, folder: Path, server: Server) -> Path:
    page, home = folder / "page", folder / "home"
    page.mkdir()
    home.mkdir()
    with PageRun(parse(text, "page.md"), page, home, server) as running:
        running.run()
    return page


def sh(code: str) -> str:
    return f"```sh\n{code}\n```\n"


def test_commands_have_their_streams_status_folder_and_environment(tmp_path: Path, server: Server) -> None:
    page = run(
        sh("manyheads --version > version.txt")
        + sh("manyheads nothing || echo $? > status.txt")
        + sh(
            "mkdir sub; cd sub; echo 'import sys; print(sys.stdin.read(), sys.argv)' > p.py; "
            "echo in | python p.py a > o.txt"
        )
        + sh("NAME=value python -c 'import os; print(os.environ[\"NAME\"], os.getcwd())' > env.txt")
        + sh("python -c 'import os, signal; os.kill(os.getpid(), signal.SIGTERM)' || echo $? > signal.txt"),
        tmp_path,
        server,
    )
    assert (page / "version.txt").read_text()[0].isdigit()
    assert (page / "status.txt").read_text() == "2\n"
    assert (page / "sub" / "o.txt").read_text() == "in\n ['p.py', 'a']\n"
    assert (page / "env.txt").read_text() == f"value {page}\n"
    assert (page / "signal.txt").read_text() == "143\n"


def test_python_blocks_share_a_namespace_and_their_output_is_compared(tmp_path: Path, server: Server) -> None:
    text = '```python\nx = 1\n```\n```python\nprint("x is", x)\nopen("x.txt", "w").close()\n```\n'
    page = run(text + "<!-- output -->\n```text\nx is 5\n```\n", tmp_path, server)
    assert (page / "x.txt").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (sh("true\nfalse\necho after"), "page.md:1: the block ended with status 1"),
        (sh("false | true"), "status 1"),
        (sh("echo $NOBODY_SET_THIS"), "unbound"),
        (sh("echo one") + "<!-- output -->\n```text\ntwo\n```", "the output has no line 'two'"),
        ("```python\n1 / 0\n```", "ZeroDivisionError"),
        ('```python\nimport warnings\nwarnings.warn("old", DeprecationWarning)\n```', "DeprecationWarning: old"),
        ("```python\nimport os\nos._exit(3)\n```", "the process of the Python blocks ended"),
        ("<!-- background: http://127.0.0.1:1/ -->\n" + sh("false"), "did not respond"),
    ],
)
def test_a_block_that_fails_is_named_with_its_output(text: str, reason: str, tmp_path: Path, server: Server) -> None:
    with pytest.raises(BlockError, match=reason):
        run(text, tmp_path, server)


def test_signals_reach_the_command(tmp_path: Path, server: Server) -> None:
    wait = "python -c 'import pathlib, time; pathlib.Path(\"up\").touch(); time.sleep(60)' & p=$!"
    page = run(
        sh(f"{wait}; until test -e up; do sleep 0.05; done; kill $p; wait $p || echo $? > status.txt"), tmp_path, server
    )
    assert (page / "status.txt").read_text() == "143\n"


def test_nothing_stays_behind(tmp_path: Path, server: Server) -> None:
    program = "import os, time; open('pid', 'w').write(str(os.getpid())); time.sleep(60)"
    page = run(sh(f'python -c "{program}" & until test -s pid; do sleep 0.05; done'), tmp_path, server)
    process = Path(f"/proc/{(page / 'pid').read_text()}")
    until = time.monotonic() + 5
    while process.exists() and time.monotonic() < until:
        time.sleep(0.05)
    assert not process.exists()
