"""An estimate that lies is caught by execution on a real copy, and what it recommended is replaced or refused."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path

import pytest

from premortem import catalog, execution, parameters, pg, sources, twin, workload
from premortem.check import Planner
from premortem.cli import main
from premortem.errors import StatementError
from premortem.model import (
    Answer,
    Built,
    Certainty,
    Demand,
    IndexCandidate,
    IndexKey,
    ParameterSet,
    Planned,
    Profile,
    Query,
    Question,
    RelationName,
    Run,
    Site,
    StatementKind,
    Unreadable,
    Values,
)
from premortem.workload.proof.facts import Fact
from premortem.workload.proof.measuring import Outcome
from premortem.workload.proof.refuting import Refuted, Rules, refute
from premortem.workload.proof.view import Ground

SCHEMA = Path(__file__).with_name("lie.sql")
LIE = "SELECT sum(i.pieces) FROM orders o JOIN items i ON i.order_id = o.id WHERE o.paid = o.total"
HONEST = "SELECT avg(seconds) FROM visits WHERE page = 'page-7'"
_numbers = itertools.count(1)


# on real servers --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class Copy:
    """A production's profile, and a staging copy of it."""

    dsn: str
    profile: Profile


@pytest.fixture(scope="module", params=(15, 18), ids=("pg15", "pg18"))
def copy(request: pytest.FixtureRequest) -> Iterator[Copy]:
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    number = next(_numbers)
    names = f"lying_{number}", f"lying_copy_{number}"
    with pg.writer(server, purpose="test") as db:
        db.execute(f"CREATE DATABASE {names[0]}")
        db.execute(f"ALTER DATABASE {names[0]} SET random_page_cost = 1.1")
        db.execute(f"ALTER DATABASE {names[0]} SET max_parallel_workers_per_gather = 0")
        with pg.writer(server, purpose="test", database=names[0]) as made:
            made.execute(SCHEMA.read_text())
            made.execute("ANALYZE")  # no page is visible to all: an index-only scan would not be slower
        db.execute(f"CREATE DATABASE {names[1]} TEMPLATE {names[0]}")
        db.execute(f"ALTER DATABASE {names[1]} SET premortem.role = 'staging'")
    with pg.session(server.dsn(names[0]), purpose="test") as db:
        profile = catalog.pull(db, values=Values.ALL)
    yield Copy(dsn=server.dsn(names[1]), profile=profile)
    with pg.writer(server, purpose="test") as db:
        for name in names:
            db.execute(f"DROP DATABASE {name} WITH (FORCE)")


def query(text: str, profile: Profile) -> Query:
    found = sources.text(text, Site(source="q.sql", line=1))
    (one,) = found if isinstance(found, tuple) else (found,)
    assert isinstance(one, Query)
    return one


def advised(copy: Copy, *texts: str) -> tuple[Refuted[workload.Chosen], workload.Chosen]:
    """Return what is left after execution, and what the plans alone would have had."""
    with twin.open(copy.profile) as opened, execution.rehearse(copy.dsn, copy.profile) as mirror:
        planner = Planner(
            explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner,
            choose=parameters.choose,
        )  # fmt: skip
        looked = [workload.study(query(t, copy.profile), planner, copy.profile) for t in texts]
        studied = [s for s in looked if not isinstance(s, Unreadable)]
        chosen: list[workload.Chosen] = []

        def select(world: workload.World) -> workload.Chosen:
            chosen.append(workload.select(studied, world, workload.Limits(frontier=False)))
            return chosen[-1]

        world = opened.stock([s.demand for s in studied])
        return refute(select, lambda c: c.visible, studied, world, mirror.stage), chosen[0]


def test_the_mirror_times_what_nobody_measured(copy: Copy) -> None:
    """Two queries that cost the same, of which one sleeps; one that cannot run; one that production measured."""
    slow = "SELECT count(*), pg_sleep(2) FROM visits WHERE page = 'page-8'"
    texts = (HONEST, slow, "SELECT 1 / (count(*) - count(*)) FROM visits WHERE page = 'page-9'", LIE)
    with twin.open(copy.profile) as opened, execution.rehearse(copy.dsn, copy.profile) as mirror:
        planner = Planner(explain=opened.explain, parameter_types=opened.parameter_types, replanner=opened.replanner)
        looked = [workload.study(query(t, copy.profile), planner, copy.profile) for t in texts]
        studied = [s for s in looked if not isinstance(s, Unreadable)]
        known = timedelta(seconds=9)
        studied[3] = replace(studied[3], demand=replace(studied[3].demand, mean=known))
        quick, sleepy, broken, measured = (s.demand.mean for s in workload.timed(studied, mirror.stage))
    assert quick is not None
    assert sleepy is not None
    assert sleepy >= timedelta(seconds=2)
    assert quick < sleepy  # by far, on a machine however busy
    assert broken is None
    assert measured == known


