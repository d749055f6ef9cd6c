"""What is known of expressions that no index holds, against what PostgreSQL says of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from premortem import pg
from premortem.advisor.rewriting import changing
from premortem.advisor.wants import Operand
from premortem.errors import PremortemError
from premortem.model import Column, RelationKind, Table

TYPES = {
    "paid": "timestamp with time zone", "placed": "timestamp without time zone", "day": "date", "doc": "jsonb",
    "body": "text", "during": "tsrange", "n": "integer", "amount": "numeric", "mood": "public.mood", "at": "time",
}  # fmt: skip
TABLE = Table(
    schema="public", name="t", kind=RelationKind.TABLE,
    columns=tuple(Column(name=n, number=i, type=t) for i, (n, t) in enumerate(TYPES.items(), 1)),
)  # fmt: skip
EXPRESSIONS = [
    "date_trunc('day'::text, paid)", "date_trunc('day'::text, placed)", "(paid)::date", "(placed)::date", "(day)::text",
    "((paid AT TIME ZONE 'UTC'::text))::date", "timezone('UTC'::text, paid)", "(placed)::text", "(mood)::text",
    "EXTRACT(hour FROM paid)", "EXTRACT(hour FROM placed)",
    "((doc ->> 'at'::text))::date", "((doc ->> 'n'::text))::integer", "(doc ->> 'at'::text)", "(n)::text",
    "((doc ->> 'at'::text))::timestamp with time zone", "to_tsvector(body)", "to_tsvector('english'::regconfig, body)",
    "(now() - paid)", "(placed > now())", "to_char(placed, 'YYYY'::text)", "to_char(n, '999'::text)",
    "concat(body, n)", "(body || 'x'::text)", "lower(body)", "(lower(during))::date", "(amount)::text", "abs(amount)",
    "(body = CURRENT_USER)", "to_date(body, 'YYYY'::text)", "(body)::date", "md5(body)", "(body || random())",
    "COALESCE(n, 0)", "(n + 1)", "format('%s'::text, body)", "\"substring\"(body, 1, 3)", "upper(during)",
    "(current_setting('x'::text) || body)", "(body)::integer", "jsonb_array_length(doc)",
]  # fmt: skip


def test_what_is_said_to_be_no_index_is_refused_and_the_rest_is_taken(database: str) -> None:
    refused = set(_refused(database))
    said = {e: found for e in EXPRESSIONS if (found := changing(_operand(e), TABLE)) is not None}
    assert set(said) == refused
    assert all(found.says.startswith(f"{e} depends on ") for e, found in said.items())


def _operand(expression: str) -> Operand:
    told = expression.replace("'at'", "").replace("'n'", "")
    return Operand(expression=expression, columns=tuple(n for n in TYPES if re.search(rf"\b{n}\b", told)))


def _refused(database: str) -> Iterator[str]:
    columns = ", ".join(f"{name} {type_name}" for name, type_name in TYPES.items())
    with pg.writer(database, purpose="test") as db:
        db.execute("CREATE TYPE public.mood AS ENUM ('good', 'bad')")
        db.execute(f"CREATE TABLE public.t ({columns})")
        for expression in EXPRESSIONS:
            try:
                db.execute(f"CREATE INDEX ON public.t (({expression}))")
            except PremortemError:
                yield expression


def test_a_zone_that_is_given_is_left_to_the_server_which_decides_by_its_version() -> None:
    assert changing(_operand("date_trunc('day'::text, paid, 'UTC'::text)"), TABLE) is None
