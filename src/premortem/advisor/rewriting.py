"""Expressions that no index can hold, and how to write the query so that one can.

PostgreSQL indexes only what is the same for ever: it refuses an expression that depends on the time zone, on a language
or on the clock, because some function in it is not marked IMMUTABLE.  The server has the last word; what is known is
told with a way out, and is not tried.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from premortem import sqltext
from premortem.advisor.columns import base_type
from premortem.advisor.wants import Operand, Use, Want
from premortem.model import Column, IndexCandidate, IndexKey, Planned, Table

_ZONED = "timestamp with time zone"
_DATES = frozenset(("date", "timestamp without time zone", _ZONED, "time without time zone", "time with time zone"))
#: Types whose values are written the same whatever the settings and for ever; an enum's can be renamed.
_WRITTEN_ALIKE = frozenset((
    "text", "character varying", "character", "citext", "name", "smallint", "integer", "bigint", "numeric", "real",
    "double precision", "boolean", "uuid", "inet", "cidr", "macaddr", "json", "jsonb", "bytea", "oid", "point", "box",
))  # fmt: skip
_TEXTS = frozenset(("text", "character varying", "character", "citext", "json", "jsonb"))
#: Stable or volatile in every form (`pg_proc.provolatile` of PostgreSQL 15 and 18).
_CLOCKS = re.compile(
    r"\b(now|current_timestamp|current_date|localtimestamp|clock_timestamp|statement_timestamp|transaction_timestamp"
    r"|timeofday)\b",
    re.IGNORECASE,
)
_CHANCES = re.compile(r"\b(random|gen_random_uuid|uuidv4|uuidv7|nextval|currval|setseed|txid_current|pg_backend_pid)\(")
_FORMATS = re.compile(r"\b(to_char|concat|concat_ws|format|to_date|array_to_string)\(")
_SESSION = re.compile(
    r"\b(current_setting|current_user|session_user|current_schema|current_database|current_role)\b", re.IGNORECASE
)
_ZONE_GIVEN = re.compile(r"^\(?date_trunc\(.*'[^']+'(::text)?\)+$")  # immutable from PostgreSQL 17 on: the server tells
_PART = re.compile(r"^\(?(date_trunc|date_part|extract|EXTRACT)\(", re.IGNORECASE)
_SEARCH = re.compile(r"^to_ts(vector|query)\((?!'[^']*'::regconfig|'[^']*',)")
_TO_DATE = re.compile(r"::(date|timestamp(?: without time zone| with time zone)?|timestamptz|time)\b")
_FIXED_ZONE = re.compile(r"timezone\('[^']+'|AT TIME ZONE '[^']+'", re.IGNORECASE)


@dataclass(frozen=True, slots=True, kw_only=True)
class Changing:
    """An expression that is no index's: what it depends on, and what to write instead."""

    expression: str
    depends_on: str
    instead: str

    @property
    def says(self) -> str:
        """All of it in one sentence."""
        return f"{self.expression} depends on {self.depends_on}, so it cannot be indexed; {self.instead}"


def changing(operand: Operand, table: Table) -> Changing | None:
    """Return why an expression cannot be indexed, None where nothing is known to speak against it."""
    expression = operand.expression
    if expression is None:
        return None
    columns = [c for name in operand.columns if (c := table.column(name)) is not None]
    found = next(_reasons(expression, columns), None)
    return Changing(expression=expression, depends_on=found[0], instead=found[1]) if found else None


def hints(want: Want) -> Iterator[str]:
    """Yield what to write instead of the conditions of one relation that no index can serve as they stand."""
    arms = (term for arms_of in want.arms for arm in arms_of for term in arm)
    operands = [t.operand for t in (*want.terms, *arms) if t.use not in (Use.ROW, Use.UNEQUAL)]
    operands += [key.operand for order in want.orders for key in order]
    for operand in dict.fromkeys(operands):
        found = changing(operand, want.table)
        if found is not None:
            yield f"on {want.table.full_name}: {found.says}"


def member_hints(planned: Iterable[Planned]) -> Iterator[str]:
    """Yield what to write instead of `value = ANY (column)`, which no index serves."""
    texts = {
        text for p in planned for n in p.plan.walk() for text in (n.filter, n.join_filter) if text and "ANY" in text
    }
    for text in sorted(texts):
        for comparison in sqltext.comparisons(sqltext.condition(text)):
            if comparison.kind is sqltext.ComparisonKind.MEMBER:
                name = comparison.left.expression
                yield f"no index serves value = ANY ({name}); {name} @> ARRAY[value] is served by a GIN index on {name}"


def is_changing(candidate: IndexCandidate, table: Table) -> bool:
    """Whether a candidate's keys hold an expression that is known not to be immutable."""
    return any(changing(_operand(key, table), table) is not None for key in candidate.keys if key.expression)


def _operand(key: IndexKey, table: Table) -> Operand:
    words = set(re.findall(r"\w+", key.expression or ""))
    return Operand(expression=key.expression, columns=tuple(c.name for c in table.columns if c.name in words))


def _reasons(expression: str, columns: list[Column]) -> Iterator[tuple[str, str]]:
    types = {base_type(c.type) for c in columns}
    names = " and ".join(c.name for c in columns)
    if _CLOCKS.search(expression):
        yield "the clock", f"leave {names} alone on one side and put the arithmetic on the other"
    if _CHANCES.search(expression):
        yield "chance or on the session", "compute it before the query"
    if _SESSION.search(expression):
        yield "the session", f"compare {names} with it, and not with what it makes of {names}"
    if _SEARCH.match(expression):
        yield "default_text_search_config", "name the configuration in it, as in to_tsvector('english', …)"
    yield from _of_zone(expression, columns)
    if _FORMATS.search(expression):
        yield "settings such as lc_time and DateStyle", _INSTEAD_OF_TEXT.format(names=names)
    if types & _DATES and re.search(r"::(text|character varying)\b", _without_constants(expression)):
        yield "DateStyle", f"compare {names} with a date or a range of times"
    if re.search(r"^\(*\w+\)*::text\)*$", expression) and not types <= _WRITTEN_ALIKE | _DATES:
        yield "the names that its values have", f"compare {names} with a value of its own type"
    if types & _TEXTS and _TO_DATE.search(_without_constants(expression)):
        yield (
            "DateStyle and the time zone",
            (f"keep the date in a column of its own, or compare the text of {names} where it sorts as dates do"),
        )


_INSTEAD_OF_TEXT = "compare {names} itself, or write the text with || and casts that are immutable"


def _of_zone(expression: str, columns: list[Column]) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with days, hours and months of a moment: they are of a time zone."""
    zoned = next((c for c in columns if base_type(c.type) == _ZONED), None)
    if zoned is None or _FIXED_ZONE.search(expression) or _ZONE_GIVEN.match(expression):
        return
    if _PART.match(expression) or re.search(r"::(date|timestamp without time zone|time)\b", expression):
        yield (
            "the session's time zone",
            (
                f"compare {zoned.name} with a range (>= the first moment, < the one after the last), "
                f"or index the expression over {zoned.name} AT TIME ZONE 'UTC' and write it so in the query"
            ),
        )


def _without_constants(expression: str) -> str:
    """Return the expression without its constants and their casts."""
    return re.sub(r"'(?:[^']|'')*'(::[a-z ]+(\[\])?)?", "", expression)
