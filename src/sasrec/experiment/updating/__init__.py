"""Updating a trained model with new events instead of training it again."""
