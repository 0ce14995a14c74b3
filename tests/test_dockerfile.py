"""The server's image, as far as it can be held to the project without an engine that builds it."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

from typer.testing import CliRunner

from manyheads.cli.main import app

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def of(word: str) -> list[str]:
    """What follows an instruction, wherever it stands."""
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{word} ")]


def test_what_is_copied_is_there_and_let_in() -> None:
    let_in = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [name for line in of("COPY") if "--from" not in line for name in line.split()[:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in let_in), name


def test_it_serves_as_no_root_and_asks_no_hub() -> None:
    (user,) = of("USER")
    assert int(user) > 0
    (environment,) = of("ENV")
    assert "HF_HUB_OFFLINE=1" in environment
    (entry,) = of("ENTRYPOINT")
    program, verb, folder, *options = json.loads(entry)
    assert (program, verb, folder) == ("manyheads", "serve", "/model")
    said = CliRunner().invoke(app, ["serve", "--help"], terminal_width=200).output
    assert all(option in said for option in options if option.startswith("--"))


def test_the_health_check_asks_a_route_of_the_server() -> None:
    (check,) = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", "\n".join(LINES))
    assert check == "/readyz"
    assert of("EXPOSE") == ["8000"]
