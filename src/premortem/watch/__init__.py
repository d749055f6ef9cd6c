"""Decides from samples what hurts: deltas, windows, alerts.  Pure: time is handed in."""
