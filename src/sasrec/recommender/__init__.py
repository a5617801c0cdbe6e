"""A trained model in use: recommendations, scores, and the folder it is saved in."""
