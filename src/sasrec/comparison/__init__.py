"""Comparison: several models on the same cases, with what is needed to trust the differences."""
