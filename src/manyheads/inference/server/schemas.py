"""Bodies of requests and responses."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field

Item = str | list[str]


class TextsBody(BaseModel):
    """Texts for one task: strings, or pairs of strings for a task of two texts."""

    model_config = ConfigDict(extra="forbid")
    texts: list[Item] = Field(min_length=1, examples=[["A fine film."]])


class TasksBody(TextsBody):
    """Texts for several tasks that read the same form of text."""

    tasks: list[str] = Field(min_length=1)


class Answer(BaseModel):
    """The answer about one text or pair: a label with the probability of each, or a value."""

    prediction: str | int | float | bool
    probabilities: dict[str, float] | None = None
    value: float | None = None


class Token(BaseModel):
    """A token and its share of the answer, from -1 to 1."""

    token: str
    weight: float


class Explained(Answer):
    """An answer, and for each text the tokens that were read of it."""

    tokens: list[list[Token]]


class Answers(BaseModel):
    """One answer a text, in order."""

    task: str
    answers: list[Answer]


class ExplainedAnswers(BaseModel):
    """One explained answer a text, in order."""

    task: str
    answers: list[Explained]


class TasksAnswers(BaseModel):
    """One answer a text for every task asked."""

    answers: dict[str, list[Answer]]


class TaskInfo(BaseModel):
    """A task that is answered here. `texts`: 1, or 2 for pairs; `labels` of classes, `range` of values.

    `explained`: whether /v1/explain says which tokens mattered.
    """

    name: str
    texts: int
    columns: list[str]
    explained: bool
    labels: list[Any] | None = None
    range: list[float] | None = None


class Problem(BaseModel):
    """What is wrong with a request, where, and what is allowed."""

    error: str
    where: str | None = None
    allowed: str | None = None
    hint: str | None = None
