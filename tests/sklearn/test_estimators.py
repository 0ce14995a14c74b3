"""The estimators follow the conventions of scikit-learn, and work in its tools."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError, SkipTestWarning
from sklearn.model_selection import GridSearchCV, cross_validate
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.utils.estimator_checks import estimator_checks_generator
from tests.tiny import write_tiny_encoder

import sklearn
from manyheads.errors import ManyheadsError
from manyheads.sklearn import TextClassifier, TextRegressor

GOOD, BAD = ("good", "great", "fine", "lovely"), ("bad", "poor", "awful", "dull")
TEXTS = [f"the {noun} was {word}" for noun in ("film", "book", "soup", "trip", "song") for word in (*GOOD, *BAD)]
LABELS = ["yes" if text.split()[-1] in GOOD else "no" for text in TEXTS]
VALUES = [1.5 if label == "yes" else -2.0 for label in LABELS]


@pytest.fixture(scope="module")
def options(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    encoder = write_tiny_encoder(tmp_path_factory.mktemp("encoder"))
    own = {"encoder": str(encoder), "changes": {"threads": 1}}
    return {**own, "epochs": 8, "batch_size": 8, "learning_rate": 3e-3, "dev": 0.2}


@pytest.fixture(scope="module")
def fitted(options: dict[str, Any]) -> TextClassifier:
    return TextClassifier(**options).fit(TEXTS, LABELS)


def checks() -> list[tuple[Any, Any]]:
    with warnings.catch_warnings():
        # It says that the checks that need tables of numbers are left out.
        warnings.simplefilter("ignore", SkipTestWarning)
        return [each for kind in (TextClassifier, TextRegressor) for each in estimator_checks_generator(kind())]


@pytest.mark.parametrize(
    ("estimator", "check"),
    checks(),
    ids=lambda each: getattr(getattr(each, "func", None), "__name__", type(each).__name__),
)
def test_the_checks_of_scikit_learn_that_apply_to_texts(estimator: Any, check: Any) -> None:
    """All other checks need tables of numbers. The tags say that the estimators read texts."""
    check(estimator)


def test_a_classifier_learns_and_gives_the_probabilities_of_its_classes(fitted: TextClassifier) -> None:
    assert fitted.classes_.tolist() == ["no", "yes"]
    shares = fitted.predict_proba(TEXTS)
    assert shares.shape == (len(TEXTS), 2)
    assert np.allclose(shares.sum(axis=1), 1)
    predicted = fitted.predict(np.array(TEXTS))
    assert predicted.tolist() == fitted.classes_[shares.argmax(axis=1)].tolist()
    assert fitted.score(TEXTS, LABELS) == np.mean(predicted == np.array(LABELS)) > 0.7
    assert fitted.predictor_.predict("output", TEXTS[0]).prediction == predicted[0]


def test_equal_parameters_give_equal_models(options: dict[str, Any], fitted: TextClassifier) -> None:
    again = clone(fitted)
    assert again.get_params() == fitted.get_params()
    with pytest.raises(NotFittedError):
        again.predict(TEXTS)
    assert np.array_equal(again.fit(TEXTS, LABELS).predict_proba(TEXTS), fitted.predict_proba(TEXTS))


def test_a_pickle_has_the_model(fitted: TextClassifier) -> None:
    copy = pickle.loads(pickle.dumps(fitted))
    folder = copy.model_.folder
    assert np.array_equal(copy.predict_proba(TEXTS), fitted.predict_proba(TEXTS))
    del copy
    assert not folder.exists()


def test_several_outputs_are_one_model(options: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas")
    lengths = [len(text) % 2 for text in TEXTS]
    model = TextClassifier(**options | {"epochs": 1})
    model.fit(pd.Series(TEXTS), pd.DataFrame({"mood": LABELS, "odd length": lengths}))
    assert model.output_names_ == ["mood", "odd_length"] == list(model.predictor_.tasks)
    assert [classes.tolist() for classes in model.classes_] == [["no", "yes"], [0, 1]]
    assert [shares.shape for shares in model.predict_proba(TEXTS[:3])] == [(3, 2), (3, 2)]
    predicted = model.predict(TEXTS)
    assert predicted.shape == (len(TEXTS), 2)
    both = list(zip(LABELS, lengths, strict=True))
    correct = [tuple(row) == each for row, each in zip(predicted.tolist(), both, strict=True)]
    assert model.score(TEXTS, np.array(both, dtype=object)) == pytest.approx(np.mean(correct))


def test_a_regressor_of_pairs_in_a_frame(options: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"one": TEXTS, "two": TEXTS[::-1]})
    model = TextRegressor(**options | {"epochs": 1}, pair="bi").fit(frame, VALUES)
    assert model.feature_names_in_.tolist() == ["one", "two"]
    predicted = model.predict(frame)
    assert predicted.dtype == np.float64
    assert (predicted >= -2).all()
    assert (predicted <= 1.5).all()
    assert -10 < model.score(frame, VALUES) <= 1
    shown = model.set_output(transform="pandas").transform(frame)
    assert shown.columns.tolist() == ["output"]
    assert shown["output"].tolist() == predicted.tolist()
    with pytest.raises(ValueError, match="fitted on"):
        model.predict(frame.rename(columns={"one": "eins"}))
    with pytest.raises(ValueError, match="expecting 2 features"):
        model.predict(TEXTS)


@pytest.mark.parametrize(
    ("X", "y", "message"),
    [
        (["a", None], [0, 1], "row 1"),
        (["a", 3.5], [0, 1], "row 1: 3.5 is not a text"),
        (["a", "b"], [0, float("nan")], "row 1"),
        (["a", "b"], [0, 0], "one class"),
        (["a", "b", "c"], [0, 1], "inconsistent"),
        ("ab", [0, 1], "one text"),
        ([], [], "no rows"),
        ([("a", "b"), ("a",)], [0, 1], "row 1"),
        (["a", "b"], None, "y"),
        (["a", "b"], 3, "dimensions"),
        (["a", "b"], [["x"], ["x", "y"]], "different lengths"),
        (["a", "b"], np.array(["x", 1], dtype=object), "'output' has labels that are text and others"),
        (None, [0, 1], "of the type NoneType"),
        ({"text": ["a", "b"]}, [0, 1], "of the type dict"),
    ],
)
def test_bad_input_is_refused_with_its_place(X: Any, y: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        TextClassifier().fit(X, y)


def test_bad_frames_and_weights_are_refused() -> None:
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="row 1"):
        TextClassifier().fit(["a", "b", "c"], pd.Series(["x", None, "y"], dtype="string"))
    with pytest.raises(ValueError, match="same name"):
        TextClassifier().fit(pd.DataFrame([["a", "b"], ["c", "d"]], columns=["text", "text"]), [0, 1])
    for weights in ([1, None], ["a", "b"], [[1], [1]]):
        with pytest.raises(ValueError, match=r"dimension|convert|NaN"):
            TextClassifier().fit(["a", "b"], [0, 1], sample_weight=weights)


def test_outputs_of_different_types_keep_them(options: dict[str, Any]) -> None:
    pd = pytest.importorskip("pandas")
    both = pd.DataFrame({"mood": LABELS, "long": [int(len(text) > 18) for text in TEXTS]})
    model = TextClassifier(**options | {"epochs": 1}).fit(TEXTS, both)
    predicted = model.predict(TEXTS)
    assert {type(each) for each in predicted[:, 0]} == {str}
    assert {type(each) for each in predicted[:, 1]} == {int}
    assert model.score(TEXTS, pd.DataFrame(predicted, columns=both.columns)) == 1
    with pytest.raises(ValueError, match="shape"):
        model.score(TEXTS, LABELS)


def test_a_regressor_predicts_next_to_frames_and_reads_numbers_as_text(options: dict[str, Any]) -> None:
    pytest.importorskip("pandas")
    model = TextRegressor(**options | {"epochs": 1}).fit(TEXTS, [str(each) for each in range(len(TEXTS))])
    predicted = model.predict(TEXTS)
    assert (predicted >= 0).all()
    assert (predicted <= len(TEXTS)).all()
    with sklearn.config_context(transform_output="pandas"):
        assert model.predict(TEXTS).tolist() == predicted.tolist()


def test_in_a_pipeline_and_a_cross_validation(options: dict[str, Any]) -> None:
    lower = FunctionTransformer(lambda texts: [text.lower() for text in texts])
    pipeline = make_pipeline(lower, TextClassifier(**options | {"epochs": 1}))
    search = GridSearchCV(pipeline, {"textclassifier__epochs": [1, 2]}, cv=2).fit(TEXTS, LABELS)
    assert isinstance(search.best_estimator_, Pipeline)
    assert len(search.predict(TEXTS)) == len(TEXTS)
    with sklearn.config_context(enable_metadata_routing=True):
        weighted = (
            TextClassifier(**options | {"epochs": 1})
            .set_fit_request(sample_weight=True)
            .set_score_request(sample_weight=True)
        )
        found = cross_validate(weighted, TEXTS, LABELS, cv=2, params={"sample_weight": np.ones(len(TEXTS))})
    assert np.isfinite(found["test_score"]).all()


SEARCH = """
import json, sys, tempfile
from pathlib import Path
import joblib
from sklearn.model_selection import GridSearchCV
from manyheads.sklearn import TextClassifier

