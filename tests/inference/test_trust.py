"""No folder that is given to load, predict, serve or export executes code, reads other files or writes elsewhere."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

import manyheads
from manyheads.cli.main import app
from manyheads.errors import BundleError, ManyheadsError, RunError
from manyheads.inference.manifest import checksum, sha256
from manyheads.runs.export import export_run
from manyheads.studies.run import worker_command

Edit = Callable[[dict[str, Any]], object]


@pytest.fixture
def copy(trained: manyheads.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder.model, tmp_path / "elsewhere"))


@pytest.fixture
def run(trained: manyheads.Run, tmp_path: Path) -> Path:
    return Path(shutil.copytree(trained.folder.path, tmp_path / "run"))


def sign(folder: Path, edit: Edit | None = None) -> None:
    """Write the manifest again with true hashes, as someone who makes a hostile bundle would."""
    manifest = json.loads((folder / "manyheads.json").read_text())
    if edit is not None:
        edit(manifest)
    for name in manifest["files"]:
        if (folder / name).is_file():
            manifest["files"][name] = sha256(folder / name)
    manifest["sha256"] = checksum(manifest)
    (folder / "manyheads.json").write_text(json.dumps(manifest))


def change_config(folder: Path, **keys: object) -> None:
    path = folder / "config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **keys}))
    sign(folder)


# The manifest


def test_every_flipped_bit_of_the_manifest_is_noticed(copy: Path) -> None:
    path = copy / "manyheads.json"
    content = path.read_bytes()
    for place in range(0, len(content), 7):
        for bit in (0, 3, 5):
            changed = bytearray(content)
            changed[place] ^= 1 << bit
            path.write_bytes(changed)
            with pytest.raises(ManyheadsError):
                manyheads.load(copy)


def test_a_manifest_without_a_checksum_is_read_with_a_note(copy: Path, caplog: pytest.LogCaptureFixture) -> None:
    manyheads.load(copy)
    assert not caplog.messages
    manifest = json.loads((copy / "manyheads.json").read_text())
    assert manifest["format"] == 1
    del manifest["sha256"]
    (copy / "manyheads.json").write_text(json.dumps(manifest))
    manyheads.load(copy)
    (note,) = caplog.messages
    assert str(copy / "manyheads.json") in note


@pytest.mark.parametrize(
    ("edit", "message"),
    [
        (lambda m: m["tasks"][0].update(name="../../evil"), "name"),
        (lambda m: m["tasks"][0].update(name="/tmp/evil"), "name"),
        (lambda m: m["tasks"][0].update(name="a" * 300), "name"),
        (lambda m: m["tasks"][0].update(name="sentiment\n"), "name"),
        (lambda m: m["tasks"][0].update(name=7), "name"),
        (lambda m: m["tasks"][1].update(name=m["tasks"][0]["name"]), "same name"),
        (lambda m: m["tasks"][0].update(head="b2"), "head"),
        (lambda m: m["tasks"][0].update(text=[]), "text"),
        (lambda m: m["tasks"][0].update(pair="bi"), "pair"),
        (lambda m: m["tasks"][0]["kind"].update(labels=None), "labels"),
        (lambda m: m["tasks"][0]["kind"].update(labels=[{}, []]), "labels"),
        (lambda m: m["tasks"][0].update(kind="classification"), "kind"),
        (lambda m: m.update(tasks={}), "list"),
        (lambda m: m.update(tasks=[]), "item"),
        (lambda m: m.pop("pooling"), "pooling"),
        (lambda m: m.update(pooling="max"), "pooling"),
        (lambda m: m.update(max_length=10**9), "max_length"),
        (lambda m: m.update(max_length="64"), "max_length"),
        (lambda m: m["files"].pop("model.safetensors"), "required file"),
        (lambda m: m.update(files=[]), "required file"),
    ],
)
def test_a_value_of_the_manifest_that_cannot_be_used_is_named(copy: Path, edit: Edit, message: str) -> None:
    sign(copy, edit)
    with pytest.raises(BundleError, match=message):
        manyheads.load(copy)


def test_a_task_that_is_a_path_writes_nothing_elsewhere(run: Path, tmp_path: Path) -> None:
    sign(run / "model", lambda m: m["tasks"][0].update(name="../../../../evil"))
    for target in ("hub", "onnx", "torch-export"):
        with pytest.raises(BundleError, match="name"):
            export_run(run, target, tmp_path / "out" / target, check=False)
    assert not list(tmp_path.rglob("*evil*"))


# Weights and configuration


def test_an_index_cannot_bring_in_other_weights(copy: Path) -> None:
    shutil.copyfile(copy / "model.safetensors", copy / "NOTICE.safetensors")
    shutil.copyfile(copy / "model.safetensors", copy.parent / "outside.safetensors")
    for name in ("NOTICE.safetensors", "../outside.safetensors"):
        index = {"metadata": {}, "weight_map": {"embeddings.word_embeddings.weight": name}}
        (copy / "model.safetensors.index.json").write_text(json.dumps(index))
        with pytest.raises(BundleError, match="index"):
            manyheads.load(copy)
        sign(copy, lambda m: m["files"].update({"model.safetensors.index.json": ""}))
        with pytest.raises(BundleError, match="index"):
            manyheads.load(copy)
    (copy / "model.safetensors").rename(copy / "NOTICE.weights")
    with pytest.raises(BundleError):
        manyheads.load(copy)


@pytest.mark.parametrize(
    "keys",
    [
        {"attn_implementation": "org/repo"},
        {"_attn_implementation": "kernels-community/flash-attn"},
        {"_attn_implementation_internal": "org/repo:function"},
        {"experts_implementation": "org/repo"},
        {"attn_implementation": {"": "org/repo"}},
        {"auto_map": {"AutoModel": "own.Model"}},
        {"quantization_config": {"quant_method": "own"}},
        {"custom_pipelines": {"x": {"impl": "own.Pipeline"}}},
        {"transformers_weights": "../other.safetensors"},
        {"model_type": "own"},
        {"num_hidden_layers": 10**9},
        {"num_hidden_layers": True},
        {"hidden_size": 1 << 40},
        {"hidden_size": "32"},
        {"hidden_size": 0},
        {"vocab_size": 10**30},
        {"max_position_embeddings": -1},
        {"pad_token_id": 10**6},
        {"layer_norm_eps": "1e-12"},
        {"hidden_act": "own"},
        {"x": [[[[[[[[[[1]]]]]]]]]]},
    ],
)
def test_a_key_of_the_configuration_that_cannot_be_used_is_refused(copy: Path, keys: dict[str, object]) -> None:
    change_config(copy, **keys)
    with pytest.raises(BundleError, match=r"config\.json|cannot be loaded"):
        manyheads.load(copy)


def test_other_keys_of_the_configuration_are_ignored(trained: manyheads.Run, copy: Path) -> None:
    texts = ["a fine film", "dull , and far too long"]
    expected = manyheads.load(trained).predict("sentiment", texts)
    change_config(
        copy,
        to_dict="text",
        get_text_config=3,
        return_dict=False,
        output_attentions=True,
        num_labels=10**9,
        torch_dtype="load",
        _name_or_path="/etc",
        _attn_implementation="eager",
        per_layer_config={},
        a_key_of_a_later_version=1,
        torchscript=True,
    )
    assert manyheads.load(copy).predict("sentiment", texts) == expected


def test_an_adapter_in_the_folder_is_not_loaded(trained: manyheads.Run, copy: Path) -> None:
    (copy / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": "org/other"}))
    sign(copy, lambda m: m["files"].update({"adapter_config.json": ""}))
    expected = manyheads.load(trained).predict("sentiment", ["a fine film"])
    assert manyheads.load(copy).predict("sentiment", ["a fine film"]) == expected


def test_a_card_that_is_not_utf8_is_named(run: Path, tmp_path: Path) -> None:
    card = run / "model" / "README.md"
    card.write_bytes(card.read_bytes() + b"\xff\xfe")
    for target in ("hub", "torch-export"):
        with pytest.raises(BundleError, match=r"the model card cannot be read(.|\n)*UTF-8"):
            export_run(run, target, tmp_path / target, check=False)


# Links


@pytest.mark.parametrize("name", ["README.md", "NOTICE", ".hidden", "notes/deep.md", "tokenizer.json", "LICENSE"])
def test_a_link_in_a_bundle_is_refused_and_not_copied(run: Path, tmp_path: Path, name: str) -> None:
    secret = tmp_path / "secret"
    secret.write_text("secret")
    place = run / "model" / name
    place.parent.mkdir(exist_ok=True)
    place.unlink(missing_ok=True)
    place.symlink_to(secret)
    with pytest.raises(BundleError, match="links"):
        manyheads.load(run / "model")
    with pytest.raises(ManyheadsError, match="links"):
        export_run(run, "hub", tmp_path / "out", check=False)
    assert not (tmp_path / "out").exists()


def test_a_linked_folder_in_a_run_is_refused(run: Path, tmp_path: Path) -> None:
    (run / "model").rename(tmp_path / "moved")
    (run / "model").symlink_to(tmp_path / "moved")
    with pytest.raises(BundleError, match="links"):
        manyheads.load(run)
    with pytest.raises(RunError, match="links"):
        export_run(run, "hub", tmp_path / "out", check=False)
    assert manyheads.load(tmp_path / "moved").tasks


def test_a_run_folder_that_is_a_link_itself_is_read(trained: manyheads.Run, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(trained.folder.path)
    assert manyheads.load(tmp_path / "link").tasks


def test_a_pipe_in_a_bundle_is_refused(copy: Path) -> None:
    os.mkfifo(copy / "NOTES.md")
    with pytest.raises(BundleError, match="neither a file nor a folder"):
        manyheads.load(copy)


# Programs of torch.export


class Trap:
    """Its pickle writes a file when it is loaded."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> tuple[Any, ...]:
        return (exec, (f"open({str(self.path)!r}, 'w').close()",))


