"""EXPLAIN ANALYZE on a copy of production's size: what a query does there, and what an index really changes.

```
open(dsn, profile)      the mirror, or a staging copy whose owner says that it is one
├── admission           never production, never a database that nobody called staging
├── values              parameter values from the copy's own rows
└── running             execute, build, undo
rehearse(dsn, profile)  the same mirror with many indexes, hidden and shown, for a whole workload
```
Nothing that it does stays: queries and indexes are rolled back.  What cannot be rolled back (a sequence that moved,
rows that a query wrote and that are dead now, what a trigger told the world outside) is why production is refused.
"""

from premortem.execution.opening import Opened, Rehearsal, open, rehearse
from premortem.execution.rehearsing import Stage

__all__ = ["Opened", "Rehearsal", "Stage", "open", "rehearse"]
