"""Drift: how new data differ from older ones, or from what a model was trained on."""
