"""Migrations: what the change does to production's schema, and what that does to production.

```
read(paths)                      files of any tool -> Migration, without the ways back
steps(migrations)                -> Step, each with its transaction and timeouts
apply(session, migrations)       on a twin's empty tables -> Observed: locks, rewrites, what is gone
```
"""

from premortem.migrations.applying import Applied, apply
from premortem.migrations.files import Migration, read
from premortem.migrations.observed import Observed
from premortem.migrations.steps import Step, steps

__all__ = ["Applied", "Migration", "Observed", "Step", "apply", "read", "steps"]
