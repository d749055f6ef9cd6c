"""Plans a synthesis: which tables, how many rows, what every column is made from, and what cannot be known.

```
plan
├── sizes.sizes         which relations hold rows, and how many
├── _Planner.table      the draws and fills of one table
│   ├── keys            unique columns and sets of columns
│   └── basis.of…       the domain and spread of a column
└── gaps
```

A column's basis is worked out when it is first asked for, since a child's needs its parent's; that is also how the
order of loading comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from premortem.model import Column, ColumnStatistics, Gap, Profile, RelationName, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import kinds, sizes
from premortem.synthesis.basis import Asked, Basis
from premortem.synthesis.design import ColumnPlan, Synthesis, TablePlan
from premortem.synthesis.drawing import Draw, Free, Spot, Upwards
from premortem.synthesis.segments import Marginal, Segments
from premortem.synthesis.streams import Placement

#: Tables up to this many rows are drawn exactly: every rank once.
_SMALL = 100_000
#: A correlation below this is chance.
_NOTHING = 0.03
_CHUNK_BYTES = 6_000_000
_MOST_ROWS = 65_536


def plan(
    profile: Profile,
    *,
    scale: float = 1.0,
    seed: int = 0,
    tables: Iterable[RelationName] | None = None,
    rows: float | None = None,
    shift_to: datetime | None = None,
) -> Synthesis:
    """Return how the profile's tables are filled; a pure function of its arguments.

    `tables` are those to fill (all by default; what they refer to is named in the profile, not filled).  `rows` caps
    the rows of all of them, small tables last.  `shift_to` moves dates and timestamps by whole days so that the
    profile's own moment falls on it.
    """
    wanted = None if tables is None else frozenset(tables)
    found = sizes.sizes(profile, scale=scale, wanted=wanted, most=rows)
    shift = timedelta() if shift_to is None else timedelta(days=(shift_to - profile.taken_at).days)
    planner = _Planner(profile=profile, sizes=found.rows, seed=seed, shift=shift)
    for relation in found.rows:
        planner.table(relation)
    chosen = tuple(t for t in planner.done.values() if wanted is None or found.is_wanted(t.relation))
    return Synthesis(seed=seed, scale=scale, tables=chosen, gaps=(*found.gaps, *planner.gaps))


@dataclass(slots=True, kw_only=True)
class _Planner:
    """Plans tables one after the other; what a column is made from is kept, for the columns that refer to it."""

    profile: Profile
    sizes: dict[RelationName, int]
    seed: int
    shift: timedelta
    done: dict[RelationName, TablePlan] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    _bases: dict[tuple[RelationName, str], Basis | None] = field(default_factory=dict)
    _open: set[tuple[RelationName, str]] = field(default_factory=set)

    def table(self, relation: RelationName) -> TablePlan:
        """Return the plan of a table."""
        if relation not in self.done:
            table = self.profile.table(relation)
            assert table is not None
            for key in table.foreign_keys:
                for name in key.columns:
                    self.basis(table, name)
            self.done[relation] = self._planned(table, self.sizes[relation])
        return self.done[relation]

    def basis(self, table: Table, name: str) -> Basis | None:
        """Return what a column is made from, None where nothing is known to make it from."""
        key = (table.relation, name)
        if key in self._bases:
            return self._bases[key]
        if key in self._open:
            return None  # a circle of keys that are references: the first one asked stands on its own
        self._open.add(key)
        self._bases[key] = self._made(table, name)
        self._open.discard(key)
        return self._bases[key]

    def _made(self, table: Table, name: str) -> Basis | None:
        column = table.column(name)
        if column is None:
            return None
        asked = self._asked(table, column)
        parent = self._parent(table, name)
        if parent is not None:
            found = self.basis(*parent)
            if found is not None and found.domain.size:
                return bases.of_parent(asked, found)
        return bases.of(asked)

    def _parent(self, table: Table, name: str) -> tuple[Table, str] | None:
        for key in table.foreign_keys:
            if key.columns == (name,) and key.references is not None and key.referenced_columns:
                parent = self.profile.table(key.references)
                if parent is not None and parent.relation in self.sizes:
                    if (parent.relation, key.referenced_columns[0]) == (table.relation, name):
                        continue
                    return parent, key.referenced_columns[0]
        return None

    def _asked(self, table: Table, column: Column) -> Asked:
        total = self.sizes.get(table.relation, 0)
        statistics = _statistics(table, column)
        nulls = statistics.null_fraction if statistics and not column.not_null else 0.0
        kind = kinds.kind(column.type, self.profile)
        return Asked(
            kind=kind, statistics=statistics, rows=total - round(total * nulls), total=total,
            unique=_is_unique(table, column, statistics), target=self._target(column),
            pins=self._pins(table, column), shift=round(self.shift.total_seconds() * 1_000_000),
            salt=bases.salt(self.seed, table.relation.sql, column.name), oids=kinds.element_oids(),
        )  # fmt: skip

    def _target(self, column: Column) -> int:
        if column.statistics_target is not None and column.statistics_target > 0:
            return column.statistics_target
        return int(self.profile.setting("default_statistics_target", "100"))

    def _pins(self, table: Table, column: Column) -> tuple[str, ...]:
        """The values that other tables' most common references are to."""
        found: dict[str, None] = {}
        for child, key in self.profile.referencing(table.relation):
            for own, theirs in zip(key.columns, key.referenced_columns, strict=False):
                referring = child.column(own)
                if theirs == column.name and referring is not None:
                    statistics = _statistics(child, referring)
                    found |= dict.fromkeys((statistics.most_common_values or ()) if statistics else ())
        return tuple(found)

    def _planned(self, table: Table, total: int) -> TablePlan:
        draws: list[Draw] = []
        fills: list[ColumnPlan] = []
        width = 24.0
        for column in table.columns:
            if column.generated:
                continue
            draw, fill, size = self._column(table, column, total)
            draws += draw
            if fill is not None:
                fills.append(fill)
                width += size
        rows = max(256, min(_MOST_ROWS, int(_CHUNK_BYTES / width)))
        return TablePlan(
            relation=table.relation, rows=total, chunk_rows=rows, draws=tuple(draws), fills=tuple(fills),
            row_bytes=width,
        )  # fmt: skip

    def _column(self, table: Table, column: Column, total: int) -> tuple[list[Draw], ColumnPlan | None, float]:
        found = self.basis(table, column.name)
        statistics = _statistics(table, column)
        if found is None or (total and not found.domain.size):
            if not total:
                return [], None, 0.0
            return self._missing(table, column)
        asked = self._asked(table, column)
        even = asked.unique or _is_thin(found.found)
        marginal = Marginal.of(found.found, numbered=found.numbered, even=even)
        correlation = statistics.correlation if statistics and statistics.correlation is not None else 0.0
        spot = Spot(
            placement=Placement.of(asked.rows, _untied(correlation, found.found, asked.unique), asked.salt),
            rows=total, filled=asked.rows, exact=even or total <= _SMALL, salt=asked.salt ^ 1,
        )  # fmt: skip
        draws: list[Draw] = [Free(slot=column.name, marginal=marginal, spot=spot)]
        draws += self._upwards(table, column)
        size = float(statistics.average_width if statistics else 8)
        return draws, ColumnPlan(name=column.name, slot=column.name, domain=found.domain), size

    def _upwards(self, table: Table, column: Column) -> Iterator[Draw]:
        for key in table.foreign_keys:
            if key.columns == (column.name,) and key.references == table.relation and key.referenced_columns:
                yield Upwards(slot=column.name, key=key.referenced_columns[0], nullable=not column.not_null)

    def _missing(self, table: Table, column: Column) -> tuple[list[Draw], ColumnPlan | None, float]:
        self.gaps.append(_no_values(table, column))
        return [], None, 0.0


