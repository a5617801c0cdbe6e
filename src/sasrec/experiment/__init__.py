"""Train and evaluate: settings and data in; a recommender and reports out."""
