"""The HTTP server: a model behind routes. Texts of several requests are encoded in one pass."""
