"""Production's plans without production's rows.

A twin is a PostgreSQL server of our own with production's schema, statistics and sizes and no rows: its relation files
are sparse, its B-trees have production's height, its catalog says what ANALYZE said in production.  The planner cannot
tell the difference, so EXPLAIN gives production's plans and costs.  `docs/explanation/twin.md` says how, and where the
limits are.

```
open(profile)                 find a server of production's major, build or take from the cache, start
briefly(profile)              the same, built for one question and kept nowhere
├── build.build               the cluster, once per profile and migrations
└── Twin.explain              PREPARE, EXPLAIN EXECUTE with values, or the generic plan
    ├── Twin.stock            the same for a search: thousands of questions about hundreds of indexes
    └── Twin.replanner        the same with indexes that production does not have, or without some that it has
differences(profile, branch)  what a schema that tests built has else than production's
```

Words: a *standing* profile is the one that a twin stands for, production's plus the change's migrations.
The room refuses to answer where the planner's pages and rows are not the injected ones.
"""

from premortem.migrations import Migration
from premortem.migrations import read as read_migrations
from premortem.model import GENERIC
from premortem.twin.differing import differences
from premortem.twin.explaining import Explainer
from premortem.twin.newcomers import Assumption
from premortem.twin.opening import briefly, locale_of, open
from premortem.twin.stock import Stock, nearness
from premortem.twin.twin import Twin

__all__ = [
    "GENERIC",
    "Assumption",
    "Explainer",
    "Migration",
    "Stock",
    "Twin",
    "briefly",
    "differences",
    "locale_of",
    "nearness",
    "open",
    "read_migrations",
]
