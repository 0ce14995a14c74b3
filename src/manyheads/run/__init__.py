"""The run folder: all that a run produced, and the only thing that later stages read."""
