"""The tokenizer: ids without special tokens, and the template that is derived from its post-processor."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as FastTokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Replace

from manyheads.data.tokenizer import CHUNK, Form, Tokenizer
from manyheads.errors import EncoderError

FOLDERS = ["wordpiece_folder", "roberta_folder", "offline_folder"]
TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="[<"), min_size=1, max_size=30)


@pytest.fixture(params=FOLDERS, scope="module")
def folder(request: pytest.FixtureRequest) -> Path:
    found: Path = request.getfixturevalue(request.param)
    return found


@pytest.fixture(scope="module")
def loaded(folder: Path) -> tuple[Tokenizer, FastTokenizer]:
    """Return our tokenizer, and the library's without truncation and padding."""
    fast = FastTokenizer.from_file(str(folder / "tokenizer.json"))
    fast.no_truncation()
    fast.no_padding()
    return Tokenizer.load(folder), fast


def copied(folder: Path, target: Path) -> Path:
    shutil.copytree(folder, target)
    return target


def laid_out(form: Form, texts: list[list[int]]) -> tuple[list[int], list[int]]:
    """Return the token ids and segment ids of a sequence of this form."""
    ids, segments = list(form.special[0]), list(form.special_segments[0])
    for number, text in enumerate(texts):
        ids += [*text, *form.special[number + 1]]
        segments += [*[form.text_segments[number]] * len(text), *form.special_segments[number + 1]]
    return ids, segments


def test_the_template_of_bert(wordpiece_folder: Path) -> None:
    template = Tokenizer.load(wordpiece_folder).template
    assert template.single == Form(((2,), (3,)), ((0,), (0,)), (0,))
    assert template.pair == Form(((2,), (3,), (3,)), ((0,), (0,), (1,)), (0, 1))
    assert (template.single.specials, template.pair.specials) == (2, 3)


def test_the_template_of_roberta(roberta_folder: Path) -> None:
    template = Tokenizer.load(roberta_folder).template
    assert template.single == Form(((0,), (2,)), ((0,), (0,)), (0,))
    assert template.pair == Form(((0,), (2, 2), (2,)), ((0,), (0, 0), (0,)), (0, 0))
    assert (template.single.specials, template.pair.specials) == (2, 4)


def test_a_tokenizer_without_special_tokens_has_an_empty_template(tmp_path: Path) -> None:
    FastTokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?")).save(str(tmp_path / "tokenizer.json"))
    template = Tokenizer.load(tmp_path).template
    assert template.single.special == ((), ())
    assert template.pair.special == ((), (), ())
    assert template.pair.specials == 0


@settings(deadline=None, max_examples=100)
@given(st.data())
def test_the_template_and_the_ids_give_the_encoding_of_the_library(
    loaded: tuple[Tokenizer, FastTokenizer], data: st.DataObject
) -> None:
    tokenizer, fast = loaded
    first, second = data.draw(TEXTS), data.draw(TEXTS)
    a, b = (ids.tolist() for ids in tokenizer.encode([first, second]))
    single, pair = fast.encode(first), fast.encode(first, second)
    assert laid_out(tokenizer.template.single, [a]) == (single.ids, single.type_ids)
    assert laid_out(tokenizer.template.pair, [a, b]) == (pair.ids, pair.type_ids)


def test_truncation_and_padding_in_the_file_are_ignored(wordpiece_folder: Path, tmp_path: Path) -> None:
    fast = FastTokenizer.from_file(str(wordpiece_folder / "tokenizer.json"))
    fast.enable_truncation(8)
    fast.enable_padding(length=8)
    fast.save(str(tmp_path / "tokenizer.json"))
    switched, plain = Tokenizer.load(tmp_path), Tokenizer.load(wordpiece_folder)
    assert [len(ids) for ids in switched.encode(["a " * 100, "a", ""])] == [100, 1, 0]
    assert switched.template == plain.template
    assert switched.fingerprint == plain.fingerprint


def test_the_offline_tokenizer_does_not_truncate(offline_folder: Path) -> None:
    assert json.loads((offline_folder / "tokenizer.json").read_text())["truncation"] is not None
    (ids,) = Tokenizer.load(offline_folder).encode(["word " * 700])
    assert len(ids) == 700


def test_texts_of_several_chunks_are_in_order(wordpiece_folder: Path) -> None:
    tokenizer = Tokenizer.load(wordpiece_folder)
    found = [tokenizer.decode(ids.tolist()) for ids in tokenizer.encode([str(n % 10) for n in range(CHUNK + 7)])]
    assert found == [str(n % 10) for n in range(CHUNK + 7)]


def test_ids_are_int32_and_an_empty_text_has_none(folder: Path) -> None:
    full, empty = Tokenizer.load(folder).encode(["a", ""])
    assert full.dtype == empty.dtype == "int32"
    assert (len(full), len(empty)) == (1, 0)


def test_decoded_text_has_no_special_tokens(offline_folder: Path) -> None:
    tokenizer = Tokenizer.load(offline_folder)
    (ids,) = tokenizer.encode(["the same words"])
    template = tokenizer.template.single
    assert tokenizer.decode([*template.special[0], *ids.tolist(), *template.special[1]]) == "the same words"


