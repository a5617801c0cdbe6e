"""Hyper-parameter search: spaces of settings, and the search for the best settings in them."""
