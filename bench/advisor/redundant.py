"""The indexes of a bench as they were built, and those of them that another one makes superfluous."""

from __future__ import annotations

from dataclasses import dataclass

from premortem import pg


@dataclass(frozen=True, slots=True, kw_only=True)
class Built:
    """An index, its real size and what it is."""

    name: str
    size_bytes: int
    definition: str


_BUILT = """
    SELECT i.indexrelid::regclass::text AS name, pg_relation_size(i.indexrelid) AS size_bytes,
           pg_get_indexdef(i.indexrelid) AS definition
    FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
    WHERE t.relnamespace = 'public'::regnamespace AND t.relkind = 'r'
      AND NOT EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid)
    ORDER BY 1"""

#: A short B-tree whose keys begin a longer one's, that holds nothing which the longer one does not, on the same rows.
_REDUNDANT = """
    WITH all_of AS (
        SELECT i.indexrelid, i.indrelid, i.indnkeyatts AS keys, ARRAY(SELECT unnest(i.indkey)) AS columns,
               ARRAY(SELECT unnest(i.indoption)) AS ways, ARRAY(SELECT unnest(i.indclass)) AS classes,
               pg_get_expr(i.indpred, i.indrelid) AS predicate, i.indisunique,
               pg_get_indexdef(i.indexrelid) AS definition,
               EXISTS (SELECT FROM pg_constraint c WHERE c.conindid = i.indexrelid) AS constrains,
               (SELECT array_agg(pg_get_indexdef(i.indexrelid, n, true))
                FROM generate_series(1, i.indnkeyatts) n) AS words
        FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
        JOIN pg_class t ON t.oid = i.indrelid
        WHERE m.amname = 'btree' AND t.relnamespace = 'public'::regnamespace)
    SELECT short.indexrelid::regclass::text
    FROM all_of short JOIN all_of long ON long.indrelid = short.indrelid AND long.indexrelid <> short.indexrelid
    WHERE NOT short.constrains AND NOT short.indisunique
      AND short.words = long.words[1:short.keys] AND short.ways = long.ways[1:short.keys]
      AND short.classes = long.classes[1:short.keys]
      AND short.columns <@ long.columns
      AND long.predicate IS NOT DISTINCT FROM short.predicate
      AND (long.keys > short.keys OR long.constrains OR cardinality(long.columns) > cardinality(short.columns)
           OR long.indexrelid < short.indexrelid)
    GROUP BY 1 ORDER BY 1"""


def built(db: pg.Session) -> tuple[Built, ...]:
    """Return the indexes that are no constraint's."""
    return db.rows(_BUILT, Built)


def redundant(db: pg.Session) -> tuple[str, ...]:
    """Return the names of the indexes that a longer one, or a key's, does the work of."""
    return db.values(_REDUNDANT)
