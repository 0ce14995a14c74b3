"""The server: a bundle behind HTTP, texts of many requests answered in one pass."""
