"""Evaluation: metrics, and a model's scores on a split."""
