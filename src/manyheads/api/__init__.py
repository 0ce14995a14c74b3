"""The public interface for Python: recipes and studies, and a function for every command. `manyheads` has its names."""
