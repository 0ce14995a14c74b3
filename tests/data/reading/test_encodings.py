"""Encodings and compression: what is read, and what is named with the key that helps."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest

from manyheads.data.reading import BadRow, Row, TextFormat, open_source
from manyheads.data.reading.lines import KEPT, Lookahead, read_lines
from manyheads.errors import DataError

CONTENT = "text,label\ncafé au lait,A\nnaïve,B\n"
ROWS = [Row(2, {"text": "café au lait", "label": "A"}), Row(3, {"text": "naïve", "label": "B"})]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32"])
def test_files_with_a_byte_order_mark_are_read(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT.encode(encoding))
    assert list(open_source("a.csv", tmp_path).rows()) == ROWS


@pytest.mark.parametrize("encoding", ["cp1252", "latin-1", "utf-16-le", "utf-16-be", "utf-16", "mac-roman", "cp500"])
def test_an_encoding_may_be_named(tmp_path: Path, encoding: str) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT.encode(encoding))
    assert list(open_source("a.csv", tmp_path, TextFormat(encoding=encoding)).rows()) == ROWS


def test_lines_of_utf16_may_have_bytes_of_newlines(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes("text,label\n\u0a0a\u0a0d\u010a,A\n".encode("utf-16"))
    assert list(open_source("a.csv", tmp_path).rows()) == [Row(2, {"text": "\u0a0a\u0a0d\u010a", "label": "A"})]
    (tmp_path / "b.csv").write_bytes("text,label\nx,A\ny,B\n".encode("utf-16") + b"\x00\xd8\x20\x00,\x00C\x00\n\x00")
    last = list(open_source("b.csv", tmp_path).rows())[-1]
    assert isinstance(last, BadRow)
    assert (last.line, last.reason) == (4, "not utf-16 (character 1)")


def test_cp1252_is_named_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT.encode("cp1252"))
    bad = [row for row in open_source("a.csv", tmp_path).rows() if isinstance(row, BadRow)]
    assert [row.line for row in bad] == [2, 3]
    assert all('encoding = "cp1252"' in str(row.hint) for row in bad)
    (tmp_path / "b.csv").write_bytes("café,label\nx,A\n".encode("cp1252"))
    with pytest.raises(DataError, match='encoding = "cp1252"'):
        open_source("b.csv", tmp_path)


def test_utf16_without_a_mark_is_named_with_the_key(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT.encode("utf-16-le"))
    with pytest.raises(DataError, match="utf-16-le"):
        open_source("a.csv", tmp_path)


def test_a_mark_of_another_encoding_is_refused(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(CONTENT.encode("utf-8-sig"))
    with pytest.raises(DataError, match="does not fit the encoding"):
        open_source("a.csv", tmp_path, TextFormat(encoding="cp1252"))


@pytest.mark.parametrize(
    "content",
    [CONTENT.encode(), '{"text": "café au lait", "label": "A"}\n{"text": "naïve", "label": "B"}\n'.encode()],
)
@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_compressed_files_are_read(tmp_path: Path, content: bytes, ending: str) -> None:
    path = tmp_path / f"a{'.csv' if content.startswith(b'text') else '.jsonl'}{ending}"
    if ending == ".gz":
        path.write_bytes(gzip.compress(content))
    else:
        pyarrow = pytest.importorskip("pyarrow", reason="writes .zst files")
        path.write_bytes(pyarrow.Codec("zstd").compress(content, asbytes=True))
    source = open_source(path.name, tmp_path)
    assert [row.values for row in source.rows() if isinstance(row, Row)] == [row.values for row in ROWS]
    path.write_bytes(path.read_bytes()[:-9])
    with pytest.raises(DataError, match="cannot be decompressed") as caught:
        list(open_source(path.name, tmp_path).rows())
    assert caught.value.where == str(path)


@pytest.mark.parametrize("character", ["\u2028", "\u2029", "\x85", "\x0b", "\x0c", "\x1c"])
def test_only_a_newline_ends_a_line(tmp_path: Path, character: str) -> None:
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a{character}b"}}\n{{"text": "c"}}\n'.replace("\x0b", "\\u000b"))
    (tmp_path / "a.csv").write_text(f"text,label\na{character}b,1\n")
    assert len(list(read_lines(tmp_path / "a.csv"))) == 2
    assert list(open_source("a.csv", tmp_path).rows()) == [Row(2, {"text": f"a{character}b", "label": "1"})]
    if character in "\u2028\u2029\x85":
        assert [row.line for row in open_source("a.jsonl", tmp_path).rows()] == [1, 2]


def test_lines_that_are_read_ahead_come_back_in_order(tmp_path: Path) -> None:
    path = tmp_path / "a.txt"
    path.write_bytes(b"".join(f"line {number} {'x' * 1000}\n".encode() for number in range(300)) + b"\xff\n")
    expected = list(read_lines(path))
    assert sum(len(line.text) for line in expected) > 4 * KEPT
    with Lookahead(read_lines(path)) as ahead:
        taken = [ahead.take()]
        assert list(zip(range(250), ahead.ahead(), strict=False))[-1][1] == expected[250]
        taken += [ahead.take() for _ in range(200)]
        assert list(ahead.ahead()) == expected[201:]
        while (line := ahead.take()) is not None:
            taken.append(line)
    assert taken == expected
