"""Makes many candidates at once: real, empty indexes of the size that they would have, invisible until asked for.

`whatif` makes an index for a moment and rolls it back, which for a few is quick.  A search asks thousands of questions
about the same hundreds of indexes, so here they are made once and committed: a twin is a private copy.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from premortem import pg
from premortem.advisor import IndexSize, extensions, index_size
from premortem.errors import StatementError
from premortem.model import Index, IndexCandidate, IndexKey, KeyColumn, Profile, RelationName, Table, quoted
from premortem.twin import build, statistics
from premortem.twin.whatif import expression_distinct

queries = pg.named_sql("premortem.twin", "sql/stock.sql")
_refilling = pg.named_sql("premortem.twin", "sql/whatif.sql")

#: An index is called this, its candidate's number and, on a partition, which one it is.
PREFIX = "premortem_stock_"
#: Every index and partition is locked until the end of the transaction that makes it, and the lock table has an end.
_AT_ONCE = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """An index that was made for a candidate: on the table itself, or on a partition of it."""

    oid: int
    heap: int
    number: int
    path: str | None
    schema: str
    table: str

    @property
    def relation(self) -> RelationName:
        """The table that it is on."""
        return RelationName(schema=self.schema, name=self.table)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of the candidates: the indexes by their names, and each candidate's refusal, None where made.

    `indexes` are those that a table or partition has got, as its profile would tell of them.
    """

    made: Mapping[str, Made]
    refusals: tuple[str | None, ...]
    indexes: Mapping[RelationName, tuple[Index, ...]]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Sized:
    """An index, its name, and the size that it would have; a partitioned table's own index has none."""

    made: Made
    name: str
    candidate: IndexCandidate
    table: Table | None
    size: IndexSize | None


def make(
    db: pg.Session, server: pg.Server, profile: Profile, candidates: Sequence[IndexCandidate], *, first: int
) -> Outcome:
    """Create candidates, numbered from `first` on, none of them visible to the planner."""
    refused = {n: why for n, c in enumerate(candidates, first) if (why := _unknown(c, profile)) is not None}
    wanted = {n: c for n, c in enumerate(candidates, first) if n not in refused}
    refused |= _add_extensions(db, wanted)
    wanted = {n: c for n, c in wanted.items() if n not in refused}
    if wanted:
        db.execute(queries["creator"])
    path = _search_path(db, profile)
    sized: list[_Sized] = []
    for some in _pieces(wanted, profile):
        refusals, made = _create(db, server, profile, some, path)
        refused |= refusals
        sized += made
    return Outcome(
        made={s.name: s.made for s in sized},
        refusals=tuple(refused.get(n) for n in range(first, first + len(candidates))),
        indexes=_told(sized),
    )


def _unknown(candidate: IndexCandidate, profile: Profile) -> str | None:
    found = profile.table(candidate.table) is not None
    return None if found else f"the profile has no table {candidate.table}"


def _add_extensions(db: pg.Session, wanted: Mapping[int, IndexCandidate]) -> dict[int, str]:
    """Create the extensions that operator classes need; return the refusals of those that this server lacks."""
    needed = {name for c in wanted.values() for name in extensions(c)}
    missing: dict[str, str] = {}
    for name in sorted(needed):
        try:
            db.execute(f"CREATE EXTENSION IF NOT EXISTS {quoted(name)}")
        except StatementError as error:
            missing[name] = error.message
    return {n: missing[name] for n, c in wanted.items() for name in extensions(c) if name in missing}


def _search_path(db: pg.Session, profile: Profile) -> str:
    """Production's search path, and the schemas of extensions: candidates name operator classes without a schema."""
    of_extensions = db.values(
        "SELECT DISTINCT n.nspname::pg_catalog.text FROM pg_catalog.pg_extension e"
        " JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace ORDER BY 1"
    )
    path = dict.fromkeys((*profile.search_path, *map(str, of_extensions)))
    return ", ".join(quoted(s) for s in path)


def _pieces(wanted: Mapping[int, IndexCandidate], profile: Profile) -> Iterator[dict[int, IndexCandidate]]:
    """Yield the candidates in pieces that one transaction can hold, those of a table together."""
    piece: dict[int, IndexCandidate] = {}
    room = _AT_ONCE
    for number, candidate in sorted(wanted.items(), key=lambda item: str(item[1].table)):
        weight = 1 + _partitions(candidate.table, profile)
        if piece and weight > room:
            yield piece
            piece, room = {}, _AT_ONCE
        piece[number] = candidate
        room -= weight
    if piece:
        yield piece


def _partitions(table: RelationName, profile: Profile) -> int:
    """How many tables hang below a table, at any depth."""
    children = profile.children(table)
    return len(children) + sum(_partitions(c.relation, profile) for c in children)


