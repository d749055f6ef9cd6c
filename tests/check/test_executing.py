"""What executions decide: which indexes stay, which findings get milder, and what is proved."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from premortem import advisor
from premortem.check import Executor, executing
from premortem.errors import ServerTimeout, StatementError
from premortem.model import (
    Actual,
    Advice,
    Built,
    Execution,
    Finding,
    IndexCandidate,
    IndexKey,
    Node,
    ParameterSet,
    Plan,
    Planned,
    Proof,
    Query,
    RelationName,
    Remedy,
    Severity,
    Site,
)
from premortem.settings import Settings
from tests.check.values import profile, table

PROFILE = profile(table("items"))
ITEMS = RelationName(schema="public", name="items")
HOT, RARE = ParameterSet(name="hot", values=("1",)), ParameterSet(name="rare", values=("2",))
QUERY = Query(text="select 1", original="select 1", fingerprint="f", site=Site(source="q.sql"))
LIMIT = 1_000.0


def ran(parameters: ParameterSet, ms: float, blocks: int) -> Execution:
    actual = Actual(rows=1, loops=1, total_ms=ms, shared_hit_blocks=blocks)
    plan = Plan(root=Node(kind="Result", actual=actual, total_cost=1.0))
    return Execution(parameters=parameters, limit_ms=LIMIT, plan=plan, first_ms=ms, again_ms=(ms,))


def unfinished(parameters: ParameterSet) -> Execution:
    return Execution(parameters=parameters, limit_ms=LIMIT)


def advice(column: str) -> Advice:
    candidate = IndexCandidate(table=ITEMS, keys=(IndexKey(column=column),))
    return Advice(
        candidate=candidate, name=f"items_{column}_idx", effects=(), size_bytes=1, build_seconds=1.0, write_cost=""
    )


def planned(parameters: ParameterSet) -> Planned:
    return Planned(parameters=parameters, plan=Plan(root=Node(kind="Result")))


class Mirror:
    """Executions without an index, and with each; what is there is what was built last."""

    def __init__(self, bare: Sequence[Execution], **built: Sequence[Execution] | Exception) -> None:
        self.answers: Mapping[str, Sequence[Execution] | Exception] = {"": bare, **built}
        self.there = ""

    def execute(self, query: Query, parameters: ParameterSet) -> Execution:
        answers = self.answers[self.there]
        assert not isinstance(answers, Exception)
        return next(e for e in answers if e.parameters == parameters)

    @contextlib.contextmanager
    def building(self, wanted: Sequence[Advice]) -> Iterator[tuple[Built, ...]]:
        (one,) = wanted
        column = one.candidate.keys[0].column or ""
        answer = self.answers[column]
        if isinstance(answer, Exception):
            raise answer
        self.there = column
        yield (Built(name=one.name, seconds=2.0, size_bytes=8192),)
        self.there = ""

    def executor(self, *, whole: bool = True) -> Executor:
        return Executor(
            place="a mirror",
            execute=self.execute,
            sampled=lambda query, plans, profile: ((), ()),
            building=self.building,
            is_whole=lambda relation: whole,
        )


def tried(mirror: Mirror, *columns: str, whole: bool = True) -> executing.Trial:
    """Try the indexes in the order in which an advisor would propose them, when the ones before are refused."""

    def choose(replan: advisor.Replan) -> advisor.Choice:
        for column in columns:
            try:
                replan([advice(column).candidate], ())
            except StatementError:
                continue
            return advisor.Choice(advice=(advice(column),))
        return advisor.Choice(says="nothing helps")

    plans = tuple(planned(e.parameters) for e in mirror.answers[""])  # type: ignore[union-attr]
    return executing.trial(
        QUERY, plans, choose, lambda candidates, without: plans, PROFILE, mirror.executor(whole=whole)
    )


SLOW = (ran(HOT, 400, 20_000), ran(RARE, 380, 20_000))
FAST = (ran(HOT, 3, 200), ran(RARE, 0.1, 4))


def test_an_index_that_saves_is_kept() -> None:
    found = tried(Mirror(SLOW, sku=FAST), "sku")
    assert [a.name for a in found.choice.advice] == ["items_sku_idx"]
    assert found.saved
    assert found.refused == ()
    assert [b.ms for b, _ in found.executed.pairs()] == [400, 380]


def test_an_index_that_makes_a_set_slower_is_refused_and_the_next_one_is_tried() -> None:
    worse = (ran(HOT, 900, 60_000), ran(RARE, 0.1, 4))
    found = tried(Mirror(SLOW, status=worse, sku=FAST), "status", "sku")
    assert [a.name for a in found.choice.advice] == ["items_sku_idx"]
    (refused,) = found.refused
    assert refused.candidate == advice("status").candidate
    assert "makes the hot values slower" in refused.reason
    assert "400 ms, 20,000 blocks → 900 ms, 60,000 blocks" in refused.reason


def test_where_every_index_is_refused_none_is_proposed() -> None:
    worse = (ran(HOT, 900, 60_000), ran(RARE, 0.1, 4))
    found = tried(Mirror(SLOW, status=worse), "status")
    assert found.choice.advice == ()
    assert found.executed.after == ()
    assert len(found.refused) == 1


@pytest.mark.parametrize(("whole", "kept"), [(True, False), (False, True)])
def test_an_index_that_saves_nothing_is_refused_where_the_mirror_is_large_enough(whole: bool, kept: bool) -> None:
    found = tried(Mirror(SLOW, sku=SLOW), "sku", whole=whole)
    assert bool(found.choice.advice) is kept
    assert not found.saved


@pytest.mark.parametrize("error", [StatementError("too long a key"), ServerTimeout("15 minutes")])
def test_an_index_that_cannot_be_built_stays_as_sure_as_its_plans(error: Exception) -> None:
    found = tried(Mirror(SLOW, sku=error), "sku")
    assert [a.name for a in found.choice.advice] == ["items_sku_idx"]
    assert found.executed.after == ()
    assert [g.subject for g in found.gaps] == ["proof on the mirror"]


@pytest.mark.parametrize(
    ("before", "after", "worse"),
    [
        (ran(HOT, 100, 1_000), ran(HOT, 100, 1_000), False),
        (ran(HOT, 100, 1_000), ran(HOT, 140, 1_000), False),  # the clock alone, by little: noise
        (ran(HOT, 100, 1_000), ran(HOT, 300, 1_000), True),
        (ran(HOT, 0.1, 4), ran(HOT, 0.3, 5), False),  # three times nothing
        (ran(HOT, 100, 1_000), ran(HOT, 90, 5_000), False),  # more blocks, and still quicker
        (ran(HOT, 100, 1_000), ran(HOT, 200, 5_000), True),
        (ran(HOT, 100, 1_000), unfinished(HOT), True),
        (unfinished(HOT), unfinished(HOT), False),
        (unfinished(HOT), ran(HOT, 900, 10**6), False),
    ],
)
def test_worse_is_more_than_noise(before: Execution, after: Execution, worse: bool) -> None:
    assert executing.is_worse(before, after) is worse


def ground(found: executing.Trial, *, whole: bool = True) -> executing.Ground:
    return executing.Ground(
        query=QUERY, profile=PROFILE, settings=Settings(), trial=found, is_whole=lambda relation: whole
    )


REMEDY = Remedy(sql=advice("sku").sql, proof=Proof.LIKELY)
FINDING = Finding(
    rule="seq-scan-discards-rows", severity=Severity.ERROR, says="reads much", key="k", table=ITEMS,
    parameters="hot", remedy=REMEDY,
)  # fmt: skip


def test_a_remedy_that_saved_is_proved_with_its_figures() -> None:
    (finding,) = executing.told([FINDING], ground(tried(Mirror(SLOW, sku=FAST), "sku")))
    assert finding.remedy is not None
    assert finding.remedy.proof is Proof.PROVED
    assert "400 ms, 20,000 blocks → 3 ms, 200 blocks" in finding.remedy.measured
    assert "took 2.0 s to build" in finding.remedy.measured
    assert finding.severity is Severity.ERROR


def test_a_remedy_that_a_small_mirror_cannot_show_stays_likely() -> None:
    small = (ran(HOT, 0.2, 8), ran(RARE, 0.2, 8))
    (finding,) = executing.told([FINDING], ground(tried(Mirror(small, sku=small), "sku", whole=False), whole=False))
    assert finding.remedy is not None
    assert finding.remedy.proof is Proof.LIKELY
    assert "smaller than production" in finding.remedy.measured


@pytest.mark.parametrize(("whole", "severity"), [(True, Severity.WARNING), (False, Severity.ERROR)])
def test_an_error_that_no_execution_shows_is_a_warning_where_the_mirror_is_whole(
    whole: bool, severity: Severity
) -> None:
    bare = replace(FINDING, remedy=None)
    (finding,) = executing.told([bare], ground(tried(Mirror(FAST)), whole=whole))
    assert finding.severity is severity
    assert ("no set shows it" in finding.says) is whole


def test_what_does_not_finish_is_an_error_and_its_cure_is_proved() -> None:
    found = tried(Mirror((unfinished(HOT), ran(RARE, 1, 10)), sku=FAST), "sku")
    first, *_ = executing.told([FINDING], ground(found))
    assert first.rule == "did-not-finish"
    assert first.severity is Severity.ERROR
    assert first.remedy is not None
    assert first.remedy.proof is Proof.PROVED
    assert first.remedy.sql == advice("sku").sql


def test_what_a_user_said_of_a_severity_stays() -> None:
    bare = replace(FINDING, remedy=None)
    told = executing.told([bare], replace(ground(tried(Mirror(FAST))), fixed=frozenset({FINDING.rule})))
    assert told[0].severity is Severity.ERROR
