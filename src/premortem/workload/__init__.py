"""The indexes that a whole workload is best served by, and the ones that may go.

Words: a *demand* is a query with its values and its weight; a *question* is a demand planned with some candidates
visible; an *atom* is a set of indexes that one plan reads, with its cost; the *frontier* is the best cost for every
size.  What an index costs to keep is its *upkeep*.

    demands(queries, profile) -> Gathered            each query once, with its weight; what cannot be read and why
    study(demand, planner, profile) -> Studied       its parameter sets, its costs today, its candidates
    missing(gathered, studied) -> Gap …              what of the workload could not be planned
    select(studied, world, limits) -> Chosen         the set of indexes, and the frontier of cost against size
    explain(chosen, studied, price, terms) -> Indexing    the case for each index, the frontier, what was declined
    meant(typed, profile) -> Meant; why(meant, …) -> Explained    the case of one index that somebody named
    timed(studied, mirror) -> Studied …              what the queries that nobody measured take on a mirror
    promising(chosen, budget) -> (demand, indexes) …  what may be better than the planner thinks, to be tried
    refute(select, visible, studied, world, mirror) -> Refuted    chooses, executes what that changes, chooses again
    drops(studied, world, recommended=, now=) -> Drop …, Kept …     what may go, proved by planning without it
    drop_gaps(profile, replicas=) -> Gap …           why what looks unused was not called so

```
reading     queries -> demands, each studied once
search      questions, what follows from their answers, and a program over both
proof       the same search, told what execution on a mirror makes of its estimates
dropping    who is suspected, who is spared, and the proof that nobody misses them
telling     the case for what was chosen, and for what was not
```
It asks servers nothing itself: a `World` that is handed in plans, and everything here is decided from its answers.
"""

from premortem.workload.dropping.counters import check_replicas
from premortem.workload.dropping.dropping import drop_gaps, drops
from premortem.workload.dropping.suspects import DropLimits
from premortem.workload.proof.refuting import Mirror, Refuted, Rules, refute
from premortem.workload.proof.timing import timed
from premortem.workload.reading.demands import Gathered, demands, missing
from premortem.workload.reading.planner import Planner
from premortem.workload.reading.study import existing_indexes, study
from premortem.workload.search.program import require_solver
from premortem.workload.search.promising import promising
from premortem.workload.search.selection import Chosen, Limits, Step, select
from premortem.workload.studied import Studied
from premortem.workload.telling.explaining import Terms, explain, with_execution, without_dropped
from premortem.workload.telling.meaning import Meant, meant
from premortem.workload.telling.why import why
from premortem.workload.world import World

__all__ = [
    "Chosen",
    "DropLimits",
    "Gathered",
    "Limits",
    "Meant",
    "Mirror",
    "Planner",
    "Refuted",
    "Rules",
    "Step",
    "Studied",
    "Terms",
    "World",
    "check_replicas",
    "demands",
    "drop_gaps",
    "drops",
    "existing_indexes",
    "explain",
    "meant",
    "missing",
    "promising",
    "refute",
    "require_solver",
    "select",
    "study",
    "timed",
    "why",
    "with_execution",
    "without_dropped",
]
