"""Evaluation: ranks of targets, metrics computed from them, and reports."""
