"""What a search of a trigram index costs beyond what the planner says: it walks through every list that it looks into.

`gincostestimate` (selfuncs.c) has a page for each trigram that is looked for and the pages of the rows that are found.
A GIN scan goes through the rows of each trigram, though, and the trigrams of `user99@example.com` that all addresses
have stand for all rows, each of them again.  So `email = 'user99@example.com'`, which costs 90 and takes as long as
reading the table, seems well served by the index that is there for `ILIKE '%user99%'`.

A million rows of a list take as long as 2,500 of the planner's units, which is `cpu_operator_cost` a row; measured on
two columns and ten conditions with 2 to 17 million rows in their lists, PostgreSQL 15.20.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from premortem import sqltext
from premortem.advisor import samples
from premortem.advisor.columns import key_statistics
from premortem.advisor.remembering import remembered
from premortem.model import Index, IndexKey, Node, Plan, Profile, Table
from premortem.sqltext import Comparison, ComparisonKind

_CLASS = "gin_trgm_ops"
#: Somewhat less than measured: what is read once costs about as much as the table, and must not seem dearer.
_PART = 0.8
#: A letter that stands for what a pattern leaves open; no trigram with it is looked for.
_OPEN = "\N{FEMININE ORDINAL INDICATOR}"
_WILD = re.compile(r"\\(.)|[%_]", re.DOTALL)
_CLASSES = re.compile(r"\[\^?\]?[^\]]*\][*+?]?|\\[A-Za-z]|.[*?{]|[.^$+}]")


def is_of_trigrams(index: Index) -> bool:
    """Whether an index is over the trigrams of texts."""
    return any(k.opclass.endswith(_CLASS) for k in index.keys)


def walked(node: Node, plan: Plan, profile: Profile) -> float:
    """Return the cost of walking through the lists of a trigram index that a plan's node scans, 0 for any other."""
    if node.kind != "Bitmap Index Scan" or node.index_condition is None:
        return 0.0
    table = _table(node, plan, profile)
    index = next((i for i in table.indexes if i.name == node.index), None) if table is not None else None
    if table is None or index is None or not is_of_trigrams(index):
        return 0.0
    price = float(profile.setting("cpu_operator_cost", "0.0025")) * _PART
    found = sqltext.comparisons(sqltext.condition(node.index_condition))
    return price * table.rows * sum(_listed(one, index, table) for one in found)


def _table(node: Node, plan: Plan, profile: Profile) -> Table | None:
    """Return the table of a bitmap, which is said further up."""
    relation = next((n.relation for n in reversed(plan.ancestors(node.path)) if n.relation is not None), None)
    return profile.find_table(relation.name, relation.schema or None) if relation is not None else None


def _listed(about: Comparison, index: Index, table: Table) -> float:
    """Return how many rows the lists that a condition looks into hold, as a multiple of the table's."""
    key = next((k for k in index.keys if about.left.expression in (k.column, k.expression)), None)
    if key is None or not key.opclass.endswith(_CLASS) or about.right is None or about.right.constant is None:
        return 0.0
    shares = _shares(IndexKey(column=key.column, expression=key.expression), table)
    return sum(shares.get(part, 0.0) for part in dict.fromkeys(_looked_for(about, about.right.constant)))


def _looked_for(about: Comparison, constant: str) -> Iterator[str]:
    """Yield the trigrams that every text has which satisfies the condition."""
    match about.kind:
        case ComparisonKind.LIKE:
            texts: Sequence[str] = [_WILD.sub(lambda m: m[1] or _OPEN, constant)]
        case ComparisonKind.REGEX:
            texts = [] if re.search(r"[|(]", constant) else [_OPEN + _CLASSES.sub(_OPEN, constant) + _OPEN]
        case _:
            texts = [constant]
    for part in (p for text in texts for p in samples.trigrams(text)):
        if _OPEN not in part.text:
            yield part.text


def _shares(key: IndexKey, table: Table) -> Mapping[str, float]:
    """Return which share of the rows have each of the trigrams that the sampled values have."""
    name = key.column or key.expression
    return remembered(
        table, "_trigrams", name, lambda: samples.shares(key_statistics(key, table).known, samples.trigrams)
    )
