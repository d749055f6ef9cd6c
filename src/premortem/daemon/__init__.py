"""Watches instances without end: polls, steps, commits, diagnoses, delivers."""
