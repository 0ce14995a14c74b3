"""Estimators of scikit-learn: `TextClassifier` and `TextRegressor`, for one or several outputs."""

from __future__ import annotations

import os
import shutil
import tempfile
import weakref
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray
from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin, TransformerMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_array, check_consistent_length, check_is_fitted

from manyheads.api.training import train
from manyheads.inference.load import load
from manyheads.inference.predictions import Predictions
from manyheads.inference.predictor import Predictor
from manyheads.run.atomic import SUFFIX, held, sweep
from manyheads.tasks.kinds.classification import Classification
from manyheads.tasks.kinds.regression import Regression

COLUMNS = ("text", "second_text")
"""The text columns of the tasks that the estimators train."""

WEIGHT = "weight"
"""The column of the sample weights."""

Texts = list[tuple[str, ...]]


class _Model:
    """The folder of a trained model, which exists as long as the object. A pickle contains the files.

    `folder`: the run folder. `temporary`: the folder that is removed with the object, or None.
    """

    def __init__(self, folder: Path, temporary: _Temporary | None) -> None:
        self.folder = folder
        self._temporary = temporary
        self._predictor: Predictor | None = None

    @property
    def predictor(self) -> Predictor:
        """The model, loaded once."""
        if self._predictor is None:
            self._predictor = load(self.folder / "model")
        return self._predictor

    def __getstate__(self) -> dict[str, bytes]:
        root = self.folder / "model"
        return {str(file.relative_to(root)): file.read_bytes() for file in sorted(root.rglob("*")) if file.is_file()}

    def __setstate__(self, files: Mapping[str, bytes]) -> None:
        temporary = _Temporary()
        self.__init__(temporary.path, temporary)  # type: ignore[misc]
        for name, content in files.items():
            file = self.folder / "model" / name
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_bytes(content)


class _Temporary:
    """A temporary folder, removed when nothing refers to the object any more, or when the program ends.

    What a killed process leaves, such as a worker of a search, is removed by the next one.
    """

    def __init__(self) -> None:
        sweep(Path(tempfile.gettempdir()), "manyheads-")
        lock = held(lambda: Path(tempfile.mkdtemp(prefix=".manyheads-", suffix=SUFFIX)))
        self.path = lock.__enter__()
        self.remove = weakref.finalize(self, _remove, lock, self.path, os.getpid())


def _remove(lock: AbstractContextManager[Path], folder: Path, process: int) -> None:
    """Remove a folder, in the process that made it. A forked process has a copy of its object."""
    if os.getpid() == process:
        shutil.rmtree(folder, ignore_errors=True)
    lock.__exit__(None, None, None)


