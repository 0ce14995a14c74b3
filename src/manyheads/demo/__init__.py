"""The demo: a small corpus of three tasks, made by a seeded generator, and the recipe that trains on it."""
