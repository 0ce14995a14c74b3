"""Serving a trained model: the bundle that is shipped, and the predictor that answers from it."""
