"""The names of classes in data sets of the datasets library, in columns with a class or with a list of classes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def class_names(features: Mapping[str, Any]) -> dict[str, list[str]]:
    """Return the names of the classes of each column that has them, from the features of a data set."""
    inner = {column: within(of, getattr(of, "feature", of)) for column, of in features.items()}
    return {column: list(of.names) for column, of in inner.items() if hasattr(of, "int2str")}


def within(feature: Any, inner: Any) -> Any:
    """Return the feature of the items of a column with lists: the only one of a list, or else `inner`."""
    return feature[0] if isinstance(feature, list) and len(feature) == 1 else inner
