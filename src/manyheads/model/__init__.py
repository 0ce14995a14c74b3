"""The model: an encoder that reads flat batches, heads, and losses."""

from manyheads.process_state import without_widgets

without_widgets()  # before a module of this package imports transformers
