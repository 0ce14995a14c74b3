"""The `head` of a task in a recipe."""

from __future__ import annotations

from pydantic import Field

from manyheads.options import Options


class HeadOptions(Options):
    """The layers that map the vectors of the encoder to the outputs of one task."""

    kind: str | None = Field(
        default=None,
        description='Type of head. "linear": for one text. "cross": a linear head for two texts, or a text and a '
        'candidate, in one sequence. "b1" and "b2": for two in separate sequences; both are heads of the reference '
        'study. "vector": the '
        'vectors of the texts, for an embedding. Default: "linear" for one text, "cross" for pair = "cross", "b2" for '
        'pair = "bi", "vector" for an embedding.',
    )
    dropout: float = Field(
        default=0.1,
        ge=0,
        lt=1,
        description='Dropout probability in the head, applied to the vectors of the encoder. "b2" also applies it to '
        "its combined features in classification tasks.",
    )

    @property
    def own(self) -> dict[str, object]:
        """The options that only this head has."""
        return self.model_dump(exclude={"kind", "dropout"})
