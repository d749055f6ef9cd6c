"""EXPLAIN plans: from what PostgreSQL prints to a typed tree, and what can be read off that tree.

Words: *shown cost* is the planner's, with its discount for stopping early; *worst cost* is without; *rows read* is what
a node looks at, as against the rows that it returns.

    read(text)         -> Pasted …  every plan of a text: pasted, logged, in any of EXPLAIN's forms
    parse(text)        -> Plan      the first of them
    worst_cost(plan)   -> float     LIMIT, EXISTS and semi-joins at their full cost
    rows_read(node)    -> float     measured, or from the profile and the planner's own cost formula
    as_measured(plan)  -> Plan      with the rows that were found for those that were expected
    own_times(plan)    -> path: ms  where a measured plan spent its time
    shape(plan)        -> str       what the plan does, without what it costs
    lines(plan)        -> PlanLine  the tree, for renderers

Total: an unknown node or property is kept, never dropped.  InputError is raised for text that holds no plan at all.
"""

from premortem.plans.costs import Prices
from premortem.plans.json_form import parse_json
from premortem.plans.lines import PlanLine, label, lines
from premortem.plans.nodes import number
from premortem.plans.pasted import Pasted, parse, read
from premortem.plans.reads import rows_read
from premortem.plans.shape import kind, shape
from premortem.plans.text_form import parse_text
from premortem.plans.times import as_measured, own_times, processes, total_ms
from premortem.plans.worst import keeps, largest_share, stops_at_first_match, worst_cost

__all__ = [
    "Pasted",
    "PlanLine",
    "Prices",
    "as_measured",
    "keeps",
    "kind",
    "label",
    "largest_share",
    "lines",
    "number",
    "own_times",
    "parse",
    "parse_json",
    "parse_text",
    "processes",
    "read",
    "rows_read",
    "shape",
    "stops_at_first_match",
    "total_ms",
    "worst_cost",
]
