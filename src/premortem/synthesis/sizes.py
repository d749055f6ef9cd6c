"""Which relations hold rows of their own, and how many each gets."""

from __future__ import annotations

from dataclasses import dataclass

from premortem.model import Gap, Profile, RelationKind, RelationName, Table

#: Tables up to this many rows are not made smaller when rows are capped: they are what everything joins.
_KEPT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Sizes:
    """Rows by relation, parents through which rows are routed included, and what of that is a guess."""

    rows: dict[RelationName, int]
    wanted: frozenset[RelationName] | None
    gaps: tuple[Gap, ...]

    def is_wanted(self, relation: RelationName) -> bool:
        """Whether the relation is to be filled."""
        return self.wanted is None or relation in self.wanted


def sizes(profile: Profile, *, scale: float, wanted: frozenset[RelationName] | None, most: float | None) -> Sizes:
    """Return how many rows each relation gets."""
    gaps: list[Gap] = []
    exact: dict[RelationName, float] = {}
    for table in profile.tables:
        if _holds_rows(table, profile):
            exact[table.relation] = _rows(table, profile, gaps)
    chosen = None if wanted is None else _with_partitions(wanted, profile)
    scaled = {name: _scaled(rows, scale) for name, rows in exact.items()}
    if most is not None:
        scaled = _capped(scaled, chosen, most)
    return Sizes(rows=scaled, wanted=chosen, gaps=tuple(gaps))


def _holds_rows(table: Table, profile: Profile) -> bool:
    """Whether rows are made for the relation: tables and partitions, but trees of hash partitions as one.

    Only PostgreSQL knows which hash partition a row belongs to, so it routes the rows of these.
    """
    if _below_hash(table, profile):
        return False
    return table.kind is RelationKind.TABLE or is_hash(table)


def is_hash(table: Table) -> bool:
    """Whether a table is partitioned by hash."""
    return table.kind is RelationKind.PARTITIONED_TABLE and (table.partition_key or "").upper().startswith("HASH")


def _below_hash(table: Table, profile: Profile) -> bool:
    parent = profile.table(table.parents[0]) if table.partition_bound and table.parents else None
    return parent is not None and (is_hash(parent) or _below_hash(parent, profile))


def _rows(table: Table, profile: Profile, gaps: list[Gap]) -> float:
    if table.kind is RelationKind.PARTITIONED_TABLE:
        return sum(_rows(leaf, profile, gaps) for leaf in profile.leaves(table.relation))
    if table.tuples >= 0:
        return table.rows
    if table.pages:
        gaps.append(
            Gap(
                subject=f"table {table.full_name}",
                says="It was never analyzed; its rows are guessed from its pages and the widths of its types.",
                effect="Its rows are evenly distributed, and their number may be wrong.",
                cure=f"ANALYZE {table.relation.sql} in production, then pull the profile again.",
            )
        )
    width = 28 + sum(column_width(c.type) for c in table.columns)
    return table.pages * (8192 - 24) / width


def column_width(type_name: str) -> int:
    """Return about how wide values of a type are of which nothing is known, as the planner assumes it."""
    fixed = {"smallint": 2, "integer": 4, "bigint": 8, "boolean": 1, "date": 4, "uuid": 16, "real": 4}
    if type_name.startswith(("timestamp", "double", "time")):
        return 8
    return fixed.get(type_name, 32)


def _scaled(rows: float, scale: float) -> int:
    return max(round(rows * scale), 1 if rows >= 1 else 0)


def _with_partitions(wanted: frozenset[RelationName], profile: Profile) -> frozenset[RelationName]:
    found, left = set(wanted), list(wanted)
    while left:
        for child in profile.children(left.pop()):
            if child.relation not in found:
                found.add(child.relation)
                left.append(child.relation)
    return frozenset(found)


def _capped(
    rows: dict[RelationName, int], chosen: frozenset[RelationName] | None, most: float
) -> dict[RelationName, int]:
    """Return the rows with the large tables made smaller, all by one factor, so that the chosen fit."""
    low, high = 0.0, 1.0

    def at(factor: float) -> dict[RelationName, int]:
        return {name: max(round(n * factor), min(n, _KEPT)) for name, n in rows.items()}

    def total(found: dict[RelationName, int]) -> int:
        return sum(n for name, n in found.items() if chosen is None or name in chosen)

    if total(rows) <= most:
        return rows
    for _ in range(40):
        middle = (low + high) / 2
        low, high = (middle, high) if total(at(middle)) <= most else (low, middle)
    return at(low)
