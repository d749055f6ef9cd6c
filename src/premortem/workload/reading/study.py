"""Looks at one demand's plans once: what it costs today, for which values, and which indexes might serve it.

```
study
├── _plans       the generic plan, then at most four parameter sets; one plan where there is nothing to gain
├── shares       which part of the calls each set stands for
├── _answer      the costs today, and the indexes that are read
└── advisor      candidates, and what of the tables the demand asks for
```
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from premortem import advisor
from premortem.errors import ConnectionRefused, ServerError, StatementError
from premortem.model import (
    GENERIC,
    Answer,
    Demand,
    Node,
    ParameterSet,
    Plan,
    Planned,
    Profile,
    Query,
    RelationName,
    Unreadable,
)
from premortem.parameters import literals_unknown
from premortem.workload.reading.planner import Planner
from premortem.workload.reading.shares import MOST_SETS, kept_sets, shares
from premortem.workload.reading.telling import telling
from premortem.workload.studied import Studied

LITERAL = ParameterSet(name="literal", basis="the values in the text")
#: Parameter sets whose values somebody wrote or sent.
_SEEN = frozenset({"literal", "captured"})
#: What finding one row by an index costs, in random pages: two of the index beyond its root, one of the table, CPU.
_LOOKUP_PAGES = 2.5


def study(demand: Demand | Query, planner: Planner, profile: Profile) -> Studied | Unreadable:
    """Return a demand with its parameter sets, its costs today and its candidates; or why it cannot be planned.

    A demand that came with parameter sets is planned with these.
    """
    demand = Demand(query=demand, sets=(), shares=()) if isinstance(demand, Query) else demand
    try:
        generic, planned = _plans(demand, planner, profile)
    except ConnectionRefused:
        raise
    except (StatementError, ServerError) as error:  # an error within the planner costs one query its answer, not all
        query = demand.query
        return Unreadable(original=query.original, site=query.site, says=error.message, hint=error.hint)
    return _studied(_weighed(demand, planned), generic, planned, profile)


def _studied(demand: Demand, generic: Planned | None, planned: tuple[Planned, ...], profile: Profile) -> Studied:
    """Return what the plans say.

    What finds single rows by unique keys is served, and those indexes stay.  What has nothing to gain is asked about
    all the same where an index is replaced, so what it asks of its tables is kept.
    """
    before = _answer(planned, profile)
    if all(_looks_up_rows(p.plan, profile) for p in planned):
        return Studied(demand=demand, before=before, keys={}, visits={})
    is_apart = generic is not None and all(generic is not p for p in planned)
    look = advisor.looked(telling((*planned, generic) if is_apart and generic is not None else planned), profile)
    return Studied(
        demand=demand,
        before=before,
        groups=() if _has_nothing_to_gain(planned, before, profile) else look.groups,
        keys={name: one.keys for name, one in look.asked.items()},
        visits={name: one.visits for name, one in look.asked.items()},
        hints=look.hints,
        unknown=literals_unknown(_with_own_values(planned, generic).plan, profile),
    )


def _with_own_values(planned: Sequence[Planned], generic: Planned | None) -> Planned:
    """Return the plan that holds the values of the text, or those that were seen, and none from the statistics."""
    own = (p for p in planned if p.parameters.name in _SEEN)
    return next(own, generic or planned[0])


# plans ------------------------------------------------------------------------------------------------------


def _plans(demand: Demand, planner: Planner, profile: Profile) -> tuple[Planned | None, tuple[Planned, ...]]:
    """Return the generic plan, None where the text has no placeholders, and the plan of each parameter set."""
    query = demand.query
    if not query.parameter_count:
        return None, (planner.explain(query, demand.sets[0] if demand.sets else LITERAL),)
    types = planner.parameter_types(query)
    generic = planner.explain(query, GENERIC)
    if _looks_up_rows(generic.plan, profile):
        return generic, (generic,)
    chosen = demand.sets or kept_sets(planner.choose(query, generic.plan, types, profile))
    planned = tuple(_each(query, chosen[:MOST_SETS], planner, generic))
    return generic, planned or (generic,)


def _each(query: Query, chosen: Sequence[ParameterSet], planner: Planner, generic: Planned) -> Iterator[Planned]:
    """Yield the plans of the sets that PostgreSQL takes, without those that read nothing for the want of a value."""
    for one in chosen:
        try:
            planned = planner.explain(query, one)
        except StatementError:
            continue
        if None not in one.values or _reads(planned.plan) or not _reads(generic.plan):
            yield planned


def _reads(plan: Plan) -> bool:
    return any(node.relation is not None for node in plan.walk())


def _weighed(demand: Demand, planned: Sequence[Planned]) -> Demand:
    """Return the demand with the sets that were planned and their parts of its calls."""
    sets = tuple(p.parameters for p in planned)
    counted = dict(zip((s.values for s in demand.sets), demand.shares, strict=True))
    if not counted or any(s.values not in counted for s in sets):
        return replace(demand, sets=sets, shares=shares(sets))
    total = sum(counted[s.values] for s in sets)
    return replace(demand, sets=sets, shares=tuple(counted[s.values] / total for s in sets))


# answers ----------------------------------------------------------------------------------------------------


def _answer(planned: Sequence[Planned], profile: Profile) -> Answer:
    costs = [advisor.costs_of(p.plan, profile) for p in planned]
    return Answer(
        shown=tuple(c.shown for c in costs),
        risk=tuple(c.risk for c in costs),
        kept=frozenset(name for p in planned for name in existing_indexes(p.plan, profile)),
    )


def existing_indexes(plan: Plan, profile: Profile) -> Iterator[RelationName]:
    """Yield production's own indexes that a plan reads; a plan says their names without the schema."""
    read = {node.index for node in plan.walk() if node.index is not None}
    relations = {node.relation for node in plan.walk() if node.relation is not None} if read else set()
    for relation in relations:
        table = profile.find_table(relation.name, relation.schema or None)
        for index in table.indexes if table is not None else ():
            if index.name in read and table is not None:
                yield RelationName(schema=table.schema, name=index.name)


# what no index could better ---------------------------------------------------------------------------------


def _has_nothing_to_gain(planned: Sequence[Planned], before: Answer, profile: Profile) -> bool:
    """Whether each plan costs no more than finding one row by an index in each place where it reads.

    No index is quicker than that, so none need be looked for, however often the query runs.
    """
    page = float(profile.setting("random_page_cost", "4"))
    return all(
        risk <= _LOOKUP_PAGES * page * max(1, sum(1 for _ in _scans(p.plan)))
        for p, risk in zip(planned, before.risk, strict=True)
    )


def _scans(plan: Plan) -> Iterator[Node]:
    return (n for n in plan.walk() if n.relation is not None and n.kind != "ModifyTable")


def _looks_up_rows(plan: Plan, profile: Profile) -> bool:
    """Whether a plan finds single rows by unique keys only: it is the plan for any value, then.

    Partitions that are left out only when the plan is executed are not seen in it.
    """
    whole = not any(node.raw.get("Subplans Removed") for node in plan.walk())
    return whole and all(_looks_up_row(node, profile) for node in _scans(plan))


def _looks_up_row(node: Node, profile: Profile) -> bool:
    if node.kind not in ("Index Scan", "Index Only Scan") or node.rows > 1 or node.relation is None:
        return False
    table = profile.find_table(node.relation.name, node.relation.schema or None)
    index = next((i for i in table.indexes if i.name == node.index), None) if table else None
    condition = node.index_condition or ""
    return index is not None and index.unique and condition.count(" = ") == len(index.keys) and "ANY" not in condition
