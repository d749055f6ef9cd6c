"""Runs a test suite or reads a log, and keeps every distinct statement that reached the server."""
