"""A function for every command, on one run that was trained from data in memory; and what its results show."""

from __future__ import annotations

import asyncio
import io
import json
import os
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from pathlib import Path
from typing import Any

import datasets
import httpx
import pandas as pd
import polars as pl
import pyarrow
import pytest
import uvicorn
from fastapi import FastAPI
from fastapi.testclient import TestClient
from tests.tiny import CORPUS

import manyheads as mh
import manyheads.api.finished
import manyheads.api.training
from manyheads.errors import BundleError, DataError, RecipeError, RunError, ServeError
from manyheads.reports.document import write_report

INDEX = [f"r{number}" for number in range(60)]


def frame() -> pd.DataFrame:
    """Sixty rows with an index of text."""
    rows = pd.read_csv(CORPUS / "sentiment-train.tsv", sep="\t").head(60)
    return rows.set_index(pd.Index(INDEX, name="film"))


def recipe(encoder: Path) -> mh.Recipe:
    keys = {"kind": "classification", "text": "sentence", "label": "sentiment", "labels": range(5)}
    tasks = {
        "held": mh.Task(**keys, train=frame(), dev=0.4),
        "given": mh.Task(**keys, train=frame()[:30], dev=frame()[30:]),
    }
    return mh.Recipe(encoder=encoder, threads=1, tasks=tasks, training={"max_steps": 2}, batching={"batch_size": 8})


@pytest.fixture(scope="module")
def run(tiny_encoder: Path, tmp_path_factory: pytest.TempPathFactory) -> mh.Run:
    return mh.train(recipe(tiny_encoder), tmp_path_factory.mktemp("verbs") / "run")


def test_predictions_carry_the_index(run: mh.Run) -> None:
    held, given = run.predictions("held"), run.predictions("given", "dev", "last")
    assert set(held.index) < set(INDEX)
    assert list(given.index) == INDEX[30:]
    assert given.index.name == "film"
    assert list(given["target"]) == list(frame()["sentiment"][30:])
    assert list(held["target"]) == list(frame().loc[held.index, "sentiment"])
    assert {"id", "prediction", "p_0", "p_4"} <= set(given.columns)
    with pytest.raises(RunError, match="no such predictions") as caught:
        run.predictions("givn")
    assert caught.value.hint == "did you mean 'given.dev'?"


def test_a_run_shows_its_metrics(run: mh.Run) -> None:
    assert set(run.metrics.columns) == {"task", "metric", "best", "last", "low", "high"}
    assert list(run.history["step"]) == [2]
    assert run.history["step"].dtype == "int64"
    assert run.recipe.options.tasks["held"].dev == 0.4
    assert os.fspath(run) == str(run.path)
    assert "Dev metrics of all tasks" in repr(run)
    page = run._repr_html_()
    assert "<table>" in page
    assert 'src="data:image/svg+xml;base64,' in page
    assert "<script" not in page
    assert mh.open_run(run).metrics.equals(run.metrics)
    assert list(run.model.tasks) == ["held", "given"]


