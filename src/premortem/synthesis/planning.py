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

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

import numpy as np

from premortem.model import Column, ColumnStatistics, Constraint, ExtendedStatistics, Gap, Profile, RelationName, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import combining, density, joint, kinds, limits, sizes, wire, workload
from premortem.synthesis.basis import Asked, Basis
from premortem.synthesis.combining import Combination, Member
from premortem.synthesis.design import ColumnPlan, Synthesis, TablePlan
from premortem.synthesis.domains import Line, Listed, Numbers
from premortem.synthesis.drawing import Constant, Draw, Emptied, Free, Spot, Upwards
from premortem.synthesis.joint import Depending, Source, Together
from premortem.synthesis.keys import Combined, Key, Referring, Sharing, Unit, placed
from premortem.synthesis.kinds import Family
from premortem.synthesis.segments import THIN, Marginal, Segments
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
    planner = _Planner(
        profile=profile, sizes=found.rows, seed=seed, shift=shift, per_key=workload.rows_per_key(profile)
    )
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
    per_key: Mapping[tuple[str, str], float] = field(default_factory=dict)
    done: dict[RelationName, TablePlan] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    _bases: dict[tuple[RelationName, str], Basis | None] = field(default_factory=dict)
    _open: set[tuple[RelationName, str]] = field(default_factory=set)
    _keys: dict[tuple[RelationName, frozenset[str]], Combination | None] = field(default_factory=dict)

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

    def basis(self, table: Table, name: str, *, whole: bool = False) -> Basis | None:
        """Return what a column is made from, None where nothing is known to make it from.

        `whole` asks for it as if no row were NULL, as keys need it.
        """
        column = table.column(name)
        if column is None:
            return None
        if whole and self.asked(table, column).rows < self.sizes.get(table.relation, 0):
            return self._made(table, column, self._asked(table, column, whole=True))
        key = (table.relation, name)
        if key in self._bases:
            return self._bases[key]
        if key in self._open:
            return None  # a circle of keys that are references: the first one asked stands on its own
        self._open.add(key)
        self._bases[key] = self._made(table, column, self.asked(table, column))
        self._open.discard(key)
        return self._bases[key]

    def _made(self, table: Table, column: Column, asked: Asked) -> Basis | None:
        parent = self._parent(table, column.name)
        if parent is not None:
            found = self._key_basis(*parent)
            if found is not None and found.domain.size:
                return bases.of_parent(asked, found)
        return bases.of(asked)

    def _key_basis(self, table: Table, name: str) -> Basis | None:
        """Return a parent's basis; that of a partitioned parent is its partitions' bases together."""
        if table.relation in self.sizes:
            return self.basis(table, name)
        parts = [self.basis(leaf, name) for leaf in sizes.leaves(table, self.profile)]
        return bases.united([part for part in parts if part is not None and part.domain.size])

    def _parent(self, table: Table, name: str) -> tuple[Table, str] | None:
        for key in table.foreign_keys:
            if name in key.columns and key.references is not None and key.referenced_columns:
                parent = self.profile.table(key.references)
                theirs = key.referenced_columns[key.columns.index(name)]
                if parent is not None and (parent.relation, theirs) != (table.relation, name):
                    return parent, theirs
        return None

    def asked(self, table: Table, column: Column) -> Asked:
        """Return what is known and wanted of a column."""
        return self._asked(table, column, whole=False)

    def _asked(self, table: Table, column: Column, *, whole: bool) -> Asked:
        total = self.sizes.get(table.relation, 0)
        statistics = column.own_statistics
        nulls = statistics.null_fraction if statistics and not column.not_null and not whole else 0.0
        kind = kinds.kind(column.type, self.profile)
        return Asked(
            kind=kind, statistics=statistics, rows=total - round(total * nulls), total=total,
            unique=_is_unique(table, column), target=self._target(column),
            pins=self._pins(table, column), shift=self._shift(table, column),
            salt=bases.salt(self.seed, table.relation.sql, column.name), oids=kinds.element_oids(),
            reach=_reach(table, statistics, self._target(column)), at_least=self._at_least(table, column, total),
            limits=limits.limits(table, column, self.profile),
            paths=workload.document_paths(table, column.name, self.profile) if kind.family is Family.JSON else {},
        )  # fmt: skip

    def _shift(self, table: Table, column: Column) -> int:
        """Return by how many microseconds a column's moments move: none where partitions are by them."""
        tree: Table | None = table
        while tree is not None:
            if column.name in limits.partition_columns(tree):
                return 0
            tree = self.profile.table(tree.parents[0]) if tree.parents else None
        return round(self.shift.total_seconds() * 1_000_000)

    def _at_least(self, table: Table, column: Column, total: int) -> float:
        """The number of values that makes as few rows for each as the workload finds."""
        each = self.per_key.get((table.name, column.name))
        return total / each if each else 1.0

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
                    statistics = referring.own_statistics
                    found |= dict.fromkeys((statistics.most_common_values or ()) if statistics else ())
        return tuple(found)

    def key(self, table: Table, columns: frozenset[str]) -> Combination | None:
        """Return the key of a unique set of several columns, None where it cannot be had."""
        place = (table.relation, columns)
        if place not in self._keys:
            self._keys[place] = None
            units = self._units(table, columns)
            inside = {name for unit in units for name in unit.names.values()}
            names = [c.name for c in table.columns if c.name in columns - inside]
            members = [m for name in names if (m := self._member(table, name)) is not None]
            members += [self._unit_member(table, unit) for unit in units]
            if len(members) == len(names) + len(units):
                salt = bases.salt(self.seed, table.relation.sql, *sorted(columns))
                found = combining.combined(members, self.sizes.get(table.relation, 0), salt)
                self._keys[place] = None if found is None else self._with_units(table, found, units)
        return self._keys[place]

    def _with_units(self, table: Table, found: Combination, units: list[Unit]) -> Combination:
        own = {name: b for unit in units for name in unit.names.values() if (b := self.basis(table, name)) is not None}
        kept = {name: basis for name, basis in found.bases.items() if name not in {unit.slot for unit in units}}
        return replace(found, key=replace(found.key, units=tuple(units)), bases={**kept, **own})

    def _units(self, table: Table, columns: frozenset[str]) -> list[Unit]:
        """Return the references of several columns inside of a set."""
        found: list[Unit] = []
        left = set(columns)
        for reference in table.foreign_keys:
            inside = set(reference.columns)
            if len(inside) > 1 and inside < columns and inside <= left and reference.references != table.relation:
                parent = self.referred(reference)
                if parent is not None:
                    names = dict(zip(reference.referenced_columns, reference.columns, strict=False))
                    found.append(Unit(slot=reference.name, key=parent.key, names=names))
                    left -= inside
        return found

    def referred(self, reference: Constraint) -> Combination | None:
        """Return the key that a reference of several columns is to."""
        parent = self.profile.table(reference.references) if reference.references else None
        if parent is None or not self.sizes.get(parent.relation):
            return None
        found = self.key(parent, frozenset(reference.referenced_columns))
        return found if found and set(found.key.columns) == set(reference.referenced_columns) else None

    def spread(self, table: Table, key: Key, names: Mapping[str, str]) -> tuple[Segments, Asked, float] | None:
        """Return how a table's rows are spread over a key that it refers to, by the leading column's statistics."""
        column = table.column(names[key.leader or key.columns[0]])
        basis = self.basis(table, column.name) if column else None
        if column is None or basis is None:
            return None
        asked = self.asked(table, column)
        if key.leader is None:
            return combining.everywhere(key, asked.rows), asked, 0.0
        return combining.spread_over(key, basis.found), asked, _correlation(asked, basis)

    def _unit_member(self, table: Table, unit: Unit) -> Member:
        found = self.spread(table, unit.key, unit.names)
        rows = self.sizes.get(table.relation, 0)
        segments, correlation = (found[0], found[2]) if found else (combining.everywhere(unit.key, rows), 0.0)
        basis = Basis(domain=Numbers(size=unit.key.total), found=segments, numbered=False)
        return Member(
            slot=unit.slot, basis=basis, correlation=correlation, unique=False, family=Family.UNKNOWN,
            widened=lambda values: basis,
        )  # fmt: skip

    def _member(self, table: Table, name: str) -> Member | None:
        column = table.column(name)
        if column is None:
            return None
        asked = self._asked(table, column, whole=True)
        found = self.basis(table, name, whole=True)
        if found is None or not found.domain.size:
            return None

        def widened(values: float) -> Basis:
            return self._made(table, column, replace(asked, distinct=float(values))) or found

        return Member(
            slot=name, basis=found, correlation=_correlation(asked, found), unique=asked.unique,
            family=asked.kind.family, widened=widened,
        )  # fmt: skip

    def _planned(self, table: Table, total: int) -> TablePlan:
        made = _Columns(planner=self, table=table, total=total)
        if total:
            made.keys()
            made.references()
            made.together()
            made.others()
        width = 24.0 + made.width
        rows = max(256, min(_MOST_ROWS, int(_CHUNK_BYTES / width)))
        order = {c.name: at for at, c in enumerate(table.columns)}
        fills = tuple(sorted(made.fills, key=lambda f: order[f.name]))
        return TablePlan(
            relation=table.relation, rows=total, chunk_rows=rows, fillfactor=density.fillfactor(table, self.profile),
            draws=tuple(made.draws), fills=fills, row_bytes=width,
        )  # fmt: skip