def definitions(chosen: workload.Chosen) -> set[str]:
    return {chosen.candidates[n].definition for n in chosen.visible}


def test_a_planted_lie_is_caught_and_not_recommended(copy: Copy) -> None:
    found, planned = advised(copy, LIE, HONEST)
    assert any("items (order_id)" in d for d in definitions(planned))
    assert any("visits (page" in d for d in definitions(found.chosen))
    assert "items (order_id)" not in definitions(found.chosen)
    assert not found.slower
    assert found.certainty is Certainty.EXECUTED
    assert found.gaps == ()
    told = " ".join(found.lies)
    assert "items (order_id)" in told
    assert "it got slower" in told
    assert " → " in told
    assert " blocks" in told
    (kept,) = (f for f in found.facts if any("visits" in d for d in f.used))
    assert kept.left[0] is not None
    assert kept.left[0] < 0.5
    with pg.session(copy.dsn, purpose="test") as db:
        assert db.value("SELECT count(*) FROM pg_indexes WHERE schemaname = 'public'") == 3


def test_the_command_says_what_was_refuted(copy: Copy, tmp_path: Path) -> None:
    profile, queries, answer = (tmp_path / name for name in ("prod.profile", "q.sql", "answer.json"))
    catalog.write(copy.profile, profile)
    queries.write_text(f"-- name: lie\n{LIE};\n{HONEST};\n")
    options = ("--mirror", copy.dsn, "--format", "json", "-o", str(answer), "-q")
    assert main(["advise", "-p", str(profile), str(queries), *options]) == 0
    told = json.loads(answer.read_text())
    assert told["summary"]["certainty"] == "executed"
    assert any("q.sql:2 (lie)" in text and "it got slower" in text for text in told["refuted"])
    assert [r["index"]["table"] for r in told["recommendations"]] == ["visits"]


# the rounds themselves --------------------------------------------------------------------------------------------

TABLE = RelationName(schema="public", name="t")
SELECT = Query(text="SELECT 1", original="SELECT 1", fingerprint="s", site=Site(source="q.sql", line=1))
SETS = (ParameterSet(name="typical"), ParameterSet(name="rare"))


def candidate(*columns: str) -> IndexCandidate:
    return IndexCandidate(table=TABLE, keys=tuple(IndexKey(column=c) for c in columns))


A, B, AB = candidate("a"), candidate("b"), candidate("a", "b")


def demand(text: str = "SELECT 1", kind: StatementKind = StatementKind.SELECT) -> workload.Studied:
    before = Answer(shown=(100_000.0, 100_000.0), risk=(100_000.0, 100_000.0))
    one = replace(SELECT, text=text, kind=kind, site=Site(source=f"{text}.sql"))
    return workload.Studied(
        demand=Demand(query=one, sets=SETS, shares=(0.9, 0.1)), before=before, keys={}, visits={},
        groups=((A,), (B,), (AB,)),
    )  # fmt: skip


