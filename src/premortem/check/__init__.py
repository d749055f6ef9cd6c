"""From a query to a verdict: which plans it may get, what is wrong with them, which index cures that.

```
run(query, …)
├── judge(query)                    plans for every parameter set → findings → advice, with proof on the twin
│   └── for each foreign key that a DELETE or UPDATE must check: judge(the trigger's query)
├── absorb(…)                       what the triggers' queries showed becomes the statement's own findings
└── policy.apply(report)            severities, budgets, allow comments, owners → what counts, and the verdict
run_all(queries, …)                 the same statement is judged once, wherever it stands
judge_plan(planned, query, …)       a plan that came ready-made, with or without a profile
sift(queries, known, …)             what need not be judged: nothing that it depends on changed since it was accepted
compared(report, comparing)         what is new about a query, and which of its findings count for that
updated(lock, reports, …)           the lock with today's queries
report(reports, facts, …)           one value for the renderers
```
Here nothing touches the world: whoever plans is handed in.  A query that cannot be parsed or planned is "could not
tell", and that is not a pass.
"""

from premortem.check.accepting import Reason, stale, updated
from premortem.check.executor import Executor
from premortem.check.ground import ground
from premortem.check.novelty import Comparing, as_query, compared
from premortem.check.pasted import judge_plan
from premortem.check.pasted import parameters as pasted_values
from premortem.check.planner import Planner
from premortem.check.policy import of_schema, unmatched
from premortem.check.runner import report, run, run_all
from premortem.check.sifting import Base, Known, Sifted, sift
from premortem.check.speed import timed

__all__ = [
    "Base",
    "Comparing",
    "Executor",
    "Known",
    "Planner",
    "Reason",
    "Sifted",
    "as_query",
    "compared",
    "ground",
    "judge_plan",
    "of_schema",
    "pasted_values",
    "report",
    "run",
    "run_all",
    "sift",
    "stale",
    "timed",
    "unmatched",
    "updated",
]
