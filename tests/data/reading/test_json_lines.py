"""JSON lines: one object per line, and lines without an object are reported with their numbers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.reading import BadRow, Row
from manyheads.data.reading.json_lines import JsonLines
from manyheads.errors import DataError

CELL = st.none() | st.booleans() | st.integers() | st.text(st.characters(exclude_categories=["Cs"]), max_size=12)


def write(folder: Path, content: bytes) -> JsonLines:
    path = folder / "file.jsonl"
    path.write_bytes(content)
    return JsonLines(path)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.fixed_dictionaries({"text": CELL, "label": CELL}), min_size=1, max_size=6), st.booleans())
def test_lines_of_the_json_module_are_read_back(
    tmp_path_factory: pytest.TempPathFactory, records: list[dict[str, object]], ascii_only: bool
) -> None:
    content = "".join(json.dumps(record, ensure_ascii=ascii_only) + "\n" for record in records)
    source = write(tmp_path_factory.getbasetemp(), content.encode())
    assert set(source.columns) == {"text", "label"}
    assert list(source.rows()) == [Row(line, record) for line, record in enumerate(records, start=1)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b'{"text": "a"', "not valid JSON"),
        (b"nonsense", "not valid JSON"),
        (b'["a"]', "a list where a JSON object is expected"),
        (b'"a"', "a string where a JSON object is expected"),
        (b"1.5", "a number where a JSON object is expected"),
        (b"null", "null where a JSON object is expected"),
        (b'{"text": "caf\xe9"}', "not UTF-8"),
        (b'{"text": "a\0b"}', "a NUL byte"),
        (b'{"text": "\\ud83d"}', "surrogate"),
        (b'{"text": ' + b"9" * 5000 + b"}", "not valid JSON"),
        (b"[" * 100_000, "not valid JSON"),
    ],
    ids=[
        "truncated",
        "not JSON",
        "list",
        "string",
        "number",
        "null",
        "latin-1",
        "NUL",
        "half a character",
        "long number",
        "deep",
    ],
)
def test_only_a_line_without_an_object_is_bad(tmp_path: Path, line: bytes, reason: str) -> None:
    source = write(tmp_path, b'{"text": "first"}\n\n' + line + b'\n{"text": "last"}')
    first, broken, last = source.rows()
    assert (first, last) == (Row(1, {"text": "first"}), Row(4, {"text": "last"}))
    assert isinstance(broken, BadRow)
    assert broken.line == 3
    assert reason in broken.reason


def test_a_character_written_as_two_escapes_is_read(tmp_path: Path) -> None:
    (row,) = write(tmp_path, b'{"text": "\\ud83d\\ude00"}').rows()
    assert row == Row(1, {"text": "\N{GRINNING FACE}"})


def test_a_key_that_the_first_object_omits_is_a_column(tmp_path: Path) -> None:
    assert write(tmp_path, b'{"text": "a"}\n{"text": "b", "label": 1}\n').columns == ("text", "label")


@pytest.mark.parametrize("content", [b"\n", b"[1]\n[2]\n", b"{}\n"])
def test_a_file_without_objects_is_an_error(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(DataError, match="no line of the file is a JSON object"):
        write(tmp_path, content)


def test_half_of_a_surrogate_pair_is_found_at_any_depth(tmp_path: Path) -> None:
    lines = ['{"q": {"t": "\\ud83d"}}', '{"words": ["a", "\\ud83d"]}', '{"q": {"t": "fine"}}']
    found = list(write(tmp_path, "\n".join(lines).encode()).rows())
    assert [type(each) for each in found] == [BadRow, BadRow, Row]
    assert "half of a surrogate pair" in str(found[0])
