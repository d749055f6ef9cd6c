"""Migrations: what the change does to production's schema, and what that does to production.

```
read(paths)                           files of any tool -> Migration, without the ways back
├── steps(migrations)                 -> Step, each with its transaction and timeouts
├── apply(session, migrations)        on a twin's empty tables -> Observed: locks, rewrites, what is gone
├── lint(migrations, major)           squawk's findings, in its own words
└── judge(steps, observed, …)         findings, weighed by production's sizes, traffic and queries
```
Words: a *step* is one statement of a migration; a *pass* is once over all rows of a table; a lock *blocks* whoever
waits for it.  What PostgreSQL does is watched and not guessed; how long it takes is estimated, and says from what.  The
room runs nothing against production, and writes no migration.
"""

from premortem.migrations.applying import Applied, apply
from premortem.migrations.files import STDIN, Migration, read
from premortem.migrations.judging import Judged, judge
from premortem.migrations.observed import Observed
from premortem.migrations.squawk import Linted, lint
from premortem.migrations.steps import Step, steps
from premortem.migrations.uses import Uses

__all__ = [
    "STDIN",
    "Applied",
    "Judged",
    "Linted",
    "Migration",
    "Observed",
    "Step",
    "Uses",
    "apply",
    "judge",
    "lint",
    "read",
    "steps",
]