def test_frames_are_those_of_polars_without_pandas(run: mh.Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(__import__("sys").modules, "pandas", None)
    assert isinstance(run.metrics, pl.DataFrame)
    assert list(run.predictions("given").columns[:2]) == ["film", "id"]
    assert isinstance(run.model.predict("given", ["fine"]).frame, pl.DataFrame)


def test_the_frame_of_a_list_is_one_of_pandas(run: mh.Run) -> None:
    found = run.model.predict("given", ["fine", "dull"])
    assert found.frame["prediction"].tolist() == found.labels
    assert isinstance(found.frame, type(run.metrics))


def test_evaluate(run: mh.Run) -> None:
    measured = mh.evaluate(run)
    assert dict(measured.examples) == {"held": len(run.predictions("held")), "given": 30}
    assert "95% interval" in repr(measured)
    assert "<table>" in measured._repr_html_()
    other = mh.evaluate(run, task="given", data=frame()[30:])
    assert other.scores["tasks"]["given"] == measured.scores["tasks"]["given"]
    with pytest.raises(TypeError, match="`task`"):
        mh.evaluate(run, data=frame())
    lacking = frame()[30:].assign(sentiment=None)
    with pytest.raises(DataError, match=r"data, index 'r30': label"):
        mh.evaluate(run, task="given", data=lacking)


def test_wrong_arguments_are_named(run: mh.Run) -> None:
    with pytest.raises(RunError, match="did you mean 'test'"):
        mh.evaluate(run, "tst")  # type: ignore[arg-type]
    with pytest.raises(RunError, match="at least two runs"):
        mh.compare(run)
    with pytest.raises(DataError, match=r"the table has no label column(.|\n)*where:   data\n"):
        mh.evaluate(run, task="given", data=frame()[["sentence"]])
    with pytest.raises(BundleError, match="there is no such folder"):
        mh.load("nowhere")
    with pytest.raises(RunError, match="there is no such figure"):
        run.figure("curve")
    for key, value in {"body_bytes": 0, "delay": 5.0}.items():
        with pytest.raises(ServeError, match=f"where:   {key}"):
            mh.asgi(run, **{key: value})  # type: ignore[arg-type]
    assert mh.asgi(run, hosts="example.org")
    for call in (mh.load, mh.asgi):
        with pytest.raises(TypeError, match="not a NoneType"):
            call(None)  # type: ignore[operator]
    with pytest.raises(BundleError, match="unknown target"):
        mh.export(run, None)  # type: ignore[arg-type]
    for task in (None, ["a film"]):
        with pytest.raises(DataError, match=r"the name of the task is not a text(.|\n)*before the texts"):
            run.model.predict(task, "given")  # type: ignore[call-overload]
    with pytest.raises(DataError, match=r"stream of text(.|\n)*sys\.stdin\.buffer"):
        mh.predict(run, "given", io.StringIO("sentence\na film\n"), "out.csv")  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"cannot be written to\n  where:   out"):
        mh.predict(run, "given", io.BytesIO(), None)  # type: ignore[arg-type]


def test_what_is_no_listener_and_no_event_is_refused(tiny_encoder: Path, tmp_path: Path) -> None:
    for listeners in (print, [3]):
        with pytest.raises(TypeError, match="listeners is a list of functions"):
            mh.train(recipe(tiny_encoder), tmp_path / "run", listeners=listeners)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match=r"threading\.Event\(\), not a bool"):
        mh.train(recipe(tiny_encoder), tmp_path / "run", stop=True)  # type: ignore[arg-type]
    assert not (tmp_path / "run").exists()


def test_tables_without_a_column_are_named(run: mh.Run, tiny_encoder: Path, tmp_path: Path) -> None:
    wrong = recipe(tiny_encoder).with_({"tasks.held.text": "sentense"})
    message = r"the table has no column 'sentense'(.|\n)*where:   tasks\[\"held\"\]\.train, task held\n"
    for call in (wrong.check, lambda: mh.train(wrong, tmp_path / "wrong")):
        with pytest.raises(DataError, match=message):
            call()
    with pytest.raises(DataError, match=r"where:   data\[\"films\"\]"):
        mh.init({"films": frame()}, label="stars")
    assert run.recipe.options.tasks["held"].text == ["sentence"]


def test_results_have_frames_and_figures(run: mh.Run, tiny_encoder: Path) -> None:
    found = recipe(tiny_encoder).check().frame
    assert list(found["split"]) == ["train", "dev"] * 2
    assert list(found["rows"]) == [36, 24, 30, 30]
    measured = mh.evaluate(run)
    assert list(measured.frame.columns) == ["task", "examples", "metric", "value", "low", "high"]
    assert json.loads(json.dumps(measured.to_dict()))["examples"] == dict(measured.examples)
    assert run.figure().axes


def test_every_table_is_predicted(run: mh.Run) -> None:
    model, rows = run.model, frame()[:3].reset_index()
    expected = model.predict("given", rows)
    for table in (pyarrow.Table.from_pandas(rows), pl.from_pandas(rows).lazy()):
        found = model.predict("given", table)
        assert found == expected
        assert "sentiment" in found.frame.columns
    assert repr(model).startswith("Predictor(tasks: held (classification), given (classification), folder=")
    assert "<table" in expected._repr_html_()
    assert model.explain("given", "a good film") == model.explain(model.task("given"), ("a good film",))
    with pytest.raises(DataError, match="other texts than the task reads"):
        model.explain("given", ("a", "b"))


