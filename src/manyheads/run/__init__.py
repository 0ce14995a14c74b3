"""The run folder. It has everything that a run produced, and later stages read nothing else."""
