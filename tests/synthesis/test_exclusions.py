"""Exclusion constraints, sets that overlap, references to partitioned tables, on real servers at any scale."""

from __future__ import annotations

import pytest

from premortem import catalog, pg, synthesis
from premortem.model import Profile, Values
from tests.synthesis.conftest import fill, script

Booked = tuple[pg.Server, Profile, dict[str, float]]
_TEMPORAL = "alter table prices add constraint prices_key unique (item, shop, valid without overlaps)"


@pytest.fixture(scope="module", params=[15, 18], ids=["pg15", "pg18"])
def booked(request: pytest.FixtureRequest) -> Booked:
    """A server, and the profile of a production with constraints of every kind."""
    server: pg.Server = request.getfixturevalue(f"server{request.param}")
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE booked")
    with pg.writer(server, purpose="test", database="booked") as db:
        db.execute("SELECT setseed(0.5)")
        for name in ("exclusions.sql", "exclusion_rows.sql", "exclusion_keys.sql"):
            script(db, name)
        if request.param >= 18:
            db.execute(_TEMPORAL)
        db.execute("ANALYZE")
        seen = _seen(db)
    with pg.session(server, purpose="test", database="booked") as db:
        profile = catalog.pull(db, values=Values.ALL)
    with pg.writer(server, purpose="test") as db:
        db.execute("DROP DATABASE booked WITH (FORCE)")
    return server, profile, seen


@pytest.mark.parametrize(("scale", "seed"), [(1.0, 0), (2.5, 1), (0.1, 2)])
def test_every_exclusion_constraint_is_accepted(booked: Booked, scale: float, seed: int) -> None:
    server, profile, seen = booked
    # More rows of a month than its days have room for are nobody's fault.
    wanted = [
        t.relation
        for t in profile.tables
        if scale <= 1 or not t.name.startswith(("days", "notes", "marks", "plans", "items"))
    ]
    planned = synthesis.plan(profile, scale=scale, seed=seed, tables=wanted)
    with pg.writer(server, purpose="test") as db:
        db.execute("CREATE DATABASE booked_again")
    try:
        with pg.writer(server, purpose="test", database="booked_again") as db:
            script(db, "exclusions.sql")
            fill(db, planned)
            script(db, "exclusion_keys.sql")
            if profile.server.major >= 18:
                db.execute(_TEMPORAL)
            gaps = [gap for gap in planned.gaps if "times as long as in production" not in gap.says]
            assert scale > 1 or not gaps, gaps
            assert scale > 1 or not planned.gaps
            if scale == 1.0:
                found = _seen(db)
                near = {sql: abs(found[sql] - one) <= SEEN.get(sql, 0) * one for sql, one in seen.items()}
                assert all(near.values()), {sql: (one, found[sql]) for sql, one in seen.items() if not near[sql]}
    finally:
        with pg.writer(server, purpose="test") as db:
            db.execute("DROP DATABASE booked_again WITH (FORCE)")


#: What queries see of the spans, and how near the mirror comes to it.
SEEN = {
    "SELECT extract(epoch FROM avg(upper(during) - lower(during)))::float8 FROM bookings": 0.1,
    "SELECT extract(epoch FROM avg(upper(during) - lower(during)))::float8 FROM lessons": 0.02,
    "SELECT extract(epoch FROM avg(ends_at - starts_at))::float8 FROM visits": 0.3,
    "SELECT count(*) FROM bookings WHERE during IS NULL": 0.1,
    "SELECT count(*) FROM bookings WHERE isempty(during)": 0.2,
    "SELECT count(*) FROM bookings WHERE status = 'cancelled'": 0.02,
    "SELECT count(DISTINCT room) FROM bookings": 0,
    "SELECT extract(epoch FROM percentile_disc(0.3) WITHIN GROUP (ORDER BY lower(during)))::float8 FROM bookings": 0.01,
    "SELECT count(*) FROM prices WHERE upper_inf(valid)": 0.15,
    "SELECT count(*) FROM stays WHERE gone": 0.02,
    "SELECT avg(last - first)::float8 FROM stays": 0.3,
    "SELECT count(*) FROM notes WHERE d < '2026-02-01'": 0.1,
    "SELECT count(*) FROM notes WHERE d >= '2026-03-01'": 0.1,
    "SELECT avg(upper(block) - lower(block))::float8 FROM numbers": 0.05,
}


def _seen(db: pg.Session) -> dict[str, float]:
    names = (
        "bookings",
        "visits",
        "stays",
        "lessons",
        "prices",
        "numbers",
        "shifts",
        "packed",
        "notes",
        "marks",
        "items",
        "plans",
    )
    return {sql: float(db.value(sql)) for sql in (*SEEN, *(f"SELECT count(*) FROM {name}" for name in names))}
