"""Posts a report to a pull request and keeps it up to date: one comment, edited in place."""
