"""Compares several models on the same test cases, with confidence intervals and tests."""
