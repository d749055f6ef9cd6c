"""The lock: the queries that a team has accepted, and what is new, edited, worse or gone against it."""
