"""What a session may do, asked once, and answered with the cure where the answer is no."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from premortem.pg.sessions import Session


@dataclass(frozen=True, slots=True, kw_only=True)
class Can:
    """Whether something is allowed here, and a sentence that says how, or what was found and needed."""

    yes: bool
    says: str
    cure: str | None = None

    def __bool__(self) -> bool:
        return self.yes


def _superuser(db: Session) -> Can:
    if db.value("SELECT pg_catalog.current_setting('is_superuser')") == "on":
        return Can(yes=True, says="the role is a superuser")
    return Can(yes=False, says=f"the role {_role(db)} is not a superuser")


_HELPER = "SELECT pg_catalog.to_regprocedure('premortem.column_statistics()') IS NOT NULL"
_HELPER_ALLOWED = """
SELECT pg_catalog.has_schema_privilege('premortem', 'USAGE')
   AND pg_catalog.has_function_privilege('premortem.column_statistics()', 'EXECUTE')
"""
_HIDDEN_TABLES = """
SELECT pg_catalog.count(*)
FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
WHERE c.relkind IN ('r', 'p', 'm') AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
  AND (NOT pg_catalog.has_any_column_privilege(c.oid, 'SELECT')
       OR (c.relrowsecurity AND pg_catalog.row_security_active(c.oid)))
"""


def _statistics(db: Session) -> Can:
    if db.value("SELECT pg_catalog.current_setting('is_superuser')") == "on":
        return Can(yes=True, says="the role is a superuser, who sees all column statistics")
    if db.value(_HELPER) and db.value(_HELPER_ALLOWED):
        return Can(yes=True, says="premortem.column_statistics() shows all column statistics")
    hidden = db.value(_HIDDEN_TABLES)
    if not hidden:
        return Can(yes=True, says="the role may read every table, so pg_stats shows all column statistics")
    return Can(
        yes=False,
        says=f"pg_stats hides {hidden:,} tables that the role {_role(db)} may not read or that row security "
        "guards; all column statistics need a superuser or the function premortem.column_statistics()",
        cure="run the SQL that `premortem profile grants` prints",
    )


_EXTENSION_SCHEMA = """
SELECT n.nspname FROM pg_catalog.pg_extension e JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = %(name)s
"""

_VIEW_ALLOWED = """
SELECT pg_catalog.has_schema_privilege(%(s)s, 'USAGE') AND pg_catalog.has_table_privilege(%(v)s, 'SELECT')
"""


def _workload(db: Session) -> Can:
    schema = db.value(_EXTENSION_SCHEMA, name="pg_stat_statements")
    if schema is None:
        return Can(
            yes=False,
            says="the extension pg_stat_statements is not in this database",
            cure="CREATE EXTENSION pg_stat_statements, with pg_stat_statements in shared_preload_libraries",
        )
    libraries = db.value("SELECT pg_catalog.current_setting('pg_stat_statements.max', true)")
    if libraries is None:
        return Can(
            yes=False,
            says="pg_stat_statements was created but the server has not loaded it",
            cure="add pg_stat_statements to shared_preload_libraries and restart the server",
        )
    if not db.value("SELECT pg_catalog.pg_has_role('pg_read_all_stats', 'USAGE')"):
        return Can(
            yes=False,
            says=f"the role {_role(db)} sees only its own statements in pg_stat_statements; "
            "all of them need pg_read_all_stats",
            cure=f"GRANT pg_read_all_stats TO {db.quoted(_role(db))}",
        )
    if not db.value(_VIEW_ALLOWED, s=schema, v=db.quoted(schema, "pg_stat_statements")):
        return Can(
            yes=False,
            says=f"the role {_role(db)} may not read {schema}.pg_stat_statements",
            cure=f"GRANT USAGE ON SCHEMA {db.quoted(schema)} TO {db.quoted(_role(db))}",
        )
    return Can(yes=True, says="pg_stat_statements shows the whole workload")


def _pages(db: Session) -> Can:
    schema = db.value(_EXTENSION_SCHEMA, name="pageinspect")
    if schema is None:
        return Can(
            yes=False, says="the extension pageinspect is not in this database", cure="CREATE EXTENSION pageinspect"
        )
    if db.value("SELECT pg_catalog.current_setting('is_superuser')") == "on":
        return Can(yes=True, says="pageinspect shows the pages of indexes")
    return Can(yes=False, says=f"pageinspect works for superusers only, and the role {_role(db)} is none")


def _hypothetical_indexes(db: Session) -> Can:
    if db.value(_EXTENSION_SCHEMA, name="hypopg") is not None:
        return Can(yes=True, says="HypoPG is in this database")
    return Can(
        yes=False, says="the extension hypopg is not in this database", cure="CREATE EXTENSION hypopg, or ask a twin"
    )


def _role(db: Session) -> str:
    return str(db.value("SELECT current_user"))


CAPABILITIES: Mapping[str, Callable[[Session], Can]] = MappingProxyType(
    {
        "be superuser": _superuser,
        "read statistics": _statistics,
        "read workload": _workload,
        "inspect pages": _pages,
        "hypothetical indexes": _hypothetical_indexes,
    }
)
