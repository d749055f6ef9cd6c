"""An index that does not exist yet, the case for it, and the ones that were considered and declined."""

from __future__ import annotations

from dataclasses import dataclass, replace

from premortem.model.plan import Plan
from premortem.model.relation import RelationName, quoted


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexKey:
    """One key of an index: a column (unquoted name) or an expression (SQL text), with its opclass and ordering."""

    column: str | None = None
    expression: str | None = None
    collation: str | None = None
    opclass: str | None = None
    descending: bool = False
    nulls_first: bool | None = None

    @property
    def sql(self) -> str:
        """The key as it stands in CREATE INDEX."""
        base = quoted(self.column) if self.column is not None else f"({self.expression})"
        collate = f" COLLATE {self.collation}" if self.collation else ""
        opclass = f" {self.opclass}" if self.opclass else ""
        return base + collate + opclass + self._ordering

    @property
    def _ordering(self) -> str:
        nulls_first = self.descending if self.nulls_first is None else self.nulls_first
        nulls = "" if nulls_first == self.descending else (" NULLS FIRST" if nulls_first else " NULLS LAST")
        return (" DESC" if self.descending else "") + nulls


@dataclass(frozen=True, slots=True, kw_only=True)
class IndexCandidate:
    """An index that could be created: what CREATE INDEX says, without its name.

    The first `interchangeable` keys are equalities, so that the order among them is free.
    """

    table: RelationName
    keys: tuple[IndexKey, ...]
    method: str = "btree"
    include: tuple[str, ...] = ()
    predicate: str | None = None
    unique: bool = False
    because: str = ""
    interchangeable: int = 0

    @property
    def definition(self) -> str:
        """The definition after `ON`, which is what makes two candidates the same."""
        using = "" if self.method == "btree" else f" USING {self.method}"
        include = f" INCLUDE ({', '.join(quoted(c) for c in self.include)})" if self.include else ""
        where = f" WHERE {self.predicate}" if self.predicate else ""
        return f"{self.table.short}{using} ({', '.join(k.sql for k in self.keys)}){include}{where}"

    def create_sql(self, name: str, *, concurrently: bool = True) -> str:
        """Return the CREATE INDEX statement, with the table schema-qualified."""
        qualified = replace(self, table=self.table)
        body = qualified.definition.removeprefix(self.table.short)
        how = " CONCURRENTLY" if concurrently else ""
        unique = " UNIQUE" if self.unique else ""
        return f"CREATE{unique} INDEX{how} {quoted(name)} ON {self.table.sql}{body};"

    def drop_sql(self, name: str, *, concurrently: bool = True) -> str:
        """Return the statement that undoes `create_sql`."""
        how = " CONCURRENTLY" if concurrently else ""
        return f"DROP INDEX{how} IF EXISTS {quoted(self.table.schema)}.{quoted(name)};"


@dataclass(frozen=True, slots=True, kw_only=True)
class Declined:
    """A candidate that is not proposed, and why."""

    candidate: IndexCandidate
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Effect:
    """One parameter set's plan before and after: the planner's costs, and the full cost of what LIMIT cuts short.

    `before_worst` and `after_worst` are the cost when nothing stops early (the key is rare or absent): the total cost
    of the nodes under LIMIT and semi-joins without their discount.
    """

    parameters: str
    before: Plan
    after: Plan
    before_cost: float
    after_cost: float
    before_worst: float
    after_worst: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """An index that is worth having, with its proof on the twin.

    `statements` and `undo_statements` are what to type where one CREATE INDEX is not enough: a partitioned table is
    indexed partition by partition, an operator class may need its extension first.  `covers_only`: an index that is
    there finds the same rows, and this one spares the visits to the table.
    """

    candidate: IndexCandidate
    name: str
    effects: tuple[Effect, ...]
    size_bytes: int
    build_seconds: float
    write_cost: str
    replaces: tuple[str, ...] = ()
    declined: tuple[Declined, ...] = ()
    notes: tuple[str, ...] = ()
    statements: tuple[str, ...] = ()
    undo_statements: tuple[str, ...] = ()
    covers_only: bool = False

    @property
    def sql(self) -> tuple[str, ...]:
        """The statements to type, new index first, then the ones that it makes superfluous."""
        drops = tuple(f"DROP INDEX CONCURRENTLY IF EXISTS {name};" for name in self.replaces)
        return (*(self.statements or (self.candidate.create_sql(self.name),)), *drops)

    @property
    def undo(self) -> tuple[str, ...]:
        """The statements that take the new index away again."""
        return self.undo_statements or (self.candidate.drop_sql(self.name),)
