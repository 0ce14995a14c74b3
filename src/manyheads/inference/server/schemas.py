"""Bodies of requests and responses."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Item = str | list[str]

TEXTS = (
    "Texts, or pairs of texts if the task reads two. A pair is a list of two strings. For a task with candidates, an "
    "item is a list of the text and its candidates."
)
PREDICTIONS = "One prediction per text, in order."
COPY = "Deprecated copy of `predictions`. Version 1.0 removes it."


class TextsBody(BaseModel):
    """Texts for one task."""

    model_config = ConfigDict(extra="forbid")
    texts: list[Item] = Field(min_length=1, description=TEXTS, examples=[["A fine film."]])


class TasksBody(TextsBody):
    """Texts for several tasks. All of the tasks must read one text, or all must read pairs."""

    tasks: list[str] = Field(min_length=1, description="Names of the tasks to predict.")


class Span(BaseModel):
    """A span of words with a label."""

    start: int = Field(description="The first character of the span in the text, from 0.")
    end: int = Field(description="The character after the last one of the span.")
    label: str = Field(description="The type of the span.")
    text: str = Field(description="The characters of the span.")


class Prediction(BaseModel):
    """The prediction for one text or pair: a label with the probability of every label, or a value."""

    prediction: str | int | float | bool | list[str | int | float | bool] = Field(
        description="The predicted label or value, or the list of labels of a task with several.", examples=["positive"]
    )
    probabilities: dict[str, float] | list[float] | None = Field(
        default=None,
        description="Probability of every label. `null` for a task that predicts values. For a task per word, the "
        "probability of each predicted tag, and for a task with candidates that of each candidate.",
        examples=[{"negative": 0.1, "positive": 0.9}],
    )
    value: float | None = Field(
        default=None, description="The predicted value. `null` for a task that predicts labels.", examples=[None]
    )
    words: list[str] | None = Field(
        default=None, description="The words of the text, for a task per word. `prediction` has their tags."
    )
    text: str | None = Field(default=None, description="The chosen candidate, for a task with candidates.")
    spans: list[Span] | None = Field(
        default=None, description="The predicted spans of words, for a task per word whose tags mark spans."
    )


class Token(BaseModel):
    """A token and its contribution to the prediction."""

    token: str = Field(description="The token as the vocabulary spells it.")
    weight: float = Field(
        description="From -1 to 1. A positive weight supports the prediction, a negative weight opposes it."
    )


class Explanation(Prediction):
    """A prediction with the weights of the tokens of each text."""

    tokens: list[list[Token]] = Field(description="One list per text. It has the tokens that the model read.")


class TaskPredictions(BaseModel):
    """The predictions of one task."""

    task: str = Field(description="Name of the task.")
    predictions: list[Prediction] = Field(description=PREDICTIONS)
    answers: list[Prediction] = Field(deprecated=True, description=COPY)


class TaskExplanations(BaseModel):
    """The explained predictions of one task."""

    task: str = Field(description="Name of the task.")
    predictions: list[Explanation] = Field(description=PREDICTIONS)
    answers: list[Explanation] = Field(deprecated=True, description=COPY)


class Predictions(BaseModel):
    """The predictions of several tasks, by the name of the task."""

    predictions: dict[str, list[Prediction]] = Field(description=f"{PREDICTIONS} The keys are names of tasks.")
    answers: dict[str, list[Prediction]] = Field(deprecated=True, description=COPY)


class TaskInfo(BaseModel):
    """A task of the model."""

    name: str = Field(description="Name of the task.")
    texts: int = Field(description="Number of texts that the task reads: 1, or 2 for pairs.")
    columns: list[str] = Field(description="Names of the text columns in the training data.")
    candidates: bool = Field(default=False, description="Whether candidates follow the text of an item.")
    predicts: str = Field(default="", description="What the task predicts, as a phrase in Markdown.")
    explained: bool = Field(description="Whether `/v1/explain/{task}` is supported.")
    labels: list[Any] | None = Field(default=None, description="The labels. `null` for a task that predicts values.")
    range: list[float] | None = Field(
        default=None, description="Lowest and highest value. `null` for a task that predicts labels."
    )


class Problem(BaseModel):
    """The reason why a request failed."""

    error: str = Field(description="What is wrong.")
    where: str | None = Field(default=None, description="The part of the request.")
    allowed: str | None = Field(default=None, description="What is allowed there.")
    hint: str | None = Field(default=None, description="What to do.")
