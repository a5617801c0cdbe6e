"""Folders that ``sasrec export`` wrote: reading, checking, and running the network."""
