"""Recommend with exported sasrec models, without PyTorch, in Python and by HTTP."""
