"""The model: an encoder that reads flat batches, heads, and losses."""