def test_the_vocabulary_counts_added_tokens(wordpiece_folder: Path, tmp_path: Path) -> None:
    fast = FastTokenizer.from_file(str(wordpiece_folder / "tokenizer.json"))
    before = Tokenizer.load(wordpiece_folder).vocab_size
    fast.add_tokens(["wholly"])
    fast.save(str(tmp_path / "tokenizer.json"))
    assert Tokenizer.load(tmp_path).vocab_size == before + 1


def test_padding_and_mask_are_found_by_their_usual_names(wordpiece_folder: Path, roberta_folder: Path) -> None:
    bert, roberta = Tokenizer.load(wordpiece_folder), Tokenizer.load(roberta_folder)
    assert (bert.pad_id, bert.mask_id) == (0, 4)
    assert (roberta.pad_id, roberta.mask_id) == (1, 4)


@pytest.mark.parametrize("value", ["b", {"content": "b", "lstrip": False}])
@pytest.mark.parametrize("file", ["tokenizer_config.json", "special_tokens_map.json"])
def test_padding_and_mask_are_found_by_the_names_in_the_configuration(
    wordpiece_folder: Path, tmp_path: Path, file: str, value: object
) -> None:
    folder = copied(wordpiece_folder, tmp_path / "copy")
    (folder / file).write_text(json.dumps({"pad_token": value, "mask_token": None}))
    tokenizer = Tokenizer.load(folder)
    assert tokenizer.pad_id == 6  # after the five special tokens and "a"
    assert tokenizer.mask_id == 4


def test_padding_and_mask_may_be_absent(tmp_path: Path) -> None:
    FastTokenizer(WordLevel({"a": 0, "?": 1}, unk_token="?")).save(str(tmp_path / "tokenizer.json"))
    tokenizer = Tokenizer.load(tmp_path)
    assert tokenizer.pad_id is None
    assert tokenizer.mask_id is None


def test_the_fingerprint_depends_on_the_tokenizer_and_not_on_the_folder(
    wordpiece_folder: Path, roberta_folder: Path, tmp_path: Path
) -> None:
    copy = copied(wordpiece_folder, tmp_path / "copy")
    assert Tokenizer.load(copy).fingerprint == Tokenizer.load(wordpiece_folder).fingerprint
    assert Tokenizer.load(roberta_folder).fingerprint != Tokenizer.load(wordpiece_folder).fingerprint


def test_a_folder_without_a_tokenizer_is_refused_with_a_hint(tmp_path: Path) -> None:
    with pytest.raises(EncoderError, match=r"no tokenizer\.json") as caught:
        Tokenizer.load(tmp_path)
    assert caught.value.where == str(tmp_path)
    assert caught.value.hint is not None


@pytest.mark.parametrize("file", ["tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"])
def test_a_damaged_file_is_named(wordpiece_folder: Path, tmp_path: Path, file: str) -> None:
    folder = copied(wordpiece_folder, tmp_path / "copy")
    (folder / file).write_text('{"pad_token": ')
    with pytest.raises(EncoderError, match="cannot be read") as caught:
        Tokenizer.load(folder)
    assert caught.value.where == str(folder / file)


def test_a_tokenizer_with_an_unsupported_form_is_refused(wordpiece_folder: Path, tmp_path: Path) -> None:
    fast = FastTokenizer.from_file(str(wordpiece_folder / "tokenizer.json"))
    fast.normalizer = Replace("a", "")
    fast.save(str(tmp_path / "tokenizer.json"))
    with pytest.raises(EncoderError, match="is not supported"):
        Tokenizer.load(tmp_path)


def test_saving_copies_only_the_existing_files_of_the_tokenizer(offline_folder: Path, tmp_path: Path) -> None:
    Tokenizer.load(offline_folder).save(tmp_path)
    saved = {file.name for file in tmp_path.iterdir()}
    assert saved == {"tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "vocab.txt"}
    assert all((tmp_path / name).read_bytes() == (offline_folder / name).read_bytes() for name in saved)
    assert Tokenizer.load(tmp_path).fingerprint == Tokenizer.load(offline_folder).fingerprint


def test_a_saved_tokenizer_gives_the_same_ids_in_transformers(offline_folder: Path, tmp_path: Path) -> None:
    from transformers import AutoTokenizer

    tokenizer = Tokenizer.load(offline_folder)
    tokenizer.save(tmp_path)
    loaded = AutoTokenizer.from_pretrained(str(tmp_path), local_files_only=True)
    texts = ["A first text, with 3 marks!", "and a second"]
    expected = laid_out(tokenizer.template.pair, [ids.tolist() for ids in tokenizer.encode(texts)])
    found = loaded(*texts)
    assert (list(found["input_ids"]), list(found["token_type_ids"])) == expected
    assert (loaded.pad_token_id, loaded.mask_token_id) == (tokenizer.pad_id, tokenizer.mask_id)
