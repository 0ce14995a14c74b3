"""The text store: every distinct text once, and the same store with and without the cache."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.cache import cache_folder
from manyheads.data.texts import TextStore, tokenise
from manyheads.data.tokenizer import Tokenizer

TEXTS = ["one two", "", "three", "one two", "tee", "three"]


@pytest.fixture(scope="module")
def tokenizer(wordpiece_folder: Path) -> Tokenizer:
    return Tokenizer.load(wordpiece_folder)


def entries(cache: Path) -> list[Path]:
    return sorted((cache / "tokens").iterdir())


def equal(left: TextStore, right: TextStore) -> bool:
    return np.array_equal(left.token_ids, right.token_ids) and np.array_equal(left.offsets, right.offsets)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.sampled_from(["", "a", "b c", "ä", "[SEP]", "日本", "long words here", "a "]), max_size=20))
def test_the_store_contains_every_distinct_text_once(tokenizer: Tokenizer, texts: list[str]) -> None:
    store, index = tokenise(texts, tokenizer, None)
    assert len(store) == len(store.lengths) == len(set(texts))
    assert index.shape == (len(texts),)
    for place, direct in zip(index, tokenizer.encode(texts), strict=True):
        assert store[place].tolist() == direct.tolist()
        assert store.lengths[place] == len(direct)
    assert [store.token_ids.dtype, store.offsets.dtype, index.dtype] == ["int32", "int64", "int64"]


def test_texts_are_numbered_by_first_occurrence(tokenizer: Tokenizer) -> None:
    store, index = tokenise(TEXTS, tokenizer, None)
    assert index.tolist() == [0, 1, 2, 0, 3, 2]
    assert len(store) == 4


def test_a_cached_store_is_the_same_and_memory_mapped(tokenizer: Tokenizer, tmp_path: Path) -> None:
    plain, index = tokenise(TEXTS, tokenizer, None)
    for _ in range(2):
        store, again = tokenise(TEXTS, tokenizer, tmp_path)
        assert equal(store, plain)
        assert again.tolist() == index.tolist()
        assert isinstance(store.token_ids, np.memmap)
        assert not store.token_ids.flags.writeable
    (entry,) = entries(tmp_path)
    assert {file.name for file in entry.iterdir()} == {"token_ids.npy", "offsets.npy", "sizes.json"}


def test_a_second_call_reads_the_cache(tokenizer: Tokenizer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, _ = tokenise(TEXTS, tokenizer, tmp_path)
    monkeypatch.delattr(Tokenizer, "encode_flat")
    assert equal(tokenise(TEXTS, tokenizer, tmp_path)[0], store)


def _flipped(file: Path) -> None:
    content = bytearray(file.read_bytes())
    content[-1] ^= 1
    file.write_bytes(content)


@pytest.mark.parametrize("texts", [[], [""], ["", " "]])
def test_an_empty_store_is_cached_too(tokenizer: Tokenizer, tmp_path: Path, texts: list[str]) -> None:
    for _ in range(2):
        store, index = tokenise(texts, tokenizer, tmp_path)
        assert (len(store), len(store.token_ids), len(index)) == (len(texts), 0, len(texts))
    assert len(entries(tmp_path)) == 1


def test_the_key_depends_on_the_texts_their_order_and_the_tokenizer(
    tokenizer: Tokenizer, roberta_folder: Path, tmp_path: Path
) -> None:
    for number, texts in enumerate([["ab", "c"], ["a", "bc"], ["c", "ab"], ["abc"], ["ab", "c", ""]]):
        tokenise(texts, tokenizer, tmp_path)
        assert len(entries(tmp_path)) == number + 1
    tokenise(["ab", "c"], Tokenizer.load(roberta_folder), tmp_path)
    assert len(entries(tmp_path)) == 6
    tokenise(["ab", "c", "ab"], tokenizer, tmp_path)  # the same distinct texts
    assert len(entries(tmp_path)) == 6


def _truncated(file: Path) -> None:
    file.write_bytes(file.read_bytes()[:-3])


def _emptied(file: Path) -> None:
    file.write_bytes(b"")


def _scrambled(file: Path) -> None:
    file.write_bytes(b"bytes of something else" * 20)


def _made_a_folder(file: Path) -> None:
    file.unlink()
    file.mkdir()


@pytest.mark.parametrize("damage", [_flipped, _truncated, _emptied, _scrambled, _made_a_folder, Path.unlink])
@pytest.mark.parametrize("name", ["token_ids.npy", "offsets.npy", "sizes.json"])
def test_a_damaged_entry_is_written_again(
    tokenizer: Tokenizer, tmp_path: Path, name: str, damage: Callable[[Path], None]
) -> None:
    plain, _ = tokenise(TEXTS, tokenizer, tmp_path)
    expected = TextStore(np.array(plain.token_ids), np.array(plain.offsets))
    damage(entries(tmp_path)[0] / name)
    assert equal(tokenise(TEXTS, tokenizer, tmp_path)[0], expected)
    repaired, _ = tokenise(TEXTS, tokenizer, tmp_path)
    assert equal(repaired, expected)
    assert isinstance(repaired.token_ids, np.memmap)
    assert len(entries(tmp_path)) == 1


@pytest.mark.parametrize(
    "sizes", [{"token_ids": 21, "offsets": 5}, {"texts": {}}, {"offsets": {"length": 5, "checksum": 0}}, [1], "a", None]
)
def test_an_entry_with_a_wrong_recorded_size_is_written_again(
    tokenizer: Tokenizer, tmp_path: Path, sizes: object
) -> None:
    expected, _ = tokenise(TEXTS, tokenizer, None)
    tokenise(TEXTS, tokenizer, tmp_path)
    file = entries(tmp_path)[0] / "sizes.json"
    written = file.read_text()
    file.write_text(json.dumps(sizes))
    assert equal(tokenise(TEXTS, tokenizer, tmp_path)[0], expected)
    assert file.read_text() == written


PROGRAM = """
import sys
from pathlib import Path
from manyheads.data.texts import tokenise
from manyheads.data.tokenizer import Tokenizer

tokenizer = Tokenizer.load(Path(sys.argv[1]))
print("ready", flush=True)
sys.stdin.readline()
for number in range(30):
    store, _ = tokenise([str(number), "text " * number], tokenizer, Path(sys.argv[2]))
    print(store.token_ids.tolist(), store.offsets.tolist())
"""


def test_processes_can_write_the_same_entry_at_the_same_time(wordpiece_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-W", "error", "-c", PROGRAM, str(wordpiece_folder), str(tmp_path)]
    pipe = subprocess.PIPE
    processes = [subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True) for _ in range(3)]
    for process in processes:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
    outputs = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        outputs.append(process.communicate()[0])
        assert process.returncode == 0
    assert outputs[0] == outputs[1] == outputs[2]
    assert len(outputs[0].splitlines()) == len(entries(tmp_path)) == 30


def test_without_a_writable_cache_texts_are_tokenised_with_a_warning(tokenizer: Tokenizer, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    with pytest.warns(UserWarning, match="MANYHEADS_CACHE"):
        store, _ = tokenise(TEXTS, tokenizer, tmp_path / "file")
    assert equal(store, tokenise(TEXTS, tokenizer, None)[0])


def test_the_cache_folder_can_be_set_in_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("MANYHEADS_CACHE", str(tmp_path))
    assert cache_folder() == tmp_path
    monkeypatch.delenv("MANYHEADS_CACHE")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "user"))
    assert cache_folder().name == "manyheads"
