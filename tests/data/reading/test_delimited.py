"""Delimited text: files of the csv module are read back, and a bad row is reported and affects no other row."""

from __future__ import annotations

import csv
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.reading import BadRow, Row
from manyheads.data.reading.delimited import Delimited
from manyheads.errors import DataError

CELL = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=12)
QUOTED = st.text("a ,;|\t\"'\n\r\\é", max_size=8)


def write(folder: Path, content: str | bytes) -> Delimited:
    path = folder / "file.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return Delimited(path)


def good(source: Delimited) -> dict[int, list[object]]:
    return {row.line: list(row.values.values()) for row in source.rows() if isinstance(row, Row)}


def bad(source: Delimited) -> dict[int, str]:
    return {row.line: row.reason for row in source.rows() if isinstance(row, BadRow)}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("delimited")


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(CELL | QUOTED, QUOTED, CELL), max_size=6), st.sampled_from("\t,;|"), st.booleans())
def test_files_of_the_csv_module_are_read_back(
    folder: Path, rows: list[tuple[str, str, str]], delimiter: str, every: bool
) -> None:
    path = folder / "written.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, delimiter=delimiter, quoting=csv.QUOTE_ALL if every else csv.QUOTE_MINIMAL)
        writer.writerows([("id", "text", "label"), *rows])
    source = Delimited(path)
    assert source.columns == ("id", "text", "label")
    assert bad(source) == {}
    assert list(good(source).values()) == [list(row) for row in rows]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=60) | st.text('a,"\n\r', max_size=60).map(str.encode))
def test_any_bytes_are_rows_or_bad_rows_that_begin_on_different_lines(folder: Path, content: bytes) -> None:
    path = folder / "any.csv"
    path.write_bytes(b"a,b\n" + content)
    lines = [row.line for row in Delimited(path).rows()]
    assert lines == sorted(set(lines))
    assert all(2 <= line <= 1 + len(content.split(b"\n")) for line in lines)


@pytest.mark.parametrize("delimiter", ["\t", ",", ";", "|"])
@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_the_delimiter_is_detected_in_the_header(tmp_path: Path, delimiter: str, end: str) -> None:
    header, row = delimiter.join(["id", "sentence", "label"]), delimiter.join(["7", "so: a text.", "1.0"])
    source = write(tmp_path, header + end + row + end)
    assert list(source.rows()) == [Row(2, {"id": "7", "sentence": "so: a text.", "label": "1.0"})]


def test_a_single_column_may_contain_any_delimiter(tmp_path: Path) -> None:
    assert good(write(tmp_path, "sentence\none, two; three | four\n")) == {2: ["one, two; three | four"]}


def test_columns_without_a_name_are_ignored(tmp_path: Path) -> None:
    source = write(tmp_path, "\t0\t\tid\ttext\n1\t2\t3\tx\thello\n")
    assert source.columns == ("0", "id", "text")
    assert list(source.rows()) == [Row(2, {"0": "2", "id": "x", "text": "hello"})]


def test_a_byte_order_mark_is_skipped(tmp_path: Path) -> None:
    assert write(tmp_path, b"\xef\xbb\xbfid,text\n1,a\n").columns == ("id", "text")


def test_blank_lines_are_skipped_but_counted(tmp_path: Path) -> None:
    assert good(write(tmp_path, "\n\nid,text\n\n1,a\n\r\n\n2,b")) == {5: ["1", "a"], 8: ["2", "b"]}


