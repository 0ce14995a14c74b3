"""Evaluation: metrics, their intervals, and the scores of a model on a split."""
