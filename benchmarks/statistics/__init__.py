"""Simulated studies: how often intervals cover the true value, and how often tests find what is not there."""
