"""Tuning: spaces of settings, and the search for the best of them."""
