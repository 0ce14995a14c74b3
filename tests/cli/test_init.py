from __future__ import annotations

from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import main
from manyheads.recipe.load import load_recipe


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    train, dev = tmp_path / "mood-train.csv", tmp_path / "mood-dev.csv"
    rows = [f"it was a {'good' if number % 2 else 'bad'} day {number},{number % 2}\n" for number in range(40)]
    train.write_text("text,mood\n" + "".join(rows[:30]))
    dev.write_text("text,mood\n" + "".join(rows[30:]))
    return [str(train), str(dev)]


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["init", *words])
    return int(end.value.code or 0)


def test_a_recipe_is_printed_and_nothing_else(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*files) == 0
    (tmp_path / "printed.toml").write_text(capsys.readouterr().out)
    assert load_recipe(tmp_path / "printed.toml").tasks["mood"].labels == [0, 1]


def test_the_recipe_runs_as_it_is(files: list[str], tmp_path: Path, tiny_encoder: Path) -> None:
    output = tmp_path / "mine.toml"
    assert _run(*files, "--output", str(output), "--encoder", str(tiny_encoder)) == 0
    run = manyheads.train(output, tmp_path / "run", changes=["threads=1", "training.epochs=1"])
    assert 0 <= run.results["last"]["tasks"]["mood"]["accuracy"] <= 1


def test_a_file_is_not_overwritten_unless_forced(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.toml"
    output.write_text("precious")
    assert _run(*files, "-o", str(output)) == 1
    assert "--force" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert _run(*files, "-o", str(output), "--force") == 0
    assert load_recipe(output).tasks["mood"].label == "mood"


def test_columns_can_be_named(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.csv").write_text("a,b,c\n" + "".join(f"one two {n},three four {n},{n % 2}\n" for n in range(30)))
    assert _run(str(tmp_path / "odd.csv"), "--text", "b", "--label", "c") == 0
    assert 'text = "b"' in capsys.readouterr().out
    assert _run(str(tmp_path / "odd.csv"), "--label", "d") == 1
    assert "no column 'd'" in capsys.readouterr().err


def test_a_file_that_is_not_there_is_an_error_without_a_traceback(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(str(tmp_path / "none.csv")) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: there is no such file")
    assert "Traceback" not in message
