"""In a notebook: a line of progress that is updated in place, warnings, and an interrupted cell that can be resumed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from tests.docs.kernel import client, run_cell
from tests.forked.start import ForkServer

import manyheads as mh
from manyheads.api.progress import RunProgress, shown
from manyheads.errors import ServeError, on_command_line
from manyheads.inference.server.options import require_token
from manyheads.run.folder import RunFolder

FIRST = """
import pandas as pd
import manyheads

rows = pd.DataFrame({{"text": [f"film {{n}}" for n in range(40)], "label": [0, 1] * 20}})
rows.loc[3, "text"] = None
task = manyheads.Task(
    kind="classification", train=rows, dev=0.25, text="text", label="label", on_bad_rows="skip"
)
recipe = manyheads.Recipe(encoder={encoder!r}, threads=1, tasks={{"films": task}}, training={{"max_steps": 2}})
manyheads.train(recipe, "run", report=False)
"""

LOOP = """
import signal

def listen(event, **fields):
    if event == "step" and fields["step"] == 2:
        signal.raise_signal(signal.SIGINT)

for number in range(3):
    manyheads.train(recipe, f"loop{number}", listeners=[listen], report=False)
"""


def test_a_cell_shows_its_progress_and_its_warnings_and_can_be_interrupted(
    tiny_encoder: Path, tmp_path: Path, forked: ForkServer
) -> None:
    folder, home = tmp_path / "work", tmp_path / "home"
    folder.mkdir()
    sources = [FIRST.format(encoder=str(tiny_encoder)), LOOP, "", "manyheads.train(recipe, 'run', resume=True)"]
    variables = {**os.environ, **forked.variables}
    with client(sources, folder, home, forked.bin / "python", variables, 300) as own:
        outputs = run_cell(own, 0)
        lines = [each["data"]["text/plain"] for each in outputs if each["output_type"] == "display_data"]
        assert len(lines) == 1
        assert lines[0].startswith("training 2/2")
        assert "average" in lines[0]
        printed = [each for each in outputs if each["output_type"] == "stream"]
        assert {each["name"] for each in printed} == {"stderr"}
        text = "".join(each["text"] for each in printed)
        assert text.count("ManyheadsWarning") == text.count("1 invalid row was skipped") == 1
        assert "Cell In" in text or "ipykernel" in text
        assert "<table>" in outputs[-1]["data"]["text/html"]
        error = run_cell(own, 1)[-1]
        how = "manyheads.train('loop0/recipe.toml', out='loop0', resume=True)"
        assert error["ename"] == "Interrupted"
        assert error["evalue"] == f"stopped after step 2. To resume: {how}"
        assert not (folder / "loop1").exists()
        own.nb.cells[2].source = f"{how}.finished"
        assert run_cell(own, 2)[-1]["data"]["text/plain"] == "True"
        # A second call of a finished run trains nothing.
        assert "already finished" in run_cell(own, 3)[0]["data"]["text/plain"]


def test_a_kernel_without_widgets_does_not_warn_of_them() -> None:
    program = "import ipykernel.zmqshell, manyheads.model, tqdm.auto"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stderr == ""


def test_progress_elsewhere_is_shown_on_request(capsys: pytest.CaptureFixture[str]) -> None:
    with shown(None) as output:
        assert output is None
    with shown(True) as output:
        assert output is not None
        notify = RunProgress(output)
        notify("note", text="a\x1b note")
        notify("start", at=0, total_steps=9, metrics={})
        notify("step", step=1, losses={"films": 0.5}, examples=8, seconds=2.0)
    assert capsys.readouterr().err == "a\\u001b note\n"


def test_progress_in_a_terminal_is_one_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with shown(None) as output:
        assert output is not None
        notify = RunProgress(output)
        notify("start", at=0, total_steps=1, metrics={"films": "accuracy"})
        notify("step", step=1, losses={"films": 0.5}, examples=8, seconds=2.0)
        notify("evaluation", epoch=1, tasks={"films": {"accuracy": 0.5}}, average=0.5, best=True)
    drawn = capsys.readouterr().err.split("\r")
    assert drawn[-1].startswith("training 1/1  4.0 examples/s  loss films 0.500  |  epoch 1")
    assert drawn[-1].endswith("\x1b[K\n")
    assert all("\n" not in each for each in drawn[:-1])
    with shown(False) as output:
        assert output is None


def test_messages_name_arguments_as_their_reader_writes_them(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(mh.ManyheadsError, match=r"resume the run with resume=True, choose another folder with out=,"):
        _write(tmp_path)
    with (
        on_command_line(),
        pytest.raises(mh.ManyheadsError, match=r"resume the run with --resume, choose another folder with --out,"),
    ):
        _write(tmp_path)


def test_a_server_without_a_token_names_arguments() -> None:
    for typed, expected in ((False, r"token=, .*without_token=True"), (True, r"--token-file .*--without-token")):
        with on_command_line(typed), pytest.raises(ServeError, match=expected):
            require_token("0.0.0.0", token=False, without_token=False)


def _write(folder: Path) -> None:
    with RunFolder(folder).writing(resume=False):
        pass
