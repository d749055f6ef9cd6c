"""A database with production's schema, sizes and distributions, and none of its rows: to run queries on, not to plan.

```
build(place, profile, options)     make it, or finish one that was interrupted
├── target                         where it may be made; everything else is refused before anything is written
├── schema, statements             production's DDL in another order: what slows loading down comes last
├── loading, crews, schedule       chunks of rows, by processes here or a Dask cluster
└── finishing                      indexes, keys, statistics, constraints, sequences, views, triggers
verify(place, profile, queries)    ANALYZE it, and compare its statistics and plans with production's
pin(session, profile)              production's statistics in place of ANALYZE's, where they fit its rows
kept                               mirrors on servers of our own
wanted                             the tables that queries touch
```

Words: a *place* is where a mirror is, a *chunk* some rows of one table, the *manifest* what the mirror says of itself.
Rows are made by `synthesis` from the profile alone; this room puts them where they belong.

It refuses to write into production, into a database that holds anything else, and onto a disk that is too small.  It
never asks production for anything.
"""

from premortem.mirror import kept, wanted
from premortem.mirror.building import Built, Crewing, build
from premortem.mirror.comparing import Limits
from premortem.mirror.options import Options
from premortem.mirror.pinning import pin
from premortem.mirror.place import Place
from premortem.mirror.verifying import Verified, verify

__all__ = [
    "Built",
    "Crewing",
    "Limits",
    "Options",
    "Place",
    "Verified",
    "build",
    "kept",
    "pin",
    "verify",
    "wanted",
]
