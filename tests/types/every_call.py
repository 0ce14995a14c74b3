"""Every public call, as a program of a user writes it. mypy and basedpyright check it in their strict modes.

It is not run: `make test` checks its types, and a test checks that no public name is missing.
"""

from __future__ import annotations

import json
import threading
import warnings
from collections.abc import Sequence
from pathlib import Path

import polars as pl

import manyheads as mh
from manyheads.sklearn import TextClassifier, TextRegressor


def listen(event: str, **fields: object) -> None:
    """Receive the events of a run."""
    if event == "step":
        json.dumps({name: str(value) for name, value in fields.items()})


def recipes(rows: pl.DataFrame) -> mh.Recipe:
    """Make recipes by keywords, from dicts and from files."""
    recipe = mh.Recipe(
        encoder="minilm-offline",
        seed=1,
        tasks={
            "reviews": mh.Task(kind="classification", train=rows, dev=0.1, text="text", label="stars", labels=range(5)),
            "questions": mh.Task(
                kind="classification",
                train=Path("questions.csv"),
                dev="questions-dev.csv",
                text=["question1", "question2"],
                pair="cross",
                label="same",
                head={"kind": "linear", "dropout": 0.1},
                on_bad_rows="skip",
            ),
        },
        model=mh.ModelOptions(max_length=128),
        batching=mh.BatchingOptions(batch_size=16, strategy="even"),
        training=mh.TrainingOptions(epochs=2, learning_rate=1e-4),
        pretraining=mh.PretrainingOptions(epochs=1),
    )
    changed = recipe.with_({"training.epochs": 3}).with_("seed=2").with_(["threads=1"])
    path: Path = changed.save("first.toml", data_limit=10**8)
    loaded = mh.Recipe.load(path, changes={"training": {"max_steps": 2}})
    suggested = mh.init({"reviews_train": rows, "reviews_dev": rows}, encoder="minilm-offline", label="stars")
    name: str | None = suggested.name
    found: mh.Check = loaded.check() if name else mh.check(recipe.to_dict(), changes=["seed=3"])
    return recipe if found.stops or loaded == suggested else loaded


def runs(recipe: mh.Recipe) -> mh.Run:
    """Train, pretrain, and use what works on finished runs."""
    stop = threading.Event()
    try:
        run = mh.train(recipe, "runs/first", track=["trackio"], listeners=[listen], stop=stop)
    except KeyboardInterrupt:
        run = mh.train("runs/first/recipe.toml", Path("runs/first"), resume=True)
    except mh.ManyheadsError as error:
        raise SystemExit(f"{error.what}: {error.hint}") from error
    pretrained: mh.Pretrained = mh.pretrain(recipe, changes={"pretraining.epochs": 1})
    measured = mh.evaluate(run, "dev", task="reviews", data=[{"text": "good", "stars": 4}])
    compared: mh.Comparison = mh.compare([run, "runs/other"], [Path("runs/third")])
    exported = mh.export(run, "onnx", int8=True)
    page: Path = mh.report(run, out="report")
    print(
        pretrained.folder,
        measured.examples,
        exported.folder,
        page,
        compared.save("compared.md"),
        compared.save("c", "json"),
    )
    print(run.finished, run.path, run.results["seconds"], run.recipe.options.seed, run.report())
    print(run.metrics, run.history, run.predictions("reviews", "dev", "best"), compared.frame, compared.to_dict())
    print(compared.folders, compared.figure())
    return mh.open_run(run)


def models(run: mh.Run, texts: Sequence[str]) -> list[mh.Prediction]:
    """Predict, and serve a model."""
    model: mh.Predictor = mh.load(run, threads=1)
    one = model.predict("reviews", "a good film")
    many: mh.Predictions = model.predict("reviews", list(texts))
    print(one.prediction, one.probabilities, one.to_dict(), many.labels, many.frame, many.to_dict(), run.model.tasks)
    file: mh.PredictedFile = mh.predict(
        model, "reviews", Path("new.csv"), "predicted.csv", text_format={"delimiter": ";"}
    )
    print(file.path, file.rows, file.failed, file.format, [row.reason for row in file.reasons])
    app = mh.asgi(model, token="secret", hosts=["*.example.org"])
    print(app, [mh.load("model", runtime="onnx", int8=True)])
    return [*many, *model.stream("reviews", texts)]


def studies(recipe: mh.Recipe) -> mh.Table:
    """Plan, run and read a study."""
    study = mh.Study(
        base=recipe,
        seeds=range(5),
        rows={"even": {}, "sequential": {"batching.strategy": "sequential"}},
        twins=[],
    )
    power: mh.Power = study.power(difference=0.02)
    print(power.by_seeds[0].smallest, power.frame, study.name, study.save("study.toml"), mh.power("study.toml").looks)
    table = mh.study(study, "runs/five", jobs=2, only=["even"], seeds=2, progress=True)
    print(power.figure(), table.folder, mh.study(study, "runs/five", ray="auto").frame)
    print(table.frame, table.differences, table.figure("differences"), study.run("runs/five", jobs=1).rows)
    return mh.table(mh.open_study("runs/five"), changes=["seed=1"]) if table.rows else mh.run_study("study.toml")


def estimators(texts: list[str], labels: list[str]) -> None:
    """Use the estimators of scikit-learn."""
    classifier = TextClassifier(epochs=1, verbose=True).fit(texts, labels)
    regressor = TextRegressor("minilm-offline", pair="bi").fit([[text, text] for text in texts], [1.0, 2.0])
    print(classifier.predict(texts).shape, classifier.predict_proba(texts), regressor.score(texts, [1.0, 2.0]))


if __name__ == "__main__":
    warnings.simplefilter("ignore", mh.ManyheadsWarning)
    print(mh.__version__, mh.register.__name__)
    found_run = runs(recipes(pl.read_csv("reviews.csv")))
    print(models(found_run, ["a good film"]), studies(found_run.recipe))
    estimators(["a good film", "a bad film"], ["good", "bad"])
