"""Plans a synthesis: which tables, how many rows, what every column is made from, and what cannot be known.

```
plan
├── sizes.sizes         which relations hold rows, and how many
├── Planner.table      the draws and fills of one table
│   ├── keys            unique columns and sets of columns
│   └── basis.of…       the domain and spread of a column
└── gaps
```

A column's basis is worked out when it is first asked for, since a child's needs its parent's; that is also how the
order of loading comes out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from premortem.model import Column, Constraint, Gap, Profile, RelationName, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import combining, correlations, density, kinds, limits, partitions, sizes, uniqueness, workload
from premortem.synthesis.asked import Asked, Basis
from premortem.synthesis.columns import Columns
from premortem.synthesis.combining import Combination, Member
from premortem.synthesis.design import Synthesis, TablePlan
from premortem.synthesis.domains import Numbers
from premortem.synthesis.keys import Key, Unit
from premortem.synthesis.kinds import Family
from premortem.synthesis.partitions import PartitionedKey
from premortem.synthesis.segments import Segments

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
    planner = Planner(profile=profile, sizes=found.rows, seed=seed, shift=shift, per_key=workload.rows_per_key(profile))
    for relation in found.rows:
        planner.table(relation)
    chosen = tuple(t for t in planner.done.values() if wanted is None or found.is_wanted(t.relation))
    return Synthesis(seed=seed, scale=scale, tables=chosen, gaps=(*found.gaps, *planner.gaps))


@dataclass(slots=True, kw_only=True)
class Planner:
    """Plans tables one after the other; what a column is made from is kept, for the columns that refer to it."""

    profile: Profile
    sizes: dict[RelationName, int]
    seed: int
    shift: timedelta
    per_key: Mapping[tuple[str, str], float] = field(default_factory=dict)
    done: dict[RelationName, TablePlan] = field(default_factory=dict)
    gaps: list[Gap] = field(default_factory=list)
    _bases: dict[tuple[RelationName, str], Basis | None] = field(default_factory=dict)
    _known: dict[tuple[RelationName, str], Asked] = field(default_factory=dict)
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
        parts = [self.basis(leaf, name) for leaf in self._filled(table)]
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
        key = (table.relation, column.name)
        if key not in self._known:
            self._known[key] = self._asked(table, column, whole=False)
        return self._known[key]

    def _asked(self, table: Table, column: Column, *, whole: bool) -> Asked:
        total = self.sizes.get(table.relation, 0)
        statistics = column.own_statistics
        nulls = statistics.null_fraction if statistics and not column.not_null and not whole else 0.0
        kind = kinds.kind(column.type, self.profile)
        return Asked(
            kind=kind, statistics=statistics, rows=total - round(total * nulls), total=total,
            unique=uniqueness.is_unique(table, column), target=self._target(column),
            pins=self._pins(table, column), shift=self._shift(table, column),
            salt=bases.salt(self.seed, table.relation.sql, column.name), oids=kinds.element_oids(),
            reach=correlations.reach(table, statistics, self._target(column)),
            at_least=self._at_least(table, column, total), wide=self._wide(table, column),
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

    def _wide(self, table: Table, column: Column) -> int:
        found = density.wide_column(table, self.profile)
        return found[1] if found and found[0] == column.name else 0

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
                alone = len(uniqueness.combined_sets(table, self.profile)) < 2
                found = combining.combined(members, self.sizes.get(table.relation, 0), salt, alone=alone)
                self._keys[place] = None if found is None else self._with_units(table, found, units)
        return self._keys[place]

    def beside(self, table: Table, key: Key, names: Sequence[str]) -> Combination | None:
        """Return a key of a unique set that shares another's leading column, by the columns that it has besides."""
        members = [m for name in names if (m := self._member(table, name)) is not None]
        salt = bases.salt(self.seed, table.relation.sql, "beside", *names)
        return combining.beside(key, members, salt) if len(members) == len(names) else None

    def _with_units(self, table: Table, found: Combination, units: list[Unit]) -> Combination:
        own = {name: b for unit in units for name in unit.names.values() if (b := self.basis(table, name)) is not None}
        kept = {name: basis for name, basis in found.bases.items() if name not in {unit.slot for unit in units}}
        assert isinstance(found.key, Key)
        return replace(found, key=replace(found.key, units=tuple(units)), bases={**kept, **own})

    def _units(self, table: Table, columns: frozenset[str]) -> list[Unit]:
        """Return the references of several columns inside of a set."""
        found: list[Unit] = []
        left = set(columns)
        for reference in uniqueness.references(table, self.profile):
            inside = set(reference.columns)
            if inside < columns and inside <= left and reference.references != table.relation:
                parent = self.referred(reference)
                if parent is not None and isinstance(parent.key, Key):
                    names = uniqueness.own_names(reference)
                    found.append(Unit(slot=reference.name, key=parent.key, names=names))
                    left -= inside
        return found

    def referred(self, reference: Constraint) -> Combination | None:
        """Return the key that a reference of several columns is to."""
        parent = self.profile.table(reference.references) if reference.references else None
        if parent is None:
            return None
        columns = frozenset(reference.referenced_columns)
        if parent.relation not in self.sizes and (leaves := self._filled(parent)):
            keys = [key for leaf in leaves if (key := self.key(leaf, columns)) is not None]
            return partitions.united(keys) if len(keys) == len(leaves) else None
        if not self.sizes.get(parent.relation):
            return None
        found = self.key(parent, columns)
        return found if found and set(found.key.columns) == set(reference.referenced_columns) else None

    def _filled(self, table: Table) -> list[Table]:
        """Return the partitions that have rows."""
        return [leaf for leaf in self.profile.leaves(table.relation) if self.sizes.get(leaf.relation)]

    def _over_partitions(
        self, table: Table, key: PartitionedKey, reference: Constraint
    ) -> tuple[Segments, Asked, float] | None:
        """Return how rows are spread over a partitioned table's key, by the column that tells the partition."""
        parent = self.profile.table(reference.references) if reference.references else None
        names = uniqueness.own_names(reference)
        by = next((name for name in limits.partition_columns(parent) if name in names), None) if parent else None
        column = table.column(names[by]) if by else None
        basis = self.basis(table, column.name) if column else None
        if parent is None or by is None or column is None or basis is None:
            return None
        asked = self.asked(table, column)
        parts = [self.basis(leaf, by) for leaf in self._filled(parent)]
        known = [part.domain.size if part is not None else 0 for part in parts]
        if basis.domain.size != sum(known):
            return combining.everywhere(key, asked.rows), asked, 0.0
        return partitions.spread(key, basis.found, by, known), asked, correlations.correlation(asked, basis)

    def spread_of(
        self, table: Table, key: Key | PartitionedKey, reference: Constraint
    ) -> tuple[Segments, Asked, float] | None:
        """Return how a table's rows are spread over a key that one of its foreign keys is to."""
        if isinstance(key, PartitionedKey):
            return self._over_partitions(table, key, reference)
        return self.spread(table, key, uniqueness.own_names(reference))

    def spread(self, table: Table, key: Key, names: Mapping[str, str]) -> tuple[Segments, Asked, float] | None:
        """Return how a table's rows are spread over a key that it refers to, by the leading column's statistics."""
        column = table.column(names[key.leader or key.columns[0]])
        basis = self.basis(table, column.name) if column else None
        if column is None or basis is None:
            return None
        asked = self.asked(table, column)
        if key.leader is None:
            return combining.everywhere(key, asked.rows), asked, 0.0
        return combining.spread_over(key, basis.found), asked, correlations.correlation(asked, basis)

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
            slot=name, basis=found, correlation=correlations.correlation(asked, found), unique=asked.unique,
            family=asked.kind.family, widened=widened,
        )  # fmt: skip

    def _planned(self, table: Table, total: int) -> TablePlan:
        made = Columns(planner=self, table=table, total=total)
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
