"""Evaluation: ranks of targets, metrics of ranks, reports of metrics."""