def _create(
    db: pg.Session, server: pg.Server, profile: Profile, wanted: Mapping[int, IndexCandidate], path: str
) -> tuple[dict[int, str], tuple[_Sized, ...]]:
    """Create some candidates in one transaction, all their tables empty for that moment."""
    names = {number: f"{PREFIX}{number}" for number in wanted}
    with db.transaction():
        db.execute(queries["begin"], path=path)
        newest = int(db.value(queries["newest"]))
        db.execute(queries["remember"], relations=sorted({c.table.sql for c in wanted.values()}))
        db.execute(_refilling["empty"])
        statements = [c.create_sql(names[n], concurrently=False) for n, c in wanted.items()]
        said = db.values(queries["create"], statements=statements)
        db.execute(_refilling["refill"])
        db.execute(_refilling["forget"])
        refused = {n: str(why) for n, why in zip(wanted, said, strict=True) if why is not None}
        left = [n for n in wanted if n not in refused]
        made = db.rows(queries["made"], Made, names=[names[n] for n in left], numbers=left, newest=newest)
        sized = tuple(_sized(made, wanted, profile))
        _describe(db, sized)
        db.execute(queries["put-away"], oids=[m.oid for m in made])
        _write_files(server, sized)
    return refused, sized


def _sized(made: Iterable[Made], wanted: Mapping[int, IndexCandidate], profile: Profile) -> Iterator[_Sized]:
    counts: dict[int, int] = {}
    for one in made:
        candidate = wanted[one.number]
        part = counts.get(one.number, 0)
        counts[one.number] = part + 1
        name = f"{PREFIX}{one.number}" + (f"_{part}" if part else "")
        table = profile.table(one.relation)
        stored = table if one.path is not None else None
        size = index_size(candidate, stored, major=profile.server.major) if stored is not None else None
        yield _Sized(made=one, name=name, candidate=candidate, table=stored, size=size)


def _told(sized: Iterable[_Sized]) -> dict[RelationName, tuple[Index, ...]]:
    """Return the indexes of every table, as a profile has them."""
    found: dict[RelationName, list[Index]] = {}
    for one in sized:
        if one.size is not None:
            found.setdefault(one.made.relation, []).append(_index(one.name, one.candidate, one.size))
    return {relation: tuple(indexes) for relation, indexes in found.items()}


def _index(name: str, candidate: IndexCandidate, size: IndexSize) -> Index:
    return Index(
        name=name, definition=candidate.create_sql(name, concurrently=False), method=candidate.method,
        keys=tuple(_key(k) for k in candidate.keys), include=candidate.include, predicate=candidate.predicate,
        unique=candidate.unique, pages=size.pages, relation_pages=size.pages, tuples=size.tuples, level=size.level,
    )  # fmt: skip


def _key(key: IndexKey) -> KeyColumn:
    nulls_first = key.descending if key.nulls_first is None else key.nulls_first
    return KeyColumn(
        column=key.column, expression=key.expression, opclass=key.opclass or "", opclass_is_default=key.opclass is None,
        collation=key.collation, descending=key.descending, nulls_first=nulls_first,
    )  # fmt: skip


def _describe(db: pg.Session, sized: Sequence[_Sized]) -> None:
    """Write the names and sizes into the catalog, and what ANALYZE would find for expressions."""
    db.execute(
        queries["name-and-size"],
        oids=[s.made.oid for s in sized],
        names=[s.name for s in sized],
        pages=[s.size.pages if s.size else 0 for s in sized],
        tuples=[s.size.tuples if s.size else 0.0 for s in sized],
    )
    found = [row for s in sized for row in _expression_statistics(s)]
    if found:
        oids, numbers, nulls, widths, distinct = (list(column) for column in zip(*found, strict=True))
        db.execute(
            queries["expression-statistics"],
            oids=oids, numbers=numbers, nulls=nulls, widths=widths, distinct=distinct,
        )  # fmt: skip


def _expression_statistics(sized: _Sized) -> Iterator[tuple[int, int, float, float, float]]:
    if sized.table is None:
        return
    for position, key in enumerate(sized.candidate.keys, start=1):
        known = expression_distinct(key, sized.table)
        if known is not None:
            yield sized.made.oid, position, known["nulls"], known["width"], known["distinct"]


def _write_files(server: pg.Server, sized: Iterable[_Sized]) -> None:
    for one in sized:
        if one.made.path is None or one.size is None or one.table is None:
            continue
        build.write_file(
            server,
            statistics.RelationFile(relation=one.made.oid, path=one.made.path, method=one.candidate.method),
            statistics.Size(
                relation=one.made.oid, pages=one.size.pages, relation_pages=one.size.pages, tuples=one.size.tuples,
                level=one.size.level or 0, heap_pages=one.table.pages,
            ),
        )  # fmt: skip
