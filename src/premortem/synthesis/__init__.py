"""Rows from statistics alone: tables with production's size and distribution, and no row of production's.

```
plan(profile)              how many rows, which values, which keys refer to which; what cannot be known
chunk(synthesis, table, n) rows n of a table, as columns of binary values: a pure function, on any worker
encode(chunk)              the same as rows of binary COPY, between HEADER and TRAILER
```

Words: a *rank* is a row's place in the order of a column's values, a *number* is a value's place among the column's
distinct values, a *place* is where a value stands on its type's line (a microsecond, a cent).  A chunk needs nothing
but the plan: row → rank → number → value are functions, and a child's value is a function of its parent's key plan,
never of its parent's rows.  `docs/explanation/mirror.md` says how the distributions are rebuilt.

The room never asks a server.  What it cannot know, or a type that it has no values for, is a gap and NULL.
"""

from premortem.synthesis.design import Chunk, Synthesis, TablePlan
from premortem.synthesis.planning import plan
from premortem.synthesis.rows import chunk, encode
from premortem.synthesis.wire import HEADER, TRAILER

__all__ = ["HEADER", "TRAILER", "Chunk", "Synthesis", "TablePlan", "chunk", "encode", "plan"]