class _TextEstimator(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    """What the two estimators share: texts in, one task per output."""

    def __init__(
        self,
        encoder: str = "minilm-offline",
        *,
        epochs: int = 3,
        batch_size: int = 16,
        learning_rate: float = 1e-4,
        max_length: int = 256,
        pair: str = "cross",
        dev: float = 0.1,
        changes: Mapping[str, Any] | None = None,
        out: str | Path | None = None,
        random_state: int | np.random.RandomState | None = 1,
        verbose: bool = False,
    ) -> None:
        self.encoder = encoder
        self.epochs = epochs
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.max_length = max_length
        self.pair = pair
        self.dev = dev
        self.changes = changes
        self.out = out
        self.random_state = random_state
        self.verbose = verbose

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.one_d_array = True
        # Two columns of texts are possible. Tables of numbers are not.
        tags.input_tags.two_d_array = False
        tags.target_tags.required = True
        tags.target_tags.multi_output = True
        tags.target_tags.single_output = True
        return tags

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> Self:
        """Train a model: one task per output, on one shared encoder.

        Args:
            X: n texts: a list, an array or a Series. Or n pairs of texts: two columns of an array or a DataFrame.
            y: the labels or values of one output (n) or of several (n, outputs). Columns of a DataFrame name outputs.
            sample_weight: the weight of each row in the loss, float[n].

        Raises:
            ManyheadsError: The model cannot be trained.
            ValueError: X, y and the weights have different lengths, a text or a label is missing, or the labels of an
                output are text and others.
        """
        texts, names = _texts(X)
        columns, self.n_outputs_ = _outputs(y)
        check_consistent_length(texts, *columns.values())
        self.n_features_in_ = len(texts[0])
        if names is not None:
            self.feature_names_in_ = np.array(names, dtype=object)
        elif hasattr(self, "feature_names_in_"):
            del self.feature_names_in_
        table: dict[str, list[Any]] = {
            name: [row[place] for row in texts] for place, name in enumerate(COLUMNS[: self.n_features_in_])
        }
        if sample_weight is not None:
            weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name="sample_weight")
            if weights.ndim != 1:
                raise ValueError(f"sample_weight has {weights.ndim} dimensions, and one is possible")
            check_consistent_length(texts, weights)
            table[WEIGHT] = weights.tolist()
        self._fit_outputs(columns)
        tasks = {}
        for name, cells in columns.items():
            label = f"label_{name}"
            table[label] = self._encoded(name, cells)
            tasks[name] = {
                "train": table,
                "dev": self.dev,
                "text": list(COLUMNS[: self.n_features_in_]),
                "label": label,
                **({"pair": self.pair} if self.n_features_in_ > 1 else {}),
                **({} if sample_weight is None else {"weight": WEIGHT}),
                **self._task(name),
            }
        temporary = _Temporary() if self.out is None else None
        folder = Path(str(self.out)) if temporary is None else temporary.path / "run"
        recipe = {
            "encoder": str(self.encoder),
            "seed": _seed(self.random_state),
            "tasks": tasks,
            "model": {"max_length": self.max_length},
            "batching": {"batch_size": self.batch_size},
            "training": {"epochs": self.epochs, "learning_rate": self.learning_rate},
        }
        try:
            train(recipe, folder, changes=self.changes or {}, progress=None if self.verbose else False)
        except BaseException:
            if temporary is not None:
                temporary.remove()
            raise
        self.output_names_ = list(columns)
        self.model_ = _Model(folder, temporary)
        return self

    def transform(self, X: Any) -> NDArray[np.float64]:
        """Return the predictions of all outputs as features: float64[n, features].

        The features are the probability of each class of a classifier, or the predicted value of a regressor.
        """
        found = self._predicted(X)
        return np.concatenate([self._features(each) for each in found.values()], axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Return the names of the features of `transform`."""
        del input_features
        check_is_fitted(self)
        return np.array([name for output in self.output_names_ for name in self._feature_names(output)], dtype=object)

    @property
    def predictor_(self) -> Predictor:
        """The trained model, as `manyheads.load` returns it."""
        check_is_fitted(self)
        return self.model_.predictor

    def _predicted(self, X: Any) -> dict[str, Predictions]:
        """Return the predictions of every output for texts."""
        check_is_fitted(self)
        texts, names = _texts(X)
        if texts and len(texts[0]) != self.n_features_in_:
            raise ValueError(
                f"X has {len(texts[0])} features, but {type(self).__name__} is expecting {self.n_features_in_} features"
                " as input: columns of texts"
            )
        if names is not None and hasattr(self, "feature_names_in_") and list(self.feature_names_in_) != names:
            raise ValueError(f"the columns are {names}, and the estimator was fitted on {list(self.feature_names_in_)}")
        items = [row if len(row) > 1 else row[0] for row in texts]
        return {name: self.model_.predictor.predict(name, items) for name in self.output_names_}

    @abstractmethod
    def _fit_outputs(self, columns: Mapping[str, list[Any]]) -> None:
        """Learn the label space of the outputs."""

    @abstractmethod
    def _encoded(self, name: str, cells: list[Any]) -> list[Any]:
        """Return the label column of an output."""

    @abstractmethod
    def _task(self, name: str) -> dict[str, Any]:
        """Return the keys of the task of an output that depend on its labels."""

    @abstractmethod
    def _features(self, predictions: Predictions) -> NDArray[np.float64]:
        """Return the features of `transform` of one output."""

    @abstractmethod
    def _feature_names(self, output: str) -> list[str]:
        """Return the names of the features of one output."""


class TextClassifier(ClassifierMixin, _TextEstimator):  # type: ignore[misc]
    """A classifier of texts, or of pairs of texts. With several outputs, it is one multitask model.

    The encoder is fine-tuned. A part of the rows, `dev`, is held out to choose the best epoch.

    Args:
        encoder: the pretrained encoder, as in a recipe.
        epochs: passes over the training rows.
        batch_size: rows of a batch.
        learning_rate: the highest learning rate.
        max_length: tokens of the longest sequence. Longer texts are truncated.
        pair: "cross" or "bi": how pairs of texts are encoded.
        dev: the fraction of the rows that is held out.
        changes: further changes of the recipe, such as `{"training.schedule": "linear"}`.
        out: the run folder. Default: a temporary folder that is removed with the estimator.
        random_state: the seed of the run, or a random state that draws it. None draws a new seed.
        verbose: show the progress of `fit` in a notebook or a terminal.

    Attributes:
        classes_: the classes, sorted. For several outputs, a list with those of each output.
        output_names_: the names of the outputs, which are the tasks of the model.
        n_features_in_: the number of text columns, 1 or 2.
    """

    def predict(self, X: Any) -> NDArray[Any]:
        """Return the most probable class of each text: [n], or [n, outputs] for several outputs."""
        shares = self._shares(X)
        found: list[NDArray[Any]] = [
            np.asarray(self._classes[name])[each.argmax(axis=1)] for name, each in shares.items()
        ]
        if self.n_outputs_ is None:
            return found[0]
        # An array of text would have the numbers of the other outputs as text.
        mixed = len({each.dtype.kind == "U" for each in found}) > 1
        return np.stack([each.astype(object) if mixed else each for each in found], axis=1)

    def predict_proba(self, X: Any) -> Any:
        """Return the probability of each class, float64[n, classes]. For several outputs, a list with one per output.

        The classes are in the order of `classes_`.
        """
        found = list(self._shares(X).values())
        return found[0] if self.n_outputs_ is None else found

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the accuracy. With several outputs, a row is correct if all its outputs are."""
        predicted, wanted = np.asarray(self.predict(X)), np.asarray(y)
        if predicted.shape != wanted.shape:
            raise ValueError(f"y has the shape {wanted.shape}, and the predictions have {predicted.shape}")
        correct = predicted == wanted
        correct = correct if correct.ndim == 1 else correct.all(axis=1)
        return float(np.average(correct, weights=sample_weight))

    def _shares(self, X: Any) -> dict[str, NDArray[np.float64]]:
        return {name: self._features(each) for name, each in self._predicted(X).items()}

    def _fit_outputs(self, columns: Mapping[str, list[Any]]) -> None:
        for name, cells in columns.items():
            if len({isinstance(each, str) for each in cells}) > 1:
                raise ValueError(f"output {name!r} has labels that are text and others: convert them to one type")
        self._classes = {name: np.unique(np.array(cells)) for name, cells in columns.items()}
        for name, classes in self._classes.items():
            if len(classes) < 2:
                raise ValueError(
                    f"Classifier can't train when only one class is present: output {name!r} has {classes.tolist()}"
                )
        every = list(self._classes.values())
        self.classes_ = every[0] if self.n_outputs_ is None else every

    def _encoded(self, name: str, cells: list[Any]) -> list[Any]:
        codes = np.searchsorted(self._classes[name], np.array(cells))
        labels = _labels(self._classes[name])
        return [labels[code] for code in codes]

    def _task(self, name: str) -> dict[str, Any]:
        return {"kind": Classification.name, "labels": _labels(self._classes[name])}

    def _features(self, predictions: Predictions) -> NDArray[np.float64]:
        shares = predictions.probabilities
        if shares is None:
            raise TypeError("the task of a classifier gives probabilities")
        whole: NDArray[np.float64] = shares / shares.sum(axis=1, keepdims=True)
        return whole

    def _feature_names(self, output: str) -> list[str]:
        return [f"{output}_{label}" for label in self._classes[output]]


class TextRegressor(RegressorMixin, _TextEstimator):  # type: ignore[misc]
    """A regressor of texts, or of pairs of texts. With several outputs, it is one multitask model.

    Predictions are within the range of the training values. The arguments are those of `TextClassifier`.

    Attributes:
        output_names_: the names of the outputs, which are the tasks of the model.
        n_features_in_: the number of text columns, 1 or 2.
    """

    def predict(self, X: Any) -> NDArray[np.float64]:
        """Return the value of each text: float64[n], or float64[n, outputs] for several outputs."""
        values = np.concatenate([self._features(each) for each in self._predicted(X).values()], axis=1)
        return values[:, 0] if self.n_outputs_ is None else values

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """Return the coefficient of determination, R squared. With several outputs, their mean."""
        return float(super().score(X, y, sample_weight))

    def _fit_outputs(self, columns: Mapping[str, list[Any]]) -> None:
        values = {name: [float(each) for each in cells] for name, cells in columns.items()}
        self._ranges = {name: (min(each), max(each)) for name, each in values.items()}
        for name, (low, high) in self._ranges.items():
            if not low < high:
                raise ValueError(f"all values of output {name!r} are {low}: there is nothing to learn")

    def _encoded(self, name: str, cells: list[Any]) -> list[Any]:
        del name
        return [float(each) for each in cells]

    def _task(self, name: str) -> dict[str, Any]:
        return {"kind": Regression.name, "range": list(self._ranges[name])}

    def _features(self, predictions: Predictions) -> NDArray[np.float64]:
        return np.array(predictions.labels, dtype=np.float64)[:, None]

    def _feature_names(self, output: str) -> list[str]:
        return [output]


def _texts(X: Any) -> tuple[Texts, list[str] | None]:
    """Return the texts of each row, and the names of the columns of a DataFrame.

    Raises:
        ValueError: A row is not one or two texts.
    """
    names = None
    if hasattr(X, "columns"):
        names = [str(name) for name in X.columns]
        if len(set(names)) < len(names):
            raise ValueError("two columns of X have the same name")
        rows: Sequence[Any] = list(zip(*(list(X[name]) for name in X.columns), strict=True))
    elif isinstance(X, str | bytes | Mapping) or not hasattr(X, "__iter__"):
        found_type = "one text" if isinstance(X, str | bytes) else f"of the type {type(X).__name__}"
        raise ValueError(f"X is {found_type}: pass a list, an array, a Series or a DataFrame of texts")
    else:
        rows = X.tolist() if isinstance(X, np.ndarray) else list(X)
    found: Texts = []
    for place, row in enumerate(rows):
        texts = tuple(row) if isinstance(row, list | tuple | np.ndarray) else (row,)
        if not 1 <= len(texts) <= len(COLUMNS):
            raise ValueError(f"X, row {place}: found {len(texts)} texts, and one or two are possible")
        if found and len(texts) != len(found[0]):
            raise ValueError(f"X, row {place}: found {len(texts)} texts, and the rows before have {len(found[0])}")
        wrong = next((text for text in texts if not isinstance(text, str)), None)
        if wrong is not None or None in texts:
            raise ValueError(f"X, row {place}: {wrong!r} is not a text")
        found.append(tuple(map(str, texts)))
    if not found:
        raise ValueError("X has no rows: Found array with 0 sample(s) while a minimum of 1 is required.")
    return found, names


def _outputs(y: Any) -> tuple[dict[str, list[Any]], int | None]:
    """Return the cells of each output by its name, and the number of outputs. None if y has one dimension.

    Raises:
        ValueError: y is missing, or a cell is.
    """
    if y is None:
        raise ValueError("requires y to be passed, but the target y is None")
    if hasattr(y, "columns"):
        columns = {_task_name(str(name)): list(y[name]) for name in y.columns}
        if len(columns) < len(list(y.columns)):
            raise ValueError("two columns of y have the same name")
        outputs: int | None = len(columns)
    else:
        try:
            array = np.asarray(y)
        except ValueError:
            hint = "for labels in lists, pass columns of 0 and 1"
            raise ValueError(f"the rows of y have different lengths: {hint}") from None
        if array.ndim not in (1, 2):
            raise ValueError(f"y ({type(y).__name__}) has {array.ndim} dimensions, and one or two are possible")
        outputs = None if array.ndim == 1 else array.shape[1]
        columns = (
            {"output": array.tolist()}
            if outputs is None
            else {f"output{place}": array[:, place].tolist() for place in range(outputs)}
        )
    for name, cells in columns.items():
        for place, cell in enumerate(cells):
            missing = cell is None or type(cell).__name__ in ("NAType", "NaTType")
            if missing or (isinstance(cell, float) and not np.isfinite(cell)):
                raise ValueError(f"Input y contains NaN or infinity: output {name!r}, row {place}")
    return columns, outputs


def _task_name(name: str) -> str:
    """Return a name that a task may have."""
    kept = "".join(each if each.isascii() and (each.isalnum() or each in "-_") else "_" for each in name)
    return kept if kept[:1].isalnum() else f"output{kept}"


def _labels(classes: NDArray[Any]) -> list[Any]:
    """Return the labels of the task: the classes that are text or integers, otherwise their places."""
    plain: list[Any] = classes.tolist()
    if all(isinstance(each, str) and each.strip() == each and each for each in plain):
        return plain
    if all(isinstance(each, int) and not isinstance(each, bool) for each in plain):
        return plain
    return list(range(len(plain)))


def _seed(random_state: Any) -> int:
    """Return the seed of the run."""
    if isinstance(random_state, int | np.integer):
        return int(random_state)
    return int(check_random_state(random_state).randint(2**31 - 1))