@dataclass(slots=True, kw_only=True)
class _Columns:
    """The draws and fills of one table: unique sets first, then references of several columns, then each column."""

    planner: _Planner
    table: Table
    total: int
    draws: list[Draw] = field(default_factory=list)
    fills: list[ColumnPlan] = field(default_factory=list)
    decided: dict[str, Basis] = field(default_factory=dict)
    width: float = 0.0

    def keys(self) -> None:
        """Add the unique sets of several columns."""
        for columns in _combined_sets(self.table, self.planner):
            if self._is_reference(columns):
                continue
            if any(name in self.decided for name in columns):
                self._gap(columns, "shares columns with another key")
                continue
            found = self.planner.key(self.table, frozenset(columns))
            if found is None:
                self._gap(columns, "has fewer combinations than the table has rows, as far as the statistics tell")
                continue
            salt = bases.salt(self.planner.seed, self.table.relation.sql, "rows", *columns)
            spot = placed(self.total, found.correlation, salt)
            self.draws.append(Combined(key=found.key, spot=spot))
            self.decided |= found.bases
            self._holes(columns)

    def _is_reference(self, columns: tuple[str, ...]) -> bool:
        """Whether the set is within one reference of several columns, which then meets no key twice."""
        return any(set(columns) <= set(r.columns) and self.planner.referred(r) for r in references(self.table))

    def _holes(self, columns: tuple[str, ...]) -> None:
        """Make NULL what is NULL in production: such a row may be any other's double."""
        for name in columns:
            column = self.table.column(name)
            statistics = column.own_statistics if column else None
            if column and not column.not_null and statistics and statistics.null_fraction > 0:
                self.draws.append(Emptied(slot=name, null_fraction=statistics.null_fraction))

    def references(self) -> None:
        """Add the foreign keys of several columns."""
        for reference in references(self.table):
            self._reference(reference)

    def _reference(self, reference: Constraint) -> None:
        names = dict(zip(reference.referenced_columns, reference.columns, strict=False))
        found = self.planner.referred(reference)
        if found is None:
            if any(name not in self.decided for name in reference.columns):
                self._gap(reference.columns, "refers to a key that is not made by number")
            return
        known = {theirs for theirs, own in names.items() if own in self.decided}
        lead = found.key.leader
        if not known:
            self._refer(reference, found, names)
        elif lead and known == {lead} and self.decided[names[lead]].domain is found.bases[lead].domain:
            self._share(reference, found, names)
        elif not self._by_unit(reference):
            self._gap(reference.columns, "shares columns with another key")

    def _by_unit(self, reference: Constraint) -> bool:
        """Whether a key of the table has the reference inside, so that it is kept already."""
        return any(
            isinstance(draw, Combined) and any(unit.slot == reference.name for unit in draw.key.units)
            for draw in self.draws
        )

    def _refer(self, reference: Constraint, found: Combination, names: Mapping[str, str]) -> None:
        spread = self.planner.spread(self.table, found.key, names)
        if spread is None:
            return
        segments, asked, correlation = spread
        alone = self._refers_once(reference)
        once = combining.one_each(segments) if alone else None
        if alone and once is None:
            self._gap(reference.columns, "has fewer combinations than the table has rows")
        marginal = Marginal.of(once or segments, numbered=False, even=once is not None)
        spot = self._spot(asked, correlation, exact=once is not None or self.total <= _SMALL)
        self.draws.append(Referring(key=found.key, names=names, slot=reference.name, marginal=marginal, spot=spot))
        self.decided |= {own: found.bases[theirs] for theirs, own in names.items()}

    def _refers_once(self, reference: Constraint) -> bool:
        """Whether no two rows may refer to the same."""
        columns = set(reference.columns)
        return any(set(one) <= columns for one in unique_sets(self.table))

    def _share(self, reference: Constraint, found: Combination, names: Mapping[str, str]) -> None:
        others = [self.table.column(own) for theirs, own in names.items() if theirs != found.key.leader]
        nullable = next((c for c in others if c is not None and not c.not_null), None)
        statistics = nullable.own_statistics if nullable else None
        nulls = statistics.null_fraction if statistics else 0.0
        self.draws.append(Sharing(key=found.key, names=names, slot=reference.name, null_fraction=nulls))
        self.decided |= {own: found.bases[theirs] for theirs, own in names.items() if own not in self.decided}

    def together(self) -> None:
        """Add the columns of extended statistics, and those that a CHECK compares."""
        for found in self.table.statistics:
            if not found.inherited:
                self._joined(found)
        for low, high, strictly in joint.compared(self.table.constraints):
            self._compared(low, high, strictly=strictly)

    def _joined(self, found: ExtendedStatistics) -> None:
        plain = found.keys[: len(found.keys) - found.expression_count]
        for leader in plain:
            if leader in self.decided:
                self._depending(found, leader, plain)
        names = [name for name in plain if name not in self.decided and not self._own_reference(name)]
        sources = {name: source for name in names if (source := self._source(name)) is not None}
        salt = bases.salt(self.planner.seed, self.table.relation.sql, found.schema, found.name)
        draw = joint.joined(found, sources, self.total, exact=self.total <= _SMALL, salt=salt)
        if draw is not None:
            self.draws.append(draw)
            self.decided |= {name: source.basis for name, source in sources.items()}

    def _depending(self, found: ExtendedStatistics, leader: str, names: tuple[str, ...]) -> None:
        """Add the columns that follow from one of a key."""
        basis = self.decided[leader]
        for name in names:
            source = self._source(name) if name not in self.decided and not self._own_reference(name) else None
            degree = joint.degree_of(found, leader, name, basis.found.values) if source else 0.0
            if source is None or degree < 0.5:
                continue
            size = basis.found.values if basis.numbered else basis.domain.size
            self.draws.append(
                Depending(
                    slot=name, marginal=Marginal.of(source.basis.found, numbered=source.basis.numbered, even=True),
                    leader=leader, size=size, degree=degree, ordered=abs(source.correlation) > 0.5,
                    nulls=source.null_fraction, salt=bases.salt(self.planner.seed, self.table.relation.sql, name),
                )
            )  # fmt: skip
            self.decided[name] = source.basis

    def _source(self, name: str) -> Source | None:
        column = self.table.column(name)
        basis = self.planner.basis(self.table, name)
        if column is None or basis is None or not basis.domain.size or _is_unique(self.table, column):
            return None
        asked = self.planner.asked(self.table, column)
        share = 1 - asked.rows / max(self.total, 1)
        return Source(slot=name, basis=basis, null_fraction=share, correlation=_correlation(asked, basis))

    def _own_reference(self, name: str) -> bool:
        return any(key.columns == (name,) and key.references == self.table.relation for key in self.table.foreign_keys)

    def _compared(self, low: str, high: str, *, strictly: bool) -> None:
        """Add the second column as one that goes with the first."""
        one, other = self._source(low), self._source(high)
        if high in self.decided or one is None or other is None or not self._same_type(low, high):
            return
        if low not in self.decided:
            column = self.table.column(low)
            assert column is not None
            self._alone(column)
        domains = one.basis.domain, other.basis.domain
        on_lines = domains if isinstance(domains[0], Line) and isinstance(domains[1], Line) else None
        self.draws.append(
            Together(
                lines=on_lines,  # type: ignore[arg-type]
                strictly=strictly,
                slot=high, marginal=Marginal.of(other.basis.found, numbered=other.basis.numbered, even=True),
                leader=low, of_leader=Marginal.of(one.basis.found, numbered=one.basis.numbered),
                nulls=other.null_fraction,
            )
        )  # fmt: skip
        self.decided[high] = other.basis

    def _same_type(self, low: str, high: str) -> bool:
        one, other = self.table.column(low), self.table.column(high)
        return one is not None and other is not None and one.type == other.type

    def others(self) -> None:
        """Add every column that no key has decided, and fill all."""
        for column in self.table.columns:
            if column.generated:
                continue
            if column.name not in self.decided:
                self._alone(column)
            self.draws += self._upwards(column)
            if column.name in self.decided:
                statistics = column.own_statistics
                self.width += statistics.average_width if statistics else 8
                self._fill(column)

    def _fill(self, column: Column) -> None:
        element = column.type.removesuffix("[]") if column.type.endswith("[]") else None
        if element is not None and kinds.oid(element) is not None:
            element = None
        domain = self.decided[column.name].domain
        self.fills.append(ColumnPlan(name=column.name, slot=column.name, domain=domain, element=element))

    def _alone(self, column: Column) -> None:
        found = self.planner.basis(self.table, column.name)
        if self.planner.asked(self.table, column).rows <= 0:
            nothing = np.zeros(0, np.int64)
            empty = Segments(place=nothing, width=nothing, rows=nothing, distinct=nothing)
            self.draws.append(Constant(slot=column.name, null=True))
            self.decided[column.name] = Basis(domain=Listed(values=wire.listed([None])), found=empty)
            return
        if found is None or not found.domain.size:
            self.planner.gaps.append(_no_values(self.table, column))
            return
        asked = self.planner.asked(self.table, column)
        exact = asked.unique or self.total <= _SMALL or _is_thin(found.found)
        marginal = Marginal.of(found.found, numbered=found.numbered, even=asked.unique)
        spot = self._spot(asked, _correlation(asked, found), exact=exact)
        self.draws.append(Free(slot=column.name, marginal=marginal, spot=spot))
        self.decided[column.name] = found

    def _spot(self, asked: Asked, correlation: float, *, exact: bool) -> Spot:
        placement = Placement.of(asked.rows, correlation, asked.salt)
        return Spot(placement=placement, rows=self.total, filled=asked.rows, exact=exact, salt=asked.salt ^ 1)

    def _upwards(self, column: Column) -> Iterator[Draw]:
        for key in self.table.foreign_keys:
            if key.columns == (column.name,) and key.references == self.table.relation and key.referenced_columns:
                yield Upwards(slot=column.name, key=key.referenced_columns[0], nullable=not column.not_null)

    def _gap(self, columns: tuple[str, ...], why: str) -> None:
        self.planner.gaps.append(
            Gap(
                subject=f"key ({', '.join(columns)}) of {self.table.full_name}",
                says=f"It {why}; some of the mirror's rows may not keep it.",
                effect="The constraint may be missing in the mirror, or some rows.",
            )
        )


