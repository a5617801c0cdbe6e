"""Checks that count doubtful data and report them; they never change the data."""
