"""The wizard: a first recipe, suggested from data files."""