def _combined_sets(table: Table, planner: _Planner) -> tuple[tuple[str, ...], ...]:
    """Return the unique sets that need care: those that are not unique by a column or a smaller set anyway.

    A set that foreign keys of several columns refer to always does: its combinations are asked for by number.
    """
    every = unique_sets(table)
    asked_for = {
        frozenset(key.referenced_columns)
        for _, key in planner.profile.referencing(table.relation)
        if len(key.referenced_columns) > 1
    }
    alone = {c.name for c in table.columns if _is_unique(table, c)}
    primary = next((tuple(str(c) for c in i.columns) for i in table.indexes if i.primary), ())
    needed = [
        one
        for one in every
        if len(one) > 1
        and (
            frozenset(one) in asked_for or (not alone & set(one) and not any(set(other) < set(one) for other in every))
        )
    ]
    distinct = {frozenset(one): one for one in needed}
    return tuple(sorted(distinct.values(), key=lambda o: (frozenset(o) not in asked_for, o != primary, len(o))))


def references(table: Table) -> Iterator[Constraint]:
    """Yield a table's foreign keys of several columns."""
    yield from (key for key in table.foreign_keys if len(key.columns) > 1 and key.references is not None)


def _no_values(table: Table, column: Column) -> Gap:
    instead = "its default" if column.default else "NULL"
    return Gap(
        subject=f"column {table.full_name}.{column.name}",
        says=f"No values are known for type {column.type}; the mirror's rows hold {instead}.",
        effect="Queries on this column find other rows than in production, or none.",
    )


def _is_unique(table: Table, column: Column) -> bool:
    """Whether every value stands in one row: by an index, or by the statistics of a column in a unique set."""
    sets = unique_sets(table)
    statistics = column.own_statistics
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
    """Whether many values have so few rows that chance would leave some without any."""
    thin = found.rows < THIN * found.distinct
    return int(found.distinct[thin].sum()) > 0.05 * found.values


def _reach(table: Table, statistics: ColumnStatistics | None, target: int) -> float:
    """Return the share of the blocks that ANALYZE looks into, 1 where equal values do not lie side by side."""
    correlation = statistics.correlation if statistics else None
    if correlation is None or abs(correlation) < 0.99 or not table.pages:
        return 1.0
    return min(1.0, 300 * target / table.pages)


def _correlation(asked: Asked, found: Basis) -> float:
    stated = asked.statistics.correlation if asked.statistics else None
    return _untied(stated or 0.0, found.found, asked.unique)


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