tempfile.tempdir, options, texts, labels = json.loads(sys.argv[1])
Path(tempfile.tempdir, ".manyheads-of-a-killed-process.partial").mkdir()
search = GridSearchCV(TextClassifier(**options), {"epochs": [1, 2]}, cv=2, n_jobs=2)
# Processes of its default backend would import torch again.
with joblib.parallel_config("multiprocessing"):
    search.fit(texts, labels)
left = [len(list(Path(tempfile.tempdir).glob(".manyheads-*")))]
del search
print([*left, len(list(Path(tempfile.tempdir).glob(".manyheads-*")))])
"""


@pytest.mark.usefixtures("forked_commands")
def test_a_parallel_search_leaves_no_folder_of_its_fits(options: dict[str, Any], tmp_path: Path) -> None:
    words = json.dumps([str(tmp_path), options, TEXTS, LABELS])
    done = subprocess.run(
        [sys.executable, "-c", SEARCH, words], capture_output=True, text=True, check=True, timeout=300
    )
    assert json.loads(done.stdout) == [1, 0]


def test_a_failed_fit_leaves_no_folder(
    options: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with pytest.raises(ManyheadsError) as kept:  # a notebook keeps the traceback, too
        TextClassifier(**options | {"changes": {"training.learning_rat": 1}}).fit(TEXTS, LABELS)
    assert "learning_rat" in str(kept.value)
    assert list(tmp_path.glob(".manyheads-*")) == []


def test_calibrated(options: dict[str, Any]) -> None:
    calibrated = CalibratedClassifierCV(TextClassifier(**options | {"epochs": 1}), cv=2).fit(TEXTS, LABELS)
    assert np.allclose(calibrated.predict_proba(TEXTS).sum(axis=1), 1)


def test_the_run_is_kept_on_request(options: dict[str, Any], tmp_path: Path) -> None:
    model = TextClassifier(**options | {"epochs": 1}, out=tmp_path / "run").fit(TEXTS, LABELS)
    del model
    assert (tmp_path / "run" / "results.json").is_file()


KEPT = """
import sys, tempfile
from pathlib import Path
from manyheads.sklearn import TextClassifier

tempfile.tempdir = sys.argv[1]
# A module refers to the model until the end of the program.
sys.model = TextClassifier(sys.argv[2], epochs=1, changes={"threads": 1}).fit(["good", "bad"] * 8, [1, 0] * 8)
print(len(list(Path(tempfile.tempdir).glob(".manyheads-*"))))
"""


def test_the_end_of_a_program_leaves_no_folder_and_no_message(options: dict[str, Any], tmp_path: Path) -> None:
    words = [sys.executable, "-W", "ignore", "-c", KEPT, str(tmp_path), options["encoder"]]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=300)
    assert (done.stdout, done.stderr) == ("1\n", "")
    assert list(tmp_path.iterdir()) == []
