"""Scores of items after histories, and the items with the highest ones."""
