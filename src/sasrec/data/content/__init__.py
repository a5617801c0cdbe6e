"""Content of items, such as their category, as numbers that a model reads."""
