"""Losses: functions from states, targets and the item table to one number."""
