"""Chains of sessions that wait, and indexes by their definitions."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from premortem.diagnosis import blocking, vanishing
from premortem.model import Backend

NOW = datetime(2026, 11, 22, 14, 3, tzinfo=UTC)


def session(pid: int, *blocked_by: int, **more: object) -> Backend:
    return Backend(pid=pid, dbid=1, userid=1, blocked_by=blocked_by, **more)  # type: ignore[arg-type]


def test_the_root_is_the_one_that_waits_for_nobody() -> None:
    chain = [session(1), session(2, 1), session(3, 2), session(4, 3), session(9)]
    assert blocking.roots([chain[3]], chain) == (1,)


def test_the_root_that_most_wait_for_comes_first() -> None:
    sessions = [session(1), session(2), session(3, 2), session(4, 1), session(5, 2, 3)]
    assert blocking.roots([s for s in sessions if s.blocked_by], sessions) == (2, 1)


def test_a_root_that_is_not_among_the_sessions_is_named_all_the_same() -> None:
    assert blocking.roots([session(2, 77)], [session(2, 77)]) == (77,)
    assert blocking.told(77, [], NOW) == "session 77"
    assert "pg_terminate_backend(77)" in blocking.action(77, [], NOW).sql[0]


def test_a_circle_ends() -> None:
    circle = [session(1, 2), session(2, 1)]
    assert blocking.roots(circle, circle) == ()


def test_a_prepared_transaction_cannot_be_cancelled_by_its_process() -> None:
    action = blocking.action(0, [], NOW)
    assert "pg_prepared_xacts" in action.sql[0]


def test_what_runs_is_cancelled_and_what_idles_is_ended() -> None:
    runs = session(1, state="active", application="shop", query_start=NOW - timedelta(minutes=3))
    idles = session(2, state="idle in transaction", state_change=NOW - timedelta(minutes=12))
    assert "pg_cancel_backend(1)" in blocking.action(1, [runs], NOW).sql[0]
    assert "pg_terminate_backend(2)" in blocking.action(2, [idles], NOW).sql[0]
    assert "idle in transaction for 12 min" in blocking.told(2, [idles], NOW)


def test_a_hostile_application_name_steers_no_terminal() -> None:
    told = blocking.told(1, [session(1, application="\x1b[2Jx\nrm -rf", state="active")], NOW)
    assert "\x1b" not in told
    assert "\n" not in told


def test_key_columns_of_a_definition() -> None:
    assert vanishing.columns('CREATE UNIQUE INDEX i ON s.t USING btree ("a b", c) WHERE (d > 0)') == ("a b", "c")
    assert vanishing.columns("CREATE INDEX i ON s.t USING btree (lower(a), b)") == ()
    assert vanishing.columns("CREATE INDEX i ON s.t USING gin (a jsonb_path_ops)") == ("a",)
