"""CoNLL files: a sentence is a row, a wrong line makes its sentence one bad row, and hashtags are tokens."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from manyheads.data.reading import BadRow, Row, TextFormat, open_source
from manyheads.data.reading import conll as module
from manyheads.data.reading.conll import Conll
from manyheads.errors import DataError

NAMED = TextFormat(columns=("words", "tags"))

WORD = st.text(st.characters(exclude_categories=["Cs", "Zs", "Zl", "Zp", "Cc"]), min_size=1, max_size=6)


def write(folder: Path, content: str | bytes, text: TextFormat = NAMED, name: str = "file.conll") -> Conll:
    path = folder / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    source = open_source(name, folder, text)
    assert isinstance(source, Conll)
    return source


def rows(source: Conll) -> list[tuple[int, object] | str]:
    return [
        str(row).removeprefix(f"{source.name}:") if isinstance(row, BadRow) else (row.line, dict(row.values))
        for row in source.rows()
    ]


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.lists(st.tuples(WORD, WORD), min_size=1, max_size=5), min_size=1, max_size=5),
    st.sampled_from(["\t", " ", "  ", " \t"]),
    st.sampled_from(["\n", "\n\n", " \n", "\t\n"]),
    st.sampled_from(["\n", "\r\n"]),
)
def test_sentences_are_read_back(
    tmp_path_factory: pytest.TempPathFactory,
    sentences: list[list[tuple[str, str]]],
    separator: str,
    between: str,
    end: str,
) -> None:
    assume(all(word != "-DOCSTART-" for sentence in sentences for word, _ in sentence))
    lines = [[separator.join(token) for token in sentence] for sentence in sentences]
    content = between.join("".join(line + "\n" for line in sentence) for sentence in lines).replace("\n", end)
    # Blanks around one tab are part of the words of a file with tabs.
    source = write(tmp_path_factory.getbasetemp(), content, NAMED if separator != " \t" else TextFormat())
    found = list(source.rows())
    if separator != " \t":
        expected = [{"words": [w for w, _ in each], "tags": [t for _, t in each]} for each in sentences]
        assert [row.values for row in found if isinstance(row, Row)] == expected
    physical = content.split("\n")
    for row, sentence in zip(found, lines, strict=True):
        assert physical[row.line - 1].removesuffix("\r") == sentence[0]


def test_the_separator_and_the_number_of_columns_are_found(tmp_path: Path) -> None:
    assert write(tmp_path, "a b\tX\nc\tY\n", TextFormat()).columns == ("1", "2")
    assert rows(write(tmp_path, "a b\tX\nc\tY\n")) == [(1, {"words": ["a b", "c"], "tags": ["X", "Y"]})]
    assert rows(write(tmp_path, "a   X\nc\tY\n")) == [(1, {"words": ["a", "c"], "tags": ["X", "Y"]})]
    assert rows(write(tmp_path, "a\u00a0b X\n")) == [(1, {"words": ["a\u00a0b"], "tags": ["X"]})]


def test_a_given_delimiter_is_used(tmp_path: Path) -> None:
    text = TextFormat(delimiter="|", columns=("words", "tags"))
    assert rows(write(tmp_path, "a b|X\n\tc|Y\n", text)) == [(1, {"words": ["a b", "\tc"], "tags": ["X", "Y"]})]


def test_columns_are_named_by_their_places_and_some_are_ignored(tmp_path: Path) -> None:
    source = write(tmp_path, "EU NNP I-NP B-ORG\n", TextFormat(columns=("words", "", "", "tags")))
    assert source.columns == ("words", "tags")
    assert rows(source) == [(1, {"words": ["EU"], "tags": ["B-ORG"]})]


def test_only_a_line_before_a_sentence_with_a_blank_and_other_columns_is_a_comment(tmp_path: Path) -> None:
    content = "# a comment\n#tag\tX\n# no token here\n\n#\tO\n"
    (bad, row) = rows(write(tmp_path, content))
    assert bad == "3: 1 column where 2 are expected (in the sentence that begins on line 2)"
    assert row == (5, {"words": ["#"], "tags": ["O"]})
    assert rows(write(tmp_path, "# O\nb O\n")) == [(1, {"words": ["#", "b"], "tags": ["O", "O"]})]
    wide = TextFormat(columns=("words", "", "tags"))
    found = rows(write(tmp_path, "# id\n# _ O\nb _ O\n", wide))
    assert found == [(2, {"words": ["#", "b"], "tags": ["O", "O"]})]
    for comment in ("# text = b c", "# sent_id = 1"):
        assert rows(write(tmp_path, f"{comment}\nb O\n\nc O\n")) == [
            (2, {"words": ["b"], "tags": ["O"]}),
            (4, {"words": ["c"], "tags": ["O"]}),
        ]


def test_lines_that_begin_every_sentence_with_a_blank_are_comments_whatever_they_have(tmp_path: Path) -> None:
    wide = TextFormat(columns=("words", "", "", "tags"))
    sentences = [f"# id 5239-{number}\tdomain=en\nb{number} _ _ O\n\n" for number in range(4)]
    found = rows(write(tmp_path, "\n" + "".join(sentences), wide))
    assert found == [(3 * number + 3, {"words": [f"b{number}"], "tags": ["O"]}) for number in range(4)]
    tokens = write(tmp_path, "".join(sentences) + "c _ _ O\n", wide)
    assert rows(tokens)[0] == (1, {"words": ["#", "b0"], "tags": ["domain=en", "O"]})


def test_lines_between_documents_are_not_tokens(tmp_path: Path) -> None:
    content = "-DOCSTART- -X-\n\na X\n-DOCSTART- (2)\nb Y\n"
    assert rows(write(tmp_path, content)) == [
        (3, {"words": ["a"], "tags": ["X"]}),
        (5, {"words": ["b"], "tags": ["Y"]}),
    ]


UNIVERSAL = "# sent_id = 1\n#text\n1-2\tdel\t_\n1\tde\tADP\n2\tel\tDET\n2.1\t(hay)\tNOUN\n\n"


@pytest.mark.parametrize(("name", "format_"), [("file.conllu", None), ("file.conllu", "conll"), ("file.txt", "conllu")])
def test_ranges_and_empty_nodes_of_conllu_are_skipped(tmp_path: Path, name: str, format_: str | None) -> None:
    text = TextFormat(columns=("", "words", "tags"), format=format_)
    assert rows(write(tmp_path, UNIVERSAL, text, name)) == [(4, {"words": ["de", "el"], "tags": ["ADP", "DET"]})]


def test_ranges_are_tokens_elsewhere(tmp_path: Path) -> None:
    assert rows(write(tmp_path, "1-2 X\n1.1 Y\n")) == [(1, {"words": ["1-2", "1.1"], "tags": ["X", "Y"]})]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        (b"b", "2: 1 column where 2 are expected"),
        (b"b\tY\tZ", "2: 3 columns where 2 are expected"),
        (b"\xff\tY", "2: not UTF-8 (byte 0xff at column 1)"),
        (b"b\0\tY", "2: a NUL byte"),
    ],
)
def test_a_wrong_line_makes_its_sentence_one_bad_row(tmp_path: Path, line: bytes, reason: str) -> None:
    source = write(tmp_path, b"a\tX\n" + line + b"\nc\nd\tX\n\nlast\tX\n")
    assert rows(source) == [
        f"{reason} (in the sentence that begins on line 1)",
        (6, {"words": ["last"], "tags": ["X"]}),
    ]


def test_a_bad_row_hints_at_the_columns_that_have_no_name(tmp_path: Path) -> None:
    (bad,) = write(tmp_path, "EU NNP I-NP B-ORG\n").rows()
    assert isinstance(bad, BadRow)
    assert bad.hint == module.NAMES_HINT


def test_a_file_without_blank_lines_is_not_kept_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_TOKENS", 3)
    found = rows(write(tmp_path, "a\tX\n" * 5 + "\nb\tY\n"))
    assert found == [
        "4: a sentence with more than 3 tokens (in the sentence that begins on line 1)",
        (7, {"words": ["b"], "tags": ["Y"]}),
    ]


def test_other_encodings_and_compressed_files_are_read(tmp_path: Path) -> None:
    (tmp_path / "file.bio.gz").write_bytes(gzip.compress("é\tX\n".encode("cp1252")))
    (row,) = open_source("file.bio.gz", tmp_path, TextFormat(encoding="cp1252")).rows()
    assert row == Row(1, {"1": ["é"], "2": ["X"]})
    (tmp_path / "wide.iob2").write_bytes("é\tX\n\nb\tY\n".encode("utf-16"))
    assert [row.line for row in open_source("wide.iob2", tmp_path).rows()] == [1, 3]


@pytest.mark.parametrize("content", ["\n\n", "-DOCSTART-\n\n", " \t\n"])
def test_a_file_without_tokens_is_an_error(tmp_path: Path, content: str) -> None:
    with pytest.raises(DataError, match="the file has no tokens"):
        write(tmp_path, content)


def test_a_header_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="a CoNLL file has no header"):
        write(tmp_path, "a\tX\n", TextFormat(header=True))


def test_what_decides_the_rows_is_in_the_form(tmp_path: Path) -> None:
    content = "1\ta\tX\n"
    forms = [
        dict(write(tmp_path, content, text, name).form)
        for text in (TextFormat(), TextFormat(columns=("", "w", "t")), TextFormat(delimiter="\t"))
        for name in ("file.conll", "file.conllu")
    ]
    assert len({repr(form) for form in forms}) == len(forms)
    assert dict(write(tmp_path, "1 a X\n").form) != dict(write(tmp_path, content).form)
