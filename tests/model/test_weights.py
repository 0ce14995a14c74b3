"""The source of an encoder: the offline package, a folder, or the hub's cache on disk."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from manyheads.errors import EncoderError
from manyheads.model import weights
from manyheads.model.weights import OFFLINE, OFFLINE_PACKAGE, OFFLINE_SHA256, resolve

Saved = Callable[..., Path]
COMMIT = "0123456789abcdef0123456789abcdef01234567"


def sha256(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


def test_a_folder_may_be_absolute_or_relative(saved_model: Saved) -> None:
    folder = saved_model("bert")
    for name, base in ((str(folder), Path("/nowhere")), (folder.name, folder.parent), (".", folder)):
        source = resolve(name, base)
        assert source.name == name
        assert source.folder == folder.resolve()
        assert source.revision is None
        assert source.sha256 == sha256(folder / "model.safetensors")


def test_the_hash_covers_all_shards(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "model-00002-of-00002.safetensors").write_bytes(b"two")
    (tmp_path / "model-00001-of-00002.safetensors").write_bytes(b"one")
    assert resolve(str(tmp_path), Path()).sha256 == hashlib.sha256(b"onetwo").hexdigest()


def test_a_folder_without_an_encoder_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no config\.json"):
        resolve(str(tmp_path), Path())
    (tmp_path / "config.json").write_text("{}")
    (tmp_path / "pytorch_model.bin").write_bytes(b"")
    with pytest.raises(EncoderError, match=r"no model\.safetensors(.|\n)*save_pretrained"):
        resolve(str(tmp_path), Path())


@pytest.mark.parametrize("name", ["nothing-here", "./models/mine", "/no/such/folder", "", "a/b/c", "minilm_offline"])
def test_an_unknown_name_is_an_error(name: str, tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r'hub id(.|\n)*"minilm-offline"|no config\.json'):
        resolve(name, tmp_path)


def test_the_offline_encoder() -> None:
    try:
        source = resolve(OFFLINE, Path("/nowhere"))
    except EncoderError as error:
        pytest.skip(error.what)
    assert source.sha256 == OFFLINE_SHA256 == sha256(source.folder / "model.safetensors")
    assert (source.folder / "tokenizer.json").is_file()
    assert json.loads((source.folder / "config.json").read_text())["hidden_size"] == 384


def test_without_the_offline_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, OFFLINE_PACKAGE, None)
    with pytest.raises(EncoderError, match=r"manyheads\[offline\]"):
        resolve(OFFLINE, Path())


def test_an_offline_package_with_other_weights_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    folder = tmp_path / OFFLINE_PACKAGE / "model"
    folder.mkdir(parents=True)
    (tmp_path / OFFLINE_PACKAGE / "__init__.py").write_text("")
    (folder / "config.json").write_text("{}")
    (folder / "model.safetensors").write_bytes(b"others")
    monkeypatch.delitem(sys.modules, OFFLINE_PACKAGE, raising=False)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(EncoderError) as caught:
        resolve(OFFLINE, Path())
    assert caught.value.found == hashlib.sha256(b"others").hexdigest()
    assert caught.value.allowed == OFFLINE_SHA256


@pytest.mark.parametrize("pattern", weights.HUB_FILES)
def test_no_pickle_and_no_code_is_downloaded(pattern: str) -> None:
    for name in ("pytorch_model.bin", "model.pt", "model.pkl", "modeling_own.py", "tf_model.h5"):
        assert not Path(name).match(pattern)


def cached(cache: Path, name: str, files: Path) -> None:
    """Write the layout of the hub's cache: a snapshot named by its commit, and a reference to it."""
    repository = cache / f"models--{name.replace('/', '--')}"
    snapshot = repository / "snapshots" / COMMIT
    snapshot.mkdir(parents=True)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(COMMIT)
    for file in files.iterdir():
        (snapshot / file.name).write_bytes(file.read_bytes())


RESOLVE_ALL = """
import json, sys
from pathlib import Path
from manyheads.errors import EncoderError
from manyheads.model.weights import resolve

resolved = {}
for name in sys.argv[1:]:
    try:
        source = resolve(name, Path())
        resolved[name] = [source.name, str(source.folder), source.revision, source.sha256]
    except EncoderError as error:
        resolved[name] = str(error)
print(json.dumps(resolved))
"""


def test_the_hub_s_cache(saved_model: Saved, tmp_path: Path) -> None:
    """Without a network a cached encoder is found, and the errors of others say what is wrong and what to do."""
    cache, pickled, model = tmp_path / "hub", tmp_path / "pickled", saved_model("bert")
    cached(cache, "someone/encoder", model)
    pickled.mkdir()
    (pickled / "config.json").write_text("{}")
    (pickled / "pytorch_model.bin").write_bytes(b"")
    cached(cache, "someone/pickled", pickled)
    names = ["someone/encoder", "someone/pickled", "someone/absent", "some--one/encoder"]
    done = subprocess.run(
        [sys.executable, "-c", RESOLVE_ALL, *names],
        env={**os.environ, "HF_HUB_CACHE": str(cache), "HF_HUB_OFFLINE": "1"},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    resolved = json.loads(done.stdout)
    snapshot = cache / "models--someone--encoder" / "snapshots" / COMMIT
    assert resolved["someone/encoder"] == [
        "someone/encoder",
        str(snapshot.resolve()),
        COMMIT,
        sha256(model / "model.safetensors"),
    ]
    assert "no model.safetensors" in resolved["someone/pickled"]
    for name in ("someone/absent", "some--one/encoder"):
        assert "cannot be downloaded" in resolved[name]
        assert "minilm-offline" in resolved[name]
