"""XML files: records, attributes and elements as columns, bad rows, entities, and Balanced COPA in place."""

from __future__ import annotations

import gzip
from pathlib import Path

import pytest
from tests.course_files import DATA

from manyheads.data.reading.formats import FORMATS
from manyheads.data.reading.rows import BadRow, Row
from manyheads.data.reading.text_format import USUAL, TextFormat
from manyheads.data.reading.xml_records import XmlRecords
from manyheads.errors import DataError
from manyheads.recipe.load import load_recipe
from manyheads.recipe.prepare import read_tasks

COPA = DATA / "more" / "multiple-choice" / "downloads" / "balanced_copa" / "balacopa-dev-all.xml"


def write(folder: Path, text: str, name: str = "rows.xml", encoding: str = "utf-8") -> Path:
    file = folder / name
    file.write_bytes(text.encode(encoding))
    return file


def test_a_record_has_its_attributes_and_the_texts_of_its_elements(tmp_path: Path) -> None:
    source = XmlRecords(
        write(
            tmp_path,
            """<?xml version="1.0"?>
<!DOCTYPE rows SYSTEM "rows.dtd">
<rows version="1">
  <!-- a comment -->
  <row id="1" label="a">
    <text> R&amp;D &#233; </text>
    <q kind="x"><stem>why</stem><empty/></q>
    <choice n="A">one</choice><choice n="B"><![CDATA[<two>]]></choice>
  </row>
  <row id="2"><text>b</text><choice n="A">one</choice></row>
</rows>
""",
        )
    )
    assert source.columns == ("id", "label", "text", "q.kind", "q.stem", "q.empty", "choice.n", "choice")
    assert list(source.rows()) == [
        Row(
            5,
            {
                "id": "1",
                "label": "a",
                "text": "R&D \u00e9",
                "q.kind": "x",
                "q.stem": "why",
                "q.empty": "",
                "choice.n": ["A", "B"],
                "choice": ["one", "<two>"],
            },
        ),
        Row(10, {"id": "2", "text": "b", "choice.n": ["A"], "choice": ["one"]}),
    ]


def test_records_may_be_named_at_any_depth_and_be_large(tmp_path: Path) -> None:
    inner = "".join(f"<s n='{number}'>{'word ' * 50}{number}</s>" for number in range(2000))
    file = tmp_path / "rows.xml.gz"
    file.write_bytes(gzip.compress(f"<corpus><head>no</head><doc>{inner}</doc></corpus>".encode()))
    rows = [*XmlRecords(file, TextFormat(record="s")).rows()]
    assert len(rows) == 2000
    assert all(isinstance(row, Row) and str(row.values["s"]).endswith(str(row.values["n"])) for row in rows)
    with pytest.raises(DataError, match="no records") as caught:
        XmlRecords(file, TextFormat(record="p"))
    assert caught.value.found == "no element is named 'p'"


def test_text_beside_an_element_is_a_bad_row(tmp_path: Path) -> None:
    source = XmlRecords(write(tmp_path, "<rows>\n<row><t>a <b>bold</b> word</t></row>\n<row><t>b</t></row></rows>"))
    bad, good = source.rows()
    assert isinstance(bad, BadRow)
    assert (bad.line, bad.reason) == (2, "text and elements are mixed in <t>")
    assert isinstance(good, Row)


def test_the_encoding_is_that_of_the_file_or_of_the_key(tmp_path: Path) -> None:
    declared = '<?xml version="1.0" encoding="windows-1252"?><r><i><t>\u20ac</t></i></r>'
    for text, encoding, key in (
        (declared, "cp1252", None),
        ("<r><i><t>\u20ac</t></i></r>", "cp1252", "cp1252"),
        ("<r><i><t>\u20ac</t></i></r>", "utf-16", None),
    ):
        (row,) = XmlRecords(write(tmp_path, text, encoding=encoding), TextFormat(encoding=key)).rows()
        assert isinstance(row, Row)
        assert row.values == {"t": "\u20ac"}


LAUGHS = "".join(f'<!ENTITY l{n} "{f"&l{n - 1};" * 10 if n else "ha" * 10}">' for n in range(12))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (f"<!DOCTYPE r [{LAUGHS}]><r><i><t>&l11;</t></i></r>", "declares the entity 'l0'"),
        ('<!DOCTYPE r [<!ENTITY x SYSTEM "file:///etc/hostname">]><r><i><t>&x;</t></i></r>', "declares the entity 'x'"),
        ('<!DOCTYPE r [<!ENTITY % p SYSTEM "http://127.0.0.1:9/x"> %p;]><r><i/></r>', "declares the entity 'p'"),
        ('<!DOCTYPE r SYSTEM "r.dtd"><r><i><t>caf&eacute;</t></i></r>', "entity 'eacute', which it does not declare"),
        ("<r><i><t>caf&eacute;</t></i></r>", "not valid XML"),
        ("<r><i><t>a</i></r>", "not valid XML"),
        ("<r><i><t>a</t></i>", "not valid XML"),
        ("", "not valid XML"),
        ("<r>\x00</r>", "not valid XML"),
        ("<r/>", "no records"),
    ],
)
def test_what_is_not_read_is_an_error_with_its_line(text: str, message: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=message) as caught:
        XmlRecords(write(tmp_path, text))
    assert str(caught.value.where).startswith(str(tmp_path / "rows.xml"))


def test_the_format_is_on_the_menu(tmp_path: Path) -> None:
    file = write(tmp_path, "<r><i><t>a</t></i></r>")
    assert FORMATS["xml"].open(file, USUAL, (), None).columns == ("t",)


def test_balanced_copa_is_read_in_place_by_a_recipe(tmp_path: Path) -> None:
    if not COPA.is_file():
        pytest.skip("no Balanced COPA in the folder of data")
    recipe = tmp_path / "recipe.toml"
    recipe.write_text(f"""
encoder = "minilm-offline"
data_dir = "{COPA.parent}"

[tasks.copa]
kind = "choice"
train = "{COPA.name}"
dev = 0.1
text = ["p", "asks-for"]
candidates = ["a1", "a2"]
label = "most-plausible-alternative"
label_as = "index"
id = "id"
""")
    (data,) = read_tasks(load_recipe(recipe), lambda *_, **__: None)
    assert len(data.train) + len(data.dev) == 1000
    assert data.task.kind.space()["label_from"] == 1
    assert data.train.candidates is not None
    assert {len(each) for each in data.train.candidates} == {2}
    assert "1001" in [*data.train.ids, *data.dev.ids]
    assert data.rejected == {}
