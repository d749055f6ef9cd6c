"""What is no query of the application, and why: counted by reason, so that nothing vanishes silently."""

from __future__ import annotations

from premortem import sqltext
from premortem.capture.executed import Executed
from premortem.errors import StatementError

FAILED = "failed when it was run"
OWN = "premortem's own"
UTILITY = "utility statements (BEGIN, SET, DDL and their kind)"
FIXTURES = "TRUNCATE, which sets tests up"
CATALOG = "catalogue queries of a framework or driver"
BOOKKEEPING = "bookkeeping of a migration tool"
TABLELESS = "statements that read no table"
CHECKS = "PostgreSQL's own foreign key checks"
HIDDEN = "texts that pg_stat_statements does not show to this role"

#: Where migration tools write down what they have done, in lower case.
_BOOKS = frozenset(
    """
    django_migrations south_migrationhistory alembic_version schema_migrations ar_internal_metadata _prisma_migrations
    knex_migrations knex_migrations_lock flyway_schema_history databasechangelog databasechangeloglock sequelizemeta
    goose_db_version gorp_migrations pgmigrations __drizzle_migrations __efmigrationshistory mikro_orm_migrations
    kysely_migration kysely_migration_lock refinery_schema_history _sqlx_migrations __diesel_schema_migrations
    atlas_schema_revisions _yoyo_migration _yoyo_log _yoyo_version yoyo_lock play_evolutions migrations
    typeorm_metadata phinxlog doctrine_migration_versions aerich schema_version schemaversions migrate_version
    """.split()
)
_CATALOGS = frozenset({"pg_catalog", "information_schema"})
_HIDDEN_TEXT = "<insufficient privilege>"


def at_sight(executed: Executed) -> str | None:
    """Return why an execution is left out whatever its text says, None where it is not."""
    if executed.failed:
        return FAILED
    if executed.application is not None and executed.application.startswith("premortem"):
        return OWN
    return HIDDEN if executed.text.strip() in ("", _HIDDEN_TEXT) else None


def utility(text: str) -> str:
    """Return why a statement without a query inside is left out."""
    return FIXTURES if text.lstrip()[:8].lower() == "truncate" else UTILITY


def by_tables(sql: str) -> str | None:
    """Return why a query is left out for the tables that it names, None where it is the application's."""
    try:
        facts = sqltext.statement_facts(sql)
    except StatementError:
        return None
    names = (*facts.reads, *facts.writes)
    if "OPERATOR(pg_catalog." in sql and "ONLY" in sql:
        return CHECKS
    if not names:
        return TABLELESS
    if all(n.schema in _CATALOGS or (n.schema is None and n.name.startswith("pg_")) for n in names):
        return CATALOG
    known = [n for n in names if n.schema not in _CATALOGS and not (n.schema is None and n.name.startswith("pg_"))]
    return BOOKKEEPING if all(n.name.lower() in _BOOKS for n in known) else None
