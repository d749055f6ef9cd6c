"""ANALYZE reads a sample: another one, and near-ties between plans fall the other way.  No verdict may follow."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date

from premortem import baseline, catalog, check, pg, sources, twin
from premortem.check.patience import Exhausted
from premortem.model import Change, IndexCandidate, Planned, Profile, QueryReport, RelationName, Site, Values, Verdict
from premortem.settings import Settings
from premortem.twin.whatif import WhatIf

SAMPLES = 24
SCHEMA = """
CREATE TABLE customers (id bigint PRIMARY KEY, country text NOT NULL, born date NOT NULL);
CREATE TABLE orders (
    id bigint PRIMARY KEY, customer_id bigint NOT NULL, status text NOT NULL, total numeric NOT NULL,
    created_at timestamptz NOT NULL, filler text NOT NULL);
SELECT setseed(0.5);
INSERT INTO customers SELECT g, 'C' || (power(random(), 2) * 200)::int, date '1950-01-01' + (random() * 20000)::int
    FROM generate_series(1, 8000) g;
INSERT INTO orders SELECT g, (power(random(), 2) * 7999)::int + 1,
    CASE WHEN random() < 0.002 THEN 'pending' WHEN random() < 0.2 THEN 'paid' ELSE 'shipped' END,
    (random() * 10000)::numeric(10, 2), timestamptz '2026-01-01 00:00+00' + g * interval '10 seconds', repeat('x', 80)
    FROM generate_series(1, 80000) g;
CREATE INDEX orders_customer ON orders (customer_id);
CREATE INDEX orders_total ON orders (total);
CREATE INDEX orders_created ON orders (created_at);
CREATE INDEX customers_country ON customers (country);
VACUUM orders, customers;
"""
# Each stands near a border: between scanning and an index, between a join order and another, or of a rule's threshold.
QUERIES = """
select * from orders where total > 7600;
select * from orders where total > 8700 and status = 'paid';
select * from orders where total between $1 and $2;
select * from orders where customer_id = $1 order by created_at desc limit 10;
select * from orders where status = $1 order by created_at limit 20;
select o.* from orders o join customers c on c.id = o.customer_id where c.country = $1 and o.created_at > $2;
select * from orders where customer_id in (select id from customers where country = $1) and status = 'paid';
select * from orders where created_at > $1 and total > $2;
"""
SETTINGS = Settings(today=date(2026, 1, 1))


@contextmanager
def planner(server: pg.Server, dsn: str, profile: Profile) -> Iterator[check.Planner]:
    """Plan on production itself; no index is tried, so every finding keeps the severity that its rule gives it."""
    with pg.writer(dsn, purpose="test") as db:
        what_if = WhatIf(db=db, server=server, profile=profile)
        explainer = twin.Explainer(db=db, profile=profile)
        here = twin.Twin(
            server=server, profile=profile, is_exact=True, observed=(), _explainer=explainer, _what_if=what_if
        )

        def replan(candidates: Sequence[IndexCandidate], without: Sequence[RelationName] = ()) -> tuple[Planned, ...]:
            raise Exhausted

        yield check.Planner(
            explain=here.explain, parameter_types=here.parameter_types, replanner=lambda query, sets: replan
        )


def shown(reports: Sequence[QueryReport]) -> list[object]:
    found = [({(f.key, f.severity) for f in r.findings}, baseline.outline(r.planned[0].plan)) for r in reports]
    return [*found]


def test_no_resampling_changes_a_verdict_or_the_lock(server15: pg.Server) -> None:
    with pg.writer(server15, purpose="test") as db:
        db.execute("CREATE DATABASE noise")
    dsn = server15.dsn("noise")
    with pg.writer(dsn, purpose="test") as db:
        for statement in SCHEMA.split(";\n"):
            if statement.strip():
                db.execute(statement)
    queries = sources.text(QUERIES, Site(source="q.sql", line=1))
    lock = None
    seen: list[list[object]] = []
    for _ in range(SAMPLES + 1):
        with pg.writer(dsn, purpose="test") as db:
            db.execute("SET default_statistics_target = 10")
            db.execute("ANALYZE orders, customers")
        with pg.session(dsn, purpose="test") as session:
            profile = catalog.pull(session, values=Values.ALL)
        with planner(server15, dsn, profile) as asked:
            raw = tuple(check.run_all(queries, planner=asked, profile=profile, settings=SETTINGS))
            accepted = lock.queries if lock is not None else {}
            known = check.Known(lock=accepted, accepted=accepted)
            world = baseline.World(profile=profile, version="0.1", rules=check.ground(SETTINGS))
            sifted = check.sift(queries, known, world, SETTINGS.today, lambda site: site)
            comparing = check.Comparing(known=known, sifted=sifted, world=world, planner=asked, settings=SETTINGS)
            adopting = check.Reason(says="adopted", accepts_all=lock is None)
            if lock is None:
                lock = check.updated(None, raw, comparing, adopting, lambda site: site, lambda was: True)
                continue
            reports = tuple(check.compared(r, comparing) for r in raw)
            told = [(r.original, r.verdict, r.difference.says) for r in reports if r.difference and _flaps(r)]
            assert told == []
            assert check.stale(reports, comparing, lambda name: None) == ()
            again = check.updated(lock, reports, comparing, adopting, lambda site: site, lambda was: True)
            assert baseline.render(again) == baseline.render(lock)
            seen.append(shown(raw))
    assert len(seen) == SAMPLES
    assert any(one != seen[0] for one in seen)  # else the samples were too alike to prove anything


def _flaps(report: QueryReport) -> bool:
    changed = report.difference is None or report.difference.change is not Change.UNCHANGED
    return report.verdict is not Verdict.PASS or changed
