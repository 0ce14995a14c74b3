"""Messages show what was found, and stay short."""

from __future__ import annotations

from manyheads.errors import SHOWN, RecipeError


def test_a_found_value_of_any_size_can_be_shown() -> None:
    assert "found:   'a'" in str(RecipeError("wrong", found="a"))
    assert "truncated" not in str(RecipeError("wrong", found="a" * SHOWN))
    for value in ("a" * 10_000, list(range(10_000))):
        text = str(RecipeError("wrong", found=value))
        assert text.endswith("... (truncated)")
        assert len(text) < SHOWN + 100
    assert "too large to show (int)" in str(RecipeError("wrong", found=10**5000))