def test_predictions_are_values_of_json(run: mh.Run) -> None:
    found = run.model.predict("given", frame()[:3])
    assert [json.loads(json.dumps(each.to_dict()))["prediction"] for each in found] == found.labels
    assert json.loads(json.dumps(found.to_dict()))["task"] == "given"
    assert found[0].probabilities is not None
    assert found[0].probabilities[found[0].prediction] == max(found[0].probabilities.values())
    with pytest.raises(KeyError):
        found[0].probabilities[7]
    stars = Enum("Stars", [(f"n{number}", number) for number in range(5)])  # type: ignore[misc]
    assert found[0].probabilities[stars(3)] == found[0].probabilities["3"]  # type: ignore[index]
    assert list(found.frame.index) == INDEX[:3]


def test_predict_reads_a_file_and_writes_one(run: mh.Run, tmp_path: Path) -> None:
    rows = frame()[:8]
    source, out = tmp_path / "new.csv", tmp_path / "predicted.parquet"
    rows.assign(sentence=[*rows["sentence"][:7], None]).to_csv(source)
    with pytest.warns(mh.ManyheadsWarning, match=r"new.csv:9: text 'sentence' is missing"):
        done = mh.predict(run, "given", source, out)
    assert (done.rows, done.failed, done.format, done.reasons[0].line) == (8, 1, "parquet", 9)
    written = pd.read_parquet(done)
    assert list(written["film"]) == INDEX[:8]
    assert list(written["prediction"][:7]) == run.model.predict("given", rows[:7]).labels
    assert f"predicted 7 of 8 rows, written to {out}" in repr(done)
    assert "rows without a prediction: 1" in done._repr_html_()
    assert str(done.reasons[0]) == f"{source}:9: text 'sentence' is missing"


