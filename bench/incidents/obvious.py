"""The indexes that anybody would try first: every column of the query alone, and every ordered pair of them.

A quiet case has to stay expensive with all of them built, or it is not quiet.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import permutations

from measure import Connection

COLUMNS = """
select c.oid::pg_catalog.regclass::text, pg_catalog.quote_ident(a.attname)
from pg_catalog.pg_class as c
join pg_catalog.pg_namespace as n on n.oid = c.relnamespace
join pg_catalog.pg_attribute as a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
join pg_catalog.pg_opclass as o
  on o.opcintype = case a.atttypid when 'varchar'::regtype then 'text'::regtype::oid else a.atttypid end
join pg_catalog.pg_am as m on m.oid = o.opcmethod and m.amname = 'btree'
where n.nspname = 'public' and c.relkind in ('r', 'm', 'p') and not c.relispartition and o.opcdefault
order by c.oid, a.attnum
"""
AT_MOST = 5


def indexes(db: Connection, query: str) -> Iterator[str]:
    """CREATE INDEX statements over the columns that the query names."""
    words = set(re.findall(r"\w+", query.lower()))
    tables: dict[str, list[str]] = {}
    for table, column in db.execute(COLUMNS).fetchall():
        if str(column).strip('"').lower() in words and str(table).split(".")[-1].strip('"').lower() in words:
            tables.setdefault(str(table), []).append(str(column))
    for table, columns in tables.items():
        for key in (*permutations(columns[:AT_MOST], 1), *permutations(columns[:AT_MOST], 2)):
            yield f"create index on {table} ({', '.join(key)})"
