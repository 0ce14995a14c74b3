from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import manyheads
from manyheads.cli.main import main
from manyheads.cli.schema import Noun, schema_text
from manyheads.recipe.load import load_recipe


@pytest.fixture
def files(tmp_path: Path) -> list[str]:
    train, dev = tmp_path / "mood-train.csv", tmp_path / "mood-dev.csv"
    rows = [f"it was a {'good' if number % 2 else 'bad'} day {number},{number % 2}\n" for number in range(40)]
    train.write_text("text,mood\n" + "".join(rows[:30]))
    dev.write_text("text,mood\n" + "".join(rows[30:]))
    return [str(train), str(dev)]


def _taplo(file: Path) -> subprocess.CompletedProcess[str]:
    """Check a file with the schema that its first line names."""
    taplo = shutil.which("taplo", path=str(Path(sys.executable).parent)) or "taplo"
    command = [taplo, "check", "--no-auto-config", "--colors", "never", str(file)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


def _run(*words: str) -> int:
    with pytest.raises(SystemExit) as end:
        main(["init", *words])
    return int(end.value.code or 0)


def test_without_output_only_the_recipe_is_printed(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _run(*files) == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    assert "#:schema" not in printed.out
    assert not list(tmp_path.glob("*.json"))
    (tmp_path / "printed.toml").write_text(printed.out)
    assert load_recipe(tmp_path / "printed.toml").tasks["mood"].labels == [0, 1]


def test_the_recipe_runs_without_changes(files: list[str], tmp_path: Path, tiny_encoder: Path) -> None:
    output = tmp_path / "mine.toml"
    assert _run(*files, "--output", str(output), "--encoder", str(tiny_encoder)) == 0
    run = manyheads.train(output, tmp_path / "run", changes=["threads=1", "training.epochs=1"])
    assert 0 <= run.results["last"]["tasks"]["mood"]["accuracy"] <= 1


def test_an_existing_file_is_overwritten_only_with_force(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "mine.toml"
    output.write_text("precious")
    assert _run(*files, "-o", str(output)) == 1
    assert "--force" in capsys.readouterr().err
    assert output.read_text() == "precious"
    assert _run(*files, "-o", str(output), "--force") == 0
    assert load_recipe(output).tasks["mood"].label == "mood"


def test_the_schema_is_written_next_to_the_recipe_and_accepts_it(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "my recipes"
    folder.mkdir()
    output, schema = folder / "mine.toml", folder / "manyheads.recipe.schema.json"
    assert _run(*files, "--output", str(output)) == 0
    printed = capsys.readouterr()
    assert printed.out == ""
    assert f"manyheads train '{output}'" in printed.err
    assert f"Wrote {schema}" in printed.err
    assert schema.read_text() == schema_text(Noun.RECIPE)
    assert output.read_text().startswith("#:schema ./manyheads.recipe.schema.json\n")
    assert load_recipe(output).tasks["mood"].labels == [0, 1]
    assert _taplo(output).returncode == 0
    output.write_text(output.read_text().replace('metric = "accuracy"', 'metric = "acuracy"'))
    assert _taplo(output).returncode == 1


def test_an_older_schema_is_updated_and_another_file_is_kept(
    files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output, schema = tmp_path / "mine.toml", tmp_path / "manyheads.recipe.schema.json"
    schema.write_text('{"title": "manyheads recipe", "properties": {}}')
    assert _run(*files, "-o", str(output)) == 0
    assert f"Updated {schema}" in capsys.readouterr().err
    assert schema.read_text() == schema_text(Noun.RECIPE)
    for foreign in ("precious", "[]", '{"title": "mine"}'):
        schema.write_text(foreign)
        output.unlink(missing_ok=True)
        assert _run(*files, "-o", str(output)) == 1
        assert "manyheads did not write" in capsys.readouterr().err
        assert schema.read_text() == foreign
        assert not output.exists()
    assert _run(*files, "-o", str(output), "--force") == 0
    assert schema.read_text() == schema_text(Noun.RECIPE)


def test_columns_can_be_named(files: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "odd.csv").write_text("a,b,c\n" + "".join(f"one two {n},three four {n},{n % 2}\n" for n in range(30)))
    assert _run(str(tmp_path / "odd.csv"), "--text", "b", "--label", "c") == 0
    assert 'text = "b"' in capsys.readouterr().out
    assert _run(str(tmp_path / "odd.csv"), "--label", "d") == 1
    assert "no column 'd'" in capsys.readouterr().err


def test_a_missing_file_is_an_error_without_a_traceback(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert _run(str(tmp_path / "none.csv")) == 1
    message = capsys.readouterr().err
    assert message.startswith("error: there is no such file")
    assert "Traceback" not in message
