"""Finds the PostgreSQL query that will take production down before it is merged."""

__version__ = "0.1.0"
