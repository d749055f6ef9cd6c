"""Says how near a mirror is to production, by asking both the same: ANALYZE's statistics, and the planner's plans.

Production is asked through its profile only: its statistics are in it, and its plans are the twin's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from premortem import catalog, parameters, pg, twin, words
from premortem.errors import ConnectionRefused, InputError, MirrorError, PremortemError, ServerError, StatementError
from premortem.mirror import comparing, families, manifest, pinning, statements
from premortem.mirror.comparing import ColumnCompared, Limits, Pair, PlanCompared, Position, TableCompared
from premortem.mirror.manifest import Manifest, Stage
from premortem.mirror.place import Place
from premortem.model import (
    GENERIC,
    Column,
    ColumnStatistics,
    Gap,
    ParameterSet,
    Profile,
    Query,
    RelationKind,
    RelationName,
    Table,
    Values,
)
from premortem.twin.build import APPLICATION_ROLE

queries = pg.named_sql("premortem.mirror", "sql/verifying.sql")

Told = Callable[[str], None]

#: A query that cannot be planned in this time is none that a plan could be compared of.
_LONGEST = timedelta(minutes=2)
#: The sum of a mirror's rows, as a share of production's, from which on its plans are compared with production's.
_WHOLE = 0.98
_NO_OPERATOR, _NOT_OF_TYPE = "42883", "22"
_MOVED = ("date", "timestamp")


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """What a comparison found; `gaps` say what could not be compared."""

    tables: tuple[TableCompared, ...]
    plans: tuple[PlanCompared, ...]
    gaps: tuple[Gap, ...]
    limits: Limits

    @property
    def columns(self) -> tuple[ColumnCompared, ...]:
        """The columns of all tables."""
        return tuple(c for t in self.tables for c in t.columns)

    @property
    def near_columns(self) -> float | None:
        """The share of columns that are within the limits."""
        found = self.columns
        return sum(not c.beyond(self.limits) for c in found) / len(found) if found else None

    @property
    def same_shapes(self) -> float | None:
        """The share of plans that have production's shape."""
        return sum(p.same_shape for p in self.plans) / len(self.plans) if self.plans else None

    def error(self, share: float) -> float | None:
        """Return a quantile of the q-error of the rows of the plans' nodes."""
        return comparing.quantile((e for p in self.plans for e in p.errors), share)

    @property
    def failures(self) -> tuple[str, ...]:
        """What is further off than it may be, a sentence each."""
        return tuple(_failures(self))


def _failures(found: Verified) -> Iterator[str]:
    limits = found.limits
    if found.near_columns is not None and found.near_columns < limits.columns:
        near, wanted = words.percent(found.near_columns), words.percent(limits.columns)
        yield f"{near} of the columns are near production's, {wanted} are wanted"
    if found.same_shapes is not None and found.same_shapes < limits.shapes:
        same, wanted = words.percent(found.same_shapes), words.percent(limits.shapes)
        yield f"{same} of the plans have production's shape, {wanted} are wanted"
    for name, share, most in (("median", 0.5, limits.median), ("95th percentile", 0.95, limits.tail)):
        error = found.error(share)
        if error is not None and error > most:
            yield f"the {name} of the rows' q-error is {words.number(error)}, at most {words.number(most)} is wanted"


def verify(
    place: Place,
    profile: Profile,
    asked: Sequence[Query],
    *,
    digest: str,
    limits: Limits | None = None,
    analyze: bool = True,
    told: Told = lambda _: None,
) -> Verified:
    """Return how near the mirror at a place is to the production of that profile.

    Raises InputError where there is no mirror of that profile, MirrorError where it is not finished.
    """
    with pg.writer(place.dsn, purpose="mirror", statement_timeout=timedelta(0)) as db:
        held = _held(db, digest)
        if analyze:
            _analyze(db, profile, told)
        gaps = manifest.gaps(db)
        told("reading the mirror's statistics")
        with pg.session(place.dsn, purpose="mirror verify", statement_timeout=timedelta(minutes=5)) as reader:
            here = catalog.pull(reader, values=Values.ALL)
        loaded = {done.chunk.relation for done in manifest.chunks(db)}
        tables = tuple(_tables(db, profile, here, loaded, shifted=held.options.shift_to is not None, told=told))
        if pinning.is_pinned(db):  # ANALYZE took away what the mirror plans with
            gaps = (*gaps, *pinning.pin(db, profile))
    compared, more = _plans(place, profile, here, asked, held, tables, told)
    return Verified(tables=tables, plans=compared, gaps=(*gaps, *more), limits=limits or Limits())


def _held(db: pg.Session, digest: str) -> Manifest:
    held = manifest.read(db)
    if held is None:
        raise InputError(f"{db.place} holds no mirror", hint="build one: premortem mirror build -p FILE --to DSN")
    if held.digest != digest:
        raise InputError(
            f"{db.place} holds the mirror of another profile", hint="name the profile that it is made from"
        )
    if held.stage is not Stage.COMPLETE:
        raise MirrorError("the mirror is not finished", hint="finish it: premortem mirror build … --resume")
    return held


def _analyze(db: pg.Session, profile: Profile, told: Told) -> None:
    """Gather the statistics anew: somebody may have worked in the mirror since it was built."""
    roots = [
        t for t in profile.tables
        if t.kind in (RelationKind.TABLE, RelationKind.PARTITIONED_TABLE) and t.partition_bound is None
    ]  # fmt: skip
    for number, table in enumerate(statements.mirrored(roots), start=1):
        told(f"analyzing: table {number} of {len(roots)}")
        try:
            db.execute(f"ANALYZE {table.relation.sql}")
        except ConnectionRefused:
            raise
        except (StatementError, ServerError):
            continue  # it is not there, which is a gap already: the comparison says what is missing