@dataclass(slots=True)
class Table:
    """A planner whose costs stand in a table: what it thinks of each demand under each index, the cheapest wins."""

    thinks: Sequence[dict[str, float]]
    known: list[IndexCandidate] = field(default_factory=list)
    asked: int = 0

    @property
    def profile(self) -> Profile:
        raise NotImplementedError

    @property
    def stocked(self) -> int:
        return len(self.known)

    def stock(self, candidates: Sequence[IndexCandidate]) -> tuple[str | None, ...]:
        self.known += candidates
        return tuple("no such column" if c.keys[0].column == "absent" else None for c in candidates)

    def ask(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        self.asked += len(questions)
        return tuple(self._answer(q) for q in questions)

    def _answer(self, question: Question) -> Answer:
        costs = {n: self.thinks[question.demand].get(self.known[n].definition, 2e5) for n in question.visible}
        best = min(costs, key=lambda n: (costs[n], n), default=None)
        if best is None or costs[best] >= 100_000:
            return Answer(shown=(100_000.0,) * 2, risk=(100_000.0,) * 2)
        return Answer(shown=(costs[best],) * 2, risk=(costs[best],) * 2, used=frozenset({best}))

    def plans(self, question: Question) -> tuple[Planned, ...]:
        raise NotImplementedError


@dataclass(slots=True)
class Rows:
    """A mirror whose times stand in a table: milliseconds of each query and set under each index."""

    takes: Callable[[str, str, str | None], float]
    thinks: Sequence[dict[str, float]]
    order: list[str]
    place: str = "the copy"
    refused: dict[str, StatementError] = field(default_factory=dict)
    built: list[IndexCandidate] = field(default_factory=list)
    ran: list[str] = field(default_factory=list)
    whole: bool = True
    samples: tuple[ParameterSet, ...] = ()

    def build(self, candidates: Sequence[IndexCandidate]) -> tuple[Built | StatementError, ...]:
        self.built += candidates
        return tuple(self.refused.get(c.definition) or Built(name="i", seconds=1, size_bytes=8192) for c in candidates)

    def run(
        self,
        query: Query,
        parameters: ParameterSet,
        *,
        visible: frozenset[int] = frozenset(),
        hidden: frozenset[RelationName] = frozenset(),
        limit_ms: float | None = None,
    ) -> Run:
        if "refused" in query.text:
            raise StatementError("permission denied for table t")
        thinks = self.thinks[self.order.index(query.text)]
        best = min(visible, key=lambda n: thinks.get(self.built[n].definition, 2e5), default=None)
        if best is not None and thinks.get(self.built[best].definition, 2e5) >= 100_000:
            best = None
        used = None if best is None else self.built[best].definition
        self.ran.append(query.text)
        ms = self.takes(query.text, parameters.name, used)
        return Run(ms=ms, blocks=int(ms * 10), used=frozenset() if best is None else frozenset({best}))

    def sampled(self, query: Query, sets: Sequence[ParameterSet]) -> tuple[ParameterSet, ...]:
        return self.samples

    def is_whole(self, relation: RelationName) -> bool:
        return self.whole


@dataclass(frozen=True, slots=True)
class Pick:
    visible: frozenset[int]
    candidates: tuple[IndexCandidate, ...]

    @property
    def definitions(self) -> set[str]:
        return {self.candidates[n].definition for n in self.visible}


def greedy(studied: Sequence[workload.Studied], most: int = 9) -> Callable[[workload.World], Pick]:
    """A search: each demand's cheapest index, but none that a demand is dearer with than it was."""

    def select(world: workload.World) -> Pick:
        candidates = (A, B, AB)
        usable = [n for n, refusal in enumerate(world.stock(candidates)) if refusal is None]
        found: set[int] = set()
        for number, one in enumerate(studied):
            tried = {n: world.ask([Question(demand=number, visible=frozenset({n}))])[0] for n in usable}
            cost = {n: sum(a.shown) for n, a in tried.items() if max(a.shown) <= 100_000 and a.used}
            if cost and min(cost.values()) < sum(one.before.shown):
                found.add(min(cost, key=lambda n: cost[n]))
        return Pick(frozenset(found), candidates)

    return select


def tried(
    thinks: Sequence[dict[str, float]],
    takes: Callable[[str, str, str | None], float],
    *texts: str,
    select: Callable[[workload.World], Pick] | None = None,
    promising: Callable[[Pick], Sequence[tuple[int, frozenset[int]]]] = lambda _: (),
    **how: object,
) -> tuple[Refuted[Pick], Rows, Table]:
    texts = texts or ("SELECT 1",)
    studied = [demand(t, StatementKind.UPDATE if t.startswith("UPDATE") else StatementKind.SELECT) for t in texts]
    world, rows = Table(thinks), Rows(takes, thinks, list(texts), **how)  # type: ignore[arg-type]
    found = refute(
        select or greedy(studied), lambda c: c.visible, studied, world, rows, promising=promising, rules=Rules(rounds=3)
    )
    return found, rows, world


a, b, ab = (c.definition for c in (A, B, AB))


def test_another_column_order_takes_the_place_of_one_that_lied() -> None:
    thinks = [{a: 1_000.0, b: 5_000.0}]
    found, rows, _ = tried(thinks, lambda _, __, used: {None: 100.0, a: 700.0, b: 8.0}.get(used, 100.0))
    assert found.chosen.definitions == {b}
    assert found.certainty is Certainty.EXECUTED
    assert found.rounds == 2
    assert [c.definition for c in rows.built] == [a, b]
    (lie,) = found.lies
    assert "SELECT 1.sql" in lie
    assert "1 %" in lie
    assert "100 ms, 1,000 blocks → 700 ms, 7,000 blocks" in lie


def test_one_set_of_values_that_gets_slower_is_enough() -> None:
    def takes(_: str, values: str, used: str | None) -> float:
        return {None: 100.0, a: 900.0 if values == "rare" else 1.0}.get(used, 100.0)

    found, _, _ = tried([{a: 1_000.0}], takes)
    assert found.chosen.definitions == set()
    assert "with the rare values" in found.lies[0]
    assert found.certainty is Certainty.EXECUTED


def test_a_promise_that_is_not_kept_is_costed_by_what_was() -> None:
    """Nobody is slower: but the other index, which promised less, gives more."""
    takes = {None: 100.0, a: 95.0, b: 30.0}
    found, _, _ = tried([{a: 1_000.0, b: 20_000.0}], lambda _, __, used: takes.get(used, 100.0))
    assert found.chosen.definitions == {b}
    assert "it takes" in found.lies[0]


def test_what_the_planner_thinks_little_of_is_tried_and_found_to_be_better() -> None:
    thinks = [{a: 10_000.0, b: 80_000.0}]
    takes = {None: 100.0, a: 40.0, b: 5.0}
    without, _, _ = tried(thinks, lambda _, __, used: takes[used])
    assert without.chosen.definitions == {a}
    found, rows, _ = tried(thinks, lambda _, __, used: takes[used], promising=lambda _: [(0, frozenset({1}))])
    assert found.chosen.definitions == {b}
    assert [c.definition for c in rows.built] == [a, b]
    assert found.lies == ()
    assert found.certainty is Certainty.EXECUTED


def test_what_is_tried_and_no_better_is_nobody_s_business() -> None:
    thinks = [{a: 10_000.0, b: 20_000.0}]
    takes = {None: 100.0, a: 9.0, b: 900.0}
    found, rows, _ = tried(thinks, lambda _, __, used: takes[used], promising=lambda _: [(0, frozenset({1}))])
    assert found.chosen.definitions == {a}
    assert len(rows.built) == 2
    assert (found.lies, found.declined, found.gaps, found.rounds) == ((), (), (), 1)


def test_more_than_a_better_plan_reads_is_taken_to_be_as_much_better() -> None:
    """With both there the planner reads both, and nobody has executed that."""
    ground = Ground(Table([]), [demand()])
    told = replace(_fact(frozenset({a}), 0.8, 0.1), is_better=True)
    ground.facts[0, frozenset({a})] = told
    answer = Answer(shown=(70_000.0,) * 2, risk=(70_000.0,) * 2, used=frozenset({0, 1}))
    assert ground.costed(0, answer, frozenset({a, b})).shown == pytest.approx((8_750.0, 8_750.0))
    assert ground.costed(0, answer, frozenset({b})) == answer
    assert ground.costed(0, answer, frozenset({a})).shown == pytest.approx((10_000.0, 10_000.0))


def _fact(used: frozenset[str], estimated: float, left: float) -> Fact:
    same = (Outcome.FASTER,) * 2
    return Fact(
        demand=0, used=used, comparisons=(None,) * 2, outcomes=same, estimated=(estimated,) * 2, left=(left,) * 2
    )


def test_time_that_is_up_leaves_what_was_not_tried() -> None:
    thinks = [{a: 10_000.0, b: 80_000.0}]
    studied, rows = [demand()], Rows(lambda _, __, used: 10.0 if used else 100.0, thinks, ["SELECT 1"])
    late = iter([False] * 4)
    found = refute(
        greedy(studied), lambda c: c.visible, studied, Table(thinks), rows,
        promising=lambda _: [(0, frozenset({1}))], enough=lambda: next(late, True),
    )  # fmt: skip
    assert found.chosen.definitions == {a}
    assert len(rows.built) <= 2


def test_a_smaller_mirror_breaks_no_promise_but_shows_what_is_slower() -> None:
    thinks = [{a: 1_000.0, b: 20_000.0}]
    kept, _, _ = tried(thinks, lambda _, __, used: {a: 95.0}.get(used or "", 100.0), whole=False)
    slower, _, _ = tried(thinks, lambda _, __, used: {a: 195.0}.get(used or "", 100.0), whole=False)
    assert kept.chosen.definitions == {a}
    assert slower.chosen.definitions == set() or slower.chosen.definitions == {b}


def test_what_the_search_takes_again_is_refused() -> None:
    """A search that does not listen to costs still ends with a set that slows nobody down."""

    def stubborn(world: workload.World) -> Pick:
        refusals = world.stock((A, B))
        return Pick(frozenset(n for n in (0, 1) if refusals[n] is None), (A, B))

    takes = {None: 100.0, a: 900.0, b: 10.0}
    found, _, _ = tried([{a: 1_000.0, b: 5_000.0}], lambda _, __, used: takes.get(used, 100.0), select=stubborn)
    assert found.chosen.definitions == {b}
    (declined,) = found.declined
    assert declined.candidate == A
    assert "it got slower" in declined.reason


def test_of_two_that_slow_a_query_down_together_the_one_that_saves_less_is_refused() -> None:
    """Either gone, it is not slower; one of them serves another query well."""
    studied = [demand("SELECT one"), demand("SELECT two")]
    pairs = {frozenset(): 100_000.0, frozenset({a}): 90_000.0, frozenset({b}): 90_000.0, frozenset({a, b}): 1_000.0}
    single = {frozenset(): 100_000.0, frozenset({a}): 5_000.0}
    took = {frozenset(): 100.0, frozenset({a}): 90.0, frozenset({b}): 90.0, frozenset({a, b}): 900.0}

    @dataclass(slots=True)
    class Pairs(Table):
        def _answer(self, question: Question) -> Answer:
            known = (pairs, single)[question.demand]
            shown = {n: self.known[n].definition for n in question.visible}
            used = min((u for u in known if u <= set(shown.values())), key=lambda u: known[u])
            numbers = frozenset(n for n, definition in shown.items() if definition in used)
            return Answer(shown=(known[used],) * 2, risk=(known[used],) * 2, used=numbers)

    @dataclass(slots=True)
    class Together(Rows):
        def run(self, query: Query, parameters: ParameterSet, **how: object) -> Run:
            names = {n: self.built[n].definition for n in how["visible"]}  # type: ignore[attr-defined]
            known = (pairs, single)[query.text == "SELECT two"]
            used = min((u for u in known if u <= set(names.values())), key=lambda u: known[u])
            ms = took[used] if query.text == "SELECT one" else 5.0 if used else 100.0
            return Run(ms=ms, blocks=int(ms * 10), used=frozenset(n for n, name in names.items() if name in used))

    def both(world: workload.World) -> Pick:
        refusals = world.stock((A, B))
        return Pick(frozenset(n for n in (0, 1) if refusals[n] is None), (A, B))

    rows = Together(lambda *_: 0.0, [], [])
    found = refute(both, lambda c: c.visible, studied, Pairs([]), rows, rules=Rules(rounds=2))
    assert found.chosen.definitions == {a}
    assert [d.candidate for d in found.declined] == [B]


def test_an_index_that_production_could_not_have_is_refused() -> None:
    refused = {a: StatementError("index row size 3000 exceeds btree version 4 maximum 2704", sqlstate="54000")}
    found, _, _ = tried([{a: 1_000.0, b: 5_000.0}], lambda _, __, used: 10.0 if used else 100.0, refused=refused)
    assert found.chosen.definitions == {b}
    assert "index row size" in found.declined[0].reason
    assert found.certainty is Certainty.EXECUTED


def test_an_index_that_the_mirror_cannot_build_is_as_sure_as_its_plans() -> None:
    refused = {a: StatementError("could not extend file: No space left on device", sqlstate="53100")}
    found, _, _ = tried([{a: 1_000.0}], lambda _, __, used: 10.0 if used else 100.0, refused=refused)
    assert found.chosen.definitions == {a}
    assert found.certainty is Certainty.PLANNED
    assert "No space left" in found.gaps[0].says


def test_a_query_that_the_mirror_refuses_is_a_gap() -> None:
    thinks = [{a: 1_000.0}, {b: 1_000.0}]
    found, _, _ = tried(thinks, lambda _, __, used: 10.0 if used else 100.0, "SELECT refused", "SELECT fine")
    assert found.certainty is Certainty.PLANNED
    (gap,) = found.gaps
    assert "SELECT refused.sql" in gap.says
    assert "permission denied" in gap.says


def test_what_writes_runs_last_for_it_leaves_dead_rows() -> None:
    thinks = [{a: 1_000.0}, {a: 1_000.0}]
    _, rows, _ = tried(thinks, lambda _, __, used: 10.0 if used else 100.0, "UPDATE t", "SELECT t")
    assert rows.ran == sorted(rows.ran)


def test_nothing_is_executed_twice_nor_asked_twice() -> None:
    thinks = [{a: 1_000.0, b: 5_000.0}, {ab: 1_000.0}]
    takes = {None: 100.0, a: 700.0, b: 8.0, ab: 8.0}
    found, rows, world = tried(thinks, lambda _, __, used: takes[used], "SELECT one", "SELECT two")
    assert found.chosen.definitions == {b, ab}
    assert rows.ran.count("SELECT two") <= 2 * 2 * 3
    assert world.asked == len({(d, v) for d in (0, 1) for v in ((a,), (b,), (ab,), (a, ab), (b, ab))})


def test_time_that_is_up_is_said() -> None:
    studied = [demand()]
    thinks = [{a: 1_000.0}]
    rows = Rows(lambda *_: 1.0, thinks, ["SELECT 1"])
    found = refute(
        greedy(studied), lambda c: c.visible, studied, Table(thinks), rows, enough=lambda: True
    )  # fmt: skip
    assert found.chosen.definitions == {a}
    assert rows.ran == []
    assert found.certainty is Certainty.PLANNED
    assert "time was up" in found.gaps[0].says


def test_ctrl_c_while_executing_leaves_the_best_set_so_far() -> None:
    def takes(text: str, _: str, used: str | None) -> float:
        if text == "SELECT two":
            raise KeyboardInterrupt
        return 900.0 if used else 100.0

    thinks = [{a: 1_000.0}, {b: 1_000.0}]
    found, _, _ = tried(thinks, takes, "SELECT one", "SELECT two")
    assert found.interrupted
    assert found.chosen.definitions == {b}
    assert found.certainty is Certainty.PLANNED
    assert found.gaps[0].says == "It was interrupted before SELECT two.sql came to be executed"


def test_values_that_go_together_show_what_the_statistics_do_not() -> None:
    def takes(_: str, values: str, used: str | None) -> float:
        return 100.0 if used != a else 800.0 if values == "sampled" else 1.0

    found, _, _ = tried([{a: 1_000.0}], takes, samples=(ParameterSet(name="sampled", values=("7",)),))
    assert found.chosen.definitions == set()
    assert "with the sampled values" in found.lies[0]


def test_after_some_rounds_a_planner_that_lied_of_a_query_is_believed_no_more() -> None:
    thinks = [{a: 1_000.0, ab: 2_000.0, b: 30_000.0}]
    found, rows, _ = tried(thinks, lambda _, __, used: 900.0 if used else 100.0)
    assert found.chosen.definitions == set()
    assert [c.definition for c in rows.built] == [a, ab]  # 30 % that is three times as much is more than there was
    assert found.certainty is Certainty.EXECUTED


def test_a_search_that_finds_ever_new_lies_comes_to_an_end() -> None:
    """Whatever it takes makes the query slower but one, which it likes least."""
    many = tuple(candidate(f"c{n}") for n in range(12))
    names = [c.definition for c in many]
    thinks = [{name: 1_000.0 + 10 * n for n, name in enumerate(names)}]

    def eager(world: workload.World) -> Pick:
        refusals = world.stock(many)
        usable = [n for n, refusal in enumerate(refusals) if refusal is None]
        answers = {n: world.ask([Question(demand=0, visible=frozenset({n}))])[0] for n in usable}
        useful = [n for n in usable if answers[n].used and max(answers[n].shown) < 100_000]
        return Pick(frozenset(useful[:3]), many)

    found, rows, _ = tried(
        thinks, lambda _, __, used: 5.0 if used == names[5] else 900.0 if used else 100.0, select=eager
    )
    assert not found.slower
    assert found.certainty is Certainty.EXECUTED
    assert found.chosen.definitions <= {names[5], *(c.definition for c in rows.built)}
