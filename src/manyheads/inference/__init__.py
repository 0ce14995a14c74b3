"""Inference with a trained model: bundles, exports, the predictor and the HTTP server."""