def _no_values(table: Table, column: Column) -> Gap:
    instead = "its default" if column.default else "NULL"
    return Gap(
        subject=f"column {table.full_name}.{column.name}",
        says=f"No values are known for type {column.type}; the mirror's rows hold {instead}.",
        effect="Queries on this column find other rows than in production, or none.",
    )


def _statistics(table: Table, column: Column) -> ColumnStatistics | None:
    return column.own_statistics


def _is_unique(table: Table, column: Column, statistics: ColumnStatistics | None) -> bool:
    """Whether every value stands in one row: by an index, or by the statistics of a column in a unique set."""
    sets = unique_sets(table)
    if (column.name,) in sets:
        return True
    stated = statistics.n_distinct if statistics else 0.0
    return stated <= -0.9999 and any(column.name in one for one in sets)


def unique_sets(table: Table) -> tuple[tuple[str, ...], ...]:
    """Return the sets of columns that are unique in a table, smallest first."""
    found = {
        tuple(str(c) for c in index.columns): None
        for index in table.indexes
        if index.unique and index.predicate is None and index.valid and None not in index.columns
    }
    return tuple(sorted(found, key=lambda s: (len(s), s)))


def _is_thin(found: Segments) -> bool:
    tail = found.distinct > 1
    values = int(found.distinct[tail].sum())
    return bool(values) and int(found.rows[tail].sum()) < 3 * values


def _untied(correlation: float, found: Segments, unique: bool) -> float:
    """Return the correlation that is left when ties are taken out.

    Rows of one value stand in physical order, so that ties alone make a correlation of the sum of p squared.
    """
    total = found.total
    if unique or not total:
        return correlation if abs(correlation) > _NOTHING or total < 1000 else 0.0
    tied = float((found.rows.astype(float) ** 2 / found.distinct.clip(1)).sum()) / total**2
    if tied >= 1:
        return 0.0
    left = (correlation - tied) / (1 - tied)
    return 0.0 if abs(left) < _NOTHING else max(-1.0, min(1.0, left))