def _tables(
    db: pg.Session, profile: Profile, here: Profile, loaded: set[RelationName], *, shifted: bool, told: Told
) -> Iterator[TableCompared]:
    with_rows = families.with_partitions(loaded, profile)
    chosen = [t for t in profile.tables if t.kind is RelationKind.TABLE and t.relation in with_rows]
    for number, table in enumerate(chosen, start=1):
        told(f"comparing: table {number} of {len(chosen)}")
        there = here.table(table.relation)
        if there is not None and table.rows > 0:
            columns = tuple(_columns(db, table, there, shifted=shifted))
            yield TableCompared(
                relation=table.relation, rows=Pair(there=table.rows, here=there.rows),
                pages=Pair(there=table.pages, here=there.pages), columns=columns,
            )  # fmt: skip


def _columns(db: pg.Session, table: Table, here: Table, *, shifted: bool) -> Iterator[ColumnCompared]:
    keys = {name for key in table.foreign_keys for name in key.columns}
    for column in table.columns:
        mine = here.column(column.name)
        if mine is None:
            continue
        moved = shifted and column.type.startswith(_MOVED)
        comparable = mine.type == column.type and not moved
        positions = _positions(db, table, column) if comparable else None
        compared = comparing.column(column, mine, (table, here), positions, is_key=column.name in keys)
        if compared is not None:
            yield compared


def _positions(db: pg.Session, table: Table, column: Column) -> tuple[Position, ...] | None:
    """Return how much lies up to each bound of production's histogram; the server knows how its types are sorted."""
    statistics = column.own_statistics
    if statistics is None or column.type.endswith("[]"):
        return None
    kind = db.value(queries["type"], relation=table.relation.sql, column=column.name)
    text = queries["positions"].pick(db.server_version).replace("{type}", str(kind).replace("%", "%%"))
    try:
        with db.rolled_back():
            return db.rows(text, Position, **_named(table, column, statistics))
    except StatementError as error:
        if error.sqlstate != _NO_OPERATOR and not (error.sqlstate or "").startswith(_NOT_OF_TYPE):
            raise
        return None  # a type that cannot be sorted, or values that are not of it: only its figures are compared


def _named(table: Table, column: Column, found: ColumnStatistics) -> dict[str, object]:
    return {
        "schema": table.schema, "table": table.name, "column": column.name, "inherited": found.inherited,
        "values": list(found.most_common_values or ()), "shares": list(found.most_common_frequencies or ()),
        "bounds": list(found.histogram_bounds or ()),
    }  # fmt: skip


def _plans(
    place: Place,
    profile: Profile,
    here: Profile,
    asked: Sequence[Query],
    held: Manifest,
    tables: Iterable[TableCompared],
    told: Told,
) -> tuple[tuple[PlanCompared, ...], tuple[Gap, ...]]:
    """Plan the queries in both places; only where the mirror has all of production's rows is that one thing."""
    options = held.options
    if not asked:
        return (), ()
    there_rows = sum(t.rows.there or 0.0 for t in tables)
    if options.scale != 1.0 or (options.rows is not None and options.rows < there_rows * _WHOLE):
        says = "The mirror is not of production's size, so its plans are not compared with production's."
        return (), (Gap(subject="plans", says=says, effect="Only the statistics are compared."),)
    if options.shift_to is not None:
        says = "Timestamps of the mirror are shifted, so values from production's statistics mean other rows there."
        return (), (Gap(subject="plans", says=says, effect="Only the statistics are compared."),)
    told("opening the twin")
    with (
        twin.open(profile, progress=told) as opened,
        pg.writer(place.dsn, purpose="mirror verify", statement_timeout=_LONGEST) as db,
    ):
        role = APPLICATION_ROLE if db.value(queries["role"], name=APPLICATION_ROLE) else None
        explainer = twin.Explainer(db=db, profile=replace(profile, tables=here.tables), role=role)
        comparison = _Comparison(opened=opened, explainer=explainer, profile=profile)
        found: list[PlanCompared] = []
        gaps: list[Gap] = []
        for number, query in enumerate(asked, start=1):
            told(f"planning query {number} of {len(asked)}")
            compared, missing = comparison.of(query)
            found += compared
            gaps += missing
        return tuple(found), tuple(gaps)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Comparison:
    """The two places where queries are planned."""

    opened: twin.Twin
    explainer: twin.Explainer
    profile: Profile

    def of(self, query: Query) -> tuple[list[PlanCompared], list[Gap]]:
        """Return a query's plans for every set of values, and a gap where one has none."""
        try:
            types = self.opened.parameter_types(query)
            generic = self.opened.explain(query, GENERIC)
        except ConnectionRefused:
            raise
        except (StatementError, ServerError) as error:
            return [], [_unplanned(query, "production's twin", error)]
        sets = parameters.choose(query, generic.plan, types, self.profile)
        found, gaps = [], []
        for chosen in sets:
            try:
                found.append(self._one(query, chosen))
            except ConnectionRefused:
                raise
            except (StatementError, ServerError) as error:
                gaps.append(_unplanned(query, "the mirror", error))
        return found, gaps

    def _one(self, query: Query, chosen: ParameterSet) -> PlanCompared:
        there = self.opened.explain(query, chosen)
        here = self.explainer.explain(query, chosen)
        return comparing.plan(str(query.site), chosen.name, there.plan, here.plan)


def _unplanned(query: Query, where: str, error: PremortemError) -> Gap:
    return Gap(
        subject=str(query.site),
        says=f"It could not be planned in {where}: {error.message.rstrip('.')}.",
        effect="Its plans are not compared.",
    )
