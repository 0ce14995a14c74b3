"""Where an encoder comes from: the offline package, a folder, the hub's cache; and nothing from pickles."""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from manyheads.errors import EncoderError
from manyheads.model import weights
from manyheads.model.weights import OFFLINE_SHA256, resolve

COMMIT = "0123456789abcdef0123456789abcdef01234567"


def test_the_offline_encoder_is_verified(monkeypatch: pytest.MonkeyPatch) -> None:
    source = resolve("minilm-offline", Path())
    assert source.sha256 == OFFLINE_SHA256
    monkeypatch.setattr(weights, "OFFLINE_SHA256", "0" * 64)
    with pytest.raises(EncoderError, match="not those of all-MiniLM"):
        resolve("minilm-offline", Path())
    monkeypatch.setattr(weights, "OFFLINE_PACKAGE", "no_such_package")
    with pytest.raises(EncoderError, match="manyheads\\[offline\\]"):
        resolve("minilm-offline", Path())


def test_a_folder_relative_or_absolute(tiny_encoder: Path) -> None:
    relative = resolve(tiny_encoder.name, tiny_encoder.parent)
    absolute = resolve(str(tiny_encoder), Path("/"))
    assert relative.folder == absolute.folder == tiny_encoder.resolve()
    assert relative.sha256 == hashlib.sha256((tiny_encoder / "model.safetensors").read_bytes()).hexdigest()


def test_pickled_weights_are_not_read(tiny_encoder: Path, tmp_path: Path) -> None:
    shutil.copy(tiny_encoder / "config.json", tmp_path)
    (tmp_path / "pytorch_model.bin").write_bytes(b"a pickle")
    with pytest.raises(EncoderError, match="safetensors only"):
        resolve(str(tmp_path), Path())


def test_a_name_that_is_nothing_says_what_there_is() -> None:
    with pytest.raises(EncoderError, match="minilm-offline"):
        resolve("minilm", Path("/nonexistent"))


def test_a_hub_id_is_found_in_the_local_cache(tiny_encoder: Path, tmp_path: Path) -> None:
    """In a process of its own: the hub's library reads its environment once."""
    repository = tmp_path / "models--someone--tiny"
    shutil.copytree(tiny_encoder, repository / "snapshots" / COMMIT)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    program = (
        "from pathlib import Path\n"
        "from manyheads.errors import EncoderError\n"
        "from manyheads.model.weights import resolve\n"
        "source = resolve('someone/tiny', Path())\n"
        "print(source.revision, source.folder.name, len(source.sha256))\n"
        "try: resolve('someone/absent', Path())\n"
        "except EncoderError as error: print(error.what)\n"
    )
    environment = {**os.environ, "HF_HUB_CACHE": str(tmp_path), "HF_HUB_OFFLINE": "1"}
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, env=environment, check=True)
    first, second = done.stdout.splitlines()
    assert first == f"{COMMIT} {COMMIT} 64"
    assert "cannot be fetched" in second
