"""One file per column: line k is row k, whatever is in it, and other numbers of lines are an error."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from manyheads.data.reading import BadRow, Row, Source, TextFormat, files_name, open_source
from manyheads.errors import DataError

LINE = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\n\r\0\ufeff"), max_size=8)


def write(folder: Path, written: TextFormat | None = None, labels: str | None = None, **files: str | bytes) -> Source:
    for name, content in files.items():
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    return open_source({name: name for name in files}, folder, written or TextFormat(), label=labels)


@settings(deadline=None, max_examples=150)
@given(st.lists(st.tuples(LINE, LINE, LINE), min_size=1, max_size=6), st.sampled_from(["\n", "\r\n"]), st.booleans())
def test_line_k_of_each_file_is_row_k(
    tmp_path_factory: pytest.TempPathFactory, lines: list[tuple[str, str, str]], end: str, last: bool
) -> None:
    columns = [[row[place] for row in lines] for place in range(3)]
    contents = [end.join(column) + (end if last or not column[-1] else "") for column in columns]
    source = write(tmp_path_factory.getbasetemp(), b=contents[0], a=contents[1], c=contents[2])
    assert source.columns == ("a", "b", "c")
    expected = [Row(number, {"a": a, "b": b, "c": c}) for number, (b, a, c) in enumerate(lines, start=1)]
    assert list(source.rows()) == expected


def test_an_empty_line_is_a_cell(tmp_path: Path) -> None:
    source = write(tmp_path, text="one\n\nthree\n", label="1\n2\n3\n")
    assert [row.values for row in source.rows() if isinstance(row, Row)] == [
        {"label": "1", "text": "one"},
        {"label": "2", "text": ""},
        {"label": "3", "text": "three"},
    ]


def test_different_numbers_of_lines_are_an_error_with_both(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="different numbers of lines") as caught:
        write(tmp_path, text="one\ntwo\n\n", label="1\n2\n")
    assert caught.value.where == f"{tmp_path / 'label'} and {tmp_path / 'text'}"
    assert caught.value.found == "2 and 3 lines"


def test_a_file_that_grows_is_the_same_error(tmp_path: Path) -> None:
    source = write(tmp_path, text="one\ntwo\n", label="1\n2\n")
    with (tmp_path / "label").open("a") as file:
        file.write("3\n")
    with pytest.raises(DataError, match="different numbers of lines"):
        list(source.rows())


def test_a_line_that_cannot_be_decoded_is_a_bad_row_of_its_file(tmp_path: Path) -> None:
    source = write(tmp_path, text=b"one\n\xfftwo\nthree\n", label="1\n2\n3\n")
    first, bad, last = source.rows()
    assert str(bad) == f"{tmp_path / 'text'}:2: not UTF-8 (byte 0xff at column 1)"
    assert [row.line for row in (first, last)] == [1, 3]


def test_one_column_is_legal_and_its_name_is_the_file(tmp_path: Path) -> None:
    source = write(tmp_path, text="one\n")
    assert source.name == str(tmp_path / "text")
    assert list(source.rows()) == [Row(1, {"text": "one"})]


def test_the_name_has_the_common_folder(tmp_path: Path) -> None:
    (tmp_path / "words").mkdir()
    (tmp_path / "words" / "one").write_text("a\n")
    (tmp_path / "two").write_text("b\n")
    source = open_source({"text": "words/one", "label": "two"}, tmp_path)
    assert source.name == f"{tmp_path}/{{two,words/one}}"


def test_encodings_and_compressions_are_those_of_other_text_files(tmp_path: Path) -> None:
    wide = "é\nb\n".encode("utf-16")
    source = write(tmp_path, **{"a.txt": wide, "b.gz": gzip.compress(b"1\n2\n")})
    assert [row.values for row in source.rows() if isinstance(row, Row)] == [
        {"a.txt": "é", "b.gz": "1"},
        {"a.txt": "b", "b.gz": "2"},
    ]
    with pytest.raises(DataError, match="byte-order mark"):
        write(tmp_path, TextFormat(encoding="cp1252"), **{"a.txt": wide})


def test_the_decimal_mark_of_the_labels_is_known(tmp_path: Path) -> None:
    source = write(tmp_path, TextFormat(decimal=","), "label", text="1,5\n2,5\n", label="0,5\n0.5\n")
    row, bad = source.rows()
    assert row == Row(1, {"label": "0.5", "text": "1,5"})
    assert isinstance(bad, BadRow)
    assert str(bad) == f"{tmp_path / 'label'}:2: the number '0.5' has a point, and decimal is ','"
    plain = write(tmp_path, TextFormat(), "label", text="1,5\n2,5\n", label="0,5\n0.5\n")
    assert dict(plain.form) != dict(source.form)


def test_fingerprints_and_names_do_not_depend_on_the_order_of_the_columns(tmp_path: Path) -> None:
    source = write(tmp_path, text="one\n", label="1\n")
    other = open_source({"label": "label", "text": "text"}, tmp_path)
    assert source.fingerprint() == other.fingerprint()
    assert source.columns == other.columns
    assert source.fingerprint() != open_source({"text": "label", "label": "text"}, tmp_path).fingerprint()
    names = [files_name(each) for each in ({"b": "x", "a": "y"}, {"a": "y", "b": "x"}, {"a": "x", "b": "y"})]
    assert names == ["a=y, b=x", "a=y, b=x", "a=x, b=y"]


def test_a_missing_or_empty_file_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="no such file"):
        open_source({"text": "nowhere"}, tmp_path)
    with pytest.raises(DataError, match="the file is empty"):
        write(tmp_path, text="")
    with pytest.raises(DataError, match="cannot be a data set on the hub"):
        open_source({"text": "hub:nyu-mll/glue/qqp@test"}, tmp_path)
