"""The demo: a small corpus of three tasks, written by a seeded generator, and the recipe that trains on it."""
