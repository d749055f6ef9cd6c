"""Names of relations and the kinds PostgreSQL has of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum

_PLAIN = re.compile(r"[a-z_][a-z0-9_$]*\Z")

#: Words that `quote_ident` quotes although they look plain: reserved, type-or-function and column-name keywords
#: (PostgreSQL 18, `src/include/parser/kwlist.h`, every category but UNRESERVED_KEYWORD).
_KEYWORDS = frozenset(
    """
    all analyse analyze and any array as asc asymmetric authorization between bigint binary bit boolean both
    case cast char character check coalesce collate collation column concurrently constraint create cross
    current_catalog current_date current_role current_schema current_time current_timestamp current_user dec
    decimal default deferrable desc distinct do else end except exists extract false fetch float for foreign
    freeze from full grant greatest group grouping having ilike in initially inner inout int integer intersect
    interval into is isnull join json json_array json_arrayagg json_exists json_object json_objectagg
    json_query json_scalar json_serialize json_table json_value lateral leading least left like limit
    localtime localtimestamp merge_action national natural nchar none normalize not notnull null nullif
    numeric offset on only or order out outer overlaps overlay placing position precision primary real
    references returning right row select session_user setof similar smallint some substring symmetric
    system_user table tablesample then time timestamp to trailing treat trim true union unique user using
    values varchar variadic verbose when where window with xmlattributes xmlconcat xmlelement xmlexists
    xmlforest xmlnamespaces xmlparse xmlpi xmlroot xmlserialize xmltable
    """.split()
)


def quoted(identifier: str) -> str:
    """Return the identifier as SQL text, quoted only where PostgreSQL would need it.

    >>> quoted("order_items"), quoted("Order"), quoted("user"), quoted('a"b')
    ('order_items', '"Order"', '"user"', '"a""b"')
    """
    if _PLAIN.match(identifier) and identifier not in _KEYWORDS:
        return identifier
    return '"' + identifier.replace('"', '""') + '"'


def literal(value: str) -> str:
    """Return the text as an SQL string constant, whatever `standard_conforming_strings` says.

    >>> print(literal("it's"), literal("a\\\\b"))
    'it''s' E'a\\\\b'
    """
    escaped = value.replace("'", "''")
    return "E'" + escaped.replace("\\", "\\\\") + "'" if "\\" in value else f"'{escaped}'"


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
class RelationName:
    """A relation's schema and name, unquoted; the schema is empty where a plan does not say it."""

    schema: str
    name: str

    @property
    def sql(self) -> str:
        """The schema-qualified name as SQL text."""
        return f"{quoted(self.schema)}.{quoted(self.name)}" if self.schema else quoted(self.name)

    @property
    def short(self) -> str:
        """The name as people write it: without the schema where that is `public`."""
        return quoted(self.name) if self.schema == "public" else self.sql

    def __str__(self) -> str:
        return self.short


class RelationKind(StrEnum):
    """`pg_class.relkind`, in words."""

    TABLE = "table"
    PARTITIONED_TABLE = "partitioned table"
    MATERIALIZED_VIEW = "materialized view"
    VIEW = "view"
    FOREIGN_TABLE = "foreign table"

    @property
    def has_storage(self) -> bool:
        """Whether rows are kept in a file of the relation's own."""
        return self in (RelationKind.TABLE, RelationKind.MATERIALIZED_VIEW)
