"""The project's prose uses none of the phrases of the word list, and CONTRIBUTING.md documents the list."""

from __future__ import annotations

import pytest
from tests.prose.prose import ROOT, Phrase, check_file, check_project, find, phrases, prose_of

PHRASES = phrases()


@pytest.mark.parametrize("phrase", PHRASES, ids=lambda phrase: phrase.avoid)
def test_a_pattern_finds_its_examples_and_not_what_it_allows(phrase: Phrase) -> None:
    for example in phrase.examples:
        assert list(find(example, phrase)), example


def test_no_file_uses_a_phrase_of_the_list() -> None:
    found = check_project()
    assert not found, "\n".join(map(str, found))


def test_contributing_documents_every_phrase() -> None:
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    for phrase in PHRASES:
        assert f"| {phrase.avoid} | {phrase.write} |" in text


def test_prose_is_found_where_a_person_reads_it() -> None:
    program = (
        '"""Its answer."""\n\nx = 1  # the answer, `answer` in code\n'
        'MESSAGE = f"the answer of {x} is told"\nanswer = 2\n'
    )
    lines = [finding.line for finding in check_file("a.py", program, PHRASES)]
    assert sorted(lines) == [1, 3, 4, 4]
    page = "An answer, `answer`.\n\n```sh\nanswer  # the answer\n```\n"
    assert sorted(finding.line for finding in check_file("a.md", page, PHRASES)) == [1, 4]
    assert [line for line, _ in prose_of("a.toml", "answer = 1  # an answer\n# two\n# lines\n")] == [1, 2]
    assert not list(check_file("a.jinja", "<p class='answer'>{{ answer }}</p>", PHRASES))