def test_a_quoted_field_may_span_lines_and_its_row_begins_on_the_first_one(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text\n1,"one\n\ntwo, ""three"""\n2,b\n')
    assert good(source) == {2: ["1", 'one\n\ntwo, "three"'], 5: ["2", "b"]}


def test_quotes_inside_a_bare_field_are_text(tmp_path: Path) -> None:
    assert good(write(tmp_path, 'id,text\n1,say "hi" 5" long\n')) == {2: ["1", 'say "hi" 5" long']}


def test_a_quote_that_is_never_closed_makes_one_row_bad(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text\n1,a\n2,"never closed\n3,c\n4,"d, quoted"\n5,e\n')
    assert good(source) == {2: ["1", "a"], 4: ["3", "c"], 5: ["4", "d, quoted"], 6: ["5", "e"]}
    assert list(bad(source)) == [3]
    assert bad(source)[3].startswith("broken quoting")


@settings(deadline=None, max_examples=50)
@given(st.integers(1, 250), st.data())
def test_a_stray_quote_makes_only_its_row_bad_in_any_position(folder: Path, count: int, data: st.DataObject) -> None:
    broken = data.draw(st.integers(0, count - 1))
    rows = [f'{row},"open' if row == broken else f"{row},text" for row in range(count)]
    source = write(folder, "\n".join(["id,text", *rows]))
    assert list(bad(source)) == [broken + 2]
    assert list(good(source)) == [row + 2 for row in range(count) if row != broken]


def test_an_open_quote_at_the_end_of_the_file_makes_one_row_bad(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text\n1,a\n2,"never closed\n3,c')
    assert list(good(source)) == [2, 4]
    assert bad(source) == {3: "broken quoting: a quote is opened and not closed"}


def test_text_after_a_closing_quote_makes_one_row_bad(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text\n1,"a"b\n2,c\n')
    assert list(good(source)) == [3]
    assert "expected after" in bad(source)[2]


def test_a_quote_closed_by_another_row_makes_only_these_two_rows_bad(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text,label\n1,"open,0\n2,b,1\n3,close",0,1\n4,d,0\n')
    assert good(source) == {3: ["2", "b", "1"], 5: ["4", "d", "0"]}
    assert bad(source)[2] == "4 fields where the header has 3 (a quoted field ends on line 4)"
    assert bad(source)[4] == "4 fields where the header has 3"


def test_a_record_may_span_any_number_of_lines(tmp_path: Path) -> None:
    inside = "\n".join(f"line {number}, of a long text, with commas" for number in range(3000))
    source = write(tmp_path, f'id,text\n1,"{inside}"\n2,b\n3,"{inside}"\n')
    assert list(source.rows()) == [
        Row(2, {"id": "1", "text": inside}),
        Row(3002, {"id": "2", "text": "b"}),
        Row(3003, {"id": "3", "text": inside}),
    ]


def test_an_open_quote_does_not_read_the_whole_file_into_memory(tmp_path: Path) -> None:
    path = tmp_path / "long.csv"
    path.write_text('id,text\n0,"open\n' + "1,a line of some length that fills the file\n" * 60_000)
    tracemalloc.start()
    rows = sum(isinstance(row, Row) for row in Delimited(path).rows())
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert rows == 60_000
    assert peak < path.stat().st_size / 5


@pytest.mark.parametrize(("row", "count"), [("1", "1 field"), ("1,a,b", "3 fields"), ("1,a,", "3 fields")])
def test_a_row_with_a_wrong_number_of_fields_is_bad(tmp_path: Path, row: str, count: str) -> None:
    source = write(tmp_path, f"id,text\n{row}\n2,b\n")
    assert bad(source) == {2: f"{count} where the header has 2"}
    assert list(good(source)) == [3]


def test_bytes_that_are_not_utf8_make_their_line_bad(tmp_path: Path) -> None:
    source = write(tmp_path, b'id,text\n1,caf\xe9\n2,a\0b\n3,"one\n\xfftwo"\n4,d\n')
    assert list(good(source)) == [6]
    assert bad(source) == {
        2: "not UTF-8 (byte 0xe9 at column 6)",
        3: "a NUL byte",
        4: "broken quoting: a quote is opened and not closed",
        5: "not UTF-8 (byte 0xff at column 1)",
    }


def test_rows_can_be_read_repeatedly(tmp_path: Path) -> None:
    source = write(tmp_path, 'id,text\n1,"a\nb"\n2,c,d\n')
    assert list(source.rows()) == list(source.rows())


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"\n \n", "empty"),
        (b"id,text,id\n1,a,b\n", "column twice"),
        (b"caf\xe9,text\n1,a\n", "header cannot be read"),
        (b'id,"text\n1,a\n', "header cannot be read"),
    ],
)
def test_an_invalid_header_is_an_error(tmp_path: Path, content: bytes, message: str) -> None:
    with pytest.raises(DataError, match=message):
        write(tmp_path, content)


def test_a_bad_row_is_reported_with_file_line_and_reason(tmp_path: Path) -> None:
    source = write(tmp_path, "id,text\n1\n")
    assert [str(row) for row in source.rows()] == [f"{tmp_path / 'file.csv'}:2: 1 field where the header has 2"]
