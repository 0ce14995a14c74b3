"""A metric as a task names it: its name on the menu and its options, as plain values."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class MetricChoice:
    """A metric of the menu with options. Bundles store it, and only the evaluation interprets it.

    `kind`: the name on the menu. `options`: pairs of a key and a value; lists are tuples.
    """

    kind: str
    options: tuple[tuple[str, Any], ...] = ()

    @classmethod
    def of(cls, content: str | Mapping[str, Any]) -> MetricChoice:
        """Return the choice that a recipe or a manifest writes as a name or as a table with `kind`."""
        if isinstance(content, str):
            return cls(content)
        options = {key: value for key, value in content.items() if key != "kind" and value is not None}
        return cls(str(content["kind"]), tuple((key, _plain(value, tuple)) for key, value in options.items()))

    @property
    def table(self) -> dict[str, Any]:
        """The choice as a table with `kind` and the options."""
        return {"kind": self.kind, **{key: _plain(value, list) for key, value in self.options}}

    @property
    def name(self) -> str:
        """The name in results, the kind and the values of the options, as in "f1_favor_against"."""
        words = (re.sub(r"\W+", "_", str(value)) for _, option in self.options for value in _flat(option))
        return "_".join([self.kind, *words])


def _plain(value: Any, sequence: type) -> Any:
    return sequence(value) if isinstance(value, list | tuple) else value


def _flat(option: Any) -> Iterator[Any]:
    yield from option if isinstance(option, tuple) else [option]
