"""The delimiter and the header: which delimiter is chosen, headers that are data, and the keys that decide instead."""

from __future__ import annotations

from pathlib import Path

import pytest

from manyheads.data.reading import BadRow, Row, TextFormat
from manyheads.data.reading.delimited import Delimited
from manyheads.data.reading.text_format import delimiter_of
from manyheads.errors import DataError


def write(folder: Path, content: str, name: str = "file.csv") -> Path:
    path = folder / name
    path.write_bytes(content.encode())
    return path


def cells(source: Delimited) -> list[list[object]]:
    return [list(row.values.values()) for row in source.rows() if isinstance(row, Row)]


@pytest.mark.parametrize(
    ("content", "name", "delimiter", "wanted"),
    [
        ("Comment, if any;Label\nfine, ok;A\nall, right;B\n", "a.csv", ";", ()),
        ("Comment, if any;Label\nfine;A\nall, right;B\n", "a.csv", ";", ("Label",)),
        ('"a;b;c",text,label\n1,x,y\n2,z,y\n', "a.csv", ",", ()),
        ("text,a|b,label\none,two|three,0\nfour,five|six,1\n", "a.csv", ",", ("text", "label")),
        ("text,a|b\none,two|three\nfour,five|six\n", "a.csv", "|", ("b",)),
        ("a|b,c|d\n1|2,3|4\n5|6,7|8\n", "a.csv", "|", ()),
        ("a;b,c\n1;2,3\n5;6,7\n", "a.csv", ",", ()),
        ("a;b\tc\n1;2\t3\n5;6\t7\n", "a.tsv", "\t", ()),
        ("id, text, label\n1, so it is, 0\n2, not so, 1\n", "a.csv", ",", ()),
        ("text,label\nfine,A\none,two,three\nbroken\n", "a.csv", ",", ()),
        ('label\ttext\n1\t"a" said b, or not\n0\t"c" said d, or not\n', "a.tsv", "\t", ()),
    ],
)
def test_the_delimiter_fits_the_columns_and_the_rows(
    tmp_path: Path, content: str, name: str, delimiter: str, wanted: tuple[str, ...]
) -> None:
    assert Delimited(write(tmp_path, content, name), wanted=wanted).delimiter == delimiter


def test_marks_in_the_texts_of_a_single_column_are_text(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, "Comment, if any\nfine\nso so\n"))
    assert source.columns == ("Comment, if any",)
    assert cells(source) == [["fine"], ["so so"]]


def test_a_header_may_span_lines(tmp_path: Path) -> None:
    source = Delimited(write(tmp_path, '"the\ntext",label\na,1\n'))
    assert list(source.rows()) == [Row(3, {"the\ntext": "a", "label": "1"})]


def test_keys_decide_instead(tmp_path: Path) -> None:
    path = write(tmp_path, 'a;"b,c\n1;"2,3\n')
    source = Delimited(path, TextFormat(delimiter=",", quoting="none"))
    assert list(source.rows()) == [Row(2, {'a;"b': '1;"2', "c": "3"})]
    assert delimiter_of("\\t") == delimiter_of("tab") == "\t"


def test_quotes_are_text_without_quoting_and_the_key_is_suggested(tmp_path: Path) -> None:
    path = write(tmp_path, '1\t"a" said b\tc\n0\t"open\td\n', "file.tsv")
    named = ("label", "first", "second")
    source = Delimited(path, TextFormat(quoting="none", columns=named))
    assert cells(source) == [["1", '"a" said b', "c"], ["0", '"open', "d"]]
    bad = list(Delimited(path, TextFormat(columns=named)).rows())
    assert [row.line for row in bad] == [1, 2]
    assert all(isinstance(row, BadRow) and 'quoting = "none"' in str(row.hint) for row in bad)


@pytest.mark.parametrize(
    ("content", "cell"),
    [
        ("A row of text,A\nAnother row of text,B\nA third row,A\n", "A"),
        ("3,Wall Street falls,Reuters - Short sellers\n1,Oil rises,Reuters - Again\n3,x,y\n", "3"),
        ("a1\t1\t\tOur friends will not buy this.\na2\t0\t*\tThe more one reads.\nb1\t1\t\tThe sooner.\n", "1"),
        ("A row of plain text,Q\nAnother row of text,B\nA third row of text,A\n", "A row of plain text"),
    ],
)
def test_a_header_that_looks_like_data_gives_a_warning(tmp_path: Path, content: str, cell: str) -> None:
    path = write(tmp_path, content)
    (warning,) = Delimited(path).warnings
    assert warning.startswith(f"{path}:1: the header looks like a row of data: {cell!r}")
    assert "header = false" in warning
    source = Delimited(path, TextFormat(header=False))
    assert (source.warnings, len(cells(source))) == ((), 3)
    assert source.columns[:2] == ("1", "2")


@pytest.mark.parametrize(
    "content",
    [
        "text,label\nSome words,A\nMore words,B\n",
        "\t0\t\tid\tsentence\n1\t0.0\t5\tx1\tEffective but too tepid\n2\t1.0\t6\tx2\tGo to the movies\n",
        "id,text,label\n1,some words,A\nid,text,label\n2,more words,B\n",
        "How was your stay with us?,Score\nIt was a very good one,3\nNever again in this life,1\n",
    ],
)
def test_a_usual_header_gives_no_warning(tmp_path: Path, content: str) -> None:
    assert Delimited(write(tmp_path, content)).warnings == ()


def test_columns_may_be_named_with_and_without_a_header(tmp_path: Path) -> None:
    path = write(tmp_path, "text,label\na,1\n")
    assert cells(Delimited(path, TextFormat(columns=("x", "y")))) == [["text", "label"], ["a", "1"]]
    replaced = Delimited(path, TextFormat(columns=("x", ""), header=True))
    assert list(replaced.rows()) == [Row(2, {"x": "a"})]
    wrong = list(Delimited(path, TextFormat(columns=("x", "y", "z"), delimiter=",")).rows())
    assert [row.reason for row in wrong if isinstance(row, BadRow)] == ["2 fields where the columns are 3"] * 2


def test_a_decimal_comma_in_the_label_column_is_read(tmp_path: Path) -> None:
    path = write(tmp_path, "text;score;other\nx;3,5;1,5\ny;4;2,5\nz;1.234;0\n")
    source = Delimited(path, TextFormat(decimal=","), label="score")
    assert cells(source) == [["x", "3.5", "1,5"], ["y", "4", "2,5"]]
    (bad,) = [row for row in source.rows() if isinstance(row, BadRow)]
    assert (bad.line, bad.reason) == (4, "the number '1.234' has a point, and decimal is ','")


@pytest.mark.parametrize(
    "wrong",
    [{"delimiter": ";;"}, {"delimiter": '"'}, {"encoding": "no-such"}, {"encoding": "hex"}, {"columns": ("a", "a")}],
)
def test_impossible_formats_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"delimiter|encoding|column"):
        TextFormat(**wrong)  # type: ignore[arg-type]


def test_a_repeated_column_suggests_that_the_header_is_data(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="column twice") as caught:
        Delimited(write(tmp_path, "1,1,some text\n0,1,more text\n"))
    assert "header = false" in str(caught.value.hint)