def test_a_program_of_torch_export_is_written_with_a_warning_and_never_loaded(
    trained: manyheads.Run, tmp_path: Path
) -> None:
    command = ["export", str(trained.folder.path), "--to", "torch-export", "--out", str(tmp_path / "programs")]
    exported = CliRunner().invoke(app, command)
    assert exported.exit_code == 0, exported.output
    assert "may execute code" in exported.stderr
    assert "may execute code" in (tmp_path / "programs" / "README.md").read_text()
    sprung = tmp_path / "sprung"
    with zipfile.ZipFile(tmp_path / "programs" / "encoder.pt2", "w") as archive:
        archive.writestr("encoder/data/constants/trap.pt", pickle.dumps(Trap(sprung)))
        archive.writestr("encoder/version", "6")
    sign(tmp_path / "programs")
    for runtime in ("torch", "onnx", "torch-export"):
        with pytest.raises(BundleError):
            manyheads.load(tmp_path / "programs", runtime=runtime)  # type: ignore[arg-type]
        for verb in (["predict", "--task", "sentiment"], ["serve", "--port", "0"]):
            words = [verb[0], str(tmp_path / "programs"), *verb[1:], "--runtime", runtime]
            assert CliRunner().invoke(app, words, input="a fine film\n").exit_code != 0
    assert not sprung.exists()


# Study workers


def test_a_worker_does_not_import_from_the_current_folder(tmp_path: Path) -> None:
    """A module of the current folder is not found by the command with which a study starts its workers."""
    (tmp_path / "trap.py").write_text("open('sprung', 'w').close()")
    started = subprocess.run(
        [*worker_command()[:-1], "trap"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert "No module named trap" in started.stderr
    assert not (tmp_path / "sprung").exists()
