"""Whatever the indexes are, nothing that some index did, or promised, is left undone by those that stay."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from premortem import workload
from premortem.model import (
    Answer,
    Column,
    Constraint,
    ConstraintKind,
    Demand,
    DropKind,
    Index,
    IndexCandidate,
    KeyColumn,
    ParameterSet,
    Planned,
    Profile,
    Query,
    Question,
    RelationKind,
    RelationName,
    ServerFacts,
    Site,
    Table,
    TableActivity,
    Values,
)
from premortem.rules.coverage import does_the_work, keeps_promise, leads_to_one_row, shape_of
from premortem.workload import Studied

NOW = datetime(2026, 11, 1, tzinfo=UTC)
SERVER = ServerFacts(
    version_num=180_000, version="18.0", database="d", encoding="UTF8", collate="C", ctype="C", standbys=0
)
NAME = RelationName(schema="public", name="t")


def key(column: str) -> KeyColumn:
    return KeyColumn(column=column, expression=None, opclass="pg_catalog.int4_ops", opclass_is_default=True)


@st.composite
def tables(draw: st.DrawFn) -> Table:
    """A table with some indexes: copies, prefixes, unique ones, constraints, used and unused."""
    columns = st.lists(st.sampled_from("abc"), min_size=1, max_size=3, unique=True)
    found = []
    for number in range(draw(st.integers(2, 7))):
        unique = draw(st.integers(0, 3)) == 0
        found.append(
            Index(
                name=f"i{number}",
                definition=f"CREATE INDEX i{number} ON public.t USING btree (a)",
                method="btree",
                keys=tuple(key(c) for c in draw(columns)),
                include=draw(st.sampled_from([(), (), ("d",)])),
                predicate=draw(st.sampled_from([None, None, "(d IS NULL)"])),
                unique=unique,
                constraint=f"i{number}" if unique and draw(st.booleans()) else None,
                valid=draw(st.integers(0, 5)) > 0,
                pages=draw(st.sampled_from([10, 4_000, 9_000])),
                scans=draw(st.sampled_from([0, 0, 10, 5_000])),
            )
        )
    not_null = draw(st.sets(st.sampled_from("abc")))
    return Table(
        schema="public", name="t", kind=RelationKind.TABLE, indexes=tuple(found), pages=50_000, relation_pages=50_000,
        tuples=1e6, activity=TableActivity(window=timedelta(days=90), inserts=1.0),
        columns=tuple(
            Column(name=c, number=n, type="integer", not_null=c in not_null) for n, c in enumerate("abcd", start=1)
        ),
        constraints=draw(st.sampled_from([(), (
            Constraint(
                name="fk", kind=ConstraintKind.FOREIGN_KEY, definition="", columns=("a",), references=NAME,
                referenced_columns=("b",),
            ),
        )])),
    )  # fmt: skip


def profile(table: Table) -> Profile:
    return Profile(taken_at=NOW, server=SERVER, values=Values.NONE, tables=(table,))


@dataclass
class Planner:
    """A planner that reads the first index of a set of columns, and the whole table at a hundred times the cost."""

    profile: Profile
    columns: Sequence[str]
    stocked: int = 0

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        self.stocked += len(candidates)
        return ("not here",) * len(candidates)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        return tuple(self.answer(self.columns[q.demand], q.hidden) for q in questions)

    def plans(self, question: Question) -> tuple[Planned, ...]:
        return ()

    def answer(self, column: str, hidden: frozenset[RelationName] = frozenset()) -> Answer:
        indexes = (i for i in self.profile.tables[0].indexes if i.valid and i.predicate is None)
        names = [RelationName(schema="public", name=i.name) for i in indexes if i.columns[0] == column]
        read = next((name for name in names if name not in hidden), None)
        cost = (1_000.0,) if read is None else (10.0,)
        return Answer(shown=cost, risk=cost, kept=frozenset({read}) if read else frozenset())


def judged(table: Table, columns: str) -> tuple[dict[str, DropKind], Planner]:
    planner = Planner(profile(table), columns)
    studied = [
        Studied(
            demand=Demand(
                query=Query(text=c, original=c, fingerprint=c, site=Site(source=c)),
                sets=(ParameterSet(name="literal"),),
                shares=(1.0,),
            ),
            before=planner.answer(c),
            keys={NAME: frozenset(c)},
            visits={NAME: None},
        )
        for c in columns
    ]
    drops, _ = workload.drops(studied, planner, now=NOW)
    return {d.index.name: d.kind for d in drops}, planner


def left(table: Table, gone: dict[str, DropKind]) -> list[Index]:
    return [i for i in table.indexes if i.name not in gone and i.valid]


@settings(deadline=None, max_examples=80)
@given(tables(), st.sampled_from(["", "a", "ab", "abc"]))
def test_what_goes_for_another_index_is_done_by_one_that_stays(table: Table, columns: str) -> None:
    gone, _ = judged(table, columns)
    staying = left(table, gone)
    for index in table.indexes:
        if gone.get(index.name) in (DropKind.DUPLICATE, DropKind.REDUNDANT) and index.scans:
            assert any(
                does_the_work(shape_of(one), shape_of(index)) or leads_to_one_row(one, index, table) for one in staying
            ), index.name


@settings(deadline=None, max_examples=80)
@given(tables())
def test_every_promise_is_still_kept(table: Table) -> None:
    gone, _ = judged(table, "ab")
    staying = left(table, gone)
    for index in (i for i in table.indexes if i.unique and i.valid):
        assert any(one is index or keeps_promise(one, index, table) for one in staying)
        assert index.constraint is None or index.name not in gone


@settings(deadline=None, max_examples=80)
@given(tables(), st.sampled_from(["a", "ab", "abc"]))
def test_no_query_is_dearer_without_all_of_them(table: Table, columns: str) -> None:
    gone, planner = judged(table, columns)
    hidden = frozenset(RelationName(schema="public", name=name) for name in gone)
    assert all(planner.answer(c, hidden).shown == planner.answer(c).shown for c in columns)


@settings(deadline=None, max_examples=50)
@given(tables())
def test_what_nobody_scans_goes_only_when_the_counters_are_all_there(table: Table) -> None:
    young = replace(table, activity=replace(table.activity, window=timedelta(hours=2)))
    assert DropKind.UNUSED not in judged(young, "a")[0].values()


@settings(deadline=None, max_examples=50)
@given(tables())
def test_asking_again_when_they_are_gone_finds_no_more_copies(table: Table) -> None:
    gone, _ = judged(table, "abc")
    rest = replace(table, indexes=tuple(left(table, gone)))
    again, _ = judged(rest, "abc")
    assert DropKind.DUPLICATE not in again.values()


def large(name: str, *columns: str, scans: int, include: tuple[str, ...] = ()) -> Index:
    return Index(
        name=name, definition="", method="btree", keys=tuple(key(c) for c in columns), include=include, pages=4_000,
        scans=scans,
    )  # fmt: skip


def of(*indexes: Index) -> Table:
    return Table(
        schema="public", name="t", kind=RelationKind.TABLE, indexes=indexes, pages=50_000, relation_pages=50_000,
        tuples=1e6, activity=TableActivity(window=timedelta(days=90), inserts=1.0),
        columns=tuple(Column(name=c, number=n, type="integer") for n, c in enumerate("abcd", start=1)),
    )  # fmt: skip


def test_a_prefix_stays_when_the_longer_one_is_unused_and_goes() -> None:
    gone, _ = judged(of(large("longer", "a", "b", scans=0), large("prefix", "a", scans=5_000)), "")
    assert gone == {"longer": DropKind.UNUSED}


def test_a_longer_one_that_a_plan_reads_stays_for_the_prefix_that_goes() -> None:
    """The query would find another index; whoever read the prefix would not."""
    table = of(
        large("longer", "a", "b", scans=0, include=("d",)),
        large("prefix", "a", scans=5_000, include=("d",)),
        large("other", "a", "c", scans=10),
    )
    gone, _ = judged(table, "a")
    assert gone == {"prefix": DropKind.REDUNDANT}


def test_all_copies_of_what_nobody_uses_go() -> None:
    gone, _ = judged(of(large("one", "a", scans=0), large("two", "a", scans=0)), "")
    assert gone == {"one": DropKind.UNUSED, "two": DropKind.UNUSED}


def test_of_two_constraints_on_the_same_columns_neither_goes_and_it_is_said() -> None:
    one = replace(large("one", "a", scans=9), unique=True, constraint="one")
    two = replace(large("two", "a", scans=0), unique=True, constraint="two")
    drops, kept = workload.drops([], Planner(profile(of(one, two)), ""), now=NOW)
    assert drops == ()
    assert [(k.index.name, k.says) for k in kept] == [
        ("two", "it is the same as one, on (a), but the constraint two owns it")
    ]


def test_a_deferred_constraint_keeps_no_promise_for_an_immediate_index() -> None:
    deferred = replace(large("deferred", "a", scans=9), unique=True, constraint="deferred", immediate=False)
    gone, _ = judged(of(deferred, replace(large("immediate", "a", scans=0), unique=True)), "")
    assert gone == {}


def test_the_index_that_replication_or_a_foreign_key_rests_on_stays() -> None:
    identity = replace(large("identity", "a", scans=0), unique=True, replica_identity=True)
    assert judged(of(identity, replace(large("other", "a", scans=5), unique=True)), "")[0] == {
        "other": DropKind.DUPLICATE
    }
    key_on_b = Constraint(
        name="fk", kind=ConstraintKind.FOREIGN_KEY, definition="", columns=("c",), references=NAME,
        referenced_columns=("b",),
    )  # fmt: skip
    first, second = (replace(large(name, "b", scans=0), unique=True) for name in ("first", "second"))
    table = replace(of(first, second), constraints=(key_on_b,))
    assert judged(table, "")[0] == {"second": DropKind.DUPLICATE}
    assert judged(replace(table, indexes=(first, replace(second, constraint="second"))), "")[0] == {}


def test_what_a_table_is_clustered_on_stays() -> None:
    assert judged(of(replace(large("day", "a", scans=0), clustered=True)), "")[0] == {}