def test_predict_reads_and_writes_streams(run: mh.Run, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    model, text = run.model, b"sentence;n\na good film;1\na caf\xe9;2\n"
    keys = {"delimiter": ";", "encoding": "cp1252"}
    written, shown = io.BytesIO(), io.StringIO()
    done = mh.predict(model, "given", io.BytesIO(text), written, text_format=keys, progress=True)
    mh.predict(model, "given", io.BytesIO(text), shown, text_format=keys)
    assert written.getvalue().decode() == shown.getvalue()
    assert "a caf\xe9;2;" in shown.getvalue()
    assert capsys.readouterr().err == "2 rows\n"
    with pytest.raises(TypeError, match="stream"):
        os.fspath(done)
    table, binary = tmp_path / "in.csv", io.BytesIO()
    table.write_bytes(text)
    mh.predict(model, "given", table, binary, form="parquet", text_format=keys)
    assert list(pd.read_parquet(io.BytesIO(binary.getvalue()))["n"]) == ["1", "2"]
    mh.predict(model, "given", [table, str(table)], tmp_path / "both.jsonl", text_format=keys)
    assert len((tmp_path / "both.jsonl").read_text().splitlines()) == 4


def test_predict_names_arguments(run: mh.Run, tmp_path: Path) -> None:
    file, out = tmp_path / "new.csv", tmp_path / "out.csv"
    file.write_bytes(b"sentence,n\na caf\xe9,2\n")
    model = run.model
    found: list[str] = []
    assert mh.predict(model, "given", file, out, notify=found.append).failed == 1
    assert 'use text_format={"encoding": "cp1252"}' in found[-1]
    for arguments, message in (
        ({"form": "csw"}, "did you mean 'csv'"),
        ({"text_format": {"delimeter": ";"}}, r'text_format\["delimeter"\](.|\n)*did you mean \'delimiter\''),
        ({"text_format": {"delimiter": "ab"}}, "a delimiter is one character"),
        ({"form": "jsonl", "escape_formulas": True}, "form='csv'"),
        ({"task": "givn"}, "did you mean 'given'"),
    ):
        with pytest.raises(DataError, match=message):
            mh.predict(model, **{"task": "given", "data": file, "out": out, **arguments})  # type: ignore[arg-type]
    with pytest.raises(DataError, match=r"predict\(task, table\)"):
        mh.predict(model, "given", frame(), out)  # type: ignore[arg-type]


def test_evaluate_names_arguments(run: mh.Run, tmp_path: Path) -> None:
    for name in ("one", "two"):
        frame()[:9].to_csv(tmp_path / f"{name}.csv", index=False, sep=";")
    files = [tmp_path / "one.csv", str(tmp_path / "two.csv")]
    assert mh.evaluate(run, task="given", data=files, text_format={"delimiter": ";"}).examples["given"] == 18
    with pytest.raises(DataError, match="did you mean 'delimiter'"):
        mh.evaluate(run, task="given", data=files, text_format={"delimeter": ";"})
    with pytest.raises(DataError, match="dict of keys"):
        mh.evaluate(run, task="given", data=files, text_format="csv")  # type: ignore[arg-type]
    for given in ([], iter(files), 3, {"sentence": frame()}):
        with pytest.raises(DataError, match=r"no rows|not a table|not the name of a file") as caught:
            mh.evaluate(run, task="given", data=given)  # type: ignore[arg-type]
        assert caught.value.where == "data"
    with (tmp_path / "one.csv").open("ab") as file:
        file.write("id;4;ein caf\xe9".encode("cp1252"))
    with pytest.raises(DataError, match="text_format="):
        mh.evaluate(run, task="given", data=tmp_path / "one.csv")


def test_report_compare_and_export(run: mh.Run, tmp_path: Path) -> None:
    page = mh.report(run, tmp_path / "report")
    assert page.read_text().startswith("<!doctype html>")
    other = mh.train(run.recipe, tmp_path / "other", changes={"seed": 2})
    found = mh.compare([run, other])
    assert set(found.frame["task"]) == {"held", "given"}
    assert "difference from" in repr(found)
    assert "<table>" in found._repr_html_()
    assert json.loads(found.text("json")) == json.loads(json.dumps(found.to_dict()))
    assert found.save(tmp_path / "found.md").read_text() == found.text("md")
    assert found.save(tmp_path / "found", "json").read_text() == found.text("json")
    for call in (found.text, lambda form: manyheads.api.finished.report_text(run, form)):
        with pytest.raises(RunError, match="no such format"):
            call("txt")
    assert found.folders == (run.path, other.path)
    held, given = found.figure().axes
    assert [held.get_title(loc="left"), given.get_title(loc="left")] == ["held", "given"]
    assert len(held.get_yticklabels()) == sum(found.frame["task"] == "held")
    exported = mh.export(run, "onnx", tmp_path / "onnx", check=False)
    assert not list(exported.folder.rglob("*.parquet"))
    assert repr(exported) == f"exported to {exported.folder}\nnot checked against the model"
    assert str(exported.folder) in exported._repr_html_()
    assert mh.load(exported.folder, runtime="onnx").predict("given", frame()[:3]).labels


def test_check_names_the_rows_of_a_frame(tiny_encoder: Path) -> None:
    rows = frame()
    rows.loc["r3", "sentence"] = None
    found = recipe(tiny_encoder).with_({"tasks.held.train": rows}).check()
    assert found.stops
    assert "tasks[\"held\"].train, index 'r3': text 'sentence' is missing" in repr(found)
    assert "/tmp" not in repr(found)
    assert "<table>" in found._repr_html_()


def test_init_suggests_a_recipe_for_frames() -> None:
    made = mh.init({"films_train": frame(), "films_dev": frame()[:20]}, encoder="minilm-offline", label="sentiment")
    assert list(made.options.tasks) == ["films"]
    assert made.options.tasks["films"].text == ["sentence"]
    assert len(made.tables) == 2
    assert made.options.data_dir == str(Path.cwd())
    assert list(mh.init(CORPUS / "sentiment-train.tsv", encoder="minilm-offline").options.tasks)
    assert list(mh.init(iter([CORPUS / "sentiment-train.tsv"])).options.tasks)  # type: ignore[arg-type]
    splits = datasets.DatasetDict({name: datasets.Dataset.from_pandas(frame()) for name in ("train", "test")})
    (made,) = mh.init(splits, label="sentiment").options.tasks.items()  # type: ignore[arg-type]
    assert made[0] == "data"
    assert made[1].test is not None


@pytest.mark.parametrize("data", [[], {}, None, 3, frame()["sentence"]])
def test_init_refuses_what_is_not_data(data: Any) -> None:
    with pytest.raises(DataError) as caught:
        mh.init(data)
    assert caught.value.where == "data"


def test_init_writes_a_recipe_with_comments(tmp_path: Path) -> None:
    files = {name: tmp_path / f"films-{name}.csv" for name in ("train", "dev")}
    for name, file in files.items():
        frame()[["sentence", "sentiment"]].to_csv(file, sep=";", index=False)
        assert name in file.name
    out, keys = tmp_path / "mine.toml", {"delimiter": ";"}
    made = mh.init([*files.values()], out, encoder="minilm-offline", text_format=keys)
    assert made.name == "mine"
    assert made.options.tasks["films"].delimiter == ";"
    assert "#:schema ./manyheads.recipe.schema.json" in out.read_text()
    assert (tmp_path / "manyheads.recipe.schema.json").is_file()
    with pytest.raises(RecipeError, match="force=True"):
        mh.init([*files.values()], out)
    shown = io.StringIO()
    mh.init([*files.values()], shown, encoder="minilm-offline", text_format=keys)
    assert "# rows per batch" in shown.getvalue().replace("  ", " ")
    of_frames = mh.init(
        {"films_train": frame(), "films_dev": frame()[:20]}, tmp_path / "frames.toml", label="sentiment"
    )
    assert of_frames.options.tasks["films"].train == "films_train.parquet"
    assert (tmp_path / "frames.data" / "films_train.parquet").is_file()
    again = mh.init({"films_train": frame()[:30]}, tmp_path / "frames.toml", label="sentiment", force=True)
    assert len(pl.read_parquet(tmp_path / "frames.data" / "films_train.parquet")) == 30
    assert again.options.tasks["films"].dev == 0.1


def test_the_server_is_mounted(run: mh.Run, capsys: pytest.CaptureFixture[str]) -> None:
    app = FastAPI()
    app.mount("/model", mh.asgi(run, token="secret", hosts=["*"], request_texts=2))
    with TestClient(app) as client:
        path, body = "/model/v1/predict/given", {"texts": ["good film"]}
        assert client.post(path, json=body).status_code == 401
        headers = {"Authorization": "Bearer secret"}
        response = client.post(path, json=body, headers=headers)
        assert response.status_code == 200, response.text
        assert len(response.json()["predictions"]) == 1
        assert client.post(path, json={"texts": ["a", "b", "c"]}, headers=headers).status_code == 413
    assert '"request"' not in capsys.readouterr().err


def test_two_models_in_an_application_end_with_it(run: mh.Run) -> None:
    app = FastAPI()
    app.mount("/one", mh.asgi(run))
    app.mount("/two", mh.asgi(run.model))
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="warning"))

    async def serve() -> int:
        await server.serve()
        return len(asyncio.all_tasks()) - 1

    with ThreadPoolExecutor(1) as pool:
        left = pool.submit(asyncio.run, serve())
        while not server.started:
            time.sleep(0.01)
        address = f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
        bodies = [
            httpx.post(f"{address}/{name}/v1/predict/given", json={"texts": ["good film"]}) for name in ("one", "two")
        ]
        server.should_exit = True
        assert left.result(60) == 0
    assert bodies[0].json() == bodies[1].json()


