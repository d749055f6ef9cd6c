"""Looks at running servers: one round trip a poll, as little of it as can be.

Words: a *sample* is everything of one poll, a *glance* the sessions only, between two polls; a *line* is an entry of
pg_stat_statements as the server wrote it down.  Most lines are what they were in the poll before, so lines are compared
as bytes, and only those that moved are parsed.

```
open(dsn, name) -> Reader         one lasting connection; refuses poolers
    Reader.sample() -> Sample     asking (one SQL text) → reading (bytes to values) → lines (what moved)
                                  poolers (PgBouncer's consoles)
    Reader.glance() -> Glance
    Reader.texts(keys) -> text by key
    Reader.indexes(database) -> what indexes there are
```
It refuses to write, to reset anybody's counters, to prepare or keep anything on the server, and to decide.
"""

from premortem.sampling.reader import Reader, open

__all__ = ["Reader", "open"]
