"""The rules that migrations are judged by: their names, how bad they usually are, and what they say of themselves.

They stand here, and not in the room that applies them, because settings, allow comments and `premortem rules` must know
every name.  Those that squawk finds keep squawk's names, so that its documentation and its `-- squawk-ignore` comments
go on to work; the words are ours.  The severity here is the usual one: what a statement does to a table of production's
size, and how busy that table is, decides.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

from premortem.model import Severity
from premortem.rules.rule import Kind, Rule

ERROR, WARNING, INFO = Severity.ERROR, Severity.WARNING, Severity.INFO

_SIZED = "a table that the same change creates; a small or idle table is a note"


def _rule(name: str, severity: Severity, says: str, hurts: str, do: str, quiet: str = _SIZED) -> Rule:
    page = f"{says}\n\nSees:   {says[0].lower()}{says[1:]}\nHurts:  {hurts}.\nDo:     {do}.\nQuiet:  {quiet}.\n"
    return Rule(name=name, severity=severity, kind=Kind.MIGRATION, page=page)


#: What premortem finds itself, from production's sizes, statistics and workload.
OWN = (
    _rule(
        "long-lock",
        ERROR,
        "A statement that keeps a table locked while it reads or writes all of it.",
        "every query of the application that conflicts with the lock waits, and soon all connections do",
        "split it into steps that hold the lock for a moment",
    ),
    _rule(
        "locks-held-together",
        WARNING,
        "A transaction that holds a lock on one table while it takes long over another statement.",
        "the first lock is held until COMMIT, however short its own statement was, and two tables at a time invite"
        " deadlocks",
        "commit between the statements: one lock to a transaction, the long statement in one of its own",
    ),
    _rule(
        "backfill-in-migration",
        WARNING,
        "An UPDATE, DELETE or INSERT of very many rows in one transaction.",
        "row locks, dead rows and WAL pile up until it commits; replicas lag, and a deploy waits for it",
        "do it outside of the deploy, in batches of some thousand rows, each committed",
        "a table that the same change creates or a small one",
    ),
    _rule(
        "concurrently-in-transaction",
        ERROR,
        "A CONCURRENTLY statement inside a transaction.",
        "PostgreSQL refuses it, so the deploy fails half way",
        "tell the migration tool to run the file outside of a transaction, with this statement alone in it",
        "files of which nobody says that they run in a transaction",
    ),
    _rule(
        "concurrently-on-partitioned-table",
        ERROR,
        "CREATE INDEX or DROP INDEX CONCURRENTLY on a partitioned table.",
        "PostgreSQL refuses it, so the deploy fails",
        "CREATE INDEX ON ONLY the table, CONCURRENTLY on each partition, then ALTER INDEX … ATTACH PARTITION",
        "REINDEX, which can (PostgreSQL 14 and later), and partitions themselves",
    ),
    _rule(
        "refused-by-rows",
        ERROR,
        "A NOT NULL over rows that hold NULL, or a unique index over values that repeat.",
        "PostgreSQL reads the table and refuses the statement, so the deploy fails half way",
        "mend the rows first",
        "what the change itself writes before, and what the statistics cannot tell",
    ),
    _rule(
        "invalid-index-left-behind",
        WARNING,
        "CREATE INDEX CONCURRENTLY IF NOT EXISTS, which takes the ruin of a failed build for the index.",
        "a build that fails leaves an invalid index: it slows every write, serves no query, and the next run skips it",
        "DROP INDEX CONCURRENTLY IF EXISTS before it, in a statement of its own",
        "an index whose ruin is dropped first",
    ),
    _rule(
        "unused-new-index",
        WARNING,
        "A new index that no query of the change or of production's workload would use.",
        "it costs disk and slows every write for nothing",
        "leave it out, or show the query that needs it",
        "unique indexes, those that serve a foreign key, and tables of which no query is known",
    ),
    _rule(
        "dropped-index-in-use",
        ERROR,
        "A dropped index that queries of production or of the change use.",
        "their plans fall back to reading far more, from the moment that the migration commits",
        "keep the index, or create the one that replaces it first",
        "queries whose plans stay about as cheap without it",
    ),
    _rule(
        "dropped-but-used",
        ERROR,
        "A column or table that is dropped or renamed while queries still name it.",
        "every such query fails from the moment that the migration commits, until the new release runs everywhere",
        "deploy code that does not name it first, and drop it in a later change",
        "names that no query of production's workload or of the change uses",
    ),
    _rule(
        "enum-value-used-at-once",
        ERROR,
        "A new enum value that is used in the transaction that adds it.",
        "PostgreSQL refuses it (unsafe use of new value), so the deploy fails",
        "add the value in a migration of its own",
        "values that are used after COMMIT",
    ),
)

#: What squawk finds; those that are about locks and rewrites are weighed by production's sizes.
SQUAWK = (
    _rule(
        "adding-field-with-default",
        ERROR,
        "A new column whose default makes PostgreSQL write every row anew.",
        "a volatile default or a stored generated column rewrites table and indexes under ACCESS EXCLUSIVE",
        "add the column without it, set the default, then fill the rows in batches",
    ),
    _rule(
        "adding-foreign-key-constraint",
        ERROR,
        "A foreign key that is validated while both tables are locked against writes.",
        "every row is looked up in the other table under SHARE ROW EXCLUSIVE on both",
        "add it NOT VALID, and VALIDATE CONSTRAINT in a later transaction",
    ),
    _rule(
        "adding-not-nullable-field",
        ERROR,
        "SET NOT NULL, which reads the whole table under ACCESS EXCLUSIVE.",
        "reads and writes wait until the last row is checked",
        "add CHECK (column IS NOT NULL) NOT VALID, validate it, then SET NOT NULL, which then needs no scan",
    ),
    _rule(
        "adding-required-field",
        ERROR,
        "A new column that is NOT NULL and has no default.",
        "on a table with rows it fails; on an empty one, running code that does not know the column cannot insert",
        "give it a default, or add it nullable and fill it first",
    ),
    _rule(
        "adding-serial-primary-key-field",
        ERROR,
        "A new serial or identity column as primary key.",
        "the table is rewritten and its index built under ACCESS EXCLUSIVE",
        "add the column nullable, fill it in batches, build a unique index concurrently, and attach it",
    ),
    _rule(
        "changing-column-type",
        ERROR,
        "A change of a column's type that writes the table anew.",
        "table and indexes are rewritten under ACCESS EXCLUSIVE; running code may also not expect the new type",
        "add a column of the new type, keep both in step by a trigger, fill it in batches, then swap the names",
        "changes that only touch the catalog, such as a longer varchar or varchar to text: premortem tries them",
    ),
    _rule(
        "constraint-missing-not-valid",
        ERROR,
        "A CHECK constraint that is checked for every row while the table is locked.",
        "reads and writes wait until the last row is checked",
        "add it NOT VALID, and VALIDATE CONSTRAINT in a later transaction",
    ),
    _rule(
        "disallowed-unique-constraint",
        ERROR,
        "A UNIQUE or PRIMARY KEY constraint that builds its index under ACCESS EXCLUSIVE.",
        "reads and writes wait for the whole build",
        "CREATE UNIQUE INDEX CONCURRENTLY, then ADD CONSTRAINT … USING INDEX",
    ),
    _rule(
        "require-concurrent-index-creation",
        ERROR,
        "CREATE INDEX without CONCURRENTLY.",
        "writes wait for the whole build",
        "CREATE INDEX CONCURRENTLY, outside of a transaction",
    ),
    _rule(
        "require-concurrent-index-deletion",
        WARNING,
        "DROP INDEX without CONCURRENTLY.",
        "it needs ACCESS EXCLUSIVE on the table: behind one long query, every other query waits",
        "DROP INDEX CONCURRENTLY, outside of a transaction",
    ),
    _rule(
        "require-concurrent-partition-detach",
        WARNING,
        "DETACH PARTITION without CONCURRENTLY.",
        "it needs ACCESS EXCLUSIVE on the partitioned table",
        "DETACH PARTITION … CONCURRENTLY (PostgreSQL 14 and later), outside of a transaction",
    ),
    _rule(
        "require-concurrent-reindex",
        ERROR,
        "REINDEX without CONCURRENTLY.",
        "writes wait for the build, and so does every query that could use the index",
        "REINDEX … CONCURRENTLY, outside of a transaction",
    ),
    _rule(
        "prefer-repack",
        ERROR,
        "VACUUM FULL or CLUSTER, which write the table anew under ACCESS EXCLUSIVE.",
        "reads and writes wait until the last row is copied and every index rebuilt",
        "pg_repack or pg_squeeze, which keep the table usable",
    ),
    _rule(
        "require-lock-timeout",
        WARNING,
        "A statement that needs a strong lock, without a lock_timeout.",
        "it waits behind the longest transaction on the table, and every later query waits behind it",
        "SET lock_timeout = '2s' before it, and let the deploy try again",
    ),
    _rule(
        "ban-drop-column",
        WARNING,
        "A dropped column.",
        "code that runs while the migration does may still name it; its data is gone",
        "deploy code that does not name it first",
    ),
    _rule(
        "ban-drop-table",
        WARNING,
        "A dropped table.",
        "code that runs while the migration does may still name it; its data is gone",
        "deploy code that does not name it first, and keep a backup",
    ),
    _rule(
        "ban-drop-database",
        ERROR,
        "DROP DATABASE in a migration.",
        "everything in it is gone",
        "do it by hand",
        "never",
    ),
    _rule(
        "ban-drop-not-null",
        INFO,
        "DROP NOT NULL.",
        "running code may meet a NULL that it does not expect",
        "deploy code that can read NULL first",
    ),
    _rule(
        "ban-truncate-cascade",
        ERROR,
        "TRUNCATE … CASCADE, which empties every table that references this one.",
        "rows of tables that are not named are gone",
        "name the tables",
    ),
    _rule(
        "renaming-column",
        WARNING,
        "A renamed column.",
        "code that runs while the migration does uses the old name",
        "add a column, keep both in step, move the code, then drop the old one",
    ),
    _rule(
        "renaming-table",
        WARNING,
        "A renamed table.",
        "code that runs while the migration does uses the old name",
        "rename it and create a view of the old name in the same transaction",
    ),
    _rule(
        "ban-concurrent-index-creation-in-transaction",
        ERROR,
        "An index that is built CONCURRENTLY inside a transaction.",
        "PostgreSQL refuses it; premortem says so as concurrently-in-transaction",
        "run it outside of a transaction",
    ),
    _rule(
        "ban-uncommitted-transaction",
        WARNING,
        "A BEGIN without COMMIT.",
        "what follows it is rolled back when the session ends",
        "end it with COMMIT",
    ),
    _rule(
        "transaction-nesting",
        WARNING,
        "BEGIN or COMMIT in a file that the migration tool runs in a transaction of its own.",
        "the COMMIT ends the tool's transaction, and the rest runs without one",
        "leave BEGIN and COMMIT to the tool",
    ),
    _rule(
        "ban-alter-domain-with-add-constraint",
        WARNING,
        "A constraint that is added to a domain.",
        "every table with a column of the domain is locked against writes and read",
        "add it NOT VALID and validate it later, or put the check on the tables",
    ),
    _rule(
        "ban-create-domain-with-constraint",
        INFO,
        "A domain with a constraint.",
        "changing the constraint later reads every table that uses the domain",
        "put the check on the tables",
    ),
    _rule(
        "ban-duplicate-column-assignments",
        WARNING,
        "A statement that sets one column twice.",
        "only one of the values can be meant",
        "remove one",
    ),
    _rule(
        "identifier-too-long",
        WARNING,
        "A name of more than 63 bytes.",
        "PostgreSQL cuts it, and two such names may become one",
        "shorten it",
    ),
    _rule(
        "require-enum-value-ordering",
        INFO,
        "ADD VALUE without BEFORE or AFTER.",
        "the value sorts last, whatever it means",
        "say where it belongs",
    ),
    _rule(
        "prefer-bigint-over-int",
        INFO,
        "A new column of 32-bit integers.",
        "a key overflows at 2,147,483,647, and changing its type then rewrites the table",
        "use bigint for keys",
        "columns that are no key",
    ),
    _rule(
        "prefer-timestamptz",
        INFO,
        "A timestamp without time zone.",
        "which moment it means depends on who reads it",
        "use timestamptz",
        "never",
    ),
    _rule(
        "unused-ignore",
        INFO,
        "A squawk-ignore comment that keeps nothing from being found.",
        "it would hide the next finding of that kind",
        "remove it",
        "never",
    ),
)

#: Matters of taste: not reported unless the settings give them a severity.
TASTE = (
    _rule(
        "ban-char-field",
        INFO,
        "A column of type char(n).",
        "values are padded with blanks",
        "use text",
        "unless the settings give it a severity",
    ),
    _rule(
        "prefer-bigint-over-smallint",
        INFO,
        "A new column of 16-bit integers.",
        "it overflows at 32,767",
        "use bigint",
        "unless the settings give it a severity",
    ),
    _rule(
        "prefer-identity",
        INFO,
        "A serial column.",
        "its sequence has an owner and rights of its own",
        "use GENERATED BY DEFAULT AS IDENTITY",
        "unless the settings give it a severity",
    ),
    _rule(
        "prefer-robust-stmts",
        INFO,
        "A statement that cannot be run again after the migration failed half way.",
        "the next try stops at what the first one did",
        "use IF NOT EXISTS, or one transaction",
        "unless the settings give it a severity",
    ),
    _rule(
        "prefer-text-field",
        INFO,
        "A column of type varchar(n).",
        "a shorter limit later rewrites nothing but reads the whole table",
        "use text and a CHECK constraint",
        "unless the settings give it a severity",
    ),
    _rule(
        "require-statement-timeout",
        INFO,
        "A statement that may take long, without a statement_timeout.",
        "nothing ends it when it takes longer than anybody thought",
        "SET statement_timeout before it",
        "unless the settings give it a severity",
    ),
    _rule(
        "require-table-schema",
        INFO,
        "A table that is named without its schema.",
        "which table is meant depends on the search_path",
        "write schema.table",
        "unless the settings give it a severity",
    ),
)

MIGRATION_RULES: tuple[Rule, ...] = (*OWN, *SQUAWK, *TASTE)


@dataclass(frozen=True, slots=True, kw_only=True)
class LockLimits:
    """How long a lock may block: from `warn_seconds` it is a warning, from `error_seconds` an error.

    A table that sees fewer than `busy_per_second` statements is idle: what blocks it is one step milder.  A statement
    that takes a strong lock for a moment is worth a word about lock_timeout from that rate on.
    """

    warn_seconds: float = 1.0
    error_seconds: float = 5.0
    busy_per_second: float = 0.1


@dataclass(frozen=True, slots=True, kw_only=True)
class BackfillLimits:
    """How many rows one transaction of a migration may change."""

    warn_rows: float = 100_000
    error_rows: float = 5_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class NoLimits:
    """A rule without thresholds."""


#: The thresholds of those rules that have any; `long-lock` speaks for every rule about locks.
MIGRATION_LIMITS: Mapping[str, object] = MappingProxyType(
    {rule.name: NoLimits() for rule in MIGRATION_RULES}
    | {"long-lock": LockLimits(), "backfill-in-migration": BackfillLimits()}
)
