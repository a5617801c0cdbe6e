"""Training and evaluation: from settings and data to a recommender and reports."""
