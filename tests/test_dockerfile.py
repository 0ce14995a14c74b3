"""The Dockerfile agrees with the project. `make image-check` runs its steps."""

from __future__ import annotations

import fnmatch
import json
import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from manyheads.cli.main import app
from manyheads.errors import ServeError
from manyheads.inference.server.options import hosts_for, is_loopback, require_token

ROOT = Path(__file__).parents[1]
LINES = (ROOT / "Dockerfile").read_text(encoding="utf-8").replace("\\\n", " ").splitlines()


def arguments(instruction: str) -> list[str]:
    """Return the arguments of every instruction with this name."""
    return [line.split(maxsplit=1)[1] for line in LINES if line.startswith(f"{instruction} ")]


def test_copied_files_exist_and_are_in_the_context() -> None:
    included = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    copied = [name for line in arguments("COPY") if "--from" not in line for name in line.split()[:-1]]
    assert copied
    for name in copied:
        assert (ROOT / name).exists()
        assert any(fnmatch.fnmatch(name, pattern) for pattern in included), name


def test_the_server_is_not_root_and_uses_no_hub() -> None:
    (user,) = arguments("USER")
    assert int(user) > 0
    (environment,) = arguments("ENV")
    assert "HF_HUB_OFFLINE=1" in environment
    (entry,) = arguments("ENTRYPOINT")
    program, command, folder, *options = json.loads(entry)
    assert (program, command, folder) == ("manyheads", "serve", "/model")
    usage = CliRunner().invoke(app, ["serve", "--help"], terminal_width=200).output
    assert all(option in usage for option in options if option.startswith("--"))


def test_the_server_of_the_image_needs_a_token() -> None:
    """It listens on all addresses, and neither the entry point nor the environment gives it a token or goes without."""
    (entry,) = arguments("ENTRYPOINT")
    _, _, _, *options = json.loads(entry)
    assert not is_loopback(options[options.index("--host") + 1])
    assert not {"--without-token", "--token-file"} & set(options)
    assert "MANYHEADS_TOKEN" not in " ".join(arguments("ENV"))
    with pytest.raises(ServeError, match="needs a token"):
        require_token(options[options.index("--host") + 1], token=False, without_token=False)


def test_the_health_check_uses_a_name_that_every_server_accepts() -> None:
    (host,) = re.findall(r"http://([^/]+)/readyz", "\n".join(LINES))
    assert hosts_for("0.0.0.0", ["model.example.org"], token=True).allow(host.encode())


def test_the_health_check_uses_a_route_of_the_server() -> None:
    (check,) = re.findall(r"http://127\.0\.0\.1:8000(/\w+)", "\n".join(LINES))
    assert check == "/readyz"
    assert arguments("EXPOSE") == ["8000"]
