"""Queries, where they came from, and the parameter values that they are judged with."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from enum import StrEnum

#: The source of a statement of which only is known that a suite ran it: its line is the number of the execution.
CAPTURED = "capture"


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Where a query stands: a file and line, an entry of pg_stat_statements, a suite's n-th statement."""

    source: str
    line: int | None = None
    name: str | None = None

    def __str__(self) -> str:
        if self.source == CAPTURED and self.line is not None:
            place = f"statement {self.line} of the capture"
            return f"{place} ({self.name})" if self.name else place
        place = self.source if self.line is None else f"{self.source}:{self.line}"
        return f"{place} ({self.name})" if self.name else place


@dataclass(frozen=True, slots=True, kw_only=True)
class Allow:
    """A `-- premortem: allow RULE (reason) until DATE` comment of a query; after `until`, where it has one, it fails.

    `mistake` says what cannot be understood of it; the comment does not count then.
    """

    rule: str
    reason: str
    line: int | None = None
    until: date | None = None
    mistake: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Repeats:
    """The most often that one call site ran a statement within one unit of work.

    `within` says what the unit is: `test`, `request`, `transaction` or `session`; `unit` names it where it has a name
    (`tests/test_cart.py::test_total`).  `values` is how many different values the `count` runs had, None where nobody
    knows them.  `site` is the call site where a comment or a stack told it.
    """

    count: int
    within: str
    unit: str | None = None
    site: Site | None = None
    values: int | None = None


class StatementKind(StrEnum):
    """What a statement does, as far as planning is concerned."""

    SELECT = "select"
    INSERT = "insert"
    UPDATE = "update"
    DELETE = "delete"
    MERGE = "merge"
    VALUES = "values"
    UTILITY = "utility"


@dataclass(frozen=True, slots=True, kw_only=True)
class Query:
    """One statement, with `$n` placeholders, ready for PREPARE.

    `original` is the text as its author wrote it; `text` is what PostgreSQL gets: driver placeholders turned into `$n`,
    the inner query of COPY, DECLARE CURSOR, PREPARE or EXPLAIN taken out, the trailing semicolon gone.
    `parameter_names[i]` is the author's name of `$i+1` where it had one.  `calls_per_second` and `mean_time` come from
    the workload, None where unknown.

    What a captured statement has besides: `executions` and `samples`, the values of its placeholders that it was seen
    with (each as long as `parameter_count`, text form, None for NULL); `tags`, the key-value pairs of its SQLCommenter,
    Marginalia or Query Log Tags comment, and of the test that ran it; `role` and `database` of its session.
    """

    text: str
    original: str
    fingerprint: str
    site: Site
    kind: StatementKind = StatementKind.SELECT
    parameter_count: int = 0
    parameter_names: tuple[str | None, ...] = ()
    allows: tuple[Allow, ...] = ()
    search_path: tuple[str, ...] | None = None
    calls: float | None = None
    calls_per_second: float | None = None
    mean_time: timedelta | None = None
    rows_per_call: float | None = None
    executions: int | None = None
    samples: tuple[tuple[str | None, ...], ...] = ()
    tags: tuple[tuple[str, str], ...] = ()
    role: str | None = None
    database: str | None = None
    repeats: Repeats | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unreadable:
    """A piece of input that is no plannable statement: reported as "could not tell", never guessed at."""

    original: str
    site: Site
    says: str
    hint: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class ParameterSet:
    """Values for a query's placeholders, with the reason why these.

    `name` is `hot`, `typical`, `rare`, `absent`, `wide`, `narrow`, `mixed` and `crossed` (common values that are rare
    together, or common in one column and rare in the others), `off` (optional filters are NULL), `captured` (seen in a
    test), `generic` (no values: the generic plan), `literal` (the text has no placeholders) or `pasted` (the plan came
    ready-made).  `values[i]` is the text
    form of `$i+1`, None for SQL NULL.  `basis` says in one phrase where the values come from: "most common values of
    order_items.product_sku".  `frequency` is the share of rows that have the values compared by `=`, columns taken as
    independent, None where none of them is among the most common ones.
    """

    name: str
    values: tuple[str | None, ...] = ()
    basis: str = ""
    frequency: float | None = field(default=None, compare=False)

    @property
    def is_generic(self) -> bool:
        """Whether this stands for the plan made without looking at values."""
        return self.name == "generic"


#: The plan made without looking at values.
GENERIC = ParameterSet(name="generic", basis="the plan that a prepared statement may get, whatever the values")
