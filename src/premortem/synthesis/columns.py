"""What draws a table's columns, in the order in which they depend on each other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from premortem.model import Column, Constraint, ExtendedStatistics, Gap, Table
from premortem.synthesis import basis as bases
from premortem.synthesis import combining, correlations, joint, kinds, uniqueness, wire
from premortem.synthesis.asked import Asked, Basis
from premortem.synthesis.combining import Combination
from premortem.synthesis.design import ColumnPlan
from premortem.synthesis.domains import Line, Listed
from premortem.synthesis.drawing import Constant, Draw, Emptied, Free, Spot, Upwards
from premortem.synthesis.exclusions import is_periodic
from premortem.synthesis.joint import Depending, Source, Together
from premortem.synthesis.keeping import Kept, kept_apart
from premortem.synthesis.keys import Combined, Key, Referring, Sharing, placed
from premortem.synthesis.segments import Marginal, Segments
from premortem.synthesis.streams import Placement

if TYPE_CHECKING:
    from premortem.synthesis.planning import Planner

#: Tables up to this many rows are drawn exactly: every rank once.
_SMALL = 100_000


@dataclass(slots=True, kw_only=True)
class Columns:
    """The draws and fills of one table: unique sets first, then references of several columns, then each column."""

    planner: Planner
    table: Table
    total: int
    draws: list[Draw] = field(default_factory=list)
    fills: list[ColumnPlan] = field(default_factory=list)
    decided: dict[str, Basis] = field(default_factory=dict)
    apart: list[frozenset[str]] = field(default_factory=list)
    width: float = 0.0

    def keys(self) -> None:
        """Add the unique sets of several columns."""
        self._exclusions()
        for columns in uniqueness.combined_sets(self.table, self.planner.profile):
            if self._is_reference(columns):
                continue
            if any(one <= set(columns) for one in self.apart):
                continue
            if self._beside(columns):
                continue
            if any(name in self.decided for name in columns):
                self._gap(columns, "shares columns with another key")
                continue
            found = self.planner.key(self.table, frozenset(columns))
            if found is None or not isinstance(found.key, Key):
                self._gap(columns, "has fewer combinations than the table has rows, as far as the statistics tell")
                continue
            salt = bases.salt(self.planner.seed, self.table.relation.sql, "rows", *columns)
            spot = placed(self.total, found.correlation, salt)
            self.draws.append(Combined(key=found.key, spot=spot))
            self.decided |= found.bases
            self._holes(columns)

    def _beside(self, columns: tuple[str, ...]) -> bool:
        """Add a set that shares with one before it the leading column, and no other that is decided."""
        shared = [name for name in columns if name in self.decided]
        before = next((d for d in self.draws if isinstance(d, Combined) and [d.key.names[0]] == shared), None)
        if before is None:
            return False
        found = self.planner.beside(self.table, before.key, [name for name in columns if name not in shared])
        if found is None or not isinstance(found.key, Key):
            return False
        by = before.key.bijective if before.by is None else before.by
        self.draws.append(Combined(key=found.key, spot=before.spot, by=by))
        self.decided |= found.bases
        self._holes(tuple(found.bases))
        return True

    def _exclusions(self) -> None:
        """Add what keeps rows apart that may not overlap."""
        for found in kept_apart(self.planner, self.table, self.total, self.decided):
            if found.draw is not None and found.decided is not None:
                self.draws.append(found.draw)
                self.decided |= found.decided
                self.apart += found.unique
                self._holes(tuple(name for name in found.constraint.columns if name in found.decided))
            if found.says is not None:
                self._apart_gap(found)

    def _is_reference(self, columns: tuple[str, ...]) -> bool:
        """Whether the set is within one reference of several columns, which then meets no key twice."""
        return any(
            set(columns) <= set(r.columns) and self.planner.referred(r)
            for r in uniqueness.references(self.table, self.planner.profile)
        )

    def _holes(self, columns: tuple[str, ...]) -> None:
        """Make NULL what is NULL in production: such a row may be any other's double."""
        for name in columns:
            column = self.table.column(name)
            statistics = column.own_statistics if column else None
            if column and not column.not_null and statistics and statistics.null_fraction > 0:
                self.draws.append(Emptied(slot=name, null_fraction=statistics.null_fraction))

    def references(self) -> None:
        """Add the foreign keys of several columns."""
        for reference in uniqueness.references(self.table, self.planner.profile):
            self._reference(reference)
        for reference in self.table.foreign_keys:
            if is_periodic(reference):
                self._gap(reference.columns, "refers to periods of another table, which need not cover its own")

    def _reference(self, reference: Constraint) -> None:
        names = uniqueness.own_names(reference)
        found = self.planner.referred(reference)
        if found is None:
            if any(name not in self.decided for name in reference.columns):
                self._gap(reference.columns, "refers to a key that is not made by number")
            return
        known = {theirs for theirs, own in names.items() if own in self.decided}
        lead = found.key.leader
        if not known:
            self._refer(reference, found, names)
        elif (
            lead
            and isinstance(found.key, Key)
            and known == {lead}
            and self.decided[names[lead]].domain is found.bases[lead].domain
        ):
            self._share(reference, found, found.key, names)
        elif not self._by_unit(reference):
            self._gap(reference.columns, "shares columns with another key")

    def _by_unit(self, reference: Constraint) -> bool:
        """Whether a key of the table has the reference inside, so that it is kept already."""
        return any(
            isinstance(draw, Combined) and any(unit.slot == reference.name for unit in draw.key.units)
            for draw in self.draws
        )

    def _refer(self, reference: Constraint, found: Combination, names: Mapping[str, str]) -> None:
        spread = self.planner.spread_of(self.table, found.key, reference)
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
        return any(set(one) <= columns for one in uniqueness.unique_sets(self.table))

    def _share(self, reference: Constraint, found: Combination, key: Key, names: Mapping[str, str]) -> None:
        others = [self.table.column(own) for theirs, own in names.items() if theirs != found.key.leader]
        nullable = next((c for c in others if c is not None and not c.not_null), None)
        statistics = nullable.own_statistics if nullable else None
        nulls = statistics.null_fraction if statistics else 0.0
        self.draws.append(Sharing(key=key, names=names, slot=reference.name, null_fraction=nulls))
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
        if column is None or basis is None or not basis.domain.size or uniqueness.is_unique(self.table, column):
            return None
        asked = self.planner.asked(self.table, column)
        share = 1 - asked.rows / max(self.total, 1)
        return Source(slot=name, basis=basis, null_fraction=share, correlation=correlations.correlation(asked, basis))

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
                self.width += self.planner.asked(self.table, column).wide or (
                    statistics.average_width if statistics else 8
                )
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
        exact = asked.unique or self.total <= _SMALL or correlations.is_thin(found.found)
        marginal = Marginal.of(found.found, numbered=found.numbered, even=asked.unique)
        spot = self._spot(asked, correlations.correlation(asked, found), exact=exact)
        self.draws.append(Free(slot=column.name, marginal=marginal, spot=spot))
        self.decided[column.name] = found

    def _spot(self, asked: Asked, correlation: float, *, exact: bool) -> Spot:
        placement = Placement.of(asked.rows, correlation, asked.salt)
        return Spot(placement=placement, rows=self.total, filled=asked.rows, exact=exact, salt=asked.salt ^ 1)

    def _upwards(self, column: Column) -> Iterator[Draw]:
        for key in self.table.foreign_keys:
            if key.columns == (column.name,) and key.references == self.table.relation and key.referenced_columns:
                yield Upwards(slot=column.name, key=key.referenced_columns[0], nullable=not column.not_null)

    def _apart_gap(self, found: Kept) -> None:
        made = found.draw is not None
        self.planner.gaps.append(
            Gap(
                subject=f"constraint {found.constraint.name} of {self.table.full_name}",
                says=f"It {found.says}." if made else f"It {found.says}; some of the mirror's rows may not keep it.",
                effect="Queries for a time find fewer rows than in production." if made
                else "The constraint and its index are missing in the mirror.",
            )
        )  # fmt: skip

    def _gap(self, columns: tuple[str, ...], why: str) -> None:
        self.planner.gaps.append(
            Gap(
                subject=f"key ({', '.join(columns)}) of {self.table.full_name}",
                says=f"It {why}; some of the mirror's rows may not keep it.",
                effect="The constraint may be missing in the mirror, or some rows.",
            )
        )


def _no_values(table: Table, column: Column) -> Gap:
    instead = "its default" if column.default else "NULL"
    return Gap(
        subject=f"column {table.full_name}.{column.name}",
        says=f"No values are known for type {column.type}; the mirror's rows hold {instead}.",
        effect="Queries on this column find other rows than in production, or none.",
    )
