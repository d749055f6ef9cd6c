"""What an alert calls a statement: people know `order_items by product_sku`, nobody knows a fingerprint."""

from __future__ import annotations

from functools import lru_cache

from premortem import sqltext, words
from premortem.errors import PremortemError
from premortem.model import Statement, StatementKind

#: The evidence that says whose lock others wait for.
HOLDER = "who blocks"
_MOST_COLUMNS = 3
_MOST_CHARACTERS = 80
#: Longer texts are not worth the parser's time for a name.
_MOST_TEXT = 50_000
_VERBS = {
    StatementKind.INSERT: "insert into",
    StatementKind.UPDATE: "update of",
    StatementKind.DELETE: "delete from",
    StatementKind.MERGE: "merge into",
}


def name(statement: Statement) -> str:
    """Return a short name of a statement: what it does to which table, by which columns; else how its text begins.

    >>> name(Statement(fingerprint="f", database="shop", text="select * from order_items where product_sku = $1"))
    'order_items by product_sku'
    >>> name(Statement(fingerprint="f", database="shop", text="update orders set paid = $1 where id = $2"))
    'update of orders by id'
    >>> name(Statement(fingerprint="queryid-7", database="shop", text="", unreadable="no privilege"))
    'statement queryid-7'
    """
    return _name(statement.text, statement.fingerprint, bool(statement.unreadable))


@lru_cache(maxsize=512)
def _name(text: str, fingerprint: str, unreadable: bool) -> str:
    beginning = words.shortened(words.one_line(text[: 4 * _MOST_CHARACTERS]), _MOST_CHARACTERS)
    usual = beginning or f"statement {fingerprint}"
    if unreadable or len(text) > _MOST_TEXT:
        return usual
    try:
        facts, places = sqltext.statement_facts(text), sqltext.parameter_places(text)
    except PremortemError:
        return usual
    tables = [t.name for t in (*facts.writes, *facts.reads)] if facts.kind in _VERBS else [t.name for t in facts.reads]
    if not tables:
        return usual
    operands = (operand for comparison in places.comparisons for operand in comparison.operands)
    columns = dict.fromkeys(o.column.column for o in operands if o.column)
    by = f" by {words.listing(list(columns), most=_MOST_COLUMNS)}" if columns else ""
    verb = f"{_VERBS[facts.kind]} " if facts.kind in _VERBS else ""
    more = "" if verb or len(set(tables)) == 1 else f" (with {words.listing(list(dict.fromkeys(tables))[1:], most=2)})"
    return words.shortened(words.one_line(f"{verb}{tables[0]}{more}{by}"), 2 * _MOST_CHARACTERS)