def test_train_writes_the_report(
    run: mh.Run, tiny_encoder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(manyheads.api.training, "write_report", write_report)
    done = mh.train(recipe(tiny_encoder), tmp_path / "run", changes={"training.max_steps": 1})
    assert (done.path / "report" / "report.html").is_file()

    def failing(_run: Path) -> None:
        raise OSError("no room")

    monkeypatch.setattr(manyheads.api.training, "write_report", failing)
    with pytest.warns(UserWarning, match="could not be written: no room"):
        mh.train(recipe(tiny_encoder), tmp_path / "other", changes={"training.max_steps": 1})
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        mh.train(recipe(tiny_encoder), tmp_path / "third", changes={"training.max_steps": 1}, report=False)


def test_an_interrupted_run_of_frames_is_resumed(tiny_encoder: Path, tmp_path: Path, run: mh.Run) -> None:
    stop = threading.Event()

    def listen(event: str, **_: object) -> None:
        if event == "step":
            stop.set()

    with pytest.raises(KeyboardInterrupt):
        mh.train(recipe(tiny_encoder), tmp_path / "run", listeners=[listen], stop=stop)
    assert "not finished" in repr(mh.open_run(tmp_path / "run"))
    again = mh.train(mh.open_run(tmp_path / "run").recipe, tmp_path / "run", resume=True)
    for file in run.folder.predictions.iterdir():
        assert file.read_bytes() == (again.folder.predictions / file.name).read_bytes()


def test_the_first_error_names_the_key(tiny_encoder: Path) -> None:
    with pytest.raises(RecipeError, match=r'tasks\["held"\]\.metric'):
        recipe(tiny_encoder).with_({"tasks.held.metric": "accurac"})
